//! Looks at what a pipeline left behind, and says what is not as promised. Exits with 1 where
//! something is not.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use oracle::World;
use oracle::sources::Servers;

/// Holds what a pipeline left behind against what it promises.
#[derive(Debug, Parser)]
struct Args {
    /// What customers asked and were told
    #[arg(long)]
    journal: Option<PathBuf>,
    /// The payment provider's books
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// A world, or a part of one, that was written down
    #[arg(long)]
    dump: Option<PathBuf>,
    /// The Postgres server
    #[arg(long, requires_all = ["kafka_brokers", "cassandra_nodes"])]
    postgres_url: Option<String>,
    /// The Postgres server of the inventory service, where it has one of its own
    #[arg(long)]
    inventory_postgres_url: Option<String>,
    /// The Kafka brokers
    #[arg(long)]
    kafka_brokers: Option<String>,
    /// The Cassandra nodes
    #[arg(long)]
    cassandra_nodes: Option<String>,
    /// What all names on the servers begin with
    #[arg(long, default_value = "")]
    prefix: String,
    /// Nobody but people ends a delivery: orders may stay open
    #[arg(long)]
    by_hand: bool,
    /// Writes down all that was looked at
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Says it as JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let mut world = World::default();
    if let Some(path) = &args.dump {
        world.read(open(path)?)?;
    }
    if let Some(path) = &args.journal {
        world.read_journal(open(path)?)?;
    }
    if let Some(path) = &args.ledger {
        world.read_ledger(open(path)?)?;
    }
    let addresses = (
        &args.postgres_url,
        &args.kafka_brokers,
        &args.cassandra_nodes,
    );
    if let (Some(postgres), Some(kafka), Some(cassandra)) = addresses {
        let servers = Servers {
            postgres: postgres.clone(),
            inventory: args.inventory_postgres_url.clone(),
            kafka: kafka.clone(),
            cassandra: cassandra.clone(),
            prefix: args.prefix.clone(),
        };
        servers.read(&mut world).await?;
    }
    world.by_hand |= args.by_hand;
    if let Some(path) = &args.keep {
        world.write(BufWriter::new(File::create(path)?))?;
    }
    let report = oracle::audit(&world);
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        false => write!(out, "{report}")?,
    }
    Ok(match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn open(path: &PathBuf) -> Result<BufReader<File>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(file))
}
