//! A process is asked to end while customers come: who is not served is told so.

use std::time::{Duration, Instant};

use infra::ids;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::{Connection, Outcome};
use super::load::{Load, Sent};
use super::stack::Stack;
use crate::oracle::{Book, expect_clean};
use crate::support::torture;

const EACH_SECOND: f64 = 300.0;
const LASTS: Duration = Duration::from_secs(2);
/// When they are asked to end: at any moment between, under load.
const ENDS_AFTER_MS: std::ops::Range<u64> = 600..1200;
/// Readers who wait for what does not come, each time for the 5 s of `fresh_wait_ms`.
const READERS: usize = 20;
/// Half of the grace period, which work in hand has. It takes less than a second.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "has the machine for itself: make test"]
async fn one_process_that_ends_under_load_refuses_and_cuts_nobody_off() {
    ends_under_load(Stack::here().await, "drains of one process").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "has the machine for itself: make test"]
async fn roles_that_end_under_load_refuse_and_cut_nobody_off() {
    if let Some(stack) = Stack::apart().await {
        ends_under_load(stack, "drains on servers").await;
    }
}

async fn ends_under_load(mut stack: Stack, what: &str) {
    let mut random = torture::random();
    let book = Book::default();
    let load = Load::on(&stack.urls()[0], &book);
    load.receive().await;
    let rounds = torture::scaled(1, 20);
    let (mut accepted, mut refused, mut longest) = (0, 0, Duration::ZERO);
    for _ in 0..rounds {
        let [command, query] = stack.urls();
        load.moves_to(&command);
        let coming = {
            let load = load.clone();
            tokio::spawn(async move { load.comes(EACH_SECOND, LASTS).await })
        };
        let mut readers: JoinSet<_> = (0..READERS).map(|_| reads(query.clone())).collect();
        sleep(Duration::from_millis(random.u64(ENDS_AFTER_MS))).await;
        let begun = Instant::now();
        let ended = stack.end().await;
        longest = longest.max(begun.elapsed());
        assert!(begun.elapsed() < ENDS_WITHIN, "{:?}", begun.elapsed());
        let sent = coming.await.unwrap();
        expect_answers(&sent);
        while let Some(read) = readers.join_next().await {
            read.unwrap();
        }
        accepted += sent.iter().filter(|sent| sent.is_accepted()).count();
        refused += sent.iter().filter(|sent| sent.is_refused()).count();

        // Everybody asks again: who was served is told the same.
        stack = ended.again().await;
        load.moves_to(&stack.urls()[0]);
        for sent in &sent {
            let again = load.again(sent.number).await;
            assert!(again.is_accepted() || again.is_told(), "{again:?}");
            if sent.is_accepted() {
                let bytes = |of: &Sent| of.reply().map(|reply| reply.bytes.clone());
                assert_eq!(bytes(sent), bytes(&again));
            }
        }
    }
    stack.rests().await;
    let ended = stack.end().await;
    expect_clean(&ended.world(&book).await, ended.not_looked_at());
    let figures = format!(
        "{rounds} under load, the longest {longest:.1?}; {accepted} commands were accepted, \
         {refused} refused, none cut off"
    );
    torture::report(what, &figures);
}

/// That everybody was served, told to come again or what was wrong, or found nobody there.
fn expect_answers(all: &[Sent]) {
    let count = |wanted: fn(&Sent) -> bool| all.iter().filter(|sent| wanted(sent)).count();
    let accepted = count(Sent::is_accepted);
    let refused = count(Sent::is_refused);
    let nobody = count(|sent| matches!(sent.outcome, Outcome::NobodyThere));
    println!("{accepted} accepted, {refused} refused, {nobody} found nobody there");
    let others = all.iter().filter(|sent| {
        let there = !matches!(sent.outcome, Outcome::NobodyThere);
        there && !sent.is_accepted() && !sent.is_refused() && !sent.is_told()
    });
    let others: Vec<_> = others.map(|sent| (sent.number, &sent.outcome)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(accepted > 0 && nobody > 0);
}

/// Reads an order that is not there after a token that never comes, again and again until nobody is
/// there.
async fn reads(query: String) {
    let address = query.trim_start_matches("http://");
    let mut kept = None;
    loop {
        let connection = match kept.take() {
            Some(connection) => connection,
            None => match Connection::open(address).await {
                Ok(connection) => connection,
                Err(_) => return,
            },
        };
        let order = ids::order();
        let path = format!("/api/orders/{order}?after=order-{order}-1");
        let request = format!("GET {path} HTTP/1.1\r\nhost: waybill\r\n\r\n");
        let outcome;
        (outcome, kept) = connection.ask(request.as_bytes()).await;
        match outcome {
            Outcome::Answered(reply) => {
                assert!([202, 503].contains(&reply.status.as_u16()), "{reply:?}");
                assert!(reply.header("retry-after").is_some(), "{reply:?}");
            }
            Outcome::NobodyThere => return,
            Outcome::NoAnswer | Outcome::Half => {
                panic!("a reader was cut off: {outcome:?}");
            }
        }
    }
}
