//! The files of a recording.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::Service;
use infra::event_store::StoredFact;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a version recorded, line by line.
#[derive(Clone)]
pub struct Recording {
    /// A line a fact, in the order of the log.
    pub logs: BTreeMap<Service, Vec<String>>,
    /// See [`super::views`].
    pub views: Vec<String>,
}

/// A fact as it is stored, its JSON letter for letter. Its position is the number of its line.
#[derive(Serialize, Deserialize)]
pub struct Line {
    id: String,
    pub name: String,
    pub version: String,
    pub payload: Box<RawValue>,
    metadata: Box<RawValue>,
}

impl Line {
    pub fn of(fact: &StoredFact) -> Self {
        let raw = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap();
        Self {
            id: fact.id.to_string(),
            name: fact.name.clone(),
            version: fact.version.clone(),
            payload: raw(&fact.payload),
            metadata: raw(&fact.metadata),
        }
    }
}

const VIEWS: &str = "views.jsonl";

fn file_of(service: Service) -> String {
    format!("{service}.jsonl")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

/// The folder of the version in `Cargo.toml`: releases that differ in the last number only do not
/// change what is stored.
pub fn of_this_version() -> String {
    let version = env!("CARGO_PKG_VERSION").split('.').take(2);
    format!("v{}", version.collect::<Vec<_>>().join("."))
}

impl Recording {
    /// All there are, by version.
    pub fn all() -> Vec<(String, Self)> {
        let entries = fs::read_dir(root()).unwrap();
        let mut versions: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('v'))
            .collect();
        versions.sort();
        let read = |version: String| (version.clone(), Self::read(&version));
        versions.into_iter().map(read).collect()
    }

    pub fn of_this_version() -> Self {
        let version = of_this_version();
        let there = root().join(&version).exists();
        assert!(
            there,
            "there is no recording of {version}: `make record` writes one"
        );
        Self::read(&version)
    }

    fn read(version: &str) -> Self {
        let lines = |file: &str| {
            let text = fs::read_to_string(root().join(version).join(file)).unwrap();
            text.lines().map(str::to_owned).collect()
        };
        let logs = Service::ALL.map(|service| (service, lines(&file_of(service))));
        Self {
            logs: logs.into(),
            views: lines(VIEWS),
        }
    }

    /// Writes the folder of this version.
    pub fn write(&self) {
        let folder = root().join(of_this_version());
        fs::create_dir_all(&folder).unwrap();
        let write = |file: &str, lines: &[String]| {
            let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            fs::write(folder.join(file), text).unwrap();
        };
        for (service, lines) in &self.logs {
            write(&file_of(*service), lines);
        }
        write(VIEWS, &self.views);
    }

    /// The facts of all services, those of a service in the order of its log.
    pub fn facts(&self) -> Result<Vec<StoredFact>, String> {
        let mut facts = vec![];
        for (service, lines) in &self.logs {
            for (text, position) in lines.iter().zip(1..) {
                let fact = read_fact(text, position);
                let place = |e| format!("line {position} of {}: {e}", file_of(*service));
                facts.push(fact.map_err(place)?);
            }
        }
        Ok(facts)
    }
}

fn read_fact(text: &str, position: u64) -> Result<StoredFact, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let bytes = |json: &RawValue| json.get().to_owned().into();
    Ok(StoredFact {
        id: line.id.parse().map_err(|_| format!("the id {}", line.id))?,
        position,
        payload: bytes(&line.payload),
        metadata: bytes(&line.metadata),
        name: line.name,
        version: line.version,
    })
}
