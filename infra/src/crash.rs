//! Crash points: named places in the loops at which a test has the process abort.
//!
//! [`crash_point!`](crate::crash_point) marks one. It is nothing at all without the cargo feature
//! `crash-points`, which no build has that is meant to be used; only the compiler checks the name.
//! With the feature the environment says what happens, and is read once:
//!
//! - `WAYBILL_CRASH_AT=relay.after-ack:3` aborts when that point is reached for the third time:
//!   nothing is unwound, flushed or synced. A name that is not known is a bad configuration, which
//!   ends the process at its start with a list of those that are.
//! - `WAYBILL_CRASH_LOG=FILE` appends a line for each point when it is first reached, its name; and
//!   for the one that aborts `NAME:N` before it does.
//!
//! A name is `loop.step`. What comes before a step is `before-`, what comes behind it `after-`: a
//! step that makes something durable has one of each.

/// Every crash point, by the loop that has it. Each stands at one place in the sources, which a
/// test looks for.
pub const POINTS: &[&str] = &[
    "start.locked",
    "start.before-format",
    "start.half-formatted",
    "start.after-format",
    "idempotency.before-command",
    "idempotency.after-command",
    "idempotency.before-replay",
    "append.before-queue",
    "append.before-answer",
    "embedded-writer.before-commit",
    "embedded-writer.after-commit",
    "embedded-writer.before-answers",
    "postgres-writer.before-send",
    "postgres-writer.after-commit",
    "relay.after-read",
    "relay.before-produce",
    "relay.after-produce",
    "relay.after-ack",
    "relay.after-checkpoint",
    "consumer.before-effect",
    "consumer.after-effect",
    "consumer.before-offset",
    "consumer.after-offset",
    "consumer.before-park",
    "consumer.after-park",
    "consumer.after-letter",
    "reaction.before-schedule",
    "reaction.after-schedule",
    "reaction.before-mark",
    "inventory.before-append",
    "inventory.after-append",
    "due.before-call",
    "due.after-call",
    "due.before-put-back",
    "due.after-put-back",
    "due.before-settle",
    "due.after-settle",
    "payment.before-call",
    "payment.after-call",
    "payment.before-append",
    "payment.after-append",
    "courier.before-ask",
    "courier.before-append",
    "courier.after-append",
    "courier.before-call-off",
    "courier.after-call-off",
    "deadline.before-append",
    "deadline.after-append",
    "projector.after-poll",
    "projector.before-write",
    "projector.after-write",
    "projector.after-commit",
    "cassandra-views.after-row",
    "projector.before-park",
    "projector.after-park",
    "projector.after-letter",
    "letter.before-produce",
    "letter.after-produce",
    "redriver.before-take",
    "redriver.after-take",
    "redriver.after-end",
    "lease.after-acquire",
    "lease.before-release",
    "lease.after-release",
    "drain.asked",
    "drain.before-sync",
    "drain.after-sync",
];

/// Marks a crash point by its name, one of [`crash::POINTS`](crate::crash::POINTS).
#[cfg(feature = "crash-points")]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::reached(const { $crate::crash::number_of($name) })
    };
}

/// Marks a crash point by its name, one of [`crash::POINTS`](crate::crash::POINTS).
#[cfg(not(feature = "crash-points"))]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {{
        const _: usize = $crate::crash::number_of($name);
    }};
}

/// The place of a point in [`POINTS`]. It is asked by the compiler, which so refuses a name that is
/// not there.
///
/// # Panics
/// Where there is none of that name.
#[doc(hidden)]
pub const fn number_of(name: &str) -> usize {
    let mut number = 0;
    while number < POINTS.len() {
        if is_same(POINTS[number].as_bytes(), name.as_bytes()) {
            return number;
        }
        number += 1;
    }
    panic!("there is no crash point of that name in infra::crash::POINTS")
}

pub(crate) const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

#[cfg(feature = "crash-points")]
pub use armed::reached;
#[cfg(feature = "crash-points")]
pub(crate) use armed::{SETTINGS, check};

/// The settings, without their prefix: here are none.
#[cfg(not(feature = "crash-points"))]
pub(crate) const SETTINGS: &[&str] = &[];

/// Whether they can be used.
#[cfg(not(feature = "crash-points"))]
pub(crate) const fn check() -> Result<(), (&'static str, String)> {
    Ok(())
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::fs::File;
    use std::io::Write;
    use std::process::abort;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::POINTS;

    /// What the environment asks for, without its prefix: nothing that the configuration knows.
    pub(crate) const SETTINGS: &[&str] = &["crash_at", "crash_log"];
    const AT: &str = "WAYBILL_CRASH_AT";
    const LOG: &str = "WAYBILL_CRASH_LOG";

    static PLAN: LazyLock<Result<Plan, Wrong>> = LazyLock::new(Plan::read);
    static REACHED: [AtomicU64; POINTS.len()] = [const { AtomicU64::new(0) }; POINTS.len()];

    /// A setting, and what is wrong with it.
    type Wrong = (&'static str, String);

    struct Plan {
        /// A point, and at which time of reaching it the process ends.
        at: Option<(usize, u64)>,
        log: Option<File>,
    }

    impl Plan {
        #[expect(
            clippy::disallowed_methods,
            reason = "for tests alone: no key of the configuration"
        )]
        fn read() -> Result<Self, Wrong> {
            let variable = |name| std::env::var(name).ok();
            let parse = |text: String| parse(&text).map_err(|wrong| (AT, wrong));
            let open = |path: String| {
                let file = File::options().create(true).append(true).open(&path);
                file.map_err(|e| (LOG, format!("{path}: {e}")))
            };
            Ok(Self {
                at: variable(AT).map(parse).transpose()?,
                log: variable(LOG).map(open).transpose()?,
            })
        }

        /// One write a line, so that those of several threads do not mix.
        fn note(&self, line: &str) {
            if let Some(mut log) = self.log.as_ref() {
                log.write_all(format!("{line}\n").as_bytes()).ok();
            }
        }
    }

    /// The point of `name:n`, and n.
    pub(super) fn parse(text: &str) -> Result<(usize, u64), String> {
        let (name, n) = text.rsplit_once(':').unwrap_or((text, "1"));
        let number = POINTS.iter().position(|point| *point == name);
        let known = || format!("'{name}' is none of these:\n{}", POINTS.join("\n"));
        let n = n.parse().ok().filter(|n| *n > 0);
        let n = n.ok_or_else(|| format!("'{text}' does not end with a number from 1 on"));
        Ok((number.ok_or_else(known)?, n?))
    }

    /// Whether what is asked for can be done.
    pub(crate) fn check() -> Result<(), Wrong> {
        PLAN.as_ref().map(drop).map_err(Clone::clone)
    }

    /// The process is at that point, and maybe no further.
    #[doc(hidden)]
    pub fn reached(number: usize) {
        let Ok(plan) = &*PLAN else { return };
        let n = REACHED[number].fetch_add(1, Ordering::Relaxed) + 1;
        if n == 1 {
            plan.note(POINTS[number]);
        }
        if plan.at == Some((number, n)) {
            plan.note(&format!("{}:{n}", POINTS[number]));
            abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_loop_and_a_step_in_kebab_case_and_is_listed_once() {
        let is_kebab = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        for (number, point) in POINTS.iter().enumerate() {
            let (of, step) = point.split_once('.').unwrap();
            assert!(is_kebab(of) && is_kebab(step), "{point}");
            assert_eq!(number_of(point), number);
        }
    }

    #[cfg(feature = "crash-points")]
    #[test]
    fn where_to_crash_is_a_point_and_a_time() {
        assert_eq!(armed::parse("start.locked"), Ok((0, 1)));
        assert_eq!(armed::parse("start.after-format:7"), Ok((3, 7)));
        for wrong in ["start.never:1", "start.locked:0", "start.locked:", ""] {
            assert!(armed::parse(wrong).is_err(), "{wrong}");
        }
    }
}
