//! Planted bugs: mistakes that a test has the process make, so that it is shown that the tests see
//! them.
//!
//! [`planted!`](crate::planted) asks for one. It is `false` without the cargo feature
//! `planted-bugs`, and the helpers below are not there; an optimized build with the feature is
//! refused, so nothing that is shipped has it. With the feature `PLANTED=offset-before-effect` in the
//! environment, which is read once, makes the process do so. A name that is not known is a bad
//! configuration, which ends the process at its start with a list of those that are.

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("planted bugs are for tests alone: build without optimizations");

/// Every bug, with the place that has it. Each stands at one place in the sources, which a test
/// looks for.
pub const BUGS: &[(&str, &str)] = &[
    // An offset is committed as soon as its record was polled.
    ("offset-before-effect", "consumer::fetch"),
    // The same for a record that cannot be read, before it is parked.
    ("offset-before-letter", "consumer::fetch"),
    // A hold that comes again is decided as if it were new.
    ("again-on-a-repeat", "command_api::inventory_batch::draft"),
    // An append takes no lock on the order of positions.
    ("no-order-lock", "event_store::postgres::migrate"),
    // The log is read in the order of transactions' numbers.
    ("order-by-transaction", "event_store::postgres::log"),
    // A call to the payment provider that is made again has another key.
    ("new-key-on-retry", "payment_provider"),
    // A relay sets its checkpoint for as long as it takes the lease for its own.
    ("lease-by-clock", "relay"),
    // The checkpoint passes a fact that was sent and not acknowledged.
    ("checkpoint-before-ack", "relay::pump"),
    // Cells are stamped with the time at which they are written.
    ("clock-timestamps", "projectors::fold"),
    // All cells of a row are stamped with the last sequence of the batch.
    ("last-sequence", "projectors::fold"),
    // A projector commits its offsets before it writes rows.
    ("commit-before-write", "projectors::projector"),
    // The reply under a key is stored after the facts, by itself.
    ("reply-outside-transaction", "handler"),
    // Of a request that meets a conflict, what fits is appended.
    ("half-a-request", "event_store::embedded::writer"),
    // The undoing of a payment that never was leaves nothing behind.
    ("forgotten-tombstone", "handler"),
];

/// Whether a bug is planted, by its name, one of [`planted::BUGS`](crate::planted::BUGS).
#[cfg(feature = "planted-bugs")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::planted::is(const { $crate::planted::number_of($name) })
    };
}

/// Whether a bug is planted, by its name, one of [`planted::BUGS`](crate::planted::BUGS).
#[cfg(not(feature = "planted-bugs"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {{
        const _: usize = $crate::planted::number_of($name);
        false
    }};
}

/// The place of a bug in [`BUGS`]. It is asked by the compiler, which so refuses a name that is not
/// there.
///
/// # Panics
/// Where there is none of that name.
#[doc(hidden)]
pub const fn number_of(name: &str) -> usize {
    let mut number = 0;
    while number < BUGS.len() {
        if crate::crash::is_same(BUGS[number].0.as_bytes(), name.as_bytes()) {
            return number;
        }
        number += 1;
    }
    panic!("there is no bug of that name in infra::planted::BUGS")
}

/// Whether the environment asks for a bug that there is: it cannot ask.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn check() -> Result<(), (&'static str, String)> {
    Ok(())
}

#[cfg(feature = "planted-bugs")]
pub use armed::is;
#[cfg(feature = "planted-bugs")]
pub(crate) use armed::{
    check, commit_too_early, half_of, store_reply, without_order_lock, without_reply,
    without_tombstones,
};

#[cfg(feature = "planted-bugs")]
mod armed {
    use std::collections::{BTreeMap, HashSet};
    use std::sync::LazyLock;

    use domain::{Fact, Sequence, StreamId};

    use super::BUGS;
    use crate::bus::{BusError, Polled, Subscription};
    use crate::event_store::{Append, EventStore, StoredReply};

    const VARIABLE: &str = "PLANTED";

    static PLANTED: LazyLock<Result<Option<usize>, String>> = LazyLock::new(read);

    #[expect(
        clippy::disallowed_methods,
        reason = "for tests alone: no key of the configuration"
    )]
    fn read() -> Result<Option<usize>, String> {
        let Ok(asked) = std::env::var(VARIABLE) else {
            return Ok(None);
        };
        let names: Vec<_> = BUGS.iter().map(|(name, _)| *name).collect();
        match names.iter().position(|name| *name == asked) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("'{asked}' is none of these:\n{}", names.join("\n"))),
        }
    }

    /// Whether the environment asks for a bug that there is, or for none.
    pub(crate) fn check() -> Result<(), (&'static str, String)> {
        let planted = PLANTED.as_ref().map(drop);
        planted.map_err(|wrong| (VARIABLE, wrong.clone()))
    }

    /// Whether the environment asks for that one.
    #[doc(hidden)]
    pub fn is(number: usize) -> bool {
        *PLANTED == Ok(Some(number))
    }

    /// Commits the offsets of what was polled, before anybody has it.
    pub(crate) async fn commit_too_early(
        subscription: &mut dyn Subscription,
        polled: &Result<Polled, BusError>,
    ) -> Result<(), BusError> {
        let Ok(Polled::Records(records)) = polled else {
            return Ok(());
        };
        let effect = crate::planted!("offset-before-effect");
        let letter = crate::planted!("offset-before-letter");
        let too_early = records
            .iter()
            .filter(|record| effect || letter && record.decode().is_err());
        let passed = too_early.map(|record| (record.partition, record.offset + 1));
        let passed: BTreeMap<_, _> = passed.collect();
        match passed.is_empty() {
            true => Ok(()),
            false => subscription.commit(&Vec::from_iter(passed)).await,
        }
    }

    /// What is left of a migration.
    pub(crate) fn without_order_lock(sql: &str) -> String {
        match crate::planted!("no-order-lock") {
            true => sql.replace("PERFORM pg_advisory_xact_lock(7301);", ""),
            false => sql.to_owned(),
        }
    }

    /// What is left of the events that a command yields.
    pub(crate) fn without_tombstones<E: Clone>(mut events: Vec<E>) -> Vec<E>
    where
        Fact: From<E>,
    {
        if crate::planted!("forgotten-tombstone") {
            let left = |fact: Fact| matches!(fact, Fact::Payment(_)) && fact.is_tombstone();
            events.retain(|event| !left(event.clone().into()));
        }
        events
    }

    /// A request, and what is to be stored after it.
    pub(crate) fn without_reply(mut request: Append) -> (Append, Option<StoredReply>) {
        let outside = crate::planted!("reply-outside-transaction");
        let reply = request.reply.take_if(|_| outside);
        (request, reply)
    }

    /// Stores a reply by itself.
    pub(crate) async fn store_reply(store: &dyn EventStore, reply: Option<StoredReply>) {
        if reply.is_some() {
            let request = Append {
                reply,
                ..Append::default()
            };
            drop(store.append(request).await);
        }
    }

    /// The part of a request whose streams are as it expects, where others are not.
    pub(crate) fn half_of<Error>(
        mut request: Append,
        is_at: impl Fn(&StreamId, Sequence) -> Result<bool, Error>,
    ) -> Result<Append, Error> {
        let mut misfits = HashSet::new();
        for (stream, version) in &request.expect {
            if !is_at(stream, *version)? {
                misfits.insert(stream.clone());
            }
        }
        if misfits.len() < request.expect.len() && crate::planted!("half-a-request") {
            request
                .expect
                .retain(|(stream, _)| !misfits.contains(stream));
            request.facts.retain(|fact| !misfits.contains(&fact.stream));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_in_kebab_case_and_is_listed_once() {
        for (number, (name, _)) in BUGS.iter().enumerate() {
            let is_kebab = |b: u8| b.is_ascii_lowercase() || b == b'-';
            assert!(name.bytes().all(is_kebab), "{name}");
            assert_eq!(number_of(name), number);
        }
    }
}
