//! Records of facts that were published before, each held against the log at once: a repeat adds
//! nothing to the sums, but it may not say anything else either.

use domain::Position;
use infra::event_store::{EventStore, StoreError};

use super::buckets::Buckets;
use super::digest::Digest;
use super::{PAGE, page};

/// Records that are looked up together: a replay repeats facts in their order, so that one page of
/// the log answers for many.
const TOGETHER: usize = 1000;
/// Lookups this close to each other are answered by one read.
const NEAR: u64 = 100;

/// Records that wait to be looked up.
#[derive(Default)]
pub struct Lookups(Vec<(Position, String, Digest)>);

impl Lookups {
    pub fn add(&mut self, position: Position, id: String, digest: Digest) {
        self.0.push((position, id, digest));
    }

    pub fn is_full(&self) -> bool {
        self.0.len() >= TOGETHER
    }

    /// Looks them up, and suspects the buckets of those that the log does not have as they are.
    /// They are kept where the store does not answer.
    pub async fn flush(
        &mut self,
        log: &dyn EventStore,
        buckets: &mut Buckets,
    ) -> Result<(), StoreError> {
        self.0.sort_unstable_by_key(|(position, ..)| *position);
        let mut rest = &self.0[..];
        while let Some((first, ..)) = rest.first() {
            let near = rest
                .windows(2)
                .take_while(|pair| pair[1].0 - pair[0].0 <= NEAR)
                .count();
            let span = usize::try_from(rest[near].0 - first).unwrap_or(PAGE);
            let wanted = span.saturating_add(1).min(PAGE);
            let read = page::after(log, first.saturating_sub(1), wanted).await?;
            let ends = read.next.max(*first);
            let answered = rest.partition_point(|(position, ..)| *position <= ends);
            for (position, id, digest) in &rest[..answered] {
                let found = read
                    .facts
                    .binary_search_by_key(position, |fact| fact.position);
                let fact = found.ok().and_then(|at| read.facts.get(at));
                let same = fact.is_some_and(|fact| {
                    fact.id.to_string() == *id && Digest::expected(fact).allows(digest)
                });
                if !same {
                    buckets.suspect(id);
                }
            }
            rest = &rest[answered..];
        }
        self.0.clear();
        Ok(())
    }
}
