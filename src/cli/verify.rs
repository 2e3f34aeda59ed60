//! `waybill verify`: views held against the logs, without building anything.

use std::process::ExitCode;

use domain::values::OrderId;
use indicatif::ProgressBar;
use projectors::verify::log::Finds;
use projectors::verify::{Find, LogsVerified, TOLD, Verified, Which};
use serde_json::Value;

use super::explain::order_id;
use super::output::{complain, say, say_json};
use super::rebuild::bar;
use super::tool::Pipeline;
use super::{Context, EXIT_FAILURE};
use crate::tools::{ToolError, Work};

/// Finds that are shown; `--json` has all that were kept.
const SHOWN: usize = 20;
/// Orders a second of a verification that goes on for ever: a twentieth of what it could.
const WATCHED: u32 = 100;

/// Which views, and what of them.
#[derive(clap::Args)]
#[command(after_help = "\
A row is compared with the fold of the logs up to the versions that it states. Rows that are only \
behind are looked at again for a while. Exits with 1 where something is wrong and was not repaired.")]
pub struct Verify {
    /// order_view, orders_by_customer, order_timeline; without a name all, and the logs
    #[arg(value_name = "VIEW")]
    views: Vec<String>,
    /// The logs only, and on servers whether the topics hold them
    #[arg(long, conflicts_with_all = ["views", "order", "sample", "watch", "repair", "rate"])]
    log: bool,
    /// The rows of this order only
    #[arg(long, value_parser = order_id)]
    order: Option<OrderId>,
    /// The rows of about so many orders, from all over the log
    #[arg(long, value_name = "ORDERS", conflicts_with = "order")]
    sample: Option<usize>,
    /// Go round and round, telling what is found as it is found
    #[arg(long, conflicts_with_all = ["order", "sample"])]
    watch: bool,
    /// Write rows again that are wrong, where that can mend them
    #[arg(long)]
    repair: bool,
    /// At most so many orders a second [--watch: 100]
    #[arg(long, value_name = "ORDERS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

pub async fn run(context: Context, args: Verify) -> anyhow::Result<ExitCode> {
    let whole = args.order.is_none() && args.sample.is_none() && !args.watch;
    let logs = args.log || (args.views.is_empty() && whole);
    let views = match (args.log, args.views.is_empty()) {
        (true, _) => vec![],
        (false, true) => super::view_names(),
        (false, false) => args.views.clone(),
    };
    let pipeline = Pipeline::open(&context).await?;
    pipeline.keep_views(&views);
    let (mut wrong, mut reports, asked) = (false, vec![], views.len());
    if args.watch {
        let watches = views
            .into_iter()
            .map(|view| one(&context, &pipeline, &args, view));
        for ended in futures::future::join_all(watches).await {
            wrong |= ended?.is_none();
        }
    } else {
        for view in views {
            match one(&context, &pipeline, &args, view).await? {
                Some(verified) => {
                    wrong |= !is_right(&verified);
                    if !context.json {
                        show(&verified);
                    }
                    reports.push(serde_json::to_value(&verified)?);
                }
                None => {
                    wrong = true;
                    break;
                }
            }
        }
    }
    if logs && reports.len() == asked {
        match self::logs(&context, &pipeline).await? {
            Some(verified) => {
                wrong |= !verified.is_right();
                if !context.json {
                    show_logs(&verified);
                }
                reports.push(serde_json::to_value(&verified)?);
            }
            None => wrong = true,
        }
    }
    pipeline.close().await?;
    if context.json {
        say_json(&Value::Array(reports))?;
    }
    Ok(if wrong {
        ExitCode::from(EXIT_FAILURE)
    } else {
        ExitCode::SUCCESS
    })
}

async fn one(
    context: &Context,
    pipeline: &Pipeline,
    args: &Verify,
    view: String,
) -> anyhow::Result<Option<Verified>> {
    let which = match (args.order, args.sample) {
        (Some(order), _) => Which::Order(order),
        (None, Some(orders)) => Which::Sample(orders),
        (None, None) => Which::Whole,
    };
    let bar = bar(context, &view);
    let work = Work::Verify {
        view,
        which,
        repair: args.repair,
        rate: args.rate.or(args.watch.then_some(WATCHED)),
        again: args.watch,
    };
    let mut told = Told::default();
    let ended = pipeline.work(work, |at: Verified| {
        if args.watch {
            told.tell(context, &at, &bar);
        }
        bar.set_message(format!(
            "{} orders, {} wrong",
            at.orders,
            at.outcome.wrong()
        ));
    });
    let ended: Result<Verified, ToolError> = ended.await?;
    bar.finish_and_clear();
    match ended {
        Ok(verified) => Ok(Some(verified)),
        // That is how watching ends.
        Err(e) if args.watch && e.code == "stopped" => Ok(told.nothing().then(Verified::default)),
        Err(e) => {
            complain(&e);
            Ok(None)
        }
    }
}

async fn logs(context: &Context, pipeline: &Pipeline) -> anyhow::Result<Option<LogsVerified>> {
    let bar = bar(context, "logs");
    let ended = pipeline.work(Work::VerifyLogs, |at: LogsVerified| {
        let facts = at.logs.iter().map(|log| log.facts).sum::<u64>();
        let records = at.topics.iter().map(|topic| topic.records).sum::<u64>();
        bar.set_message(format!("{facts} facts, {records} records"));
    });
    let ended: Result<LogsVerified, ToolError> = ended.await?;
    bar.finish_and_clear();
    Ok(ended.inspect_err(|e| complain(e)).ok())
}

fn show_logs(verified: &LogsVerified) {
    for log in &verified.logs {
        say(format_args!(
            "log of {}: {} facts of {} streams; {}",
            log.service,
            log.facts,
            log.streams,
            counts(&log.finds)
        ));
        say_finds(&log.finds);
    }
    for topic in &verified.topics {
        say(format_args!(
            "{}: {} of {} facts that were published, {} repeats, {} older than it keeps; {}",
            topic.topic,
            topic.records - topic.repeats,
            topic.facts,
            topic.repeats,
            topic.older,
            counts(&topic.finds)
        ));
        say_finds(&topic.finds);
        if topic.unexamined > 0 {
            say("  more is wrong than could be looked at one by one");
        }
    }
}

/// How many of each kind.
fn counts(finds: &Finds) -> String {
    if finds.is_empty() {
        return "whole".to_owned();
    }
    let counts = finds.counts.iter();
    let counts: Vec<_> = counts
        .map(|(kind, count)| format!("{count} {}", kind.name()))
        .collect();
    counts.join(", ")
}

fn say_finds(finds: &Finds) {
    for find in finds.named.iter().take(SHOWN) {
        say(format_args!("  {}: {}", find.kind.name(), find.says));
    }
}

/// What of a pass was told already.
#[derive(Default)]
struct Told {
    pass: u64,
    finds: usize,
    /// In all passes.
    all: usize,
}

impl Told {
    fn nothing(&self) -> bool {
        self.all == 0
    }

    fn tell(&mut self, context: &Context, at: &Verified, bar: &ProgressBar) {
        if at.passes != self.pass {
            (self.pass, self.finds) = (at.passes, 0);
        }
        for found in at.outcome.finds.iter().skip(self.finds) {
            bar.suspend(|| match context.json {
                true => drop(say_json(found)),
                false => tell(&at.view, found),
            });
        }
        let finds = at.outcome.finds.len();
        self.all += finds.saturating_sub(self.finds);
        self.finds = finds;
    }
}

fn is_right(verified: &Verified) -> bool {
    verified.outcome.wrong() <= verified.repaired && verified.unreadable.is_empty()
}

fn show(verified: &Verified) {
    let of = &verified.outcome;
    say(format_args!(
        "{}: generation {}, {} facts of {} orders, {} rows: {} equal ({} after a moment), \
         {} different, {} behind, {} missing, {} extra; {} repaired",
        verified.view,
        verified.generation,
        verified.facts,
        verified.orders,
        of.read,
        of.equal,
        of.lagged,
        of.different,
        of.behind,
        of.missing,
        of.extra,
        verified.repaired
    ));
    for find in of.finds.iter().take(SHOWN) {
        tell(&verified.view, find);
    }
    let more = of.wrong().saturating_sub(of.finds.len().min(SHOWN) as u64);
    if more > 0 {
        say(format_args!(
            "  and {more} more; --json lists the first {TOLD}, and --repair mends no more at once"
        ));
    }
    if verified.revision != verified.todays {
        say(format_args!(
            "  it was folded by revision {}, and today's is {}: that is what differs, or else",
            verified.revision, verified.todays
        ));
    }
    for fact in verified.unreadable.iter().take(SHOWN) {
        say(format_args!(
            "  {} cannot be read: {}",
            fact.fact, fact.reason
        ));
    }
}

fn tell(view: &str, find: &Find) {
    let repaired = if find.repaired { ", repaired" } else { "" };
    say(format_args!(
        "  {view} {}: {}{repaired}",
        find.row,
        find.kind.name()
    ));
    for cell in &find.cells {
        say(format_args!(
            "    {}: {}, the view has {}, the log says {}",
            cell.column,
            cell.kind.name(),
            cell.view,
            cell.log
        ));
    }
}
