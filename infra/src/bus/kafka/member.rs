//! What the client library tells us besides records: partitions that come and go, and its log.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

/// A topic's name and a partition's number.
type Place = (String, i32);

/// A client that has nothing to say but to the log. What the library logs is what it will mend by
/// itself; what it will not comes as an error to whoever asked.
pub struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell(&error, reason);
    }
}

impl ConsumerContext for Quiet {}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, message);
        }
        // A broker that is away is said with each attempt to reach it.
        _ => tracing::debug!(target: "librdkafka", facility, message),
    }
}

/// A login or a certificate that is refused mends itself only when a person has mended it, and who
/// asked hears no more than that no broker answers.
fn tell(error: &KafkaError, reason: &str) {
    use RDKafkaErrorCode::{Authentication, SSL};
    match error.rdkafka_error_code() {
        Some(Authentication | SSL) => tracing::error!(target: "librdkafka", %error, reason),
        _ => tracing::debug!(target: "librdkafka", %error, reason),
    }
}

/// A member's partitions. The library hands them out and takes them back inside of a poll; those
/// that it takes back stay ours, and the group waits, until [`Member::let_go`].
#[derive(Default)]
pub struct Member {
    partitions: Mutex<Partitions>,
    closing: AtomicBool,
}

#[derive(Default)]
struct Partitions {
    owned: BTreeSet<Place>,
    leaving: Vec<Place>,
    /// Such that came since somebody asked.
    came: bool,
}

impl Member {
    /// Whether it may be committed.
    pub fn owns(&self, topic: &str, number: i32) -> bool {
        let place = (topic.to_owned(), number);
        self.lock().owned.contains(&place)
    }

    /// All that are ours and do not leave.
    pub fn staying(&self) -> Vec<Place> {
        let partitions = self.lock();
        let stays = |place: &&Place| !partitions.leaving.contains(place);
        partitions.owned.iter().filter(stays).cloned().collect()
    }

    /// Those that the group waits for.
    pub fn leaving(&self) -> Vec<Place> {
        self.lock().leaving.clone()
    }

    /// Whether some came since this was asked last.
    pub fn came(&self) -> bool {
        std::mem::take(&mut self.lock().came)
    }

    /// Gives those up that leave.
    pub fn let_go(&self, consumer: &impl Consumer<Self>) {
        let gone = {
            let mut partitions = self.lock();
            let gone = std::mem::take(&mut partitions.leaving);
            partitions.owned.retain(|place| !gone.contains(place));
            gone
        };
        if gone.is_empty() {
            return;
        }
        if let Err(error) = consumer.incremental_unassign(&list(&gone)) {
            tracing::warn!(%error, "partitions cannot be given up");
        }
    }

    /// From here on partitions go at once: nobody commits any more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Partitions> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell(&error, reason);
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let elements = list.elements();
        let places = elements
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()));
        if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            {
                let mut partitions = self.lock();
                partitions.owned.extend(places);
                partitions.came = true;
            }
            if let Err(error) = consumer.incremental_assign(list) {
                tracing::warn!(%error, "partitions cannot be taken");
            }
            return;
        }
        self.lock().leaving.extend(places);
        if self.closing.load(Ordering::Acquire) {
            self.let_go(consumer);
        }
    }
}

/// Partitions as the library wants them.
pub fn list(places: &[Place]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, number) in places {
        list.add_partition(topic, *number);
    }
    list
}
