//! What came of it: a table for people, and the same as JSON.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::machine::Machine;
use crate::rounds::median;
use crate::table::{self, Bound, Line};

/// A median and what is around it.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(all: Vec<f64>) -> Self {
        Self {
            min: all.iter().copied().fold(f64::INFINITY, f64::min),
            max: all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            median: median(all),
        }
    }
}

/// A line, measured.
#[derive(Debug)]
pub struct Outcome {
    pub line: &'static Line,
    pub ours: f64,
    /// None where the bounds are of ours itself.
    pub other: Option<f64>,
    pub ratio: Option<Spread>,
    /// CPU time of our processes for each event or order, in microseconds.
    pub cpu_us: Option<f64>,
}

impl Outcome {
    /// A line without another side.
    pub fn alone(id: &str, ours: f64) -> anyhow::Result<Self> {
        Ok(Self {
            line: table::line(id)?,
            ours,
            other: None,
            ratio: None,
            cpu_us: None,
        })
    }

    fn reaches(&self, bound: f64) -> bool {
        let figure = self.ratio.map_or(self.ours, |ratio| ratio.median);
        match self.line.bound {
            Bound::AtLeast => figure >= bound,
            Bound::AtMost => figure <= bound,
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.reaches(self.line.floor), self.reaches(self.line.goal)) {
            (_, true) => "goal",
            (true, false) => "floor",
            (false, false) => "MISSED",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, .. } = self;
        let other = self.other.map_or("-".to_owned(), short);
        let ratio = self.ratio.map_or("-".to_owned(), |ratio| {
            let Spread { median, min, max } = ratio;
            format!("{} ({} to {})", short(median), short(min), short(max))
        });
        let cpu = self.cpu_us.map_or("-".to_owned(), short);
        write!(
            f,
            "{:14} {:>9} {:>9} {:9} {:>24} {:>6} {:>6} {:>7} us  {}",
            line.id,
            short(self.ours),
            other,
            line.unit,
            ratio,
            line.floor,
            line.goal,
            cpu,
            self.verdict(),
        )
    }
}

/// Three digits that count.
fn short(figure: f64) -> String {
    match figure.abs() {
        n if n >= 100.0 => format!("{figure:.0}"),
        n if n >= 10.0 => format!("{figure:.1}"),
        n if n >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

/// All lines.
pub struct Report {
    machine: Machine,
    pub outcomes: Vec<Outcome>,
    /// Rows that could not be measured.
    pub failed: Vec<&'static str>,
}

#[derive(Serialize)]
struct Json<'a> {
    machine: &'a Machine,
    rows: Vec<JsonRow>,
}

#[derive(Serialize)]
struct JsonRow {
    id: &'static str,
    what: &'static str,
    ours: f64,
    other: Option<f64>,
    unit: &'static str,
    ratio: Option<f64>,
    ratio_min: Option<f64>,
    ratio_max: Option<f64>,
    floor: f64,
    goal: f64,
    cpu_us: Option<f64>,
}

impl Report {
    /// Nothing so far, on a machine as it is before anything is measured.
    pub fn on(machine: Machine) -> Self {
        Self {
            machine,
            outcomes: vec![],
            failed: vec![],
        }
    }

    /// Every row was measured, and every floor is met.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.outcomes.iter().all(|one| one.reaches(one.line.floor))
    }

    /// For people.
    pub fn table(&self) -> String {
        let head = format!(
            "{:14} {:>9} {:>9} {:9} {:>24} {:>6} {:>6} {:>10}",
            "row", "ours", "other", "unit", "ratio (min to max)", "floor", "goal", "CPU each",
        );
        let lines = self.outcomes.iter().map(|one| format!("\n{one}"));
        let failed = self
            .failed
            .iter()
            .map(|row| format!("\n{row} was not measured"));
        let missed = self
            .outcomes
            .iter()
            .filter(|one| !one.reaches(one.line.floor));
        let missed: Vec<_> = missed.map(|one| one.line.id).collect();
        let end = match missed.as_slice() {
            [] => "\nevery floor that was measured is met".to_owned(),
            missed => format!("\nbelow their floors: {}", missed.join(", ")),
        };
        let body: String = lines.chain(failed).collect();
        format!("\n{}\n{head}{body}{end}", self.machine)
    }

    /// For programs.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let rows = self.outcomes.iter().map(|one| JsonRow {
            id: one.line.id,
            what: one.line.what,
            ours: one.ours,
            other: one.other,
            unit: one.line.unit,
            ratio: one.ratio.map(|ratio| ratio.median),
            ratio_min: one.ratio.map(|ratio| ratio.min),
            ratio_max: one.ratio.map(|ratio| ratio.max),
            floor: one.line.floor,
            goal: one.line.goal,
            cpu_us: one.cpu_us,
        });
        let json = Json {
            machine: &self.machine,
            rows: rows.collect(),
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_vec_pretty(&json)?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: &str, ratio: f64) -> Outcome {
        Outcome {
            line: table::line(id).unwrap(),
            ours: 2.0,
            other: Some(1.0),
            ratio: Some(Spread::of(vec![ratio])),
            cpu_us: None,
        }
    }

    #[test]
    fn a_ratio_is_held_to_the_good_side_of_its_bounds() {
        assert_eq!(outcome("A1", 0.96).verdict(), "goal");
        assert_eq!(outcome("A1", 0.9).verdict(), "floor");
        assert_eq!(outcome("A1", 0.7).verdict(), "MISSED");
        assert_eq!(outcome("A3", 0.05).verdict(), "goal");
        assert_eq!(outcome("A3", 0.3).verdict(), "MISSED");
    }

    #[test]
    fn a_figure_that_cannot_be_had_meets_nothing() {
        assert_eq!(outcome("A1", f64::NAN).verdict(), "MISSED");
        assert_eq!(outcome("A3", f64::NAN).verdict(), "MISSED");
    }

    #[test]
    fn a_report_is_good_where_all_was_measured_and_no_floor_is_missed() {
        let mut report = Report::on(Machine::read());
        report.outcomes.push(outcome("A1", 0.9));
        assert!(report.is_good());
        report.failed.push("A2");
        assert!(!report.is_good());
        report.failed.clear();
        report.outcomes.push(outcome("A1", 0.5));
        assert!(!report.is_good());
    }
}
