//! Polls ahead, so that a poll is not given up each time that a fact is done with.

use std::future::pending;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::bus::{BusError, Delivered, Partition, Subscription};

/// Records of one poll, at most.
const POLL: usize = 512;
/// Polls that may wait to be taken: one in hand, one behind it.
const AHEAD: usize = 2;
/// Commits that may wait: they are few, and a later one contains the earlier.
const COMMITS: usize = 16;

/// A subscription that is polled in the background.
pub struct Fetcher {
    records: mpsc::Receiver<Result<Vec<Delivered>, BusError>>,
    commits: mpsc::Sender<Vec<(Partition, i64)>>,
    task: JoinSet<Result<(), BusError>>,
}

impl Fetcher {
    /// Begins to poll.
    pub fn start(subscription: Box<dyn Subscription>) -> Self {
        let (polled, records) = mpsc::channel(AHEAD);
        let (commits, to_commit) = mpsc::channel(COMMITS);
        let mut task = JoinSet::new();
        task.spawn(run(subscription, polled, to_commit));
        Self {
            records,
            commits,
            task,
        }
    }

    /// The next records. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Result<Vec<Delivered>, BusError> {
        let gone = || Err(BusError("the subscription has ended".into()));
        self.records.recv().await.unwrap_or_else(gone)
    }

    /// Has offsets committed; an error comes with the next records.
    pub async fn commit(&self, done: Vec<(Partition, i64)>) {
        // Where the poller has ended, the next records say so.
        drop(self.commits.send(done).await);
    }

    /// Stops polling and waits until what is to be committed is.
    pub async fn close(mut self) -> Result<(), BusError> {
        drop((self.records, self.commits));
        match self.task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(e)) => Err(BusError(e.to_string())),
            None => Ok(()),
        }
    }
}

async fn run(
    mut subscription: Box<dyn Subscription>,
    polled: mpsc::Sender<Result<Vec<Delivered>, BusError>>,
    mut to_commit: mpsc::Receiver<Vec<(Partition, i64)>>,
) -> Result<(), BusError> {
    loop {
        // What is polled has a place to go. Where nobody takes records any more, only commits
        // are left.
        let poll = async {
            match polled.reserve().await {
                Ok(place) => (subscription.poll(POLL).await, place),
                Err(_) => pending().await,
            }
        };
        let done = tokio::select! {
            biased;
            done = to_commit.recv() => done,
            (records, place) = poll => {
                let failed = records.as_ref().err().cloned();
                place.send(records);
                match failed {
                    Some(e) => return Err(e),
                    None => continue,
                }
            }
        };
        let Some(done) = done else { return Ok(()) };
        if let Err(e) = subscription.commit(&done).await {
            // Whoever waits to commit more is let go, and comes to see the error.
            to_commit.close();
            drop(polled.send(Err(e.clone())).await);
            return Err(e);
        }
    }
}
