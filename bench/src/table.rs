//! Every line that is reported: its floor, which has to be met, and its goal.

/// Which side of a bound is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The figure has to reach it.
    AtLeast,
    /// The figure has to stay within it.
    AtMost,
}

/// A line of the report.
#[derive(Debug)]
pub struct Line {
    /// Its name: that of its row, and what tells it from the row's others.
    pub id: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// The unit of both sides.
    pub unit: &'static str,
    /// Which side of floor and goal is good. Both are of the ratio, or of ours where there is no
    /// other side.
    pub bound: Bound,
    pub floor: f64,
    pub goal: f64,
}

/// Rows by group, and whether they are long.
const GROUPS: &[(&str, &[&str], bool)] = &[
    ("append", &["A1", "A2", "A3", "A4", "A5", "A6"], false),
    ("http", &["H1"], false),
    ("relay", &["R1", "R2", "R3"], false),
    ("react", &["C1", "C2"], false),
    ("stock", &["S1", "S2"], false),
    ("stock", &["S3"], true),
    ("view", &["V1"], false),
    ("view", &["V2", "V3"], true),
    ("query", &["Q1"], false),
    ("end-to-end", &["E1", "E2", "E3"], false),
    ("overload", &["O1"], true),
    ("memory", &["M1"], false),
    ("growth", &["G1"], true),
];

macro_rules! lines {
    ($($id:literal $unit:literal $bound:ident $floor:literal $goal:literal $what:literal;)+) => {
        /// Every line, in the order of the report.
        pub const LINES: &[Line] = &[$(Line {
            id: $id,
            what: $what,
            unit: $unit,
            bound: Bound::$bound,
            floor: $floor,
            goal: $goal,
        },)+];
    };
}

// What is measured, and behind the colon what it is held against.
lines! {
    "A1"             "events/s"  AtLeast 0.8  0.95 "append, 64 clients, version and key : the same rows unchecked";
    "A2-64"          "appends/s" AtLeast 6.0  10.0 "append, 64 clients : postgres-es";
    "A2-256"         "appends/s" AtLeast 9.0  14.0 "append, 256 clients : postgres-es";
    "A3"             "ms"        AtMost  0.25 0.08 "append p99 at the load that postgres-es sustains : postgres-es";
    "A4"             "ms"        AtMost  1.2  1.05 "append p50, one client : one statement";
    "A5"             "events/s"  AtLeast 0.8  0.95 "append with the relay running : without";
    "A6"             "appends/s" AtLeast 0.6  0.9  "append, embedded, 64 clients : raw batches of the engine";
    "H1"             "orders/s"  AtLeast 0.5  0.85 "POST an order, 64 connections : bare hops";
    "H1-embedded"    "orders/s"  AtLeast 0.5  0.85 "the same, embedded : bare hops";
    "R1"             "events/s"  AtLeast 0.6  0.9  "relay drains a backlog : bare hops";
    "R2"             "events/s"  AtLeast 20.0 50.0 "relay drains a backlog : textbook outbox";
    "R3"             "ms"        AtMost  3.0  1.5  "relay p99, commit to acknowledgement, half load : raw produce";
    "C1"             "facts/s"   AtLeast 0.4  0.8  "reaction that appends : bare hops";
    "C2"             "facts/s"   AtLeast 8.0  9.9  "handlers of 0 to 5 ms, 20 keys, one partition : one at a time";
    "S1"             "orders/s"  AtLeast 15.0 60.0 "reservations of one hot SKU : a transaction each";
    "S1-two"         "orders/s"  AtLeast 15.0 60.0 "the same with two inventory processes";
    "S2"             "orders/s"  AtLeast 0.5  0.9  "reservations of one hot SKU : of 1,000 SKUs";
    "S3"             "ms"        AtMost  3.0  1.2  "cold load of a SKU with a million events : with 100";
    "V1"             "cells/s"   AtLeast 0.7  0.95 "live projector : raw driver, same cells";
    "V2"             "per s"     AtLeast 1.5  5.0  "rebuild, events : raw driver, rows";
    "V3"             "ms"        AtMost  2.0  1.3  "command p99 while rebuilding : before";
    "Q1"             "reads/s"   AtLeast 0.6  0.9  "GET an order, 64 connections : bare hops";
    "Q1-p99"         "ms"        AtMost  2.0  1.3  "GET an order, p99 at half load : bare hops";
    "E1-p50"         "ms"        AtMost  2.0  1.3  "POST to row in the view, p50 at 30 % load : bare hops";
    "E1-p99"         "ms"        AtMost  3.0  1.5  "POST to row in the view, p99 at 30 % load : bare hops";
    "E2"             "orders/s"  AtLeast 0.3  0.7  "POST to delivery assigned in the view : bare hops";
    "E3"             "orders/s"  AtLeast 0.3  0.7  "the same, embedded : the engine's events by events an order";
    "O1-goodput"     "orders/s"  AtLeast 0.85 0.97 "goodput at three times saturation : peak";
    "O1-p99"         "ms"        AtMost  3.0  1.5  "p99 of the accepted : at 80 %";
    "O1-refusal"     "ms"        AtMost  20.0 5.0  "p50 of a refusal";
    "M1-command-api" "MB"        AtMost  300.0 150.0 "resident memory at peak load, command API";
    "M1-projectors"  "MB"        AtMost  300.0 150.0 "resident memory at peak load, projectors";
    "M1-query-api"   "MB"        AtMost  300.0 150.0 "resident memory at peak load, query API";
    "G1-A1"          "events/s"  AtLeast 0.8  0.97 "A1 with 10 million events stored : with 10,000";
    "G1-E2"          "orders/s"  AtLeast 0.8  0.97 "E2 with a million orders stored : with 10,000";
    "G1-Q1"          "reads/s"   AtLeast 0.8  0.97 "Q1 with a million orders stored : with 10,000";
}

/// The line of that name; a name that is none is a mistake in a row, and is told there.
pub fn line(id: &str) -> anyhow::Result<&'static Line> {
    let found = LINES.iter().find(|line| line.id == id);
    found.ok_or_else(|| anyhow::anyhow!("there is no line {id}"))
}

/// Whether a row is to run. One that is named runs whether it is long or not.
pub fn is_wanted(row: &str, named: Option<&str>, long: bool) -> bool {
    let (group, is_long) = GROUPS
        .iter()
        .find(|(_, rows, _)| rows.contains(&row))
        .map_or(("", false), |(group, _, long)| (*group, *long));
    match named.map(str::to_ascii_lowercase) {
        None => long || !is_long,
        Some(named) => {
            let of_line = named.split('-').next().unwrap_or_default();
            let row = row.to_ascii_lowercase();
            group == named || row == named || row == of_line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    fn row_of(id: &str) -> &str {
        id.split('-').next().unwrap()
    }

    #[test]
    fn every_line_is_of_a_row_and_every_row_is_of_a_group() {
        let known: Vec<_> = GROUPS.iter().flat_map(|(_, rows, _)| rows.iter()).collect();
        for line in LINES {
            assert!(known.contains(&&row_of(line.id)), "{}", line.id);
        }
        for row in rows::all() {
            assert!(known.contains(&&row.id), "{}", row.id);
            assert!(
                LINES.iter().any(|line| row_of(line.id) == row.id),
                "{}",
                row.id
            );
        }
    }

    #[test]
    fn a_goal_is_on_the_good_side_of_its_floor() {
        for line in LINES {
            let good = match line.bound {
                Bound::AtLeast => line.goal > line.floor,
                Bound::AtMost => line.goal < line.floor,
            };
            assert!(good, "{}", line.id);
        }
    }

    #[test]
    fn a_row_is_wanted_by_its_name_its_line_or_its_group() {
        for named in ["A2", "a2", "a2-256", "append"] {
            assert!(is_wanted("A2", Some(named), false), "{named}");
        }
        assert!(!is_wanted("A2", Some("A1"), false));
        assert!(is_wanted("A2", None, false));
        assert!(!is_wanted("G1", None, false));
        assert!(is_wanted("G1", None, true));
        assert!(is_wanted("G1", Some("growth"), false));
    }
}
