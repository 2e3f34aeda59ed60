//! The command line: roles and tools, a file each.

mod config;
mod demo;
mod dlq;
mod explain;
mod migrate;
mod output;
mod rebuild;
mod replay;
mod serve;
mod settle;
mod status;
mod tool;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use infra::config::{Config, ConfigError, Sources};

use crate::roles::Roles;
use output::complain;

/// What a bad configuration exits with (`EX_USAGE` of sysexits.h).
const EXIT_CONFIG: u8 = 64;
/// What a failure exits with.
const EXIT_FAILURE: u8 = 1;

const AFTER_HELP: &str = "\
With no command, everything runs in this process on a store in ./waybill-data:

  waybill                                        start the pipeline
  waybill demo                                   watch it work
  waybill explain ORDER                          what is this order waiting for?

Keys are set in waybill.toml, in the environment as WAYBILL_KEY, or with --set key=value, each
over the one before; `waybill config` lists them all.";

/// An event-sourced order pipeline: orders, stock, payments and deliveries that agree.
#[derive(Parser)]
#[command(name = "waybill", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Read this file instead of ./waybill.toml
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Set a configuration key; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// Where the embedded store keeps its data [same as --set data_dir=..]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run every role in this process (the default)
    Serve,
    /// Run the command API: commands, reactions, calls to the outside (needs servers)
    CommandApi(serve::CommandApi),
    /// Run the projectors, which keep the views (needs servers)
    Projectors,
    /// Run the query API (needs servers)
    QueryApi,
    /// Make databases, topics and the keyspace, or bring them to this version; safe to repeat
    Migrate,
    /// Watch it work: orders that end in every way, on a running pipeline or one of its own
    Demo(demo::Demo),
    /// Show how far everything is, and what is in trouble
    Status,
    /// Show what an order waits for, since when, and what would help
    Explain(explain::Explain),
    /// Look at what could not be taken, have it taken up again, or give it up
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Publish facts again: for a new consumer, or to a topic that lost some (needs servers)
    Replay(replay::Replay),
    /// Fold a view from the logs once more, prove it right, and have it read
    Rebuild(rebuild::Rebuild),
    /// Hold the views against the logs, and mend what can be mended
    Verify(verify::Verify),
    /// Record a void or refund that was done by hand at the payment provider
    Settle(settle::Settle),
    /// Show the configuration in force, and where each value comes from
    Config,
}

/// What every command gets.
struct Context {
    sources: Sources,
    config: Config,
    json: bool,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let context = match Context::new(cli.common) {
        Ok(context) => context,
        Err(e) => {
            complain(&e);
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(e) => {
            complain(&e);
            return ExitCode::from(EXIT_FAILURE);
        }
    };
    let result = runtime.block_on(async {
        match cli.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(context, Roles::all()).await,
            Command::CommandApi(args) => serve::run(context, args.roles()).await,
            Command::Projectors => serve::run(context, Roles::projectors()).await,
            Command::QueryApi => serve::run(context, Roles::queries()).await,
            Command::Migrate => migrate::run(context).await,
            Command::Demo(args) => demo::run(context, args).await,
            Command::Status => status::run(context).await,
            Command::Explain(args) => explain::run(context, args).await,
            Command::Dlq(verb) => dlq::run(context, verb).await,
            Command::Replay(args) => replay::run(context, args).await,
            Command::Rebuild(args) => rebuild::run(context, args).await,
            Command::Verify(args) => verify::run(context, args).await,
            Command::Settle(args) => settle::run(context, args).await,
            Command::Config => config::run(&context),
        }
    });
    match result {
        Ok(code) => code,
        Err(e) => {
            complain(&format!("{e:#}"));
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// Every view, by its name.
fn view_names() -> Vec<String> {
    let names = domain::view::ALL.map(|view| view.schema().name.to_owned());
    names.to_vec()
}

impl Context {
    fn new(common: Common) -> Result<Self, ConfigError> {
        let mut set = common.set;
        if let Some(data_dir) = &common.data_dir {
            set.push(format!("data_dir={}", data_dir.display()));
        }
        let sources = Sources {
            file: common.config,
            set,
        };
        Ok(Self {
            config: Config::load(&sources)?,
            sources,
            json: common.json,
        })
    }
}
