//! `waybill status`

use std::process::ExitCode;

use domain::Service;

use super::Context;
use super::output::{complain, say, say_json};
use super::tool::ask;
use crate::tools::{Request, ServiceStatus, Status, ViewAt};

/// Succeeds where everything has answered, whatever the answers are.
pub async fn run(context: Context) -> anyhow::Result<ExitCode> {
    let status: Status = ask(&context, Request::Status).await?;
    if context.json {
        say_json(&status)?;
    } else {
        show(&status);
    }
    Ok(match status.problems().is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn show(status: &Status) {
    say("service      facts  unpublished  open tasks  overdue  in trouble");
    for service in &status.services {
        say(row_of(service));
    }
    let topics = Service::ALL.map(|topic| format!("{:>10}", topic.name()));
    let names = status.parked.iter().map(|group| group.group.len());
    let width = names.max().unwrap_or_default().max("yet to take".len());
    let topics = topics.join("");
    say(format_args!("\n{:width$}{topics}  parked", "yet to take"));
    for group in &status.parked {
        let lags = Service::ALL.map(|topic| lag_of(status, &group.group, topic));
        let parked = group.failed.zip(group.waiting);
        say(format_args!(
            "{:width$}{}{:>8}",
            group.group,
            lags.join(""),
            number(parked.map(|(failed, waiting)| failed + waiting)),
        ));
    }
    status.views.iter().for_each(say_view);
    say_troubles(status);
    if status.healthy {
        say("\nnothing waits for a person");
    }
    for (what, problem) in status.problems() {
        complain(&format_args!("no answer about the {what}: {problem}"));
    }
}

fn row_of(service: &ServiceStatus) -> String {
    let overdue = service.tasks.iter().map(|task| task.overdue).sum();
    let unpublished = match &service.relay {
        Some(relay) if relay.halted.is_some() => format!("{} halted", relay.lag),
        Some(relay) => relay.lag.to_string(),
        None if service.problem.is_some() => number(None),
        None => "-".to_owned(),
    };
    let known = service.last_position;
    format!(
        "{:10} {:>7}  {:>11}  {:>10}  {:>7}  {:>10}",
        service.service,
        number(known),
        unpublished,
        number(service.open_tasks),
        number(known.map(|_| overdue)),
        number(known.map(|_| service.troubled.len() as u64)),
    )
}

/// What the group has yet to take of a topic, or that it takes nothing of it.
fn lag_of(status: &Status, group: &str, topic: Service) -> String {
    let mut lags = status.groups.iter();
    let lag = lags.find(|lag| lag.group == group && lag.topic == topic.name());
    let lag = lag.map_or_else(|| "-".to_owned(), |lag| number(lag.lag));
    format!("{lag:>10}")
}

fn number(known: Option<u64>) -> String {
    known.map_or_else(|| "?".to_owned(), |number| number.to_string())
}

/// What is out of the ordinary.
fn say_view(at: &ViewAt) {
    let view = &at.view;
    if at.is_outdated() {
        say(format_args!(
            "\n{view}: revision changed, from {} to {}; old rows are as they were",
            at.revision.unwrap_or_default(),
            at.todays
        ));
        say(format_args!("  waybill rebuild {view}"));
    }
    if let Some(rebuild) = &at.rebuild {
        let who = rebuild.holder.as_deref().unwrap_or("nobody, and can go on");
        say(format_args!(
            "\n{view} is being rebuilt by {who}, since {}: {} orders are done",
            rebuild.since, rebuild.orders
        ));
    }
}

fn say_troubles(status: &Status) {
    for service in &status.services {
        let halted = service.relay.as_ref().and_then(|at| at.halted.as_deref());
        if let Some(halt) = halted {
            say(format_args!(
                "\nthe relay of {} has halted: {halt}",
                service.service
            ));
        }
        for task in &service.troubled {
            let problem = task.problem.as_deref().unwrap_or("parked");
            say(format_args!(
                "\n{} of {}: {problem} ({} times, since {})",
                task.task, task.order, task.failures, task.opened_at
            ));
            say(format_args!("  waybill explain {}", task.order));
        }
    }
    for parked in status.parked.iter().flat_map(|group| &group.facts) {
        say(format_args!(
            "\n{} is parked for {} since {}: {} ({})",
            parked.fact, parked.group, parked.since, parked.reason, parked.class
        ));
        say(format_args!("  waybill dlq show {}", parked.id));
    }
}
