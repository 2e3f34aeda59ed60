//! Servers that are killed, wholly and in parts, at any moment under load.
//!
//! A backend that is killed makes the postmaster end all others and recover; a postmaster that is
//! killed alone leaves backends, which notice and end. Redis keeps nothing when it is killed, and is
//! made to forget everything while it runs.

use std::ops::Range;
use std::time::{Duration, Instant};

use fastrand::Rng;
use oracle::journal::What;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::time::sleep;

use super::{Stage, stub};
use crate::servers::own::{self, Own};
use crate::support::{Place, eventually, torture};

const APART: Duration = Duration::from_millis(250);
/// How long a long run goes on; a short one does each of these once.
const LONG: Duration = Duration::from_secs(600);
/// The pause before each, in milliseconds.
const PAUSE_MS: Range<u64> = 200..1200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// One connection's process is asked to end, by the server.
    TerminateBackend,
    /// One connection's process gets a SIGKILL.
    Backend,
    /// The postmaster does, and its children do not.
    Postmaster,
    /// All of Postgres at once.
    Postgres,
    Kafka,
    Cassandra,
    Redis,
    /// Nothing is killed: `FLUSHALL`.
    Forgets,
}

const KILLS: [Kill; 8] = [
    Kill::TerminateBackend,
    Kill::Backend,
    Kill::Postmaster,
    Kill::Postgres,
    Kill::Kafka,
    Kill::Cassandra,
    Kill::Redis,
    Kill::Forgets,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_killed_under_load_lose_nothing() {
    let mut random = torture::random();
    let Some(own) = own::servers().await else {
        return;
    };
    let own = own.as_ref().unwrap();
    let (provider, settings) = stub().await;
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let place = Place::migrated_at(&own.addresses, &settings).await;
    let stage = Stage::open(place, provider, APART).await;

    let begun = Instant::now();
    let (mut kills, mut done) = (KILLS, [0; KILLS.len()]);
    loop {
        random.shuffle(&mut kills);
        for kill in kills {
            // At any moment: this is a wait for nothing.
            sleep(Duration::from_millis(random.u64(PAUSE_MS))).await;
            kill.happens(own, &mut random).await;
            println!("{kill:?} after {:.1?}", begun.elapsed());
            stage.fault(&format!("{kill:?}"));
            if kill == Kill::Cassandra {
                stage
                    .crowd
                    .book
                    .mark(What::ViewBreak, "Cassandra was killed");
            }
            done[kill as usize] += 1;
        }
        if begun.elapsed() >= torture::scaled(Duration::ZERO, LONG) {
            break;
        }
    }
    let took = begun.elapsed();
    let left = stage.finish().await;
    let done = KILLS.map(|kill| format!("{kill:?} {}", done[kill as usize]));
    torture::report(
        "servers are killed under load",
        &format!("{} in {took:.1?}; {left}", done.join(", ")),
    );
}

impl Kill {
    /// Returns when what was killed is there again.
    async fn happens(self, own: &Own, random: &mut Rng) {
        match self {
            Self::TerminateBackend => {
                let (mut on, pid) = a_backend(own, random).await;
                let terminate = format!("SELECT pg_terminate_backend({pid})");
                on.execute(&*terminate).await.unwrap();
            }
            Self::Backend => {
                let (mut on, pid) = a_backend(own, random).await;
                // The server ends all connections before it recovers: until then it has not noticed.
                while kill(pid) && on.ping().await.is_ok() {}
                answers(own).await;
            }
            Self::Postmaster => postmaster(own).await,
            Self::Postgres => killed(own, "postgres").await,
            Self::Kafka => killed(own, "kafka").await,
            Self::Cassandra => killed(own, "cassandra").await,
            Self::Redis => killed(own, "redis").await,
            Self::Forgets => {
                let redis = redis::Client::open(&*own.addresses.redis).unwrap();
                let mut on = redis.get_multiplexed_async_connection().await.unwrap();
                let () = redis::cmd("FLUSHALL").query_async(&mut on).await.unwrap();
            }
        }
    }
}

async fn killed(own: &Own, server: &'static str) {
    own.most.does("kill", server).await;
    own.most.does("start", server).await;
}

/// A process of a connection of the pipeline, and another connection.
async fn a_backend(own: &Own, random: &mut Rng) -> (PgConnection, i32) {
    let mut on = connect(own).await.unwrap();
    let ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'waybill %'";
    // A moment after a kill all of them may be about to come back.
    let pids = loop {
        let rows = on.fetch_all(ours).await.unwrap();
        if !rows.is_empty() {
            break rows;
        }
    };
    let pid = pids[random.usize(0..pids.len())].get(0);
    (on, pid)
}

async fn connect(own: &Own) -> sqlx::Result<PgConnection> {
    let options: PgConnectOptions = own.addresses.postgres.parse()?;
    options.connect().await
}

async fn answers(own: &Own) {
    let answers = async || match connect(own).await {
        Ok(on) => on.close().await,
        Err(e) => Err(e),
    };
    eventually(answers, Result::is_ok).await.unwrap();
}

/// A new one does not start as long as a child of the old one has its shared memory.
async fn postmaster(own: &Own) {
    let mut on = connect(own).await.unwrap();
    let file = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int";
    let pid: i32 = on.fetch_one(file).await.unwrap().get(0);
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let children: Vec<i32> = children
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    kill(pid);
    let left = async || children.iter().filter(|pid| is_alive(**pid)).count();
    eventually(left, |left| *left == 0).await;
    own.most.does("start", "postgres").await;
}

/// False where it has ended by itself since it was seen.
fn kill(pid: i32) -> bool {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok()
}

/// Neither gone nor dead and not yet buried.
fn is_alive(pid: i32) -> bool {
    let there = test_kill_process(Pid::from_raw(pid).unwrap()).is_ok();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("Z", |(_, rest)| &rest[..1]);
    there && state != "Z"
}
