//! The end of a server: who still comes is told to come again, and nobody is cut off.
//!
//! A connection that is closed while a request is on its way leaves its sender without an answer,
//! which is nothing that it can tell from a crash. So a server that is to end first closes its door:
//! there are no new connections. What comes on those that are there is answered with 503, and the
//! connection closed behind the answer, until nobody comes any more, or for a moment; only then the
//! rest is closed. Commands that are in hand are carried out and answered; a read that waits on
//! purpose (`?after=`) is told to wait elsewhere.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Problem;
use super::body::discard;
use super::token::waits;

/// Nobody comes any more, where nobody came for so long: longer than a request is on its way.
const QUIET: Duration = Duration::from_millis(50);
/// How many may be at the door: as many as the kernel keeps for it.
const AT_DOOR: u32 = 1024;
/// For how long whoever comes is answered, at most: busy clients have used all of their connections
/// by then. A server with little time to end takes less.
const AT_MOST: Duration = Duration::from_millis(500);

/// Puts an end to `routes` at `listener`: from `stop` on nobody is let in and requests are refused,
/// and once the future is ready, which is `within` so long, the connections can be closed.
pub fn draining(
    listener: TcpListener,
    routes: Router,
    stop: CancellationToken,
    within: Duration,
) -> (Door, Router, impl Future<Output = ()> + Send + 'static) {
    let shut = CancellationToken::new();
    let end = Arc::new(End {
        stop: stop.clone(),
        shut: shut.clone(),
        refused: AtomicU64::new(0),
        at_most: AT_MOST.min(within),
    });
    let door = Door {
        listener: Some(listener),
        stop,
        let_in: 0,
        shut,
    };
    let routes = routes.layer(from_fn_with_state(end.clone(), unless_over));
    (door, routes, async move { end.is_quiet().await })
}

/// A listener that is closed once the server is to end.
pub struct Door {
    listener: Option<TcpListener>,
    stop: CancellationToken,
    /// How many were let in since then.
    let_in: u32,
    /// That it is closed.
    shut: CancellationToken,
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener
            && self.let_in < AT_DOOR
        {
            tokio::select! {
                // Who is at the door comes in, however late that is: closed in front of them, it
                // would reset them.
                biased;
                accepted = Listener::accept(listener) => {
                    self.let_in += u32::from(self.stop.is_cancelled());
                    return accepted;
                }
                () = self.stop.cancelled() => {}
            }
        }
        self.listener = None;
        self.shut.cancel();
        pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let listener = self.listener.as_ref();
        listener.ok_or(io::ErrorKind::NotConnected)?.local_addr()
    }
}

struct End {
    stop: CancellationToken,
    shut: CancellationToken,
    refused: AtomicU64,
    at_most: Duration,
}

impl End {
    async fn is_quiet(&self) {
        self.stop.cancelled().await;
        let begun = Instant::now();
        timeout(self.at_most, self.shut.cancelled()).await.ok();
        let mut before = None;
        while begun.elapsed() < self.at_most {
            let refused = self.refused.load(Ordering::Relaxed);
            if before == Some(refused) {
                return;
            }
            before = Some(refused);
            sleep(QUIET.min(self.at_most)).await;
        }
    }
}

async fn unless_over(State(end): State<Arc<End>>, request: Request, next: Next) -> Response {
    if end.stop.is_cancelled() {
        discard(request).await;
    } else if waits(&request) {
        tokio::select! {
            biased;
            response = next.run(request) => return response,
            () = end.stop.cancelled() => {}
        }
    } else {
        return next.run(request).await;
    }
    end.refused.fetch_add(1, Ordering::Relaxed);
    let detail = "the process is ending: ask another, or again";
    let mut response = Problem::try_again("draining", detail, 1).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_at_the_door_comes_in_however_late_that_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (mut door, _, quiet) = draining(listener, Router::new(), stop.clone(), AT_MOST * 10);
        let mut callers = vec![];
        for _ in 0..3 {
            callers.push(TcpStream::connect(addr).await.unwrap());
        }
        stop.cancel();
        for caller in &callers {
            // The machine has other things to do.
            std::thread::sleep(QUIET * 2);
            let (_, let_in) = timeout(AT_MOST, door.accept()).await.unwrap();
            assert_eq!(let_in, caller.local_addr().unwrap());
        }
        timeout(QUIET, door.accept()).await.unwrap_err();
        assert!(TcpStream::connect(addr).await.is_err());
        quiet.await;
    }
}
