//! `waybill replay --to-kafka`: facts of the logs onto their topics once more.

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use domain::values::OrderId;
use domain::{Position, Service};
use infra::bus::{KafkaPublisher, Publisher};
use infra::event_store::EventStore;
use infra::relay::{self, CHECKPOINT, Relay, RelayStatus, Which};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::explain::order_id;
use super::output::{complain, say, say_json};
use super::serve::service;
use super::{Context, EXIT_FAILURE};
use crate::adapters::Adapters;

/// How long the holder of a log may take to hear that its relay is mended: three looks.
const MENDED_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is published again.
#[derive(clap::Args)]
#[command(after_help = "\
Records keep their ids and keys and are marked with the header ce_replay; who has seen a fact takes \
it as nothing. Where the relay of a log has halted, the relay itself publishes again, and what the \
topic is by then is taken as right.")]
pub struct Replay {
    /// Onto the topics of Kafka, which is the only way there is
    #[arg(long, required = true)]
    to_kafka: bool,
    /// The log of this service; all four without it
    #[arg(long, value_parser = service)]
    service: Option<Service>,
    /// The facts of this order only
    #[arg(long, value_parser = order_id, conflicts_with = "after")]
    order: Option<OrderId>,
    /// What comes after this position of the log only
    #[arg(long, value_name = "POSITION", requires = "service")]
    after: Option<Position>,
    /// At most so many facts a second
    #[arg(long, value_name = "FACTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

/// What became of one log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replayed {
    service: &'static str,
    /// Facts that were published by this command.
    published: u64,
    /// Why the relay had halted; it publishes again by itself then.
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<String>,
    /// True where the relay has gone on since.
    #[serde(skip_serializing_if = "Option::is_none")]
    goes_on: Option<bool>,
}

pub async fn run(context: Context, args: Replay) -> anyhow::Result<ExitCode> {
    let Some(servers) = &context.config.servers else {
        bail!("without servers there is no Kafka: the logs themselves are the bus");
    };
    let adapters = Adapters::open(&context.config)?;
    let publisher: Arc<dyn Publisher> = Arc::new(KafkaPublisher::new(servers.kafka_place()));
    let services = Service::ALL.into_iter();
    let mut all = vec![];
    for service in services.filter(|of| args.service.is_none_or(|asked| asked == *of)) {
        let relay = Relay {
            store: adapters.store(service).clone(),
            publisher: publisher.clone(),
            status: RelayStatus::default(),
            recheck: relay::RECHECK,
        };
        let replayed = one(&args, &relay).await?;
        if !context.json {
            show(&replayed);
        }
        all.push(replayed);
    }
    if context.json {
        say_json(&all)?;
    }
    let waits = all.iter().any(|log| log.goes_on == Some(false));
    Ok(if waits {
        complain(&"nobody relays what is mended: it goes on once a command API runs");
        ExitCode::from(EXIT_FAILURE)
    } else {
        ExitCode::SUCCESS
    })
}

async fn one(args: &Replay, relay: &Relay) -> anyhow::Result<Replayed> {
    let Relay {
        store, publisher, ..
    } = relay;
    let service = store.service().name();
    let after = args.after.unwrap_or(0);
    let halted = halt_of(store.as_ref()).await?;
    if args.order.is_none()
        && let Some(halted) = halted
        && relay::mend(store.as_ref(), publisher.as_ref(), after).await?
    {
        return Ok(Replayed {
            service,
            published: 0,
            goes_on: Some(is_taken(store.as_ref(), &halted).await?),
            mended: Some(halted),
        });
    }
    let which = args.order.map_or(Which::After(after), Which::Order);
    let progress = stderr().is_terminal();
    let mut told = |published| {
        if progress {
            // Nobody is there to be told that nobody is there.
            drop(write!(stderr(), "\r{service}: {published} published"));
        }
    };
    let published = relay::replay(relay, which, args.rate, &mut told).await;
    if progress {
        drop(writeln!(stderr(), "\r"));
    }
    Ok(Replayed {
        service,
        published: published?,
        mended: None,
        goes_on: None,
    })
}

/// Waits until the relay has taken what mends the halt.
async fn is_taken(store: &dyn EventStore, halted: &str) -> anyhow::Result<bool> {
    let until = Instant::now() + MENDED_WITHIN;
    while Instant::now() < until {
        if halt_of(store).await?.as_deref() != Some(halted) {
            return Ok(true);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

async fn halt_of(store: &dyn EventStore) -> anyhow::Result<Option<String>> {
    let checkpoint = store.checkpoint(CHECKPOINT).await?;
    Ok(checkpoint.and_then(|checkpoint| checkpoint.halted))
}

fn show(replayed: &Replayed) {
    let Replayed {
        service,
        published,
        mended,
        ..
    } = replayed;
    match mended {
        Some(halted) => say(format_args!(
            "{service}: the relay had halted ({halted}); it publishes again by itself, see \
             `waybill status`"
        )),
        None => say(format_args!("{service}: {published} published again")),
    }
}
