//! Contracts are files: what the code says and what `schemas/` says is the same.
//!
//! - `events`: the JSON schema of every version of every fact; `random`: facts made up from these.
//! - `topics`: the AsyncAPI document, and what stands beside a fact's payload.

mod events;
mod random;
mod topics;

use std::path::Path;

use infra::config::{KEYS, Settings};

/// The OpenAPI documents are generated; `UPDATE_SCHEMAS=1` writes them.
#[test]
fn the_openapi_documents_are_those_of_the_code() {
    for (name, document) in [
        ("command", command_api::openapi()),
        ("query", query_api::openapi()),
    ] {
        let generated = document.to_pretty_json().unwrap() + "\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/http/{name}.json"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&file, &generated).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == generated,
            "{} differs from the code: UPDATE_SCHEMAS=1 cargo test --test it schema",
            file.display()
        );
    }
}

#[test]
fn the_readme_lists_every_key_with_its_default() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    for key in KEYS {
        let default = match &defaults[key.name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = format!("| `{}` | `{default}` | {} |", key.name, key.help.trim());
        assert!(readme.contains(&row), "the README lacks: {row}");
    }
}
