//! Orders placed over HTTP on 64 connections, beside the bare hops: the same server with a handler
//! that reads the body and answers, and the raw append.

use anyhow::ensure;
use domain::Service;
use infra::event_store::{Database, EmbeddedEventStore, Log};

use super::appends::{self, Appended, CLIENTS};
use super::hops;
use crate::child::Server;
use crate::facts::Template;
use crate::load;
use crate::raw::append::RawWriter;
use crate::raw::batches::Engine;
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Outcome>> {
    Ok(vec![on_postgres(bench).await?, embedded(bench).await?])
}

async fn on_postgres(bench: &Bench) -> anyhow::Result<Outcome> {
    bench
        .within_place(&[], async |place| {
            appends::store(place).await?;
            let template = Template::new()?;
            let ours = Server::bare(&place.args(&["orders"])).await?;
            let nothing = Server::bare(&["nothing".to_owned()]).await?;
            let writer = RawWriter::start(place.connect(Service::Order).await?);
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let appended = Appended::default();
            let rounds = bench
                .interleave(
                    async || placed(&ours, bench, &appended).await,
                    async || {
                        let http = answered(&nothing, bench).await?;
                        let clients = appends::plain(&writer, &template, CLIENTS);
                        let ran = load::closed(clients, bench.round).await?;
                        appended.set(appended.get() + ran.units);
                        Ok(Round::of(one_after_another(&[http, ran.rate()])))
                    },
                )
                .await?;
            appends::check(&mut look, appended.get(), 0).await?;
            ours.end().await?;
            nothing.end().await?;
            rounds.line("H1", 0)
        })
        .await
}

async fn embedded(bench: &Bench) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir_in("target")?;
    let data = folder.path().join("ours");
    let set = format!("data_dir={}", data.display());
    let ours = ["orders", "--set", &set].map(str::to_owned);
    let ours = Server::bare(&ours).await?;
    let nothing = Server::bare(&["nothing".to_owned()]).await?;
    let mut engine = Engine::open(&folder.path().join("engine"))?;
    let bytes = Template::new()?.len();
    let appended = Appended::default();
    let rounds = bench
        .interleave(
            async || placed(&ours, bench, &appended).await,
            async || {
                let http = answered(&nothing, bench).await?;
                let run = || engine.run(CLIENTS, bytes, bench.round);
                let append = tokio::task::block_in_place(run)?;
                Ok(Round::of(one_after_another(&[http, append])))
            },
        )
        .await?;
    ours.end().await?;
    nothing.end().await?;
    engine.check()?;
    let left = EmbeddedEventStore::new(Database::open(&data)?, Service::Order);
    let (last, appended) = (left.last_position().await?, appended.get());
    ensure!(last == appended, "{last} orders are there of {appended}");
    rounds.line("H1-embedded", 0)
}

/// A round of orders placed with ours.
async fn placed(ours: &Server, bench: &Bench, appended: &Appended) -> anyhow::Result<Round> {
    let customers = hops::customers(ours, CLIENTS).await?;
    let (round, orders) = hops::served(ours, customers, bench.round).await?;
    appended.set(appended.get() + orders);
    Ok(round)
}

/// The rate at which the server that does nothing answers.
async fn answered(nothing: &Server, bench: &Bench) -> anyhow::Result<f64> {
    let customers = hops::customers(nothing, CLIENTS).await?;
    Ok(load::closed(customers, bench.round).await?.rate())
}
