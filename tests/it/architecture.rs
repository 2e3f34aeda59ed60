//! What may depend on what.

use std::collections::BTreeMap;
use std::path::Path;

/// The crates of ours that a crate depends on, and the others.
fn dependencies(manifest: &str) -> (Vec<String>, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest);
    let text = std::fs::read_to_string(&path).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let names = section
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()));
    names.partition(|name| OURS.contains(&name.as_str()))
}

const OURS: [&str; 5] = ["domain", "infra", "command-api", "projectors", "query-api"];

#[test]
fn dependencies_point_one_way() {
    let allowed = BTreeMap::from([
        ("domain", vec![]),
        ("infra", vec!["domain"]),
        ("command-api", vec!["domain", "infra"]),
        ("projectors", vec!["domain", "infra"]),
        ("query-api", vec!["domain", "infra"]),
    ]);
    for (name, allowed) in allowed {
        let (ours, _) = dependencies(&format!("{name}/Cargo.toml"));
        assert_eq!(ours, allowed, "{name}");
    }
}

/// What checks the product repeats none of its mistakes only while it shares none of its code.
#[test]
fn the_oracle_depends_on_nothing_of_ours() {
    let (ours, others) = dependencies("tests/oracle/Cargo.toml");
    assert_eq!(ours, [""; 0]);
    // Nor on what the product stores facts with.
    let foreign = ["cqrs-es", "postgres-es", "waybill"];
    assert!(!others.iter().any(|name| foreign.contains(&&**name)));
    // And nothing that is shipped depends on it.
    let (_, shipped) = dependencies("Cargo.toml");
    assert!(!shipped.contains(&"oracle".to_owned()));
}

#[test]
fn the_domain_cannot_do_io() {
    let (_, others) = dependencies("domain/Cargo.toml");
    assert_eq!(others, ["serde", "thiserror", "uuid", "chrono"]);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let workspace = std::fs::read_to_string(workspace).unwrap();
    let shared = workspace.split("[workspace.dependencies]").nth(1).unwrap();
    let chrono = shared
        .lines()
        .find(|line| line.starts_with("chrono ="))
        .unwrap();
    assert!(
        !chrono.contains("clock") && chrono.contains("default-features = false"),
        "{chrono}"
    );
}

/// Files that grow past a few hundred lines hide more than they show.
#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = OURS
        .iter()
        .map(|name| root.join(name).join("src"))
        .collect();
    folders.extend([root.join("src"), root.join("tests")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= 400, "{} has {lines} lines", path.display());
            }
        }
    }
}
