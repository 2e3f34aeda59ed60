use std::collections::BTreeMap;

use super::{Agenda, Task, agenda};
use crate::testing::facts;
use crate::{Category, Fact, Service};

/// What each fact opens (+) and settles (-); one that is not listed does neither.
const AGENDA: &str = "
    payment.requested           +authorize
    payment.authorized          -authorize
    payment.failed              -authorize
    payment.capture-requested   +capture
    payment.captured            -capture
    payment.capture-failed      -capture
    payment.void-requested      +void
    payment.voided              -void
    payment.voided()            -void
    payment.refund-requested    +refund
    payment.refunded            -refund
    delivery.requested          +courier -deadline
    delivery.delivered          -courier
    delivery.failed             -courier
    delivery.cancelled          +call-off -courier
    delivery.cancelled()        -deadline
";

fn in_words(agenda: Agenda) -> String {
    let opens = agenda.opens.map(|task| format!("+{task}"));
    let settles = agenda.settles.iter().map(|task| format!("-{task}"));
    opens
        .into_iter()
        .chain(settles)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_intent_opens_its_call_every_outcome_settles_it_and_no_other_fact_does_either() {
    let lines = AGENDA
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let mut wanted: BTreeMap<&str, String> = lines
        .map(|line| {
            let (fact, tasks) = line.split_once(' ').unwrap();
            (fact, tasks.trim().to_owned())
        })
        .collect();
    for fact in facts::every() {
        let label = facts::label(&fact);
        let want = wanted.remove(label.as_str()).unwrap_or_default();
        assert_eq!(in_words(agenda(&fact)), want, "{label}");
    }
    assert!(wanted.is_empty(), "no such facts: {wanted:?}");
}

#[test]
fn a_task_is_opened_and_settled_in_the_store_that_keeps_it() {
    for fact in facts::every() {
        let Agenda { opens, settles } = agenda(&fact);
        for task in opens.iter().chain(settles) {
            assert_eq!(task.service(), fact.category().service(), "{}", fact.name());
        }
    }
}

#[test]
fn whatever_a_fact_opens_some_fact_settles_but_for_the_call_that_settles_itself() {
    let all: Vec<Agenda> = facts::every().iter().map(agenda).collect();
    for task in Task::ALL {
        let settled = all.iter().any(|agenda| agenda.settles.contains(&task));
        assert_eq!(settled, task != Task::CallOff, "{task}");
    }
}

#[test]
fn the_deadline_is_opened_by_the_service_that_takes_the_order_and_by_no_fact() {
    let opens = |fact: &Fact| agenda(fact).opens == Some(Task::Deadline);
    assert!(!facts::every().iter().any(opens));
    assert_eq!(Task::Deadline.service(), Service::Delivery);
}

#[test]
fn orders_and_stock_have_nothing_to_do_outside() {
    let inside = [Category::Order, Category::Reservation, Category::Stock];
    for fact in facts::every() {
        if inside.contains(&fact.category()) {
            assert_eq!(agenda(&fact), Agenda::default(), "{}", fact.name());
        }
    }
}

#[test]
fn a_tasks_name_reads_back_as_the_task() {
    for task in Task::ALL {
        assert_eq!(task.name().parse(), Ok(task));
    }
    let unknown = "authorise".parse::<Task>().unwrap_err();
    assert_eq!(unknown.to_string(), "there is no task named 'authorise'");
}
