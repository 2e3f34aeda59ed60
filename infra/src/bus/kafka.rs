//! The bus on Kafka: a topic a service, `raw.order-events` and so on, and beside each one
//! `dlq.order-events` for the facts of it that some group could not take.

mod place;
mod topics;

pub use place::KafkaPlace;
pub use topics::{TopicError, Topics, create_topics};
