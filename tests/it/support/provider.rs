//! A payment provider behind the HTTP contract, which keeps books and fails when told to.
//!
//! It speaks HTTP over a bare socket, since most of what it is there for is to speak it badly.

mod books;
mod speech;
mod tls;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infra::config::Payment;
use infra::payment_provider::{HttpPlace, HttpProvider, Operation, Simulated};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn};
use tokio_rustls::TlsAcceptor;

pub use books::{Entry, Outcome};
pub use speech::{Reply, Request};
pub use tls::{authority, other_authority};

use super::{config_of, serve_all};
use books::Books;

/// The key that it takes at first.
pub const KEY: &str = "the-key-of-the-shop";

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// No answer, and the connection stays.
    Silence,
    /// No answer, and the connection is cut.
    Cut,
    /// Half of the answer, and the connection is cut.
    Half,
    /// The answer twice.
    Twice,
    /// Another answer than its own.
    Instead(Reply),
    /// Its own answer is this one.
    Decides(Outcome),
}

/// Whether what was asked for is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Not: it goes wrong before.
    Before,
    /// It is, and its answer goes wrong.
    After,
}

/// A provider that listens on a port of its own until it is dropped.
pub struct StubProvider {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    books: Books,
    faults: Mutex<Vec<(Option<Operation>, When, Fault)>>,
    requests: Mutex<Vec<Request>>,
    /// Answers that are being made, and the most that ever were.
    busy: AtomicUsize,
    busiest: AtomicUsize,
    down: watch::Sender<bool>,
    key: Mutex<&'static str>,
    tls: Option<TlsAcceptor>,
}

/// Every authorization succeeds, at once.
const ALWAYS: Simulated = Simulated {
    success_rate: 100,
    delay: Duration::ZERO,
    seed: 0,
};

impl StubProvider {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::playing(ALWAYS).await
    }

    /// One that takes everything, by TLS; [`authority`] vouches for it.
    pub async fn with_tls() -> Self {
        Self::listening(ALWAYS, Some(tls::acceptor())).await
    }

    /// One that decides as a simulated one does.
    pub async fn playing(play: Simulated) -> Self {
        Self::listening(play, None).await
    }

    async fn listening(play: Simulated, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            books: Books::new(play),
            faults: Mutex::default(),
            requests: Mutex::default(),
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
            down: watch::Sender::new(false),
            key: Mutex::new(KEY),
            tls,
        });
        let serving = {
            let shared = shared.clone();
            serve_all(listener, move |socket| serve(socket, shared.clone()))
        };
        Self {
            addr,
            shared,
            _serving: serving,
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let scheme = self.shared.tls.as_ref().map_or("http", |_| "https");
        format!("{scheme}://{}/v1", self.addr)
    }

    /// How to reach it, with a limit that a test can wait for.
    pub fn place(&self) -> HttpPlace {
        let place = HttpPlace::new(&self.url()).unwrap().with_key(KEY).unwrap();
        place.with_timeout(PATIENCE).unwrap()
    }

    /// An adapter for it.
    pub fn adapter(&self) -> HttpProvider {
        HttpProvider::new(self.place()).unwrap()
    }

    /// How to configure it.
    pub fn settings(&self) -> [String; 3] {
        [
            "payment_provider=http".to_owned(),
            format!("payment_url={}", self.url()),
            format!("payment_key={KEY}"),
        ]
    }

    /// The same, read; with a limit that a test can wait for.
    pub fn payment(&self) -> Payment {
        let mut settings = self.settings().to_vec();
        settings.push(format!("payment_timeout_ms={}", PATIENCE.as_millis()));
        config_of(&settings).payment
    }

    /// The next call to do `operation` goes wrong; each is one call.
    pub fn fail(&self, operation: Operation, when: When, fault: Fault) {
        let mut faults = self.shared.faults.lock().unwrap();
        faults.push((Some(operation), when, fault));
    }

    /// The next asking goes wrong.
    pub fn fail_asking(&self, fault: Fault) {
        let mut faults = self.shared.faults.lock().unwrap();
        faults.push((None, When::After, fault));
    }

    /// Takes back what was to go wrong and has not.
    pub fn relent(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// Cuts all connections, those too that are made from now on, until it is `up` again.
    pub fn down(&self) {
        self.shared.down.send_replace(true);
    }

    /// Ends [`down`](Self::down).
    pub fn up(&self) {
        self.shared.down.send_replace(false);
    }

    /// Takes only this key from now on.
    pub fn take_only(&self, key: &'static str) {
        *self.shared.key.lock().unwrap() = key;
    }

    /// Decides what was pending under `key`.
    pub fn decide(&self, key: &str, outcome: Outcome) {
        self.shared.books.conclude(key, outcome);
    }

    /// Decides all that is pending.
    pub fn decide_all(&self, outcome: &Outcome) {
        self.shared.books.conclude_all(outcome);
    }

    /// The body of the answer that is kept under `key`.
    pub fn answer_under(&self, key: &str) -> String {
        self.shared.books.find(key).body
    }

    /// Forgets the answers under their keys, and keeps what was carried out: as a provider does
    /// after a day.
    pub fn forget_keys(&self) {
        self.shared.books.forget_keys();
    }

    /// Everything that was carried out, in order.
    pub fn ledger(&self) -> Vec<Entry> {
        self.shared.books.entries()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The most that were answered at once.
    pub fn busiest(&self) -> usize {
        self.shared.busiest.load(Ordering::Relaxed)
    }
}

/// Long enough for an answer on a busy machine, short enough to wait for.
const PATIENCE: Duration = Duration::from_millis(1500);

async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    let mut down = shared.down.subscribe();
    tokio::select! {
        biased;
        _ = down.wait_for(|down| *down) => {}
        _ = shared.greet(socket) => {}
    }
}

impl Shared {
    async fn greet(self: &Arc<Self>, socket: TcpStream) -> std::io::Result<()> {
        match &self.tls {
            Some(tls) => self.converse(tls.accept(socket).await?).await,
            None => self.converse(socket).await,
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        mut socket: S,
    ) -> std::io::Result<()> {
        let mut rest = vec![];
        while let Some(request) = Request::read(&mut socket, &mut rest).await? {
            self.requests.lock().unwrap().push(request.clone());
            let (when, fault) = match self.fault_of(&request) {
                Some((when, fault)) => (when, Some(fault)),
                None => (When::After, None),
            };
            let decided = match &fault {
                Some(Fault::Decides(outcome)) => Some(outcome.clone()),
                _ => None,
            };
            let reply = match when {
                When::Before => Some(Reply::empty(500)),
                // On a task of its own: whoever hangs up does not undo what is under way.
                When::After => spawn(self.clone().answer(request, decided)).await?,
            };
            let Some(reply) = reply else {
                return std::future::pending().await;
            };
            let bytes = reply.bytes();
            match fault {
                None | Some(Fault::Decides(_)) => socket.write_all(&bytes).await?,
                Some(Fault::Silence) => return std::future::pending().await,
                Some(Fault::Cut) => return Ok(()),
                Some(Fault::Half) => {
                    socket.write_all(&bytes[..bytes.len() - 10]).await?;
                    return socket.shutdown().await;
                }
                Some(Fault::Twice) => socket.write_all(&[&*bytes, &*bytes].concat()).await?,
                Some(Fault::Instead(other)) => socket.write_all(&other.bytes()).await?,
            }
            socket.flush().await?;
        }
        Ok(())
    }

    fn fault_of(&self, request: &Request) -> Option<(When, Fault)> {
        let operation = request.operation();
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(of, ..)| *of == operation)?;
        let (_, when, fault) = faults.remove(at);
        Some((when, fault))
    }

    /// The answer; none where it is one that never comes.
    async fn answer(self: Arc<Self>, request: Request, decided: Option<Outcome>) -> Option<Reply> {
        let key = *self.key.lock().unwrap();
        if request.header("authorization") != Some(&format!("Bearer {key}")) {
            return Some(Reply::problem(401, "unknown-key"));
        }
        let busy = self.busy.fetch_add(1, Ordering::Relaxed) + 1;
        self.busiest.fetch_max(busy, Ordering::Relaxed);
        let reply = self.books.answer(&request, decided).await;
        self.busy.fetch_sub(1, Ordering::Relaxed);
        reply
    }
}
