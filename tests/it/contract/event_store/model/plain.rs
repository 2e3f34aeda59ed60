//! A store in a few lines, which takes one request after the other.

use std::collections::BTreeMap;

use domain::values::Timestamp;
use domain::{Sequence, StreamId};
use infra::event_store::{Append, DueRow, StoredFact, StoredReply};

use super::super::given::stored;
use super::Request;

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Conflict,
    Repeated(Box<StoredReply>),
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plain {
    pub log: Vec<StoredFact>,
    pub replies: BTreeMap<String, StoredReply>,
    pub due: BTreeMap<String, DueRow>,
}

impl Plain {
    pub fn version(&self, stream: &StreamId) -> Sequence {
        let facts = self.log.iter().filter(|fact| fact.id.stream == *stream);
        facts.count() as Sequence
    }

    pub fn take(&mut self, request: &Request) -> Verdict {
        match request {
            Request::Append(request) => self.append(request),
            Request::PutBack(row) => {
                if let Some(open) = self.due.get_mut(&row.id()) {
                    *open = row.clone();
                }
                Verdict::Accepted
            }
        }
    }

    fn append(&mut self, request: &Append) -> Verdict {
        if let Some(reply) = &request.reply
            && let Some(first) = self.replies.get(&reply.key)
        {
            return Verdict::Repeated(Box::new(first.clone()));
        }
        if (request.expect.iter()).any(|(stream, expected)| self.version(stream) != *expected) {
            return Verdict::Conflict;
        }
        self.log.extend(request.facts.iter().map(stored));
        let reply = request.reply.iter();
        self.replies
            .extend(reply.map(|reply| (reply.key.clone(), reply.clone())));
        for id in &request.settles {
            self.due.remove(id);
        }
        for row in &request.opens {
            self.due.entry(row.id()).or_insert_with(|| row.clone());
        }
        Verdict::Accepted
    }

    /// What is due; of one time, by id.
    pub fn due_at(&self, now: Timestamp) -> Vec<DueRow> {
        let come = |row: &&DueRow| !row.parked && row.not_before <= now;
        let mut rows: Vec<DueRow> = self.due.values().filter(come).cloned().collect();
        rows.sort_by_key(|row| (row.not_before, row.id()));
        rows
    }

    pub fn next_due(&self, after: Timestamp) -> Option<Timestamp> {
        let later = |row: &&DueRow| !row.parked && row.not_before > after;
        self.due
            .values()
            .filter(later)
            .map(|row| row.not_before)
            .min()
    }
}
