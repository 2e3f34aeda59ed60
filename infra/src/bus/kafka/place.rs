//! Which brokers, and what everything is called there.

use std::collections::BTreeMap;

use domain::Service;
use rdkafka::ClientConfig;

/// A request without an answer is given up after this, with its connection, which may be dead and
/// not say so. The library's own minute is as long as an order may take.
const ANSWER_MS: &str = "10000";

/// The brokers, and how to talk to them.
#[derive(Clone)]
pub struct KafkaPlace {
    brokers: String,
    prefix: String,
    properties: BTreeMap<String, String>,
}

/// A property that cannot be used. Never repeats its value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProperty {
    /// librdkafka does not know it, or does not take its value.
    #[error("{0} is no setting of librdkafka, or its value is not one that it takes")]
    Refused(String),
    /// This program was built without TLS.
    #[error(
        "{0} needs TLS to Kafka, which this waybill was built without: build it with --features kafka-tls"
    )]
    NeedsTls(String),
}

impl KafkaPlace {
    /// The brokers at `brokers` (`host:port`, separated by commas), where all names begin with
    /// `prefix`. `properties` are settings of librdkafka that every client takes: TLS and SASL.
    pub fn new(brokers: &str, prefix: &str, properties: BTreeMap<String, String>) -> Self {
        Self {
            brokers: brokers.to_owned(),
            prefix: prefix.to_owned(),
            properties,
        }
    }

    /// Whether clients can be made with the properties. A client would say so too, but with the
    /// value, and again at each of its attempts.
    ///
    /// # Errors
    /// [`InvalidProperty`], of the first by name.
    pub fn check(&self) -> Result<(), InvalidProperty> {
        for (key, value) in &self.properties {
            if !cfg!(feature = "kafka-tls") && needs_tls(key, value) {
                return Err(InvalidProperty::NeedsTls(key.clone()));
            }
            let mut alone = ClientConfig::new();
            let taken = alone.set(key, value).create_native_config();
            taken.map_err(|_| InvalidProperty::Refused(key.clone()))?;
        }
        Ok(())
    }

    /// The topic with the facts of a service.
    pub fn topic(&self, service: Service) -> String {
        format!("{}raw.{service}-events", self.prefix)
    }

    /// The topic with its dead letters.
    pub fn dead_letters(&self, service: Service) -> String {
        format!("{}dlq.{service}-events", self.prefix)
    }

    /// What a consumer group is called at the brokers.
    pub fn group(&self, group: &str) -> String {
        format!("{}{group}", self.prefix)
    }

    /// What every client begins with, as `name`.
    pub(super) fn client(&self, name: &str) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (key, value) in &self.properties {
            client.set(key, value);
        }
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("waybill-{name}"))
            // A broker that comes back is found again within a second.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.timeout.ms", ANSWER_MS);
        client
    }
}

/// What librdkafka has only where it was built with OpenSSL.
fn needs_tls(key: &str, value: &str) -> bool {
    let value = value.to_ascii_uppercase();
    match key {
        "security.protocol" => value.ends_with("SSL"),
        "sasl.mechanism" | "sasl.mechanisms" => value.starts_with("SCRAM-"),
        _ => key.starts_with("ssl."),
    }
}
