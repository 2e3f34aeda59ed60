//! Certificates, made with the tool of OpenSSL, on which Debian's package of Postgres depends.

use std::path::{Path, PathBuf};
use std::process::Command;

const SETTINGS: &str = "\
[req]
distinguished_name = name
prompt = no
[name]
CN = waybill tests
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
";

/// Who vouches for servers at 127.0.0.1.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// One of its own, with its files in `folder`.
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("openssl.cnf"), SETTINGS).unwrap();
        let authority = Self {
            folder: folder.to_owned(),
        };
        authority.sign("ca", &[]);
        authority
    }

    /// The certificate that clients trust.
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate of a server and its key, both as PEM.
    pub fn server(&self) -> (String, String) {
        self.sign("server", &["-CA", "ca.pem", "-CAkey", "ca.key"]);
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap();
        (read("server.pem"), read("server.key"))
    }

    fn sign(&self, what: &str, by: &[&str]) {
        let (certificate, key) = (format!("{what}.pem"), format!("{what}.key"));
        let made = Command::new("openssl")
            .current_dir(&self.folder)
            .args([
                "req",
                "-x509",
                "-config",
                "openssl.cnf",
                "-extensions",
                what,
            ])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args([
                "-nodes",
                "-days",
                "2",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ])
            .args(by)
            .output()
            .expect("openssl (Debian: apt-get install openssl)");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
    }
}
