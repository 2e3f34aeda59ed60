use infra::config::{Config, Sources};

/// What `key=value` settings configure, which may hold secrets: those are taken from a file.
pub fn config_of(settings: &[String]) -> Config {
    let lines = settings.iter().map(|setting| {
        let (key, value) = setting.split_once('=').unwrap();
        match value.parse::<u64>() {
            Ok(number) => format!("{key} = {number}\n"),
            Err(_) => format!("{key} = '{value}'\n"),
        }
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        set: vec![],
    };
    Config::load(&sources).unwrap()
}
