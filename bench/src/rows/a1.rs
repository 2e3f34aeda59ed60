//! Appends by 64 clients, each with an expected version and an idempotency row, beside the same
//! rows in the same tables unchecked.

use domain::Service;

use super::appends::{self, Appended, CLIENTS};
use crate::facts::Template;
use crate::raw::append::RawWriter;
use crate::report::Outcome;
use crate::rounds::Bench;

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    bench
        .within_place(&[], async |place| {
            let store = appends::store(place).await?;
            let template = Template::new()?;
            let writer = RawWriter::start(place.connect(Service::Order).await?);
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let appended = Appended::default();
            let rounds = bench
                .interleave(
                    async || {
                        let clients = appends::keyed(&store, &template, CLIENTS);
                        appends::round(clients, bench.round, &appended).await
                    },
                    async || {
                        let clients = appends::keyed(&writer, &template, CLIENTS);
                        appends::round(clients, bench.round, &appended).await
                    },
                )
                .await?;
            appends::check(&mut look, appended.get(), appended.get()).await?;
            Ok(vec![rounds.line("A1", 0)?])
        })
        .await
}
