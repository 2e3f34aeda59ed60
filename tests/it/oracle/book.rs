use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use domain::values::Timestamp;
use infra::clock;
use oracle::journal::{self, Command, Journal, Mark, Read, What};
use serde_json::Value;

use crate::support::Reply;

/// What customers asked and were told.
#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<Journal>>);

impl Book {
    /// All of it so far.
    pub fn read(&self) -> Journal {
        self.0.lock().unwrap().clone()
    }

    /// Something was done to the pipeline.
    pub fn mark(&self, what: What, note: &str) {
        self.0.lock().unwrap().marks.push(Mark {
            at: clock::now().as_micros(),
            what,
            note: note.to_owned(),
        });
    }

    /// A command was sent, and answered or not.
    pub fn asked(
        &self,
        asked_at: Timestamp,
        path: &str,
        key: &str,
        body: &Value,
        reply: Option<&Reply>,
    ) {
        let told = |reply: &Reply| journal::Reply {
            status: reply.status.as_u16(),
            body: String::from_utf8_lossy(&reply.bytes).into_owned(),
            token: reply.header("waybill-token").map(ToOwned::to_owned),
            location: reply.header("location").map(ToOwned::to_owned),
        };
        self.0.lock().unwrap().commands.push(Command {
            client: key.to_owned(),
            asked_at: asked_at.as_micros(),
            answered_at: clock::now().as_micros(),
            path: path.to_owned(),
            key: Some(key.to_owned()),
            body: body.clone(),
            reply: reply.map(told),
        });
    }

    /// An order was shown.
    pub fn saw(&self, client: &str, asked_at: Timestamp, reply: &Reply) {
        let shown = &reply.body;
        let (Some(order), Some(versions)) =
            (shown["orderId"].as_str(), shown["versions"].as_object())
        else {
            return;
        };
        let versions = versions.iter();
        let versions: BTreeMap<_, _> = versions
            .map(|(stream, version)| (stream.clone(), version.as_i64().unwrap()))
            .collect();
        self.0.lock().unwrap().reads.push(Read {
            client: client.to_owned(),
            asked_at: asked_at.as_micros(),
            answered_at: clock::now().as_micros(),
            order: order.to_owned(),
            versions,
        });
    }
}
