//! The proxy itself, before a server that says what it was asked, and before a Postgres.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor, Row};
use tokio::time::{Instant, timeout};

use super::*;
use crate::support::{eventually, own_prefix, postgres_url};

const LATER: Duration = Duration::from_millis(120);
/// How long to wait for what must not come.
const NEVER: Duration = Duration::from_millis(200);

/// A server that answers with what it is asked, and counts.
struct Echo {
    address: String,
    asked: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let serving = serve_all(listener, move |mut client| {
            let count = count.clone();
            async move {
                let mut said = vec![0; CHUNK];
                while let Ok(n @ 1..) = client.read(&mut said).await {
                    count.fetch_add(1, SeqCst);
                    client.write_all(&said[..n]).await.ok();
                }
            }
        });
        Self {
            address,
            asked,
            _serving: serving,
        }
    }
}

async fn connected(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Asks, and returns what comes first.
async fn ask(client: &mut TcpStream, what: &[u8]) -> io::Result<Vec<u8>> {
    client.write_all(what).await?;
    let mut answer = vec![0; CHUNK];
    let n = client.read(&mut answer).await?;
    answer.truncate(n);
    Ok(answer)
}

fn is_over(answer: io::Result<Vec<u8>>) -> bool {
    answer.map_or(true, |answer| answer.is_empty())
}

#[tokio::test]
async fn what_is_said_goes_through_unchanged_both_ways() {
    let echo = Echo::start().await;
    let proxy = Proxy::before(&echo.address, Aim::Anything).await;
    let (mut from, mut to) = connected(&proxy).await.into_split();
    let said: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let asks = {
        let said = said.clone();
        tokio::spawn(async move { to.write_all(&said).await.map(|()| to).unwrap() })
    };
    let mut answer = vec![0; said.len()];
    from.read_exact(&mut answer).await.unwrap();
    assert!(answer == said);
    drop(asks.await.unwrap());
    assert_eq!(proxy.counts(), Counts::default());
}

#[tokio::test]
async fn what_is_said_goes_on_later_until_that_is_mended() {
    let echo = Echo::start().await;
    let proxy = Proxy::before(&echo.address, Aim::Anything).await;
    let mut client = connected(&proxy).await;
    proxy.fail(Fault::Delays(LATER));
    let begun = Instant::now();
    assert_eq!(ask(&mut client, b"one").await.unwrap(), b"one");
    assert!(begun.elapsed() >= LATER * 2, "{:?}", begun.elapsed());
    assert_eq!(proxy.counts().delayed, 2);
    proxy.mend();
    assert_eq!(ask(&mut client, b"two").await.unwrap(), b"two");
    assert_eq!(proxy.counts().delayed, 2);
}

#[tokio::test]
async fn connections_are_cut_and_so_are_new_ones_until_that_is_mended() {
    let echo = Echo::start().await;
    let proxy = Proxy::before(&echo.address, Aim::Anything).await;
    let mut client = connected(&proxy).await;
    assert_eq!(ask(&mut client, b"one").await.unwrap(), b"one");
    proxy.fail(Fault::Cuts);
    let mut last = [0];
    assert!(matches!(client.read(&mut last).await, Ok(0) | Err(_)));
    assert!(is_over(ask(&mut connected(&proxy).await, b"two").await));
    eventually(async || proxy.counts().cut, |cut| *cut == 2).await;
    assert_eq!(echo.asked.load(SeqCst), 1);
    proxy.mend();
    let again = ask(&mut connected(&proxy).await, b"three").await;
    assert_eq!(again.unwrap(), b"three");
}

#[tokio::test]
async fn connections_stay_and_nothing_is_forwarded_on_them_whatever_is_mended() {
    let echo = Echo::start().await;
    let proxy = Proxy::before(&echo.address, Aim::Anything).await;
    let mut old = connected(&proxy).await;
    assert_eq!(ask(&mut old, b"one").await.unwrap(), b"one");
    proxy.fail(Fault::HalfOpens);
    let mut new = connected(&proxy).await;
    for client in [&mut old, &mut new] {
        timeout(NEVER, ask(client, b"two")).await.unwrap_err();
    }
    proxy.mend();
    for client in [&mut old, &mut new] {
        timeout(NEVER, ask(client, b"three")).await.unwrap_err();
    }
    let another = ask(&mut connected(&proxy).await, b"four").await;
    assert_eq!(another.unwrap(), b"four");
    assert_eq!(proxy.counts().half_open, 2);
    assert_eq!(echo.asked.load(SeqCst), 2);
}

#[tokio::test]
async fn the_server_acts_and_its_answer_is_lost_as_often_as_was_asked_for() {
    let echo = Echo::start().await;
    let proxy = Proxy::before(&echo.address, Aim::Anything).await;
    proxy.swallow(2);
    for _ in 0..2 {
        assert!(is_over(ask(&mut connected(&proxy).await, b"one").await));
    }
    assert_eq!(echo.asked.load(SeqCst), 2);
    assert_eq!(proxy.counts().swallowed, 2);
    let next = ask(&mut connected(&proxy).await, b"two").await;
    assert_eq!(next.unwrap(), b"two");
}

#[tokio::test]
async fn a_statement_is_committed_and_its_answer_lost_and_no_other_statements() {
    let Some(url) = postgres_url() else { return };
    let direct: PgConnectOptions = url.parse().unwrap();
    let server = format!("{}:{}", direct.get_host(), direct.get_port());
    let proxy = Proxy::before(&server, Aim::Postgres("RETURNING n")).await;
    let port = proxy.address().rsplit_once(':').unwrap().1.parse().unwrap();
    let through = direct.clone().host("127.0.0.1").port(port);
    let table = format!("{}written", own_prefix());
    let mut direct = direct.connect().await.unwrap();
    let create = format!("CREATE TABLE {table} (n int PRIMARY KEY)");
    direct.execute(&*create).await.unwrap();
    let insert = async |on: &mut PgConnection, n: i32| {
        let text = format!("INSERT INTO {table} VALUES ($1) RETURNING n");
        sqlx::query(&text).bind(n).fetch_one(on).await.map(drop)
    };

    let mut client = through.connect().await.unwrap();
    insert(&mut client, 1).await.unwrap();
    proxy.swallow(1);
    let count = format!("SELECT count(*) FROM {table}");
    client.fetch_one(&*count).await.unwrap();
    // What is refused is told: its answer is not one of a commit.
    let refused = insert(&mut client, 1).await.unwrap_err();
    assert!(refused.as_database_error().is_some(), "{refused}");
    assert_eq!(proxy.counts().swallowed, 0);
    let lost = insert(&mut client, 2).await.unwrap_err();
    assert!(lost.as_database_error().is_none(), "{lost}");
    assert_eq!(proxy.counts().swallowed, 1);
    let rows: i64 = direct.fetch_one(&*count).await.unwrap().get(0);
    assert_eq!(rows, 2);
    let mut again = through.connect().await.unwrap();
    insert(&mut again, 3).await.unwrap();
    let drop = format!("DROP TABLE {table}");
    direct.execute(&*drop).await.unwrap();
}
