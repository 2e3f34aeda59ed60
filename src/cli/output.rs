//! Words for people, on the standard streams.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// Says what went wrong.
pub fn complain(what: &dyn Display) {
    // Nobody is there to be told that nobody is there.
    drop(writeln!(io::stderr(), "waybill: {what}"));
}

/// Writes a line; an output that was closed ends the program's interest in it.
pub fn say(line: impl Display) {
    drop(writeln!(io::stdout(), "{line}"));
}

/// Writes a value as JSON.
pub fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string_pretty(value)?);
    Ok(())
}
