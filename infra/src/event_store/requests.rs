//! A request to append, and what makes it fit.

use std::collections::HashMap;

use domain::{Sequence, StreamId};

use super::{AppendError, DueRow, NewFact, StoredReply};

/// The largest fact, payload and metadata together. The largest that the rules can make, an order
/// of 100 lines, has some 15 KiB; brokers take 1 MiB.
pub const MAX_FACT_BYTES: usize = 512 * 1024;

/// The most facts of one request: a batch of reservations is the largest, and stays below this.
pub const MAX_FACTS: usize = 10_000;

/// The highest version that a request may expect: sequences are 64-bit integers with a sign in
/// some stores.
const MAX_VERSION: Sequence = i64::MAX as Sequence - MAX_FACTS as Sequence;

/// Everything that one command changes, accepted or refused as a whole.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// The version that each stream must have; also streams that get no facts may be named.
    pub expect: Vec<(StreamId, Sequence)>,
    /// The facts, those of a stream in order.
    pub facts: Vec<NewFact>,
    /// The reply to store under an idempotency key.
    pub reply: Option<StoredReply>,
    /// Tasks to open, where they are not open already.
    pub opens: Vec<DueRow>,
    /// Ids of tasks to settle.
    pub settles: Vec<String>,
}

impl Append {
    /// Checks what no store has to look up: that the facts of every stream follow its expected
    /// version without a hole, and that nothing is over-long or has bytes that a store cannot
    /// keep.
    ///
    /// # Errors
    /// [`AppendError::Invalid`] names what is wrong.
    pub fn check(&self) -> Result<(), AppendError> {
        let invalid = |what: String| Err(AppendError::Invalid(what));
        if self.facts.len() > MAX_FACTS {
            return invalid(format!("{} facts", self.facts.len()));
        }
        let mut next: HashMap<&StreamId, Sequence> = HashMap::with_capacity(self.expect.len());
        for (stream, expected) in &self.expect {
            if *expected > MAX_VERSION {
                return invalid(format!("{stream} cannot be at {expected}"));
            }
            if next.insert(stream, expected + 1).is_some() {
                return invalid(format!("{stream} is expected twice"));
            }
        }
        for fact in &self.facts {
            let Some(sequence) = next.get_mut(&fact.stream) else {
                return invalid(format!("no version of {} is expected", fact.stream));
            };
            if fact.sequence != *sequence {
                return invalid(format!(
                    "{} has a hole before {}",
                    fact.stream, fact.sequence
                ));
            }
            *sequence += 1;
            if fact.payload.len() + fact.metadata.len() > MAX_FACT_BYTES {
                return invalid(format!("a fact of {} is too large", fact.stream));
            }
        }
        let reply = self.reply.iter();
        let texts = (self.expect.iter().map(|(stream, _)| &stream.id))
            .chain(reply.flat_map(|reply| [&reply.scope, &reply.key]))
            .chain(&self.settles);
        match texts.into_iter().find(|text| text.contains('\0')) {
            Some(text) => invalid(format!("{text:?} has a NUL byte")),
            None => Ok(()),
        }
    }
}
