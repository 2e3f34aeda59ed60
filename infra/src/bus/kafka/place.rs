//! Which brokers, and what everything is called there.

use std::collections::BTreeMap;

use domain::Service;
use rdkafka::ClientConfig;

/// The brokers, and how to talk to them.
#[derive(Clone)]
pub struct KafkaPlace {
    brokers: String,
    prefix: String,
    properties: BTreeMap<String, String>,
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
            .set("reconnect.backoff.max.ms", "1000");
        client
    }
}
