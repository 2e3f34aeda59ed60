use std::collections::BTreeSet;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use infra::planted::BUGS;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::{CAUGHT, Catch};
use crate::support::{Addresses, torture};

/// How long a suite may take that has a bug to see: some wait for minutes for what never comes.
const SEES_WITHIN: Duration = Duration::from_secs(300);
/// What it has started ends within so long.
const SAID_WITHIN: Duration = Duration::from_secs(60);
/// How much of what a suite says is shown, in characters.
const SHOWN: usize = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_bug_is_seen_by_the_test_that_is_meant_to() {
    // Some of the suites pass where there are no servers.
    if Addresses::shared().is_none() {
        return;
    }
    let begun = Instant::now();
    let mut wrong = vec![];
    let suites: BTreeSet<_> = CAUGHT.iter().map(|one| (one.by, one.point)).collect();
    for (by, point) in suites {
        let ran = Ran::of(by, point, None).await;
        println!("no bug: {by}: {:.1?}", ran.took);
        if !ran.passed() {
            wrong.push(format!("{by} fails without a bug:\n{}", ran.said));
        }
    }
    for one in CAUGHT {
        let Catch {
            bug,
            by,
            says,
            point,
        } = one;
        let ran = Ran::of(by, point, Some(bug)).await;
        match ran.line_with(says) {
            Some(line) if ran.failed() => torture::report(
                &format!("planted: {bug}"),
                &format!("seen after {:.1?} by {by}: {line}", ran.took),
            ),
            _ => wrong.push(format!(
                "{bug} is not seen by {by} as '{says}':\n{}",
                ran.said
            )),
        }
    }
    let seen = format!("{} bugs in {:.1?}", BUGS.len(), begun.elapsed());
    torture::report("planted bugs, with the suites without one", &seen);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_bug_that_is_not_known_is_a_bad_configuration() {
    let started = std::process::Command::new(env!("CARGO_BIN_EXE_waybill"))
        .arg("config")
        .env("PLANTED", "no-such-bug")
        .output()
        .unwrap();
    let said = String::from_utf8(started.stderr).unwrap();
    assert_eq!(started.status.code(), Some(64), "{said}");
    assert!(said.contains("PLANTED"), "{said}");
    assert!(BUGS.iter().all(|(bug, _)| said.contains(bug)), "{said}");
}

/// A suite that has run.
struct Ran {
    /// None where it had to be ended.
    status: Option<ExitStatus>,
    said: String,
    took: Duration,
}

impl Ran {
    async fn of(test: &str, point: Option<&str>, bug: Option<&str>) -> Self {
        let begun = Instant::now();
        let mut suite = Command::new(std::env::current_exe().unwrap());
        suite
            .args([test, "--exact", "--nocapture"])
            // Short, as in `make test`.
            .env_remove("TORTURE")
            .env_remove("TORTURE_REPORT")
            .envs(bug.map(|bug| ("PLANTED", bug)))
            .envs(point.map(|point| ("POINTS", point)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // What it has started ends with it.
            .process_group(0);
        let mut suite = suite.spawn().unwrap();
        let group = Pid::from_raw(suite.id().unwrap().try_into().unwrap()).unwrap();
        let (out, err) = (suite.stdout.take().unwrap(), suite.stderr.take().unwrap());
        let reading = tokio::spawn(async { tokio::join!(all_of(out), all_of(err)) });
        let status = timeout(SEES_WITHIN, suite.wait()).await.ok();
        kill_process_group(group, Signal::KILL).ok();
        let (out, err) = timeout(SAID_WITHIN, reading).await.unwrap().unwrap();
        Self {
            status: status.map(Result::unwrap),
            said: out + &err,
            took: begun.elapsed(),
        }
    }

    fn passed(&self) -> bool {
        self.said.contains("ok. 1 passed") && self.status.is_some_and(|status| status.success())
    }

    fn failed(&self) -> bool {
        self.said.contains("FAILED. 0 passed; 1 failed")
    }

    /// What it says of that, in short.
    fn line_with(&self, what: &str) -> Option<String> {
        let line = self.said.lines().find(|line| line.contains(what))?;
        let (before, _) = line.split_once(what)?;
        // The end of what is before it: of a long line, the rest is another finding.
        let skipped = before.chars().count().saturating_sub(SHOWN / 2);
        let shown = line.trim().chars().skip(skipped).take(SHOWN);
        Some(shown.collect())
    }
}

async fn all_of(mut from: impl AsyncRead + Unpin) -> String {
    let mut said = vec![];
    from.read_to_end(&mut said).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}
