//! Dead letters in words.

use infra::event_store::{Original, Text};

use super::say;
use crate::tools::{Asked, DeadLetter, Discarded, Listed, Shown, Skipped, State};

pub fn listed(listed: &Listed) {
    if listed.letters.is_empty() {
        return say("nothing is parked");
    }
    for letter in &listed.letters {
        line(letter);
    }
    if listed.more {
        say("\nthere are more: narrow it down with --order, --class, --reason or --group");
    }
}

pub fn shown(shown: &Shown) {
    let letter = &shown.letter;
    line(letter);
    say(format_args!("  tried {} times", letter.attempts));
    if let Some(redrive) = &shown.redrive {
        let why = redrive.reason.as_deref().unwrap_or("no reason was given");
        say(format_args!("  asked for at {}: {why}", redrive.asked_at));
    }
    if let Some(ended) = &letter.ended {
        let why = ended.reason.as_deref().unwrap_or("by itself");
        say(format_args!(
            "  {} at {}: {why}",
            ended.how.name(),
            ended.at
        ));
    }
    if let Some(record) = &shown.record {
        self::record(record);
    }
    if let Some(replacement) = &shown.replacement {
        say(format_args!("replaced by\n  {}", replacement.payload));
    }
    for held in &shown.holds {
        say(format_args!("its order: {held}"));
    }
}

pub fn asked(asked: &Asked) {
    let what = match asked.dry_run {
        true => "would be taken up again",
        false => "to be taken up again",
    };
    for letter in &asked.asked {
        say(format_args!("{what}: {} ({})", letter.id, letter.what));
    }
    if !asked.follow.is_empty() {
        let waiting = asked.follow.len();
        say(format_args!("{waiting} that wait follow by themselves"));
    }
    left_alone(&asked.skipped);
    if asked.asked.is_empty() && asked.skipped.is_empty() {
        say("there is nothing to be taken up again");
    }
}

pub fn became(became: &[DeadLetter]) {
    for letter in became {
        let id = &letter.id;
        match letter.state {
            State::Redriven | State::TakenUp => say(format_args!("taken: {id}")),
            State::Discarded => say(format_args!("discarded meanwhile: {id}")),
            State::Asked => say(format_args!(
                "not yet: {id}; it is tried on while something is down"
            )),
            State::Stuck | State::Waiting => say(format_args!(
                "failed again: {id}\n  {} ({})",
                letter.reason, letter.class
            )),
        }
    }
}

pub fn discarded(discarded: &Discarded) {
    let what = match discarded.dry_run {
        true => "would be given up",
        false => "given up",
    };
    for letter in &discarded.discarded {
        say(format_args!("{what}: {} ({})", letter.id, letter.what));
    }
    left_alone(&discarded.skipped);
    for (order, held) in &discarded.holds {
        say(format_args!("\norder {order} holds, and goes on holding:"));
        for held in held {
            say(format_args!("  {held}"));
        }
    }
}

fn line(letter: &DeadLetter) {
    let state = match letter.state {
        State::Stuck => "stuck",
        State::Waiting => "waits",
        State::Asked => "to be taken up",
        State::Redriven => "redriven",
        State::TakenUp => "taken up",
        State::Discarded => "discarded",
    };
    say(format_args!("{}", letter.id));
    say(format_args!(
        "  {} for {}, {state} since {}: {} ({})",
        letter.what, letter.group, letter.since, letter.reason, letter.class
    ));
}

fn left_alone(skipped: &[Skipped]) {
    for skipped in skipped {
        say(format_args!(
            "left alone: {}\n  {}",
            skipped.id, skipped.why
        ));
    }
}

fn record(record: &Original) {
    say("the record as it came");
    for (name, value) in &record.headers {
        say(format_args!("  {name}: {}", text(Some(value))));
    }
    say(format_args!("  key: {}", text(record.key.as_ref())));
    say(format_args!("  {}", text(record.payload.as_ref())));
}

fn text(text: Option<&Text>) -> String {
    match text {
        None => "none".to_owned(),
        // What somebody else wrote must not steer a terminal.
        Some(Text::Utf8(text)) => text.replace(char::is_control, "\u{fffd}"),
        Some(Text::Hex { hex }) => format!("0x{hex}"),
    }
}
