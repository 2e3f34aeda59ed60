//! Three times what can be served.

use std::time::Duration;

use tokio::time::{interval, timeout};

use super::connection::Outcome;
use super::load::{Load, Sent, percentiles};
use super::stack::Stack;
use super::wrong::Wrong;
use crate::oracle::{Book, expect_clean};
use crate::support::{eventually_within, torture};

/// Clients that find out what can be served: as many as fill a group commit.
const CLIENTS: usize = 256;
const WARM: Duration = Duration::from_millis(400);
/// The share of what can be served at which a pipeline is at ease.
const AT_EASE: f64 = 0.8;
const TIMES: f64 = 3.0;
/// Who comes first, all at once and on connections that are yet to be made, finds nobody who knows of an
/// overload: looked at apart.
const NOTICED: Duration = Duration::from_secs(1);
/// How much slower accepted work may be than at ease, 99 of a hundred, and what a machine that is
/// busy with others may add.
const SLOWER: u32 = 4;
const BUSY: Duration = Duration::from_secs(1);
/// A refusal comes within this, 99 of a hundred, beside twice what an answer takes at ease.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);
/// Of what can be served so much is served at least, by an unoptimized build that shares two cores with
/// whoever asks and is refused eight times as often.
const SERVED: f64 = 0.2;
/// What a process may have in RAM.
const MEMORY_MB: u64 = 400;
/// What a machine may add to the slowest of a hundred at any time.
const HICCUP: Duration = Duration::from_millis(50);
const AS_BEFORE_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "has the machine for itself: make test"]
async fn one_process_that_is_asked_for_three_times_what_it_can_serves_what_it_can() {
    takes_three_times(Stack::here().await, "overload of one process").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "has the machine for itself: make test"]
async fn a_command_api_that_is_asked_for_three_times_what_it_can_serves_what_it_can() {
    if let Some(stack) = Stack::apart().await {
        takes_three_times(stack, "overload on servers").await;
    }
}

async fn takes_three_times(stack: Stack, what: &str) {
    let book = Book::default();
    let load = Load::on(&stack.urls()[0], &book);
    load.receive().await;
    load.saturates(CLIENTS, WARM).await;
    let second = Duration::from_secs(torture::scaled(1, 10));
    let saturated = load.saturates(CLIENTS, second).await;

    let calm = load.comes(saturated * AT_EASE, second).await;
    let [usual, usual_99] = percentiles(calm.iter().filter(|sent| sent.is_accepted()));

    let rate = saturated * TIMES;
    let (all, memory) = beside(&stack, load.comes(rate, NOTICED + second * 2)).await;
    let first = all.iter().map(|sent| sent.number).min().unwrap();
    let before = (rate * NOTICED.as_secs_f64()) as usize;
    let (before, excess): (Vec<_>, Vec<_>) =
        all.iter().partition(|sent| sent.number - first < before);
    let [_, before_99] = percentiles(before.iter().copied().filter(|sent| sent.is_accepted()));
    let accepted: Vec<_> = excess
        .iter()
        .copied()
        .filter(|sent| sent.is_accepted())
        .collect();
    let refused: Vec<_> = excess
        .iter()
        .copied()
        .filter(|sent| sent.is_refused())
        .collect();
    let [then, then_99] = percentiles(accepted.iter().copied());
    let [_, refused_99] = percentiles(refused.iter().copied());
    let served = accepted.len() as f64 / (second * 2).as_secs_f64();
    let told = all.iter().filter(|sent| sent.is_told()).count();
    let figures = format!(
        "{saturated:.0} commands/s at saturation; at {AT_EASE} of it p50 {usual:.1?}, p99 \
         {usual_99:.1?}; at {TIMES} of it {served:.0}/s accepted with p50 {then:.1?}, p99 \
         {then_99:.1?} ({:.1} times), {} of {} refused, p99 {refused_99:.1?}; in the first \
         {NOTICED:.1?} p99 {before_99:.1?}; {told} that were wrong were told so; {memory} MB",
        then_99.as_secs_f64() / usual_99.as_secs_f64(),
        refused.len(),
        excess.len(),
    );
    torture::report(what, &figures);
    let lost = others(&all);
    assert!(lost.is_empty(), "{lost:?}");
    assert!(!refused.is_empty(), "it was not too much");
    assert!(told > 0, "{figures}");
    assert!(then_99 < usual_99 * SLOWER + BUSY, "{figures}");
    assert!(refused_99 < usual_99 * 2 + REFUSED_WITHIN, "{figures}");
    assert!(served > saturated * SERVED, "{figures}");
    assert!(memory < MEMORY_MB, "{figures}");

    // As before: nobody is refused, and nobody waits longer.
    let again = async || {
        let sent = load
            .comes(saturated * AT_EASE / 2.0, Duration::from_millis(300))
            .await;
        let answered = |sent: &&Sent| sent.is_accepted() || sent.is_told();
        let refused = sent.len() - sent.iter().filter(answered).count();
        let [_, took] = percentiles(sent.iter());
        (refused, took, stack.is_ready().await)
    };
    let as_before = |(refused, took, ready): &(usize, Duration, bool)| {
        *refused == 0 && *took <= usual_99 * 2 + HICCUP && *ready
    };
    eventually_within(AS_BEFORE_WITHIN, again, as_before).await;
    stack.rests().await;
    let ended = stack.end().await;
    expect_clean(&ended.world(&book).await, ended.not_looked_at());
}

/// What comes, and the most memory that a process had meanwhile.
async fn beside(stack: &Stack, load: impl Future<Output = Vec<Sent>>) -> (Vec<Sent>, u64) {
    let mut load = std::pin::pin!(load);
    let mut looks = interval(Duration::from_millis(100));
    let mut memory = 0;
    loop {
        looks.tick().await;
        memory = memory.max(stack.resident_mb());
        if let Ok(sent) = timeout(Duration::from_millis(100), &mut load).await {
            return (sent, memory);
        }
    }
}

/// Those that were neither accepted nor refused, nor wrong and told so. Who sends more than anybody
/// takes may lose the answer: what is thrown away is not waited for as long as it may take to come.
fn others(sent: &[Sent]) -> Vec<String> {
    let cut_off = |sent: &Sent| {
        let nobody = matches!(sent.outcome, Outcome::NobodyThere);
        nobody && Wrong::of(sent.number) == Some(Wrong::TooLarge)
    };
    let others = sent.iter().filter(|sent| {
        !sent.is_accepted() && !sent.is_refused() && !sent.is_told() && !cut_off(sent)
    });
    others.take(5).map(|sent| format!("{sent:?}")).collect()
}
