//! `waybill explain ORDER`

use std::process::ExitCode;

use domain::values::{Invalid, OrderId};

use super::Context;
use super::output::{say, say_json};
use super::tool::ask;
use crate::tools::{Explanation, Request};

/// What to explain.
#[derive(clap::Args)]
pub struct Explain {
    /// The order's id
    #[arg(value_parser = order_id)]
    order: OrderId,
}

/// Reads an order id.
pub fn order_id(text: &str) -> Result<OrderId, Invalid> {
    text.parse()
}

pub async fn run(context: Context, args: Explain) -> anyhow::Result<ExitCode> {
    let request = Request::Explain { order: args.order };
    let explanation: Explanation = ask(&context, request).await?;
    if context.json {
        say_json(&explanation)?;
    } else {
        show(&explanation);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(explanation: &Explanation) {
    say(format_args!("order {}\n", explanation.order));
    for stream in &explanation.streams {
        say(format_args!(
            "  {:12} {:34} {}",
            stream.stream, stream.name, stream.time
        ));
    }
    say("");
    match &explanation.awaited {
        Some(awaited) => say(format_args!(
            "waits since {}: {}",
            awaited.since, awaited.step
        )),
        None if explanation.tasks.is_empty() => say("it is over: nothing more will happen"),
        None => say("it is over, but for what is open here:"),
    }
    for task in &explanation.tasks {
        say(format_args!(
            "open: {} since {}, runs not before {}",
            task.task, task.opened_at, task.not_before
        ));
        if let Some(problem) = &task.problem {
            let parked = if task.parked { ", parked" } else { "" };
            say(format_args!(
                "  failed {} times{parked}: {problem}",
                task.failures
            ));
        }
    }
    for parked in &explanation.parked {
        say(format_args!(
            "parked for {} since {}: {} ({}: {})",
            parked.group, parked.since, parked.fact, parked.class, parked.reason
        ));
    }
    for unreadable in &explanation.unreadable {
        say(format_args!("unreadable: {unreadable}"));
    }
    if let Some(unblock) = &explanation.unblock {
        say(format_args!("\nwhat helps: {unblock}"));
    }
}
