//! The p50 of an append by one client, beside one statement that inserts the same rows and commits
//! by itself.

use domain::Service;
use sqlx::postgres::PgConnection;

use super::appends::{self, Orders};
use crate::facts::Template;
use crate::load::{self, Client};
use crate::raw::append;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

struct OneStatement {
    on: PgConnection,
    orders: Orders,
}

impl Client for OneStatement {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        append::insert_one(&mut self.on, &self.orders.next()).await?;
        Ok(1)
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let mut raw = vec![OneStatement {
                on: place.connect(Service::Order).await?,
                orders: Orders::keyed(&template),
            }];
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let (mut by_us, mut by_other) = (0, 0);
            let rounds = bench
                .interleave(
                    async || {
                        let one = appends::keyed(&store, &template, 1);
                        let ran = load::closed(one, bench.round).await?;
                        by_us += ran.units;
                        Ok(Round::of(ran.latency.percentile_ms(50.0)))
                    },
                    async || {
                        let ran = load::closed(std::mem::take(&mut raw), bench.round).await?;
                        raw = ran.clients;
                        by_other += ran.units;
                        Ok(Round::of(ran.latency.percentile_ms(50.0)))
                    },
                )
                .await?;
            let all = by_us + by_other;
            appends::check(&mut look, all, all).await?;
            Ok(vec![rounds.line("A4", 0)?])
        })
        .await
}
