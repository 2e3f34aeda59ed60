use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};

use super::Servers;
use super::postgres::service_of;
use crate::evidence::{DeadLetter, Offset, Origin, Record};
use crate::fact::Service;
use crate::{World, views};

/// How long brokers may take to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Groups of views are looked for up to this generation.
const GENERATIONS: u32 = 8;

pub async fn read(servers: &Servers, world: &mut World) -> Result<()> {
    let servers = servers.clone();
    let read = tokio::task::spawn_blocking(move || Found::on(&servers));
    let found = read.await??;
    world.offsets.extend(found.offsets);
    world.topics.get_or_insert_default().extend(found.records);
    world
        .dead_letters
        .get_or_insert_default()
        .extend(found.letters);
    Ok(())
}

#[derive(Default)]
struct Found {
    offsets: Vec<Offset>,
    records: Vec<Record>,
    letters: Vec<DeadLetter>,
}

impl Found {
    fn on(servers: &Servers) -> Result<Self> {
        let mut found = Self::default();
        let partitions = Service::ALL.map(|service| {
            let topic = format!("{}raw.{}-events", servers.prefix, service.name());
            Ok::<_, anyhow::Error>((service, topic.clone(), partitions(servers, &topic)?))
        });
        let topics = partitions.into_iter().collect::<Result<Vec<_>>>()?;
        found.offsets = offsets(servers, &topics)?;
        for (service, topic, partitions) in topics {
            for partition in partitions {
                each(servers, &topic, partition, |message| {
                    found.records.push(record(service, message));
                    Ok(())
                })?;
            }
            let topic = format!("{}dlq.{}-events", servers.prefix, service.name());
            for partition in self::partitions(servers, &topic)? {
                each(servers, &topic, partition, |message| {
                    let record = record(service, message);
                    found.letters.push(letter(record, &servers.prefix)?);
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }
}

/// A client of a group that it never joins.
fn client(servers: &Servers, group: &str) -> Result<BaseConsumer> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &servers.kafka)
        .set("group.id", group)
        .set("enable.auto.commit", "false");
    Ok(client.create()?)
}

fn partitions(servers: &Servers, topic: &str) -> Result<Vec<i32>> {
    let client = client(servers, "unused")?;
    let metadata = client.fetch_metadata(Some(topic), WITHIN)?;
    let topic = metadata.topics().iter().find(|one| one.name() == topic);
    let partitions = topic.context("a topic is missing")?.partitions().iter();
    Ok(partitions.map(|partition| partition.id()).collect())
}

fn offsets(servers: &Servers, topics: &[(Service, String, Vec<i32>)]) -> Result<Vec<Offset>> {
    let services = Service::ALL.map(|service| service.name().to_owned());
    let views = views::ALL.iter().flat_map(|view| {
        let generations = 1..=GENERATIONS;
        generations.map(move |number| format!("{}-g{number}", view.name))
    });
    let mut all = vec![];
    for group in services.into_iter().chain(views) {
        let client = client(servers, &format!("{}{group}", servers.prefix))?;
        let mut asked = TopicPartitionList::new();
        for (_, topic, partitions) in topics {
            for partition in partitions {
                asked.add_partition(topic, *partition);
            }
        }
        for known in client.committed_offsets(asked, WITHIN)?.elements() {
            if let At::Offset(next) = known.offset() {
                all.push(Offset {
                    group: group.clone(),
                    service: service_of(known.topic(), &servers.prefix)?,
                    partition: Some(known.partition()),
                    next,
                });
            }
        }
    }
    Ok(all)
}

/// Everything in a partition, from its first record to the one that is the last now.
fn each(
    servers: &Servers,
    topic: &str,
    partition: i32,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let client = client(servers, "unused")?;
    let (mut at, end) = client.fetch_watermarks(topic, partition, WITHIN)?;
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, partition, At::Offset(at))?;
    client.assign(&from)?;
    while at < end {
        let message = client.poll(WITHIN);
        let message =
            message.ok_or_else(|| anyhow!("{topic}[{partition}]: no {at} of {end}"))??;
        at = message.offset() + 1;
        take(&message)?;
    }
    Ok(())
}

fn record(service: Service, message: &BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter());
    Record {
        service,
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        value: message.payload().map(text),
        headers: headers
            .map(|header| {
                (
                    header.key.to_owned(),
                    text(header.value.unwrap_or_default()),
                )
            })
            .collect(),
    }
}

/// A dead letter says in its headers where it came from.
fn letter(record: Record, prefix: &str) -> Result<DeadLetter> {
    let header = |name: &str| {
        let value = record.headers.get(name);
        value.with_context(|| format!("a dead letter without {name}"))
    };
    Ok(DeadLetter {
        from: Origin {
            group: header("dlq-group")?.clone(),
            service: service_of(header("dlq-topic")?, prefix)?,
            partition: header("dlq-partition")?.parse()?,
            offset: header("dlq-offset")?.parse()?,
        },
        class: header("dlq-class")?.clone(),
        fact: record.headers.get("ce_id").cloned(),
        key: record.key.clone(),
    })
}
