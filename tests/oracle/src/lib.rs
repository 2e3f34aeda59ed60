//! An independent checker: what a pipeline left behind, held against what it promises.
//!
//! It shares no logic with the product. What a fact says, what follows from it, what a view shows of
//! it and what may be held at the end is worked out here a second time, from the contracts: `schemas`,
//! `docs/payment-provider.md` and what `ARCHITECTURE.md` promises. A mistake in the codec or the rules
//! of the product is therefore not repeated by what looks for it.
//!
//! - [`World`] is all that there is to look at, as plain data: what customers asked and were told
//!   ([`journal`]), what the payment provider carried out ([`ledger`]), the logs, topics, offsets,
//!   dead letters and views ([`evidence`]).
//! - [`sources`] read a world from servers, with SQL, Kafka and CQL of their own; [`dump`] reads and
//!   writes one as lines of JSON, which is also how an embedded store is looked at.
//! - [`checks`] are twelve functions of a world, I1 to I12. [`audit`] runs them all.
//!
//! The program of the same name looks at servers, or at what was written down:
//!
//! ```console
//! $ cargo run -p oracle -- --journal journal.jsonl --ledger ledger.jsonl --prefix test_ \
//!     --postgres-url postgres://postgres@127.0.0.1 --kafka-brokers 127.0.0.1:9092 \
//!     --cassandra-nodes 127.0.0.1:9042 --keep world.jsonl
//! $ cargo run -p oracle -- --dump world.jsonl
//! ```
//!
//! A check that had nothing to look at says so, and has not passed. A world is to be at rest when it
//! is read: nothing on its way, no load. Where a check can say more of a world that is not, it does.

pub mod case;
pub mod checks;
pub mod dump;
pub mod evidence;
pub mod fact;
pub mod journal;
pub mod ledger;
mod promises;
pub mod report;
pub mod requests;
pub mod sources;
pub mod views;
mod world;

pub use case::Case;
pub use checks::audit;
pub use report::{Checked, Finding, Report, Verdict};
pub use world::World;
