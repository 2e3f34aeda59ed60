//! The journal's attempts, put together to what a customer wanted once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::journal::{Command, Journal, Reply};

/// Something that a customer wanted once: all attempts under one key, or one without a key.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where it was sent.
    pub path: &'a str,
    /// Under which key.
    pub key: Option<&'a str>,
    /// What was sent.
    pub body: &'a Value,
    /// Every attempt, in the order in which they were sent.
    pub attempts: Vec<&'a Command>,
}

/// What a customer knows of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It was taken: this was the first answer that said so.
    Taken(&'a Reply),
    /// It was turned down each time.
    Refused,
    /// Nobody can know.
    Unknown,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// An order is placed.
    Place,
    /// This order is cancelled.
    Cancel(&'a str),
    /// Goods of this SKU arrived.
    Receipt(&'a str),
    /// The delivery of this order takes a step.
    Step(&'a str, &'a str),
    /// Nothing that leaves a fact, as far as is known here.
    Other,
}

impl<'a> Request<'a> {
    /// All requests of a journal. Another body under a key is another request, which is to be
    /// refused.
    pub fn all(journal: &'a Journal) -> Vec<Self> {
        let mut commands: Vec<_> = journal.commands.iter().collect();
        commands.sort_by_key(|command| command.asked_at);
        let mut keyed: BTreeMap<_, Vec<&Command>> = BTreeMap::new();
        let mut all: Vec<Vec<&Command>> = vec![];
        for command in commands {
            match &command.key {
                Some(key) => {
                    let which = (&*command.path, &**key, command.body.to_string());
                    keyed.entry(which).or_default().push(command);
                }
                None => all.push(vec![command]),
            }
        }
        all.extend(keyed.into_values());
        all.into_iter().map(Self::of).collect()
    }

    fn of(attempts: Vec<&'a Command>) -> Self {
        let first = attempts[0];
        Self {
            path: &first.path,
            key: first.key.as_deref(),
            body: &first.body,
            attempts,
        }
    }

    /// The answers that said that it was taken.
    pub fn taken(&self) -> impl Iterator<Item = &'a Reply> {
        let replies = self.attempts.iter().filter_map(|one| one.reply.as_ref());
        replies.filter(|reply| (200..300).contains(&reply.status))
    }

    /// What the customer knows.
    pub fn outcome(&self) -> Outcome<'a> {
        if let Some(reply) = self.taken().next() {
            return Outcome::Taken(reply);
        }
        let refused = |one: &&Command| matches!(&one.reply, Some(reply) if reply.status < 500);
        match self.attempts.iter().all(refused) {
            true => Outcome::Refused,
            false => Outcome::Unknown,
        }
    }

    /// What it is about.
    pub fn about(&self) -> About<'a> {
        let parts: Vec<_> = self.path.trim_start_matches('/').split('/').collect();
        match *parts {
            ["api", "orders"] => About::Place,
            ["api", "orders", order, "cancel"] => About::Cancel(order),
            ["api", "stock", sku, "receipts"] => About::Receipt(sku),
            ["api", "deliveries", order, step] => About::Step(order, step),
            _ => About::Other,
        }
    }

    /// How it is called in findings.
    pub fn name(&self) -> String {
        let client = &self.attempts[0].client;
        match self.key {
            Some(key) => format!("POST {} of {client} under {key}", self.path),
            None => format!("POST {} of {client}", self.path),
        }
    }
}
