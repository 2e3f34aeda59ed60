//! `waybill status`

use std::process::ExitCode;

use super::Context;
use super::output::{say, say_json};
use super::tool::ask;
use crate::tools::{Request, Status};

pub async fn run(context: Context) -> anyhow::Result<ExitCode> {
    let status: Status = ask(&context, Request::Status).await?;
    if context.json {
        say_json(&status)?;
    } else {
        show(&status);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(status: &Status) {
    say("service      facts  open tasks  in trouble  parked");
    for service in &status.services {
        say(format_args!(
            "{:10} {:>7}  {:>10}  {:>10}  {:>6}",
            service.service,
            service.last_position,
            service.open_tasks,
            service.troubled.len(),
            service.parked.len(),
        ));
    }
    say("\ngroup          topic         lag");
    for group in &status.groups {
        say(format_args!(
            "{:14} {:10} {:>6}",
            group.group, group.topic, group.lag
        ));
    }
    for service in &status.services {
        for task in &service.troubled {
            let problem = task.problem.as_deref().unwrap_or("parked");
            say(format_args!(
                "\n{} of {}: {problem} ({} times, since {})",
                task.task, task.order, task.failures, task.opened_at
            ));
            say(format_args!("  waybill explain {}", task.order));
        }
        for parked in &service.parked {
            say(format_args!(
                "\n{} is parked for {} since {}: {} ({})",
                parked.fact, parked.group, parked.since, parked.reason, parked.class
            ));
            say(format_args!("  waybill dlq show {}", parked.id));
        }
    }
    if status.healthy {
        say("\nnothing waits for a person");
    }
}
