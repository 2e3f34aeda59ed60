//! `waybill dlq list|show|redrive|discard`

mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::values::{OrderId, Reason};
use tokio::time::{Instant, sleep};

use super::explain::order_id;
use super::output::{complain, say, say_json};
use super::settle::reason;
use super::tool::{ask, is_at_work};
use super::{Context, EXIT_FAILURE};
use crate::tools::{
    Asked, DeadLetter, Discarded, DlqRequest, Listed, Request, Select, Shown, State,
};

/// How long a redrive is followed: it begins within a second, and what is slower waits for
/// something that is down.
const FOLLOW: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What a tool may ask at once (`control`), less what goes around a replacement.
const MAX_REPLACEMENT: usize = 48 * 1024;

const IDS: &str = "\
An ID is what `waybill dlq list` shows: GROUP/TOPIC/KEY/PARTITION/OFFSET of a fact that a group
could not take, or ORDER:TASK of a call that failed for good. The id of a fact, as in
order-0190b5f2-8c7a-7c3e-9a51-6e1f0d2b4a77-1, means that fact in every group that parked it.
Facts that wait behind another of their key follow it by themselves, in order.";

/// What cannot be taken, and what to do about it.
#[derive(Subcommand)]
pub enum Dlq {
    /// List what is parked
    #[command(after_help = IDS)]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Those that ended in the last 30 days, and how, instead of those that are there
        #[arg(long)]
        ended: bool,
    },
    /// Show all that is known of one: the record as it came, and what its order holds
    #[command(after_help = IDS)]
    Show {
        /// Which
        id: String,
    },
    /// Have them taken up again, in order, and say what became of each
    #[command(after_help = IDS)]
    Redrive(RedriveArgs),
    /// Give them up: they are never taken, and those behind them go on
    #[command(after_help = IDS)]
    Discard(DiscardArgs),
}

/// What to look for; those count that are all of it.
#[derive(Args)]
pub struct Filter {
    /// Of this order
    #[arg(long, value_parser = order_id)]
    order: Option<OrderId>,
    /// Of this class, such as undecodable, unknown-version, wrong-key, invariant, unknown,
    /// waiting, task
    #[arg(long)]
    class: Option<String>,
    /// With this text in what went wrong
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Of this consumer group
    #[arg(long, visible_alias = "service")]
    group: Option<String>,
}

/// Which ones something is done to.
#[derive(Args)]
struct Which {
    /// These
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// All that are parked
    #[arg(long)]
    all_parked: bool,
}

/// What is to be taken up again.
#[derive(Args)]
pub struct RedriveArgs {
    #[command(flatten)]
    which: Which,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Take the JSON object in this file in place of the payload of a fact that cannot be read
    #[arg(long, value_name = "FILE")]
    replace: Option<PathBuf>,
    /// Why, in 1 to 200 characters; it stays on record
    #[arg(long, value_parser = reason)]
    why: Option<Reason>,
}

/// What is to be given up.
#[derive(Args)]
pub struct DiscardArgs {
    #[command(flatten)]
    which: Which,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do it; without this it only says what the orders hold
    #[arg(long)]
    yes: bool,
    /// Why, in 1 to 200 characters; it stays on record
    #[arg(long, value_parser = reason)]
    why: Reason,
}

pub async fn run(context: Context, verb: Dlq) -> anyhow::Result<ExitCode> {
    match verb {
        Dlq::List { filter, ended } => {
            let select = filter.select();
            let request = DlqRequest::List { select, ended };
            let listed: Listed = ask(&context, Request::Dlq(request)).await?;
            answer(&context, &listed, show::listed)?;
            Ok(ExitCode::SUCCESS)
        }
        Dlq::Show { id } => {
            let request = Request::Dlq(DlqRequest::Show { id });
            let shown: Shown = ask(&context, request).await?;
            answer(&context, &shown, show::shown)?;
            Ok(ExitCode::SUCCESS)
        }
        Dlq::Redrive(args) => redrive(context, args).await,
        Dlq::Discard(args) => discard(context, args).await,
    }
}

async fn redrive(context: Context, args: RedriveArgs) -> anyhow::Result<ExitCode> {
    let replacement = args.replace.map(replacement_in).transpose()?;
    let request = DlqRequest::Redrive {
        select: args.which.select()?,
        replacement,
        reason: args.why,
        dry_run: args.dry_run,
    };
    let asked: Asked = ask(&context, Request::Dlq(request)).await?;
    let mut failed = !asked.skipped.is_empty();
    if asked.dry_run || asked.asked.is_empty() {
        answer(&context, &asked, show::asked)?;
    } else if !is_at_work(&context).await {
        answer(&context, &asked, show::asked)?;
        complain(&"nobody is at work there: they are taken up when the pipeline runs");
    } else {
        if !context.json {
            show::asked(&asked);
        }
        let became = follow(&context, &asked.asked).await?;
        answer(&context, &became, |became| show::became(became))?;
        failed |= !became.iter().all(|letter| letter.state.is_over());
    }
    Ok(if failed {
        ExitCode::from(EXIT_FAILURE)
    } else {
        ExitCode::SUCCESS
    })
}

/// Waits until each has been taken or has failed again, and says what became of it.
async fn follow(context: &Context, asked: &[DeadLetter]) -> anyhow::Result<Vec<DeadLetter>> {
    let begun = Instant::now();
    loop {
        let ids = asked.iter().map(|letter| letter.id.clone()).collect();
        let request = Request::Dlq(DlqRequest::Follow { ids });
        let now: Vec<DeadLetter> = ask(context, request).await?;
        let became = asked.iter().map(|letter| {
            let found = now.iter().find(|now| now.id == letter.id);
            // A task that is gone is done.
            found.cloned().unwrap_or_else(|| DeadLetter {
                state: State::Redriven,
                ..letter.clone()
            })
        });
        let became: Vec<DeadLetter> = became.collect();
        let is_open = |letter: &DeadLetter| letter.state == State::Asked;
        if !became.iter().any(is_open) || begun.elapsed() > FOLLOW {
            return Ok(became);
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn discard(context: Context, args: DiscardArgs) -> anyhow::Result<ExitCode> {
    let request = DlqRequest::Discard {
        select: args.which.select()?,
        reason: args.why,
        dry_run: args.dry_run || !args.yes,
    };
    let discarded: Discarded = ask(&context, Request::Dlq(request)).await?;
    answer(&context, &discarded, show::discarded)?;
    let unsure = !args.yes && !args.dry_run && !discarded.discarded.is_empty();
    if unsure {
        complain(&"nothing was given up: say --yes if that is what you want");
    }
    Ok(if unsure || !discarded.skipped.is_empty() {
        ExitCode::from(EXIT_FAILURE)
    } else {
        ExitCode::SUCCESS
    })
}

fn answer<T: serde::Serialize>(
    context: &Context,
    answer: &T,
    show: impl FnOnce(&T),
) -> anyhow::Result<()> {
    if context.json {
        return say_json(answer);
    }
    show(answer);
    Ok(())
}

fn replacement_in(file: PathBuf) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(&file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    anyhow::ensure!(
        text.len() <= MAX_REPLACEMENT,
        "{} is larger than {MAX_REPLACEMENT} bytes",
        file.display()
    );
    Ok(text)
}

impl Filter {
    fn select(self) -> Select {
        Select {
            ids: vec![],
            order: self.order,
            class: self.class,
            reason: self.reason,
            group: self.group,
        }
    }
}

impl Which {
    /// Nobody means all of them by saying nothing.
    fn select(self) -> anyhow::Result<Select> {
        let filter = self.filter.select();
        let says_which = !self.ids.is_empty()
            || filter.order.is_some()
            || filter.class.is_some()
            || filter.reason.is_some()
            || filter.group.is_some();
        anyhow::ensure!(
            says_which != self.all_parked,
            "say which: ids, or --order, --class, --reason, --group, or else --all-parked"
        );
        Ok(Select {
            ids: self.ids,
            ..filter
        })
    }
}
