//! The p50 of an append by one client, beside one statement that inserts the same rows and commits
//! by itself.

use domain::Service;
use domain::values::OrderId;
use infra::ids;
use sqlx::postgres::PgConnection;

use super::appends;
use crate::facts::Template;
use crate::load::{self, Client};
use crate::raw::append;
use crate::report::Outcome;
use crate::rounds::{Bench, Round};

struct OneStatement {
    on: PgConnection,
    template: Template,
    last: Option<OrderId>,
}

impl Client for OneStatement {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        // The first and the second fact of a stream by turns, as ours.
        let append = match self.last.take() {
            Some(order) => self.template.append_once(order, 1),
            None => {
                let order = *self.last.insert(ids::order());
                self.template.append_once(order, 0)
            }
        };
        append::insert(&mut self.on, std::iter::once(&append)).await?;
        Ok(1)
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let mut raw = Some(OneStatement {
                on: place.connect(Service::Order).await?,
                template: template.clone(),
                last: None,
            });
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let (mut by_us, mut by_other) = (0, 0);
            let rounds = bench
                .interleave(
                    async || {
                        let one = appends::ours(&store, &template, 1);
                        let ran = load::closed(one, bench.round).await?;
                        by_us += ran.units;
                        Ok(Round::of(ran.latency.percentile_ms(50.0)))
                    },
                    async || {
                        let one = raw.take().into_iter().collect();
                        let mut ran = load::closed(one, bench.round).await?;
                        raw = ran.clients.pop();
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
