//! Appends of one fact to a new stream, by 64 and by 256 clients, beside postgres-es through its
//! own API.

use domain::Service;
use sqlx::ConnectOptions;

use super::appends;
use crate::cpu;
use crate::facts::Template;
use crate::load;
use crate::place::Place;
use crate::raw::postgres_es::{self, Appends};
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let (repository, pool) = postgres_es::repository(empty_database(place).await?).await?;
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let (mut by_us, mut by_other) = (0, 0);
            let mut outcomes = vec![];
            for (id, clients) in [("A2-64", 64), ("A2-256", 256)] {
                let rounds = bench
                    .interleave(
                        async || {
                            let clients = appends::plain(&store, &template, clients);
                            let before = cpu::of_self()?;
                            let ran = load::closed(clients, bench.round).await?;
                            by_us += ran.units;
                            let used = cpu::of_self()?.saturating_sub(before);
                            Ok(Round::of(ran.rate()).with_cpu(used, ran.units))
                        },
                        async || {
                            let clients = (0..clients)
                                .map(|_| Appends::new(repository.clone(), &template))
                                .collect::<Result<_, _>>()?;
                            let ran = load::closed(clients, bench.round).await?;
                            by_other += ran.units;
                            Ok(Round::of(ran.rate()))
                        },
                    )
                    .await?;
                outcomes.push(rounds.line(id, 0)?);
            }
            appends::check(&mut look, by_us, 0).await?;
            let found: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
                .fetch_one(&pool)
                .await?;
            anyhow::ensure!(
                found as u64 == by_other,
                "postgres-es has {found} of {by_other}"
            );
            pool.close().await;
            Ok(outcomes)
        })
        .await
}

/// A database that waybill does not know, removed with those that it does: it takes the name of a
/// service that the rows of appending have no use for.
pub async fn empty_database(place: &Place) -> anyhow::Result<sqlx::postgres::PgConnectOptions> {
    let options = place.options(Service::Delivery)?;
    let name = place.database(Service::Delivery)?.database();
    let mut server = options.clone().database("postgres").connect().await?;
    sqlx::raw_sql(&format!("CREATE DATABASE {name}"))
        .execute(&mut server)
        .await?;
    Ok(options)
}
