use std::collections::HashSet;

use super::{Command, Reaction, When, react};
use crate::inventory::reservation;
use crate::testing::facts::{self, named};
use crate::testing::recorded;
use crate::testing::values::{currency, delivery_id, lines, order_id, payment_id, reason, total};
use crate::values::Reason;
use crate::{Fact, Service, delivery, order, payment};

/// What follows from a fact of the one order: each command and when.
fn after(fact: impl Into<Fact>) -> Vec<(Command, When)> {
    let reactions = react(&recorded(1, fact));
    assert!(reactions.iter().all(|it| it.order == order_id()));
    let pair = |it: Reaction| (it.command, it.when);
    reactions.into_iter().map(pair).collect()
}

fn now(command: Command) -> (Command, When) {
    (command, When::Now)
}

fn undo_payment(reason: Reason) -> Command {
    Command::Payment(payment::Command::Undo { reason })
}

fn undo_reservation(reason: Reason) -> Command {
    Command::Inventory(reservation::Command::Undo { reason })
}

fn finish(reason: Reason) -> Command {
    Command::Order(order::Command::Finish { reason })
}

fn hold() -> Command {
    Command::Inventory(reservation::Command::Hold { lines: lines() })
}

fn close(reason: Reason) -> Command {
    Command::Delivery(delivery::Command::Close { reason })
}

#[test]
fn order_created_holds_the_stock_and_sets_the_deadline() {
    assert_eq!(
        after(facts::order::created_with_deadline(90_000)),
        [
            now(hold()),
            (close(Reason::deadline()), When::AfterMs(90_000)),
        ]
    );
}

#[test]
fn an_order_without_a_deadline_may_take_for_ever() {
    assert_eq!(after(facts::order::created_with_deadline(0)), [now(hold())]);
}

#[test]
fn order_cancellation_requested_asks_the_delivery_whether_it_can_be_called_off() {
    let cancel = delivery::Command::Cancel {
        reason: reason("changed my mind"),
    };
    assert_eq!(
        after(facts::order::cancellation_requested()),
        [now(Command::Delivery(cancel))]
    );
}

#[test]
fn order_cancelled_closes_the_delivery_at_once() {
    assert_eq!(
        after(facts::order::cancelled()),
        [now(close(reason("changed my mind")))]
    );
}

#[test]
fn inventory_reserved_authorizes_the_whole_total() {
    let authorize = payment::Command::Authorize {
        payment_id: payment_id(),
        amount: total(),
        currency: currency(),
    };
    assert_eq!(
        after(facts::reservation::reserved()),
        [now(Command::Payment(authorize))]
    );
}

#[test]
fn inventory_rejected_finishes_the_order() {
    assert_eq!(
        after(facts::reservation::rejected()),
        [now(finish(Reason::out_of_stock()))]
    );
}

#[test]
fn inventory_released_finishes_the_order_also_as_a_tombstone() {
    let finished = [now(finish(reason("changed my mind")))];
    assert_eq!(after(facts::reservation::released()), finished);
    assert_eq!(after(facts::reservation::tombstone()), finished);
}

#[test]
fn inventory_returned_finishes_the_order() {
    assert_eq!(
        after(facts::reservation::returned()),
        [now(finish(Reason::delivery_failed()))]
    );
}

#[test]
fn payment_authorized_requests_the_delivery() {
    let request = delivery::Command::Request {
        delivery_id: delivery_id(),
    };
    assert_eq!(
        after(facts::payment::authorized()),
        [now(Command::Delivery(request))]
    );
}

#[test]
fn payment_failed_undoes_the_reservation() {
    assert_eq!(
        after(facts::payment::failed(None)),
        [now(undo_reservation(Reason::payment_declined()))]
    );
}

#[test]
fn payment_failed_after_an_undo_passes_on_what_began_the_undo() {
    let began = reason("changed my mind");
    assert_eq!(
        after(facts::payment::failed(Some(began.clone()))),
        [now(undo_reservation(began))]
    );
}

#[test]
fn payment_voided_undoes_the_reservation_also_as_a_tombstone() {
    let undone = [now(undo_reservation(reason("changed my mind")))];
    assert_eq!(after(facts::payment::voided()), undone);
    assert_eq!(after(facts::payment::tombstone()), undone);
}

#[test]
fn payment_refunded_undoes_the_reservation() {
    assert_eq!(
        after(facts::payment::refunded()),
        [now(undo_reservation(Reason::delivery_failed()))]
    );
}

#[test]
fn delivery_dispatched_captures_the_money_and_ships_the_stock() {
    assert_eq!(
        after(facts::delivery::dispatched()),
        [
            now(Command::Payment(payment::Command::Capture)),
            now(Command::Inventory(reservation::Command::Ship)),
        ]
    );
}

#[test]
fn delivery_delivered_completes_the_order() {
    assert_eq!(
        after(facts::delivery::delivered()),
        [now(Command::Order(order::Command::Complete))]
    );
}

#[test]
fn delivery_cancelled_undoes_the_payment_also_as_a_tombstone() {
    let undone = [now(undo_payment(reason("changed my mind")))];
    assert_eq!(after(facts::delivery::cancelled()), undone);
    assert_eq!(after(facts::delivery::tombstone()), undone);
}

#[test]
fn delivery_failed_undoes_the_payment_and_keeps_the_couriers_words_to_itself() {
    assert_eq!(
        after(facts::delivery::failed()),
        [now(undo_payment(Reason::delivery_failed()))]
    );
}

#[test]
fn delivery_cancellation_refused_tells_the_order() {
    assert_eq!(
        after(delivery::Event::CancellationRefused {}),
        [now(Command::Order(order::Command::Refuse))]
    );
}

#[test]
fn every_other_fact_asks_for_nothing() {
    let acting = [
        "order.created",
        "order.cancellation-requested",
        "order.cancelled",
        "inventory.reserved",
        "inventory.rejected",
        "inventory.released",
        "inventory.released()",
        "inventory.returned",
        "payment.authorized",
        "payment.failed",
        "payment.voided",
        "payment.voided()",
        "payment.refunded",
        "delivery.dispatched",
        "delivery.delivered",
        "delivery.cancelled",
        "delivery.cancelled()",
        "delivery.failed",
        "delivery.cancellation-refused",
    ];
    for fact in facts::every() {
        let label = facts::label(&fact);
        let acts = !after(fact).is_empty();
        assert_eq!(acts, acting.contains(&label.as_str()), "{label}");
    }
}

#[test]
fn no_service_is_asked_by_its_own_facts() {
    for fact in facts::every() {
        let from = fact.category().service();
        let asks_itself = |(command, _): &(Command, When)| command.service() == from;
        assert!(!after(fact).iter().any(asks_itself), "{from}");
    }
}

#[test]
fn a_command_goes_to_the_service_of_its_stream() {
    let services = |fact: Fact| -> Vec<Service> {
        let commands = after(fact).into_iter();
        commands.map(|(command, _)| command.service()).collect()
    };
    assert_eq!(services(named("order.created")), [Service::Inventory]);
    assert_eq!(
        services(named("delivery.dispatched")),
        [Service::Payment, Service::Inventory]
    );
    assert_eq!(services(named("delivery.delivered")), [Service::Order]);
    assert_eq!(services(named("order.cancelled")), [Service::Delivery]);
}

#[test]
fn a_fact_met_again_asks_the_same_again_with_the_same_ids() {
    for fact in facts::every() {
        let first = react(&recorded(1, fact.clone()));
        // Published again, in another place and at another time: still the same fact.
        let mut again = recorded(1, fact);
        again.position = 900;
        again.traceparent = Some("00-a-b-01".into());
        assert_eq!(react(&again), first);
    }
}

#[test]
fn each_step_of_an_order_has_an_id_of_its_own_that_is_a_uuid_v5() {
    let all: Vec<Reaction> = facts::every()
        .into_iter()
        .chain([facts::order::created_with_deadline(1).into()])
        .flat_map(|fact| react(&recorded(1, fact)))
        .collect();
    assert!(all.iter().all(|it| it.command_id.get_version_num() == 5));
    let mut by_id: Vec<_> = all.iter().map(|it| (it.command_id, kind(it))).collect();
    by_id.sort();
    by_id.dedup();
    let ids: HashSet<_> = by_id.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), by_id.len(), "{by_id:?}");
    // hold, deadline, cancel, close, authorize, finish, request, undo-payment,
    // undo-reservation, capture, ship, complete, refuse
    assert_eq!(ids.len(), 13);
}

/// A reaction without the reason that it carries.
fn kind(reaction: &Reaction) -> String {
    let command = format!("{:?}", reaction.command);
    let name = command.split([' ', '{']).next().unwrap_or_default();
    format!("{name} {:?}", reaction.when)
}

#[test]
fn a_fact_that_belongs_to_no_order_asks_for_nothing() {
    let mut foreign = recorded(1, facts::order::created());
    foreign.order = None;
    assert_eq!(react(&foreign), []);
    let mut misplaced = recorded(1, facts::order::created());
    misplaced.id.stream.id = "not-an-order".into();
    assert_eq!(react(&misplaced), []);
}
