use crate::evidence::{DeadLetter, Due, Offset, Parked, Poison, Record, StoredReply, Table};
use crate::fact::Fact;
use crate::journal::Journal;
use crate::ledger::Entry;

/// Everything there is to look at, as plain data. What could not be read is missing, and checks say
/// that they did not look at it.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// What customers asked and were told, and when something was hurt on purpose.
    pub journal: Journal,
    /// What the payment provider carried out; none where it keeps no books.
    pub ledger: Option<Vec<Entry>>,
    /// The four logs.
    pub facts: Vec<Fact>,
    /// What is kept under idempotency keys.
    pub replies: Vec<StoredReply>,
    /// Open tasks; none where they were not read.
    pub due: Option<Vec<Due>>,
    /// Everything on the topics of facts; none where the bus has none.
    pub topics: Option<Vec<Record>>,
    /// How far consumer groups are. To be read before all else: what is done by then must be seen.
    pub offsets: Vec<Offset>,
    /// Everything on the topics of dead letters; none where the bus has none.
    pub dead_letters: Option<Vec<DeadLetter>>,
    /// The rows of facts that were set aside, open and ended.
    pub parked: Vec<Parked>,
    /// The tables of the views.
    pub tables: Vec<Table>,
    /// What was broken on purpose.
    pub poison: Vec<Poison>,
    /// When the world was read, in microseconds since 1970. Orders that still have time to end by
    /// then are not missed.
    pub read_at: Option<i64>,
    /// Nobody but people ends a delivery, so that an order may stay open for ever.
    pub by_hand: bool,
}
