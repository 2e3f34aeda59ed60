use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Finds that a report names; those beyond are counted. A log that is broken in more places is not
/// mended one by one.
pub const MAX_NAMED: usize = 100;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A stream lacks facts between others, or its first ones.
    Hole,
    /// A fact has a position that is not behind that of the fact before it.
    Position,
    /// A fact has a time before that of the fact before it.
    Time,
    /// A fact of a name or a version that this program does not know.
    UnknownVersion,
    /// A fact whose payload or metadata this program cannot read.
    Undecodable,
    /// A row that the store cannot give as a fact.
    Row,
    /// The log has the fact, and the topic does not have its record.
    Missing,
    /// The topic has the record, and the log does not have the fact.
    Foreign,
    /// The record is not as the relay publishes the fact.
    Different,
}

impl Kind {
    /// Its name, in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Position => "position",
            Self::Time => "time",
            Self::UnknownVersion => "unknown-version",
            Self::Undecodable => "undecodable",
            Self::Row => "row",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::Different => "different",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// What kind of wrong.
    pub kind: Kind,
    /// Which fact, where that is known.
    pub fact: Option<String>,
    /// What is wrong, for people.
    pub says: String,
}

/// What was found: all of it counted, the first [`MAX_NAMED`] named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Finds {
    /// How many of each kind; kinds without finds are left out.
    pub counts: BTreeMap<Kind, u64>,
    /// The first, in the order in which they were met.
    pub named: Vec<Find>,
}

impl Finds {
    /// True where nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Takes one more.
    pub fn add(&mut self, kind: Kind, fact: Option<String>, says: String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(Find { kind, fact, says });
        }
    }

    /// Takes those of the next page.
    pub fn append(&mut self, more: Self) {
        for (kind, count) in more.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        let room = MAX_NAMED - self.named.len();
        self.named.extend(more.named.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_finds_are_counted_and_the_first_hundred_named() {
        let mut all = Finds::default();
        for page in 0..3 {
            let mut some = Finds::default();
            for n in 0..70 {
                some.add(Kind::Hole, None, format!("{page} {n}"));
            }
            all.append(some);
        }
        all.add(Kind::Row, None, "the last".to_owned());
        assert_eq!((all.count(Kind::Hole), all.count(Kind::Row)), (210, 1));
        assert_eq!(all.named.len(), MAX_NAMED);
        assert_eq!(all.named[99].says, "1 29");
        let json = serde_json::to_string(&all).unwrap();
        assert!(json.starts_with(r#"{"counts":{"hole":210,"row":1}"#));
        assert_eq!(serde_json::from_str::<Finds>(&json).unwrap(), all);
    }
}
