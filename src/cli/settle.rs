//! `waybill settle ORDER --outcome voided|refunded --reason ..`

use std::process::ExitCode;

use domain::values::{Invalid, OrderId, Reason};

use super::Context;
use super::explain::order_id;
use super::output::{say, say_json};
use super::tool::ask;
use crate::tools::{Outcome, Request, Settled};

/// What was done by hand.
#[derive(clap::Args)]
pub struct Settle {
    /// The order's id
    #[arg(value_parser = order_id)]
    order: OrderId,
    /// What was done at the provider
    #[arg(long)]
    outcome: Outcome,
    /// Why, in 1 to 200 characters; it stays on record
    #[arg(long, value_parser = reason)]
    reason: Reason,
}

/// Reads a reason.
pub fn reason(text: &str) -> Result<Reason, Invalid> {
    Reason::try_from(text.to_owned())
}

pub async fn run(context: Context, args: Settle) -> anyhow::Result<ExitCode> {
    let request = Request::Settle {
        order: args.order,
        outcome: args.outcome,
        reason: args.reason,
    };
    let settled: Settled = ask(&context, request).await?;
    if context.json {
        say_json(&settled)?;
    } else {
        say(format_args!(
            "recorded as {}; the order goes on from there",
            settled.fact
        ));
    }
    Ok(ExitCode::SUCCESS)
}
