//! What was looked at, and what was found.

use std::fmt;

use serde::Serialize;

/// How many findings of a check are written out.
const SHOWN: usize = 20;

/// Something that is not as promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The order, SKU, fact, command or row that it is about.
    pub subject: String,
    /// What is wrong.
    pub what: String,
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There was something to look at, and all of it is as promised.
    Passed,
    /// Something is not.
    Failed,
    /// There was nothing to look at, which says nothing.
    NotLookedAt,
}

/// One check, done.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Its number, as in `I7`.
    pub name: &'static str,
    /// What it is that is promised.
    pub promise: &'static str,
    /// How much was looked at, of each kind.
    pub looked_at: Vec<(&'static str, usize)>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is not wrong, and worth knowing.
    pub notes: Vec<String>,
}

impl Checked {
    /// One that has looked at nothing yet.
    pub fn new(name: &'static str, promise: &'static str) -> Self {
        Self {
            name,
            promise,
            looked_at: vec![],
            findings: vec![],
            notes: vec![],
        }
    }

    /// So many of these were looked at.
    pub fn looked_at(&mut self, what: &'static str, many: usize) {
        match self.looked_at.iter_mut().find(|(name, _)| *name == what) {
            Some((_, sum)) => *sum += many,
            None => self.looked_at.push((what, many)),
        }
    }

    /// Something is wrong with `subject`.
    pub fn find(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.findings.push(Finding {
            subject: subject.into(),
            what: what.into(),
        });
    }

    /// What became of it.
    pub fn verdict(&self) -> Verdict {
        if !self.findings.is_empty() {
            Verdict::Failed
        } else if self.looked_at.iter().all(|(_, many)| *many == 0) {
            Verdict::NotLookedAt
        } else {
            Verdict::Passed
        }
    }
}

/// All checks, done.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// In the order of their numbers.
    pub checks: Vec<Checked>,
}

impl Report {
    /// Whether nothing is wrong with what was looked at.
    pub fn is_clean(&self) -> bool {
        self.checks.iter().all(|check| check.findings.is_empty())
    }

    /// The check of that number.
    pub fn check(&self, name: &str) -> Option<&Checked> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// The numbers of those that are not as the verdict says.
    pub fn with(&self, verdict: Verdict) -> Vec<&'static str> {
        let checks = self.checks.iter();
        let such = checks.filter(|check| check.verdict() == verdict);
        such.map(|check| check.name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let verdict = match check.verdict() {
                Verdict::Passed => "passed".to_owned(),
                Verdict::Failed => format!("FAILED: {} findings", check.findings.len()),
                Verdict::NotLookedAt => "not looked at".to_owned(),
            };
            writeln!(f, "{:<4} {verdict}: {}", check.name, check.promise)?;
            let looked_at = check.looked_at.iter();
            let looked_at: Vec<_> = looked_at
                .map(|(what, many)| format!("{many} {what}"))
                .collect();
            if !looked_at.is_empty() {
                writeln!(f, "       looked at {}", looked_at.join(", "))?;
            }
            for note in &check.notes {
                writeln!(f, "       {note}")?;
            }
            for Finding { subject, what } in check.findings.iter().take(SHOWN) {
                writeln!(f, "     ! {subject}: {what}")?;
            }
            let more = check.findings.len().saturating_sub(SHOWN);
            if more > 0 {
                writeln!(f, "     ! and {more} more")?;
            }
        }
        Ok(())
    }
}
