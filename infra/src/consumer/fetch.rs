//! Polls ahead, so that a poll is not given up each time that a fact is done with.

use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bus::{BusError, Partition, Polled, Subscription};

/// Records of one poll, at most.
const POLL: usize = 512;
/// Polls that may wait to be taken: one in hand, one behind it.
const AHEAD: usize = 2;
/// Commits that may wait: they are few, and a later one contains the earlier.
const COMMITS: usize = 16;
/// How long partitions that leave are kept for a last commit: the whole group waits for it.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// A subscription that is polled in the background, also while nobody wants records: that keeps
/// it in the group.
pub struct Fetcher {
    polled: mpsc::Receiver<Result<Polled, BusError>>,
    wanted: watch::Sender<bool>,
    asks: mpsc::Sender<Ask>,
    task: JoinSet<Result<(), BusError>>,
}

struct Ask {
    commit: Vec<(Partition, i64)>,
    let_go: bool,
}

impl Fetcher {
    /// Begins to poll.
    pub fn start(subscription: Box<dyn Subscription>) -> Self {
        let (places, polled) = mpsc::channel(AHEAD);
        let (asks, asked) = mpsc::channel(COMMITS);
        let (wanted, wants) = watch::channel(true);
        let background = Background {
            subscription,
            places,
            wants,
            asked,
        };
        let mut task = JoinSet::new();
        task.spawn(background.run());
        Self {
            polled,
            wanted,
            asks,
            task,
        }
    }

    /// What the next poll brought. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Result<Polled, BusError> {
        let gone = || Err(BusError("the subscription has ended".into()));
        self.polled.recv().await.unwrap_or_else(gone)
    }

    /// Whether records are wanted. What was polled already still comes.
    pub fn want(&self, wanted: bool) {
        let change = |now: &mut bool| std::mem::replace(now, wanted) != wanted;
        self.wanted.send_if_modified(change);
    }

    /// Has offsets committed; an error comes with the next records.
    pub async fn commit(&self, commit: Vec<(Partition, i64)>) {
        self.ask(commit, false).await;
    }

    /// Has offsets committed, and then the partitions go that were said to leave.
    pub async fn let_go(&self, commit: Vec<(Partition, i64)>) {
        self.ask(commit, true).await;
    }

    async fn ask(&self, commit: Vec<(Partition, i64)>, let_go: bool) {
        // Where the poller has ended, the next records say so.
        drop(self.asks.send(Ask { commit, let_go }).await);
    }

    /// Stops polling and waits until what is to be committed is.
    pub async fn close(mut self) -> Result<(), BusError> {
        drop((self.polled, self.asks));
        match self.task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(e)) => Err(BusError(e.to_string())),
            None => Ok(()),
        }
    }
}

struct Background {
    subscription: Box<dyn Subscription>,
    places: mpsc::Sender<Result<Polled, BusError>>,
    wants: watch::Receiver<bool>,
    asked: mpsc::Receiver<Ask>,
}

impl Background {
    async fn run(mut self) -> Result<(), BusError> {
        let places = self.places.clone();
        loop {
            let max = if *self.wants.borrow_and_update() {
                POLL
            } else {
                0
            };
            // What is polled has a place to go. Where nobody takes records any more, only commits
            // are left.
            let poll = async {
                match places.reserve().await {
                    Ok(place) => (self.subscription.poll(max).await, place),
                    Err(_) => pending().await,
                }
            };
            let ask = tokio::select! {
                biased;
                ask = self.asked.recv() => ask,
                Ok(()) = self.wants.changed() => continue,
                (polled, place) = poll => {
                    #[cfg(feature = "planted-bugs")]
                    crate::planted::commit_too_early(&mut *self.subscription, &polled).await?;
                    let failed = polled.as_ref().err().cloned();
                    let leaving = matches!(polled, Ok(Polled::Leaving(_)));
                    place.send(polled);
                    if let Some(e) = failed {
                        return Err(e);
                    }
                    if leaving {
                        self.let_go().await?;
                    }
                    continue;
                }
            };
            let Some(ask) = ask else { return Ok(()) };
            self.commit(&ask).await?;
        }
    }

    /// Waits for the last commit of what leaves; the next poll lets it go.
    async fn let_go(&mut self) -> Result<(), BusError> {
        let committed = async {
            while let Some(ask) = self.asked.recv().await {
                self.commit(&ask).await?;
                if ask.let_go {
                    break;
                }
            }
            Ok(())
        };
        // What is not committed by then comes again.
        timeout(LEAVE_WITHIN, committed).await.unwrap_or(Ok(()))
    }

    async fn commit(&mut self, ask: &Ask) -> Result<(), BusError> {
        crate::crash_point!("consumer.before-offset");
        let committed = self.subscription.commit(&ask.commit).await;
        crate::crash_point!("consumer.after-offset");
        if let Err(e) = &committed {
            // Whoever waits to commit more is let go, and comes to see the error.
            self.asked.close();
            drop(self.places.send(Err(e.clone())).await);
        }
        committed
    }
}
