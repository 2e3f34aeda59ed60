//! The relay on a backlog, beside the outbox relay of the textbooks.

use domain::Service;

use super::r1::drained;
use super::relays;
use crate::facts::Template;
use crate::raw::outbox::Outbox;
use crate::raw::produce::One;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

/// Orders of the backlog, with two facts each.
const ORDERS: usize = 50_000;
/// Rows of the outbox for a second of relaying: more than it does.
const ROWS_A_SECOND: f64 = 15_000.0;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let facts = relays::backlog(place, ORDERS).await?.len() as u64;
            place.make_topics().await?;
            let topic = place.kafka().topic(Service::Order);
            let empty = place.make_empty_database(Service::Delivery).await?;
            let template = Template::new()?;
            let payload = std::str::from_utf8(template.bytes().0)?.to_owned();
            let turns = bench.rounds as f64 + 1.0;
            let rows = ROWS_A_SECOND * bench.round.as_secs_f64() * turns;
            let to = One::to(&bench.kafka, &topic)?;
            let mut textbook = Outbox::filled(&empty, to, rows as i64, &payload).await?;
            let rounds = bench
                .interleave(
                    async || drained(bench, place, facts).await,
                    async || Ok(Round::of(textbook.run(bench.round).await?)),
                )
                .await?;
            textbook.check(&bench.kafka, &topic).await?;
            Ok(vec![rounds.line("R2", 0)?])
        })
        .await
}
