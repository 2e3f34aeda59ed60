//! Orders placed over HTTP on 64 connections, beside the bare hops: the same server with a handler
//! that reads the body and answers, and the raw append.

use anyhow::ensure;
use domain::Service;
use infra::event_store::{Database, EmbeddedEventStore, Log};
use tokio::task::JoinSet;

use super::appends::{self, CLIENTS};
use super::hops;
use crate::child::Server;
use crate::facts::{self, Template};
use crate::http;
use crate::load::{self, Client};
use crate::raw::append::RawWriter;
use crate::raw::batches::Engine;
use crate::report::Outcome;
use crate::rounds::{Bench, Round, one_after_another};

/// Appends a fact of a new order through the raw writer.
pub struct RawPlain {
    writer: RawWriter,
    template: Template,
}

impl Client for RawPlain {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let append = self.template.append(infra::ids::order(), 0);
        self.writer.append(append).await?;
        Ok(1)
    }
}

/// So many of them.
pub fn raw_plain(writer: &RawWriter, template: &Template, count: usize) -> Vec<RawPlain> {
    let one = |_| RawPlain {
        writer: writer.clone(),
        template: template.clone(),
    };
    (0..count).map(one).collect()
}

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
            let mut tasks = JoinSet::new();
            let writer = RawWriter::start(place.connect(Service::Order).await?, &mut tasks);
            let mut look = place.connect(Service::Order).await?;
            appends::settle(&mut look).await?;
            let request = http::post("/api/orders", &facts::usual_body());
            let (mut by_us, mut by_other) = (0, 0);
            let rounds = bench
                .interleave(
                    async || {
                        let before = ours.cpu()?;
                        let (rate, units) =
                            hops::http_rate(&ours, CLIENTS, &request, 201, bench.round).await?;
                        by_us += units;
                        Ok(Round::of(rate).with_cpu(ours.cpu()?.saturating_sub(before), units))
                    },
                    async || {
                        let (http, _) =
                            hops::http_rate(&nothing, CLIENTS, &request, 201, bench.round).await?;
                        let clients = raw_plain(&writer, &template, CLIENTS);
                        let ran = load::closed(clients, bench.round).await?;
                        by_other += ran.units;
                        Ok(Round::of(one_after_another(&[http, ran.rate()])))
                    },
                )
                .await?;
            appends::check(&mut look, by_us + by_other, 0).await?;
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
    let template = Template::new()?;
    let (payload, metadata) = template.bytes();
    let bytes = payload.len() + metadata.len();
    let request = http::post("/api/orders", &facts::usual_body());
    let mut by_us = 0;
    let rounds = bench
        .interleave(
            async || {
                let before = ours.cpu()?;
                let (rate, units) =
                    hops::http_rate(&ours, CLIENTS, &request, 201, bench.round).await?;
                by_us += units;
                Ok(Round::of(rate).with_cpu(ours.cpu()?.saturating_sub(before), units))
            },
            async || {
                let (http, _) =
                    hops::http_rate(&nothing, CLIENTS, &request, 201, bench.round).await?;
                let run = || engine.run(CLIENTS, bytes, bench.round);
                let append = tokio::task::block_in_place(run)?;
                Ok(Round::of(one_after_another(&[http, append])))
            },
        )
        .await?;
    ours.end().await?;
    nothing.end().await?;
    let left = EmbeddedEventStore::new(Database::open(&data)?, Service::Order);
    let last = left.last_position().await?;
    ensure!(last == by_us, "{last} orders are there of {by_us}");
    rounds.line("H1-embedded", 0)
}
