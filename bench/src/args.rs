//! The command line: what `make bench` calls.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;

use crate::machine::Machine;
use crate::report::Report;
use crate::rounds::Bench;
use crate::rows::{self, Row};
use crate::table;

/// Measures waybill beside its servers.
#[derive(Parser)]
struct Args {
    /// The long rows too
    #[arg(long)]
    long: bool,
    /// Only this: a row (A2), that of a line (A2-256), or a group (append)
    #[arg(long, value_name = "ROW")]
    row: Option<String>,
    /// Rounds of each side
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Seconds of a round
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The Postgres server
    #[arg(long, value_name = "URL")]
    postgres: String,
    /// The Kafka brokers
    #[arg(long, value_name = "HOST:PORT")]
    kafka: String,
    /// The Cassandra nodes
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: String,
    /// Where the report is written
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.json")]
    report: PathBuf,
}

/// Measures, and exits with 1 where a floor is missed or a row could not be measured.
pub fn run() -> ExitCode {
    let measured = measure(Args::parse());
    match &measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            say(&format!("bench: {e:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(args: Args) -> anyhow::Result<bool> {
    let named = args.row.as_deref();
    let wanted: Vec<Row> = rows::all()
        .into_iter()
        .filter(|row| table::is_wanted(row.id, named, args.long))
        .collect();
    let named = named.unwrap_or_default();
    ensure!(!wanted.is_empty(), "there is no row and no group {named}");
    let bench = Bench {
        rounds: usize::try_from(args.rounds)?,
        round: Duration::from_secs_f64(args.seconds),
        postgres: args.postgres,
        kafka: args.kafka,
        cassandra: args.cassandra,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let begun = Instant::now();
    let mut report = Report::on(Machine::read());
    for row in wanted {
        say(&format!(
            "{:>5.0} s  {}",
            begun.elapsed().as_secs_f64(),
            row.id
        ));
        let measured = runtime.block_on((row.run)(&bench));
        match measured {
            Ok(outcomes) => {
                for outcome in &outcomes {
                    say(&format!("         {outcome}"));
                }
                report.outcomes.extend(outcomes);
            }
            Err(e) => {
                say(&format!("         {} failed: {e:#}", row.id));
                report.failed.push(row.id);
            }
        }
    }
    say(&report.table());
    report
        .write(&args.report)
        .with_context(|| format!("cannot write {}", args.report.display()))?;
    Ok(report.is_good())
}

/// A line for people. A terminal that went away is no reason to stop measuring.
pub fn say(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}
