use std::collections::BTreeMap;

use infra::config::{Config, Sources};

/// What `key=value` settings configure, the last of each key. They may hold secrets, which are taken
/// from a file.
pub fn config_of(settings: &[String]) -> Config {
    let pairs = settings.iter().filter_map(|pair| pair.split_once('='));
    let pairs: BTreeMap<_, _> = pairs.collect();
    let lines = pairs
        .into_iter()
        .map(|(key, value)| match value.parse::<f64>() {
            Ok(_) => format!("{key} = {value}\n"),
            Err(_) => format!("{key} = '{value}'\n"),
        });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        set: vec![],
    };
    Config::load(&sources).unwrap()
}
