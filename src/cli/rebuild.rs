//! `waybill rebuild`: a view folded from the logs once more, beside the one that is read.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use projectors::rebuild::{Cancelled, Difference, Progress, Report, Right, Stage, Undone};
use projectors::verify::{Outcome, TOLD};
use serde_json::Value;

use super::output::{complain, say, say_json};
use super::tool::Pipeline;
use super::{Context, EXIT_FAILURE};
use crate::tools::{Request, ToolError, Work};

/// Differences that are shown; `--json` has all that were kept.
const SHOWN: usize = 20;

/// Which views, and how.
#[derive(clap::Args)]
#[command(after_help = "\
Reads and commands go on meanwhile. Reads go to the new table once it is proved equal to the logs; \
the old one is kept up to date for a while, and --undo goes back to it. A rebuild that was cut off \
goes on when it is run again. Exits with 1 where the table that was read was wrong.")]
pub struct Rebuild {
    /// order_view, orders_by_customer, order_timeline
    #[arg(value_name = "VIEW", required_unless_present = "all")]
    views: Vec<String>,
    /// All of them, one after the other
    #[arg(long, conflicts_with = "views")]
    all: bool,
    /// Build and compare, and drop what was built
    #[arg(long)]
    dry_run: bool,
    /// At most so many facts a second
    #[arg(long, value_name = "FACTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Do not slow down when the stores answer slowly
    #[arg(long)]
    no_throttle: bool,
    /// Go back to the table that was read before the last rebuild
    #[arg(long, conflicts_with_all = ["dry_run", "rate", "no_throttle", "cancel"])]
    undo: bool,
    /// End a rebuild that is under way, or was cut off
    #[arg(long, conflicts_with_all = ["dry_run", "rate", "no_throttle"])]
    cancel: bool,
}

pub async fn run(context: Context, args: Rebuild) -> anyhow::Result<ExitCode> {
    let views = match args.all {
        true => super::view_names(),
        false => args.views.clone(),
    };
    let pipeline = Pipeline::open(&context).await?;
    let mut failed = false;
    let mut reports: Vec<Value> = vec![];
    if !args.cancel {
        pipeline.keep_views(&views);
    }
    for view in views {
        let ended = match (args.undo, args.cancel) {
            (true, _) => undo(&context, &pipeline, view).await?,
            (_, true) => cancel(&context, &pipeline, view).await?,
            (false, false) => rebuild(&context, &pipeline, &args, view).await?,
        };
        failed |= ended.failed;
        reports.push(ended.report);
        if ended.stopped {
            break;
        }
    }
    pipeline.close().await?;
    if context.json {
        say_json(&reports)?;
    }
    Ok(if failed {
        ExitCode::from(EXIT_FAILURE)
    } else {
        ExitCode::SUCCESS
    })
}

/// What one view came to.
struct Ended {
    failed: bool,
    /// Nothing more is to be done.
    stopped: bool,
    report: Value,
}

async fn rebuild(
    context: &Context,
    pipeline: &Pipeline,
    args: &Rebuild,
    view: String,
) -> anyhow::Result<Ended> {
    let bar = bar(context, &view);
    let work = Work::Rebuild {
        view,
        dry_run: args.dry_run,
        rate: args.rate,
        throttled: !args.no_throttle,
    };
    let ended: Result<Report, ToolError> = pipeline.work(work, |at| draw(&bar, &at)).await?;
    bar.finish_and_clear();
    let report = match ended {
        Ok(report) => report,
        Err(e) => return failed(context, e),
    };
    if !context.json {
        show(&report);
    }
    let of_other_revision = report.live_revision != report.revision;
    Ok(Ended {
        failed: !(report.rebuilt.is_right() && (of_other_revision || report.live.is_right())),
        stopped: false,
        report: serde_json::to_value(&report)?,
    })
}

async fn undo(context: &Context, pipeline: &Pipeline, view: String) -> anyhow::Result<Ended> {
    let undone: Result<Undone, _> = pipeline.ask(Request::UndoRebuild { view }).await;
    let undone = undone?;
    if !context.json {
        say(format_args!(
            "{}: generation {} is read again; generation {} is kept",
            undone.view, undone.live, undone.kept
        ));
        if undone.revision != undone.todays {
            complain(&format_args!(
                "{} was folded by revision {}, and today's is {}",
                undone.view, undone.revision, undone.todays
            ));
        }
    }
    Ok(Ended {
        failed: false,
        stopped: false,
        report: serde_json::to_value(&undone)?,
    })
}

async fn cancel(context: &Context, pipeline: &Pipeline, view: String) -> anyhow::Result<Ended> {
    let request = Request::CancelRebuild { view: view.clone() };
    let cancelled: Cancelled = pipeline.ask(request).await?;
    if !context.json {
        say(format_args!(
            "{view}: {}",
            match cancelled {
                Cancelled::Ended => "the rebuild is ended, and reads are where they were",
                Cancelled::TooLate => "the rebuild had switched already; --undo goes back",
                Cancelled::Nothing => "there is no rebuild",
            }
        ));
    }
    Ok(Ended {
        failed: false,
        stopped: false,
        report: serde_json::json!({ "view": view, "cancelled": cancelled }),
    })
}

fn failed(context: &Context, e: ToolError) -> anyhow::Result<Ended> {
    if !context.json {
        complain(&e);
    }
    Ok(Ended {
        failed: true,
        stopped: e.code == "stopped",
        report: serde_json::to_value(&e)?,
    })
}

/// A bar on the terminal; nothing where there is none.
pub(super) fn bar(context: &Context, view: &str) -> ProgressBar {
    let target = match context.json {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let style = ProgressStyle::with_template("{prefix} {bar:24} {percent:>3} %  {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target)
        .with_style(style)
        .with_prefix(view.to_owned())
}

fn draw(bar: &ProgressBar, at: &Progress) {
    bar.set_length(at.of_facts.max(1));
    bar.set_position(at.facts.min(at.of_facts));
    let slowed = at.pressure.as_ref().map_or_else(String::new, |by| {
        format!(
            ", slowed down: {} answers in {:.1} ms instead of {:.1} ms",
            by.store, by.now_ms, by.before_ms
        )
    });
    bar.set_message(match at.stage {
        Stage::Preparing => "making the table".to_owned(),
        Stage::Building => {
            let left = at.of_facts.saturating_sub(at.facts) as f64 / at.rate.max(1.0);
            let left = Duration::from_secs_f64(left);
            format!(
                "{} orders, {:.0} facts/s, {} left{slowed}",
                at.orders,
                at.rate,
                indicatif::HumanDuration(left)
            )
        }
        Stage::CatchingUp => format!(
            "catching up, {} facts behind the table that is read",
            at.lag
        ),
        Stage::Comparing => format!("{} orders compared", at.orders),
    });
}

fn show(report: &Report) {
    say(format_args!(
        "{}: generation {} of revision {}, folded from {} facts of {} orders, {:.0} facts/s",
        report.view, report.generation, report.revision, report.facts, report.orders, report.rate
    ));
    say(format_args!(
        "  {:14} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "rows", "written", "read", "equal", "different", "behind", "missing", "extra"
    ));
    row(
        &format!("generation {}", report.live_generation),
        None,
        &report.live,
    );
    row(
        &format!("generation {}", report.generation),
        Some(report.written),
        &report.rebuilt,
    );
    if report.live_revision != report.revision {
        say(format_args!(
            "  generation {} was folded by revision {}: that is what differs, or else",
            report.live_generation, report.live_revision
        ));
    }
    for difference in report.differences.iter().take(SHOWN) {
        tell(difference);
    }
    let more = report.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        say(format_args!(
            "  and {more} more; --json lists the first {TOLD} rows"
        ));
    }
    match (report.switched, report.rebuilt.is_right()) {
        (true, _) => say(format_args!(
            "reads go to generation {}; `waybill rebuild {} --undo` goes back to {}",
            report.generation, report.view, report.live_generation
        )),
        (false, true) => say("nothing was switched, and what was built is dropped"),
        (false, false) => {
            complain(
                &"what was built is not what the logs say: it is dropped, nothing was switched",
            );
        }
    }
}

fn row(name: &str, written: Option<u64>, of: &Outcome) {
    let written = written.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
    say(format_args!(
        "  {name:14} {written:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        of.read, of.equal, of.different, of.behind, of.missing, of.extra
    ));
}

fn tell(difference: &Difference) {
    let Difference {
        row,
        column,
        live,
        rebuilt,
        right,
        ..
    } = difference;
    let column = column.as_deref().unwrap_or("the whole row");
    let right = match right {
        Right::Live => "live is right",
        Right::Rebuilt => "rebuilt is right",
        Right::Neither => "neither is right",
    };
    say(format_args!(
        "  {row} {column}: live {live}, rebuilt {rebuilt}; {right} by the log"
    ));
}
