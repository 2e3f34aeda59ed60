//! Appends of one fact to a new stream, by 64 and by 256 clients, beside postgres-es through its
//! own API.

use domain::Service;

use super::appends::{self, Appended};
use crate::facts::Template;
use crate::raw::postgres_es::{self, Appends};
use crate::report::Outcome;
use crate::rounds::Bench;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let empty = place.make_empty_database(Service::Delivery).await?;
            let (repository, pool) = postgres_es::repository(empty).await?;
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let (by_us, by_other) = (Appended::default(), Appended::default());
            let mut outcomes = vec![];
            for (id, clients) in [("A2-64", 64), ("A2-256", 256)] {
                let rounds = bench
                    .interleave(
                        async || {
                            let clients = appends::plain(&store, &template, clients);
                            appends::round(clients, bench.round, &by_us).await
                        },
                        async || {
                            let clients = Appends::many(&repository, &template, clients)?;
                            appends::round(clients, bench.round, &by_other).await
                        },
                    )
                    .await?;
                outcomes.push(rounds.line(id, 0)?);
            }
            appends::check(&mut look, by_us.get(), 0).await?;
            postgres_es::check(&pool, by_other.get()).await?;
            pool.close().await;
            Ok(outcomes)
        })
        .await
}
