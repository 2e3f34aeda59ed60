//! The list of metrics, the code and the documentation say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use infra::telemetry::metrics::{METRICS, Metric};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn row_of(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|of| format!("`{of}`")).collect();
    let labels = match labels.is_empty() {
        true => "none".to_owned(),
        false => labels.join(", "),
    };
    let Metric {
        name,
        kind,
        unit,
        meaning,
        ..
    } = metric;
    format!(
        "| `{name}` | {} | {labels} | {unit} | {meaning} |",
        kind.name()
    )
}

#[test]
fn every_metric_is_documented_as_it_is_and_no_other_is() {
    let page = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let table = page.split("\n## ").next().unwrap();
    let documented: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| `waybill_"))
        .collect();
    let listed: Vec<_> = METRICS.iter().map(row_of).collect();
    assert_eq!(documented, listed);
}

#[test]
fn every_metric_that_is_listed_is_recorded_somewhere_and_no_other_is() {
    let listed: BTreeSet<_> = METRICS.iter().map(|of| of.name.to_owned()).collect();
    assert_eq!(listed.len(), METRICS.len(), "no name is there twice");
    let mut recorded = BTreeSet::new();
    for file in sources() {
        let text = std::fs::read_to_string(file).unwrap();
        let quoted = text.split("\"waybill_").skip(1);
        let names = quoted.filter_map(|rest| rest.split_once('"'));
        recorded.extend(names.map(|(name, _)| format!("waybill_{name}")));
    }
    assert_eq!(recorded, listed);
}

/// All but the list itself.
fn sources() -> Vec<PathBuf> {
    let crates = ["infra", "command-api", "projectors", "query-api", "."];
    let mut folders: Vec<_> = crates.map(|of| root().join(of).join("src")).into();
    let mut files = vec![];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("telemetry/metrics.rs") {
                files.push(path);
            }
        }
    }
    files
}
