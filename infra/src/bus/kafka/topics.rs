//! Makes the topics.

use std::time::Duration;

use domain::Service;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::timeout;

use super::KafkaPlace;

/// How long to wait for the brokers; an admin client without brokers would wait for ever.
const WITHIN: Duration = Duration::from_secs(30);

/// What topics are to be like. Set once: another number of partitions would map keys anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topics {
    /// Partitions of each.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication: i32,
}

/// Why topics were not made. Some may have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// A topic is there with another number of partitions.
    #[error(
        "the topic {topic} has {found} partitions and not {wanted}: to change them would send the \
         facts of an order to another partition than those before; nothing was changed"
    )]
    Partitions {
        /// Which.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many were asked for.
        wanted: i32,
    },
    /// The brokers cannot be reached, or refuse.
    #[error("cannot {doing}: {cause}")]
    Failed {
        /// What was tried.
        doing: String,
        /// What the brokers said.
        cause: String,
    },
}

/// Makes the topics of all services that are missing, facts and dead letters, and says which.
/// Safe to repeat. Facts are kept for good, unless the brokers' operator decides otherwise.
///
/// # Errors
/// [`TopicError`]
pub async fn create_topics(place: &KafkaPlace, like: Topics) -> Result<Vec<String>, TopicError> {
    let facts = Service::ALL.map(|service| place.topic(service));
    let letters = Service::ALL.map(|service| place.dead_letters(service));
    let names: Vec<String> = facts.into_iter().chain(letters).collect();
    let admin: AdminClient<DefaultClientContext> = place
        .client("migrate")
        .create()
        .map_err(|e| failed("talk to Kafka", &e))?;

    let new = names.iter().map(|name| {
        NewTopic::new(
            name,
            like.partitions,
            TopicReplication::Fixed(like.replication),
        )
        .set("retention.ms", "-1")
    });
    let new: Vec<_> = new.collect();
    let options = AdminOptions::new().operation_timeout(Some(WITHIN));
    let asked = timeout(WITHIN, admin.create_topics(&new, &options)).await;
    let answers = asked
        .map_err(|_| no_answer("create topics"))?
        .map_err(|e| failed("create topics", &e))?;
    let mut made = vec![];
    for answer in answers {
        match answer {
            Ok(name) => made.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                let doing = format!("create the topic {name}");
                return Err(failed(&doing, &KafkaError::AdminOp(code)));
            }
        }
    }
    check(admin, &names, &made, like).await?;
    Ok(made)
}

/// That those which were there already are as they are asked for.
async fn check(
    admin: AdminClient<DefaultClientContext>,
    names: &[String],
    made: &[String],
    like: Topics,
) -> Result<(), TopicError> {
    let looked = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(None, WITHIN));
    let metadata = looked
        .await
        .map_err(|_| no_answer("look at the topics"))?
        .map_err(|e| failed("look at the topics", &e))?;
    for topic in metadata.topics() {
        let (name, found) = (topic.name().to_owned(), topic.partitions().len());
        let ours = names.contains(&name) && !made.contains(&name);
        if ours && i32::try_from(found) != Ok(like.partitions) {
            return Err(TopicError::Partitions {
                topic: name,
                found,
                wanted: like.partitions,
            });
        }
    }
    Ok(())
}

fn failed(doing: &str, e: &KafkaError) -> TopicError {
    TopicError::Failed {
        doing: doing.to_owned(),
        cause: e.to_string(),
    }
}

fn no_answer(doing: &str) -> TopicError {
    TopicError::Failed {
        doing: doing.to_owned(),
        cause: format!("no answer within {WITHIN:?}"),
    }
}
