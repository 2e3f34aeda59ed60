//! Small worlds in which one thing is wrong, and the check that names it.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod built;
mod commands;
mod details;
mod generations;
mod letters;
mod logs;
mod money;
mod offsets;
mod stock;
mod views;

use oracle::{Verdict, World, audit};

use built::Builder;

/// That the check says so of the subject.
#[track_caller]
pub fn finds(world: &World, check: &str, subject: &str, what: &str) {
    let report = audit(world);
    let findings = &report.check(check).unwrap().findings;
    let named = |finding: &&oracle::Finding| {
        finding.subject.contains(subject) && finding.what.contains(what)
    };
    let found = findings.iter().any(|finding| named(&finding));
    assert!(
        found,
        "{check} does not find '{what}' of '{subject}':\n{report}"
    );
}

/// That nothing is wrong.
#[track_caller]
pub fn finds_nothing(world: &World) {
    let report = audit(world);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_world_without_damage_passes_all_checks() {
    let world = letters::with_poison(Builder::every_road().finish());
    let report = audit(&world);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.with(Verdict::NotLookedAt), [""; 0], "{report}");
}

#[test]
fn a_check_that_looked_at_nothing_has_not_passed() {
    let report = audit(&World::default());
    assert_eq!(report.with(Verdict::Passed), [""; 0], "{report}");
    assert_eq!(report.with(Verdict::NotLookedAt).len(), 12, "{report}");
    assert!(report.to_string().contains("not looked at"));
}

#[test]
fn a_world_that_is_written_down_is_read_as_it_was() {
    let world = letters::with_poison(Builder::every_road().finish());
    let mut lines = vec![];
    world.write(&mut lines).unwrap();
    let mut read = World::default();
    read.read(&*lines).unwrap();
    let mut again = vec![];
    read.write(&mut again).unwrap();
    assert_eq!(lines, again);
    assert_eq!(audit(&world).to_string(), audit(&read).to_string());
    let broken = [&*lines, b"{\"fact\": 7}\n"].concat();
    let failed = World::default().read(&*broken).unwrap_err();
    let last = broken.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(failed.to_string(), format!("line {last}"));
}

#[test]
fn the_program_says_what_it_finds_and_exits_with_it() {
    let look = |name: &str, world: &World| {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        world.write(std::fs::File::create(&path).unwrap()).unwrap();
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_oracle"));
        let output = program.arg("--dump").arg(&path).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let mut world = Builder::every_road().finish();
    let report = audit(&world).to_string();
    assert_eq!(look("whole.jsonl", &world), (Some(0), report));
    world.ledger.as_mut().unwrap().pop();
    let (code, said) = look("damaged.jsonl", &world);
    assert_eq!(code, Some(1));
    assert!(said.contains("I4   FAILED: "), "{said}");
}
