//! The session: opened in the background, so that a process starts while the cluster is down.
//!
//! Until it is open, one task tries, however many wait; who asks in the meantime is told why the
//! last attempt failed. Once it is open, the driver keeps it: lost connections are made again, and
//! nodes come and go.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::caching_session::{CachingSession, CachingSessionBuilder};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::REQUEST;
use super::place::CassandraPlace;
use super::unavailable::Unavailable;
use crate::tasks::in_background;

/// How long one attempt to open the session may take.
const OPEN: Duration = Duration::from_secs(10);
/// The pause between two attempts: one process makes one attempt at a time.
const PAUSE: Duration = Duration::from_millis(500);
/// Prepared statements that are kept: an UPDATE for every set of columns that facts write
/// together, of which a view has some dozens, and as many again for what remains of a set after
/// folding.
const STATEMENTS: usize = 512;

/// A session that may not be open yet.
pub struct Link {
    state: watch::Receiver<State>,
}

#[derive(Clone)]
enum State {
    /// No attempt has come to an end yet.
    Opening,
    /// The last attempt failed.
    Down(Unavailable),
    Open(Arc<CachingSession>),
}

impl Link {
    pub fn to(place: &CassandraPlace) -> Self {
        let (sender, state) = watch::channel(State::Opening);
        in_background(open(place.clone(), sender));
        Self { state }
    }

    /// The session, where it is open; waits for the end of the first attempt.
    pub async fn session(&self) -> Result<Arc<CachingSession>, Unavailable> {
        let mut state = self.state.clone();
        let first = state.wait_for(|state| !matches!(state, State::Opening));
        let seen = match timeout(REQUEST, first).await {
            Ok(Ok(seen)) => seen.clone(),
            Ok(Err(_)) => State::Down(Unavailable::new("the connecting task has ended")),
            Err(_) => State::Opening,
        };
        match seen {
            State::Open(session) => Ok(session),
            State::Down(why) => Err(why),
            State::Opening => Err(Unavailable::no_answer(REQUEST)),
        }
    }
}

/// Opens the session, or ends with the link.
async fn open(place: CassandraPlace, state: watch::Sender<State>) {
    loop {
        let session = place.session();
        let attempt = timeout(OPEN, session.build());
        let opened = tokio::select! {
            opened = attempt => opened,
            () = state.closed() => return,
        };
        let why = match opened {
            Ok(Ok(session)) => {
                let session = CachingSessionBuilder::new(session)
                    .max_capacity(STATEMENTS)
                    .build();
                state.send_replace(State::Open(Arc::new(session)));
                return;
            }
            Ok(Err(e)) => e.into(),
            Err(_) => Unavailable::no_answer(OPEN),
        };
        tracing::debug!(place = ?place, error = %why, "cannot open a session");
        state.send_replace(State::Down(why));
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = state.closed() => return,
        }
    }
}
