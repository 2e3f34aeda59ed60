//! The tests under test: with a bug planted in the program (`infra::planted`) a suite has to fail,
//! and to say what it is meant to see; without one the same suite has to pass.
//!
//! Each suite runs as it is, as a process of its own: this very executable, with `PLANTED` in its
//! environment, from which the processes that it starts have it too. `make planted` does so.

#[cfg(feature = "planted-bugs")]
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use infra::planted::BUGS;

/// A suite that sees a bug.
#[derive(Debug, Clone, Copy)]
pub struct Catch {
    pub bug: &'static str,
    /// The test.
    pub by: &'static str,
    /// What it says.
    pub says: &'static str,
    /// The one crash point to try, of a test that tries many.
    pub point: Option<&'static str>,
}

const fn catch(bug: &'static str, by: &'static str, says: &'static str) -> Catch {
    Catch {
        bug,
        by,
        says,
        point: None,
    }
}

/// A process that aborts again and again, and the oracle.
const ABORTED: &str =
    "oracle::aborted::what_a_process_that_aborts_at_any_step_leaves_behind_is_as_promised";
/// A process under load, and the oracle.
const LOADED: &str = "oracle::embedded::what_one_process_leaves_behind_is_as_promised";
const KILLED: &str =
    "crash::kills::killed_again_and_again_under_load_it_loses_nothing_and_does_nothing_twice";
const POINTS: &str =
    "crash::points::a_process_that_aborts_at_any_point_loses_nothing_and_does_nothing_twice";
const OTHER_WRITERS: &str = "contract::postgres::foreign::a_reader_misses_nothing_while_others_insert_in_transactions_of_their_own";
const LOST_ANSWERS: &str = "journey::provider::an_order_goes_on_after_every_answer_about_its_money_was_lost_and_is_charged_once";
const ZOMBIE: &str = "relay::a_relay_whose_lease_is_somebody_elses_ends";
const BROKERS: &str =
    "relay::faults::brokers_that_are_killed_or_that_stall_get_every_fact_once_they_are_back";
const SEVERAL_STREAMS: &str =
    "contract::event_store::embedded::an_append_over_several_streams_is_refused_as_a_whole";

/// What sees each bug.
pub const CAUGHT: [Catch; 16] = [
    catch("offset-before-effect", ABORTED, "has passed "),
    Catch {
        point: Some("consumer.before-park"),
        ..catch("offset-before-letter", POINTS, "the last state seen: Some(")
    },
    catch(
        "again-on-a-repeat",
        ABORTED,
        "inventory.reserved was there before",
    ),
    catch("no-order-lock", OTHER_WRITERS, "missed ["),
    catch(
        "order-by-transaction",
        OTHER_WRITERS,
        "fact.position > after",
    ),
    catch(
        "new-key-on-retry",
        LOST_ANSWERS,
        "(Authorize, 1950), (Authorize, 1950)",
    ),
    catch("new-key-on-retry", LOADED, "times authorize"),
    catch("lease-by-clock", ZOMBIE, "position: 10"),
    catch("checkpoint-before-ack", BROKERS, "nothing is taken"),
    catch("clock-timestamps", LOADED, "has the stamp"),
    catch("last-sequence", LOADED, "has the stamp"),
    catch("commit-before-write", ABORTED, "has no row of"),
    catch("reply-outside-transaction", ABORTED, "one receipt too many"),
    catch("half-a-request", SEVERAL_STREAMS, "a conflict on"),
    catch(
        "half-a-request",
        KILLED,
        "the counters of a SKU do not cover",
    ),
    catch(
        "forgotten-tombstone",
        LOADED,
        "payment has passed delivery.cancelled",
    ),
];

#[test]
fn every_bug_is_one_that_a_test_has_to_see() {
    let known: BTreeSet<_> = BUGS.iter().map(|(name, _)| *name).collect();
    let caught: BTreeSet<_> = CAUGHT.iter().map(|catch| catch.bug).collect();
    assert_eq!(caught, known);
    let points: Vec<_> = CAUGHT.iter().filter_map(|catch| catch.point).collect();
    let there = infra::crash::POINTS;
    assert!(points.iter().all(|point| there.contains(point)));
}

#[test]
fn every_suite_that_has_to_see_a_bug_is_there() {
    let tests = sources([Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")]);
    for Catch { bug, by, says, .. } in CAUGHT {
        let (_, name) = by.rsplit_once("::").unwrap();
        let there = tests
            .iter()
            .any(|text| text.contains(&format!("fn {name}(")));
        assert!(there && !says.is_empty(), "{bug}: {by}");
    }
}

/// The compiler refuses those that are not in the list.
#[test]
fn every_bug_stands_at_one_place_in_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = ["infra", "command-api", "projectors", "query-api", "."];
    let mut stands: BTreeMap<String, usize> = BTreeMap::new();
    for text in sources(crates.map(|of| root.join(of).join("src"))) {
        for behind in text.split("planted!(\"").skip(1) {
            let (name, _) = behind.split_once('"').unwrap();
            *stands.entry(name.to_owned()).or_default() += 1;
        }
    }
    let once = BUGS.iter().map(|(name, _)| ((*name).to_owned(), 1));
    assert_eq!(stands, once.collect());
}

/// The texts of all files in these folders.
fn sources<const N: usize>(folders: [PathBuf; N]) -> Vec<String> {
    let (mut folders, mut texts) = (Vec::from(folders), vec![]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => texts.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    texts
}

#[test]
fn every_bug_is_where_the_list_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (bug, place) in BUGS {
        let (of, module) = match place.split_once("::") {
            Some(("command_api", module)) => ("command-api", module),
            Some(("projectors", module)) => ("projectors", module),
            _ => ("infra", *place),
        };
        let file = root.join(of).join("src").join(module.replace("::", "/"));
        let text = std::fs::read_to_string(file.with_extension("rs")).unwrap();
        assert!(text.contains("::planted"), "{bug} is not in {place}");
    }
}

/// No build has them that did not ask for them by name.
#[test]
fn no_default_feature_plants_a_bug_or_has_crash_points() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut asks, mut shipped) = (vec![], vec![]);
    for manifest in [
        "Cargo.toml",
        "domain/Cargo.toml",
        "infra/Cargo.toml",
        "command-api/Cargo.toml",
        "projectors/Cargo.toml",
        "query-api/Cargo.toml",
    ] {
        let text = std::fs::read_to_string(root.join(manifest)).unwrap();
        asks.extend(
            text.lines()
                .filter(|line| line.contains("planted-bugs"))
                .map(str::to_owned),
        );
        shipped.extend(
            text.lines()
                .filter(|line| line.starts_with("default"))
                .map(str::to_owned),
        );
    }
    let declared = [
        "planted-bugs = [\"infra/planted-bugs\"]",
        "planted-bugs = []",
    ];
    assert_eq!(asks, declared);
    assert_eq!(shipped, [""; 0]);
    let image = std::fs::read_to_string(root.join("Dockerfile")).unwrap();
    assert!(!image.contains("planted-bugs") && !image.contains("crash-points"));
}
