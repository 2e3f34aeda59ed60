//! The redriver beside a consumer: what it takes up, and what stays parked.

use domain::{Category, StreamId};
use infra::event_store::{Ended, How, ParkedRow, Replacement};
use infra::failure::{Failure, MAX_ATTEMPTS};
use infra::{clock, ids};

use super::bench::{Bench, GROUP};
use crate::support::eventually;

/// What is kept of a reason, in characters.
const REASON: usize = 1000;

fn invariant() -> Failure {
    Failure::permanent("invariant", "it cannot be")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redriven_fact_is_taken_and_those_that_waited_follow_in_order() {
    let mut bench = Bench::new();
    let (bad, good) = (bench.order().await, bench.order().await);
    let poison = StreamId::of(Category::Order, bad).fact(2);
    bench
        .take
        .fail(move |fact, _| (fact.id == poison).then(invariant));
    bench.consume();
    bench.redrive();
    bench.passed(6).await;
    let parked = [(2, "invariant".to_owned()), (3, "waiting".to_owned())];
    assert_eq!(bench.parked(bad).await, parked);
    assert_eq!(bench.take.taken_of(good), [1, 2, 3]);

    bench.take.heal();
    let head = bench.rows(bad).await.remove(0);
    assert!(bench.ask(&head).await);
    bench.free(bad).await;
    assert_eq!(bench.take.taken_of(bad), [1, 2, 3]);
    let records = bench.store.ended_parked(GROUP, None, 10).await.unwrap();
    let how = |row: &ParkedRow| row.ended.clone().map(|ended| (ended.how, ended.reason));
    let how: Vec<_> = records.iter().filter_map(how).collect();
    let reason = Some("it is mended".to_owned());
    assert_eq!(how, [(How::Redriven, reason), (How::TakenUp, None)]);

    // The key is free: the next fact is taken by the consumer.
    bench.append(bad, 3, |_| {}).await;
    bench.passed(7).await;
    assert_eq!(bench.take.taken_of(bad), [1, 2, 3, 4]);
    assert_eq!(bench.parked(bad).await, []);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_fails_again_says_why_and_goes_on_holding_its_key() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.redrive();
    bench.passed(3).await;
    bench
        .take
        .fail(|_, _| Some(Failure::Unknown("it is odd".into())));
    let head = bench.rows(order).await.remove(0);
    assert!(bench.ask(&head).await);
    let rows = eventually(
        || bench.rows(order),
        |rows| rows[0].class == "unknown" && rows[0].redrive.is_none(),
    )
    .await;
    assert_eq!(rows[0].reason, "it is odd");
    assert_eq!(rows[0].attempts, head.attempts + MAX_ATTEMPTS);
    assert_eq!((rows.len(), bench.take.taken_of(order).len()), (3, 0));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_is_as_large_as_a_record_is_kept_in_part_at_first_and_again() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    let long = |what: &str| what.repeat(1_000_000);
    bench
        .take
        .fail(move |_, _| Some(Failure::permanent("invariant", long("é"))));
    bench.consume();
    bench.redrive();
    bench.passed(3).await;
    let head = bench.rows(order).await.remove(0);
    assert_eq!(head.reason, "é".repeat(REASON));
    bench
        .take
        .fail(move |_, _| Some(Failure::permanent("invariant", long("x"))));
    assert!(bench.ask(&head).await);
    let again = |rows: &Vec<ParkedRow>| rows[0].attempts > head.attempts;
    let rows = eventually(|| bench.rows(order), again).await;
    assert_eq!(rows[0].reason, "x".repeat(REASON));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_waits_for_what_is_down_and_counts_no_attempt() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.passed(3).await;
    let head = bench.rows(order).await.remove(0);
    // The first attempt was the consumer's.
    bench.take.fail(|_, attempt| {
        let down = attempt < 4;
        down.then(|| Failure::Unavailable("it is down".into()))
    });
    assert!(bench.ask(&head).await);
    bench.redrive();
    eventually(|| bench.rows(order), |rows| rows.len() < 3).await;
    let record = bench.store.parked_row(&head.id()).await.unwrap().unwrap();
    assert_eq!(record.attempts, head.attempts);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_of_a_version_that_is_not_known_holds_its_own_key_and_no_other() {
    let mut bench = Bench::new();
    let (new, other) = (bench.order().await, bench.order().await);
    bench.append(new, 3, |fact| fact.version = "99").await;
    bench.append(new, 4, |_| {}).await;
    bench.append(other, 3, |_| {}).await;
    for _ in 0..2 {
        bench.consume();
        bench.redrive();
        bench.passed(9).await;
        let parked = [(4, "unknown-version".to_owned()), (5, "waiting".to_owned())];
        assert_eq!(bench.parked(new).await, parked, "also after a restart");
        assert_eq!(bench.take.taken_of(new), [1, 2, 3]);
        bench.stop().await;
    }
    assert_eq!(bench.take.taken_of(other), [1, 2, 3, 4]);
}

/// Facts are final, and so are the versions that a program knows: what an older program left
/// parked is written here as it would have written it.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_program_did_not_know_is_taken_up_by_one_that_does() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.passed(3).await;
    bench.stop().await;
    let mut head = bench.rows(order).await.remove(0);
    head.class = "unknown-version".to_owned();
    head.reason = "the fact order.created of version 1 is not known here".to_owned();
    assert!(bench.store.replace_parked(&head).await.unwrap());

    bench.take.heal();
    bench.consume();
    bench.redrive();
    bench.free(order).await;
    assert_eq!(bench.take.taken_of(order), [1, 2, 3]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_is_taken_in_place_of_what_cannot_be_read() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    let broken = br#"{"type":"order.completed"}"#;
    bench
        .append(order, 3, |fact| fact.payload = broken.to_vec().into())
        .await;
    bench.append(order, 4, |_| {}).await;
    bench.consume();
    bench.redrive();
    bench.passed(5).await;
    let parked = [(4, "undecodable".to_owned()), (5, "waiting".to_owned())];
    assert_eq!(bench.parked(order).await, parked);
    let mut head = bench.rows(order).await.remove(0);
    assert!(bench.ask(&head).await);
    eventually(|| bench.rows(order), |rows| rows[0].attempts == 2).await;

    head = bench.rows(order).await.remove(0);
    head.replacement = Some(Replacement {
        name: "order.cancellation-refused".to_owned(),
        version: "1".to_owned(),
        payload: r#"{"type":"order.cancellation-refused"}"#.to_owned(),
    });
    assert!(bench.ask(&head).await);
    bench.free(order).await;
    assert_eq!(bench.take.taken_of(order), [1, 2, 3, 4, 5]);
    let record = bench.store.parked_row(&head.id()).await.unwrap().unwrap();
    assert_eq!(record.replacement, head.replacement, "it stays on record");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_on_its_way_is_read_in_the_log() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.passed(3).await;
    let mut head = bench.rows(order).await.remove(0);
    head.original.as_mut().unwrap().headers.clear();
    assert!(bench.ask(&head).await);
    bench.take.heal();
    bench.redrive();
    bench.free(order).await;
    assert_eq!(bench.take.taken_of(order), [1, 2, 3]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_the_first_of_a_key_lets_the_others_go() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.redrive();
    bench.passed(3).await;
    bench.take.heal();
    let mut head = bench.rows(order).await.remove(0);
    head.ended = Some(Ended {
        how: How::Discarded,
        at: clock::now(),
        reason: None,
    });
    assert!(bench.store.replace_parked(&head).await.unwrap());
    bench.free(order).await;
    assert_eq!(bench.take.taken_of(order), [2, 3]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_waits_each_fact_is_taken_up_for_itself() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.passed(3).await;
    bench.take.heal();
    // As a projector parks them: none of them waits.
    for mut row in bench.rows(order).await {
        row.class = "undecodable".to_owned();
        assert!(bench.store.replace_parked(&row).await.unwrap());
    }
    let second = bench.rows(order).await.remove(1);
    assert!(bench.ask(&second).await);
    let mut redriver = bench.redriver();
    redriver.in_order = false;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::task::spawn(redriver.run(stop.clone()));
    eventually(|| bench.rows(order), |rows| rows.len() == 2).await;
    assert_eq!(bench.take.taken_of(order), [2]);
    stop.cancel();
    running.await.unwrap();
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_kept_and_is_in_no_log_stays_parked() {
    let mut bench = Bench::new();
    let order = bench.order().await;
    bench.take.fail(|_, _| Some(invariant()));
    bench.consume();
    bench.passed(3).await;
    bench.take.heal();
    let mut head = bench.rows(order).await.remove(0);
    head.original = None;
    head.fact = Some(format!("order-{}-1", ids::order()));
    assert!(bench.ask(&head).await);
    bench.redrive();
    let rows = eventually(|| bench.rows(order), |rows| rows[0].redrive.is_none()).await;
    assert_eq!((rows[0].class.as_str(), rows.len()), ("undecodable", 3));
    bench.stop().await;
}
