//! A TCP proxy between a pipeline and one of its servers, which goes wrong when it is told to.
//!
//! It delays, cuts, keeps connections on which nothing is forwarded any more, and lets a server act
//! and loses its answer. The last of these is aimed: a proxy that is told what goes through it (see
//! [`Aim`]) loses the answers to appends, produced records, written rows and payments, and to nothing
//! else. It counts what it did to how many, so that a test can say that a fault was met.
//!
//! Postgres, Redis and the payment provider are reached where a client was told that they are, and so
//! is a Cassandra of one node: the driver takes the port of whom it asked. A Kafka broker tells
//! clients where it is, and has to say that it is here (see `servers::own`).

mod aim;
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::serve_all;
pub use aim::Aim;
use aim::Watch;

/// The most that is taken from one side before the other gets it.
const CHUNK: usize = 64 * 1024;

/// What goes wrong with all connections until it is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Whatever comes goes on so much later.
    Delays(Duration),
    /// Connections are cut, and new ones too.
    Cuts,
    /// Connections stay and new ones are accepted, and nothing is forwarded on any of them; not
    /// after it is mended either, when others that are made then work.
    HalfOpens,
}

/// How many it has done that to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pieces that went on later.
    pub delayed: usize,
    /// Connections that were cut.
    pub cut: usize,
    /// Connections on which nothing is forwarded any more.
    pub half_open: usize,
    /// Answers that were lost, with their connection, after the server had acted.
    pub swallowed: usize,
}

/// A proxy, until it is dropped.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    /// `host:port`
    server: String,
    aim: Aim,
    fault: watch::Sender<Option<Fault>>,
    /// Answers that are still to be lost.
    to_swallow: AtomicUsize,
    counts: Mutex<Counts>,
}

impl Proxy {
    /// On any port, before `server` (`host:port`).
    pub async fn before(server: &str, aim: Aim) -> Self {
        Self::at(0, server, aim).await
    }

    /// On a port that clients are sent to.
    pub async fn at(port: u16, server: &str, aim: Aim) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            aim,
            fault: watch::Sender::new(None),
            to_swallow: AtomicUsize::new(0),
            counts: Mutex::default(),
        });
        let server = shared.clone();
        let serving = serve_all(listener, move |client| server.clone().serve(client));
        Self {
            address,
            shared,
            _serving: serving,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Goes wrong in that way until [`mend`](Self::mend).
    pub fn fail(&self, fault: Fault) {
        self.shared.fault.send_replace(Some(fault));
    }

    /// Loses the next so many answers to what it is aimed at.
    pub fn swallow(&self, answers: usize) {
        self.shared.to_swallow.store(answers, SeqCst);
    }

    /// Goes wrong no more; answers that nobody has asked for yet are lost no more either.
    pub fn mend(&self) {
        self.swallow(0);
        self.shared.fault.send_replace(None);
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap()
    }
}

impl Shared {
    /// One connection, until it is over.
    async fn serve(self: Arc<Self>, mut client: TcpStream) {
        // A server that is away is a connection that is cut.
        let Ok(mut server) = TcpStream::connect(&self.server).await else {
            return;
        };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        let watch = Mutex::new(self.aim.watch());
        let broken = {
            let (asks, told) = client.split();
            let (answers, forwards) = server.split();
            tokio::select! {
                biased;
                fault = self.breaks() => Some(fault),
                () = self.asking(asks, forwards, &watch) => None,
                () = self.answering(answers, told, &watch) => None,
            }
        };
        match broken {
            Some(Fault::Cuts) => self.count(|counts| counts.cut += 1),
            Some(Fault::HalfOpens) => {
                self.count(|counts| counts.half_open += 1);
                // Both ends stay until the client hangs up; what it still says is lost.
                let mut lost = vec![0; CHUNK];
                while client.read(&mut lost).await.is_ok_and(|n| n > 0) {}
            }
            Some(Fault::Delays(_)) | None => {}
        }
    }

    /// Waits for what ends a connection.
    async fn breaks(&self) -> Fault {
        let mut fault = self.fault.subscribe();
        let breaks = |fault: &Option<Fault>| matches!(fault, Some(Fault::Cuts | Fault::HalfOpens));
        let broken = fault.wait_for(breaks).await;
        broken.unwrap().unwrap()
    }

    async fn asking(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, watch: &Mutex<Watch>) {
        let mut chunk = vec![0; CHUNK];
        while let Some(asked) = read(&mut from, &mut chunk).await {
            self.delay().await;
            // Before it is sent: its answer may be here at once.
            watch.lock().unwrap().asked(asked);
            if to.write_all(asked).await.is_err() {
                return;
            }
        }
    }

    async fn answering(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, watch: &Mutex<Watch>) {
        let mut chunk = vec![0; CHUNK];
        let mut held = vec![];
        while let Some(answer) = read(&mut from, &mut chunk).await {
            let awaited = watch.lock().unwrap().awaits(answer);
            if !held.is_empty() || awaited && self.is_to_swallow() {
                held.extend_from_slice(answer);
                let acted = watch.lock().unwrap().acted(&held);
                match acted {
                    None => continue,
                    Some(true) => return self.count(|counts| counts.swallowed += 1),
                    // It has refused: another is to be lost instead.
                    Some(false) => {
                        self.to_swallow.fetch_add(1, SeqCst);
                    }
                }
            }
            self.delay().await;
            let whole = match held.is_empty() {
                true => answer,
                false => &held,
            };
            if to.write_all(whole).await.is_err() {
                return;
            }
            held.clear();
        }
    }

    async fn delay(&self) {
        let fault = *self.fault.borrow();
        if let Some(Fault::Delays(by)) = fault {
            self.count(|counts| counts.delayed += 1);
            sleep(by).await;
        }
    }

    fn is_to_swallow(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.to_swallow.fetch_update(SeqCst, SeqCst, less).is_ok()
    }

    fn count(&self, counts: impl FnOnce(&mut Counts)) {
        counts(&mut self.counts.lock().unwrap());
    }
}

/// What comes next; none at the end.
async fn read<'a>(from: &mut ReadHalf<'_>, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
    match from.read(chunk).await {
        Ok(0) | Err(_) => None,
        Ok(n) => Some(&chunk[..n]),
    }
}
