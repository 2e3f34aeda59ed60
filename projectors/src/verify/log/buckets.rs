//! Facts and records counted into buckets by their ids: two sides that hold the same have the same
//! buckets, in memory that does not grow with them.

use std::hash::{DefaultHasher, Hash, Hasher};

/// With 4096, a difference of a few facts among millions leaves some hundred to be looked at one by
/// one, and both sides take 200 KiB.
const BUCKETS: usize = 4096;
/// Facts and records of differing buckets that are looked at one by one: some 25 MB.
pub const MAX_EXAMINED: u64 = 100_000;

/// One side of a bucket: how many, and the sums of them in any order.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    sum: u128,
}

#[derive(Clone, Default)]
struct Bucket {
    log: Sum,
    topic: Sum,
    /// Records that were met, repeats too.
    records: u64,
    /// Something in it is wrong, whatever the sums say.
    suspect: bool,
}

/// What a log and its topic hold.
pub struct Buckets(Vec<Bucket>);

impl Sum {
    fn add(&mut self, sum: u128) {
        self.count += 1;
        self.sum ^= sum;
    }
}

impl Buckets {
    pub fn new() -> Self {
        Self(vec![Bucket::default(); BUCKETS])
    }

    /// Counts a fact of the log.
    pub fn fact(&mut self, id: &str, sum: u128) {
        self.0[bucket_of(id)].log.add(sum);
    }

    /// Counts a record that has not been met before.
    pub fn record(&mut self, id: &str, sum: u128) {
        self.0[bucket_of(id)].topic.add(sum);
    }

    /// Meets a record.
    pub fn meet(&mut self, id: &str) {
        self.0[bucket_of(id)].records += 1;
    }

    /// The bucket is to be looked at.
    pub fn suspect(&mut self, id: &str) {
        self.0[bucket_of(id)].suspect = true;
    }

    /// The buckets that differ: those to be looked at one by one, and how many more there are.
    pub fn differing(&self) -> (Chosen, u64) {
        let all = self.0.iter().enumerate();
        let differ = |bucket: &Bucket| bucket.suspect || bucket.log != bucket.topic;
        let mut differing: Vec<_> = all.filter(|(_, bucket)| differ(bucket)).collect();
        let size = |bucket: &Bucket| bucket.log.count + bucket.records;
        differing.sort_by_key(|(_, bucket)| size(bucket));
        let mut examined = 0;
        let within = differing.iter().take_while(|(_, bucket)| {
            examined += size(bucket);
            examined <= MAX_EXAMINED
        });
        // At least one: else nothing would be named.
        let count = within.count().max(1).min(differing.len());
        let mut chosen = Chosen(vec![false; BUCKETS]);
        for (bucket, _) in &differing[..count] {
            chosen.0[*bucket] = true;
        }
        (chosen, (differing.len() - count) as u64)
    }
}

/// Some buckets.
pub struct Chosen(Vec<bool>);

impl Chosen {
    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    /// Whether the fact of that id is in one of them.
    pub fn has(&self, id: &str) -> bool {
        self.0[bucket_of(id)]
    }
}

fn bucket_of(id: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    // Below BUCKETS.
    usize::try_from(hasher.finish() % BUCKETS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> String {
        format!("payment-{n}-1")
    }

    fn both(count: u64) -> Buckets {
        let mut buckets = Buckets::new();
        for n in 0..count {
            buckets.fact(&id(n), n.into());
            buckets.meet(&id(count - n - 1));
            buckets.record(&id(count - n - 1), (count - n - 1).into());
        }
        buckets
    }

    #[test]
    fn what_is_the_same_in_another_order_does_not_differ() {
        let (chosen, more) = both(10_000).differing();
        assert!(chosen.is_empty() && more == 0);
    }

    #[test]
    fn one_fact_too_many_or_another_sum_chooses_its_bucket() {
        let mut buckets = both(10_000);
        buckets.fact("payment-x-1", 7);
        buckets.record("payment-y-1", 7);
        let (chosen, more) = buckets.differing();
        assert!(chosen.has("payment-x-1") && chosen.has("payment-y-1") && more == 0);
        let some = (0..10_000).filter(|n| chosen.has(&id(*n))).count();
        assert!((0..100).contains(&some), "{some}");
        let mut buckets = both(10);
        buckets.suspect(&id(3));
        assert!(buckets.differing().0.has(&id(3)));
    }

    #[test]
    fn where_all_differs_no_more_is_looked_at_than_there_is_room_for() {
        let mut buckets = Buckets::new();
        let count = 2 * MAX_EXAMINED;
        for n in 0..count {
            buckets.fact(&id(n), n.into());
        }
        let (chosen, more) = buckets.differing();
        let examined = (0..count).filter(|n| chosen.has(&id(*n))).count() as u64;
        assert!(examined <= MAX_EXAMINED && examined > MAX_EXAMINED / 2);
        assert!(more > 1000, "{more}");
    }
}
