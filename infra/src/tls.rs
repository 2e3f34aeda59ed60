//! What clients need for TLS: whom they trust, and whose cryptography they use.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Says once a process whose cryptography is used where a client does not say it itself. Two are
/// linked, and rustls does not choose: it panics at the first connection.
pub(crate) fn choose_cryptography() {
    // Refused where somebody chose before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The certificates in a file in PEM format, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|e| format!("{}: {e}", file.display()))?;
    if found.is_empty() {
        return Err(format!(
            "{} has no certificate in PEM format",
            file.display()
        ));
    }
    Ok(found)
}
