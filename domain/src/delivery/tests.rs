use super::{Assignment, Command, Delivery, Event, Progress, Rejection, State};
use crate::Rejection as _;
use crate::testing::facts::delivery::{
    assigned, cancelled, delivered, dispatched, eta_updated, failed, requested, tombstone,
};
use crate::testing::values::{delivery_id, driver, minute, reason};
use crate::testing::{Table, given};

fn request() -> Command {
    Command::Request {
        delivery_id: delivery_id(),
    }
}

fn assign(name: &str, eta: u64) -> Progress {
    Progress::Assign(Assignment {
        driver_name: driver(name),
        estimated_delivery_time: minute(eta),
    })
}

fn eta(number: u64) -> Progress {
    Progress::MoveEta {
        estimated_delivery_time: minute(number),
    }
}

fn fail(text: &str) -> Progress {
    Progress::Fail {
        reason: reason(text),
    }
}

fn cancel() -> Command {
    Command::Cancel {
        reason: reason("changed my mind"),
    }
}

fn close() -> Command {
    Command::Close {
        reason: reason("changed my mind"),
    }
}

/// Each state, by the facts that lead to it.
fn states() -> Vec<(&'static str, State)> {
    let on_the_road = [requested(), assigned(), dispatched()];
    let and_then = |event: Event| [on_the_road.as_slice(), &[event]].concat();
    let roads = [
        ("none", vec![]),
        ("requested", vec![requested()]),
        ("assigned", vec![requested(), assigned()]),
        ("dispatched", on_the_road.to_vec()),
        ("refused", and_then(Event::CancellationRefused {})),
        ("delivered", and_then(delivered())),
        ("failed", and_then(failed())),
        ("cancelled", vec![requested(), cancelled()]),
        ("closed", vec![tombstone()]),
    ];
    roads
        .iter()
        .map(|(name, road)| (*name, crate::fold::<Delivery>(road)))
        .collect()
}

fn steps(report: fn(Progress) -> Command) -> Vec<(&'static str, Command)> {
    let steps = [
        ("assign", assign("Ada", 45)),
        ("assign later", assign("Ada", 50)),
        ("assign another", assign("Bob", 45)),
        ("eta as promised", eta(45)),
        ("eta moved", eta(50)),
        ("dispatch", Progress::Dispatch),
        ("deliver", Progress::Deliver),
        ("fail", fail("nobody at home")),
        ("fail otherwise", fail("flat tyre")),
    ];
    steps.map(|(name, step)| (name, report(step))).to_vec()
}

#[test]
fn the_table_of_the_delivery_stream_holds_in_every_cell() {
    let table = Table {
        states: states(),
        commands: vec![
            ("request", request()),
            ("cancel", cancel()),
            ("close", close()),
        ],
    };
    table.check::<Delivery>(
        "
        request: none -> delivery.requested
        cancel: none -> delivery.cancelled()
        cancel: requested, assigned -> delivery.cancelled
        cancel: dispatched -> delivery.cancellation-refused
        close: none -> delivery.cancelled()
        ",
    );
}

#[test]
fn what_the_courier_reports_is_a_fact_or_nothing_in_every_cell() {
    let table = Table {
        states: states(),
        commands: steps(Command::Progress),
    };
    table.check::<Delivery>(
        "
        assign: requested -> delivery.assigned
        assign later: requested -> delivery.assigned
        assign another: requested -> delivery.assigned
        eta moved: assigned, dispatched, refused -> delivery.eta-updated
        dispatch: assigned -> delivery.dispatched
        deliver: dispatched, refused -> delivery.delivered
        fail: requested, assigned, dispatched, refused -> delivery.failed
        fail otherwise: requested, assigned, dispatched, refused -> delivery.failed
        ",
    );
}

#[test]
fn what_a_person_records_is_a_fact_a_repeat_or_a_rejection_in_every_cell() {
    let table = Table {
        states: states(),
        commands: steps(Command::Record),
    };
    table.check::<Delivery>(
        "
        assign: none -> rejected unknown-delivery
        assign: requested -> delivery.assigned
        assign: failed -> rejected step-not-allowed
        assign: cancelled, closed -> rejected delivery-cancelled

        assign later: none -> rejected unknown-delivery
        assign later: requested -> delivery.assigned
        assign later: assigned, dispatched, refused, delivered, failed -> rejected step-not-allowed
        assign later: cancelled, closed -> rejected delivery-cancelled

        assign another: none -> rejected unknown-delivery
        assign another: requested -> delivery.assigned
        assign another: assigned, dispatched, refused, delivered -> rejected another-driver
        assign another: failed -> rejected step-not-allowed
        assign another: cancelled, closed -> rejected delivery-cancelled

        eta as promised: none -> rejected unknown-delivery
        eta as promised: requested, delivered, failed -> rejected step-not-allowed
        eta as promised: cancelled, closed -> rejected delivery-cancelled

        eta moved: none -> rejected unknown-delivery
        eta moved: assigned, dispatched, refused -> delivery.eta-updated
        eta moved: requested, delivered, failed -> rejected step-not-allowed
        eta moved: cancelled, closed -> rejected delivery-cancelled

        dispatch: none -> rejected unknown-delivery
        dispatch: assigned -> delivery.dispatched
        dispatch: requested, failed -> rejected step-not-allowed
        dispatch: cancelled, closed -> rejected delivery-cancelled

        deliver: none -> rejected unknown-delivery
        deliver: dispatched, refused -> delivery.delivered
        deliver: requested, assigned, failed -> rejected step-not-allowed
        deliver: cancelled, closed -> rejected delivery-cancelled

        fail: none -> rejected unknown-delivery
        fail: requested, assigned, dispatched, refused -> delivery.failed
        fail: delivered -> rejected step-not-allowed
        fail: cancelled, closed -> rejected delivery-cancelled

        fail otherwise: none -> rejected unknown-delivery
        fail otherwise: requested, assigned, dispatched, refused -> delivery.failed
        fail otherwise: delivered, failed -> rejected step-not-allowed
        fail otherwise: cancelled, closed -> rejected delivery-cancelled
        ",
    );
}

#[test]
fn a_delivery_is_assigned_to_a_driver_with_a_time() {
    given::<Delivery>([requested()])
        .when(Command::Progress(assign("Ada", 45)))
        .then([assigned()]);
}

#[test]
fn the_time_of_arrival_may_move_before_and_after_the_dispatch() {
    given::<Delivery>([requested(), assigned()])
        .when(Command::Progress(eta(50)))
        .then([eta_updated()]);
    given::<Delivery>([requested(), assigned(), eta_updated(), dispatched()])
        .when(Command::Progress(eta(60)))
        .then([Event::EtaUpdated {
            estimated_delivery_time: minute(60),
        }]);
}

#[test]
fn a_time_of_arrival_may_move_back_to_one_that_was_promised_before() {
    let moved = [requested(), assigned(), eta_updated()];
    given::<Delivery>(moved.clone())
        .when(Command::Record(eta(50)))
        .then_nothing();
    given::<Delivery>(moved)
        .when(Command::Record(eta(45)))
        .then([Event::EtaUpdated {
            estimated_delivery_time: minute(45),
        }]);
}

#[test]
fn the_assignment_repeated_after_the_time_moved_is_still_a_repeat() {
    given::<Delivery>([requested(), assigned(), eta_updated(), dispatched()])
        .when(Command::Record(assign("Ada", 45)))
        .then_nothing();
}

#[test]
fn a_failure_keeps_the_couriers_words() {
    given::<Delivery>([requested(), assigned(), dispatched()])
        .when(Command::Progress(fail("nobody at home")))
        .then([failed()]);
}

#[test]
fn a_delivery_that_has_not_left_is_called_off() {
    given::<Delivery>([requested()])
        .when(cancel())
        .then([cancelled()]);
    given::<Delivery>([requested(), assigned()])
        .when(cancel())
        .then([cancelled()]);
}

#[test]
fn a_delivery_that_has_left_refuses_once_to_be_called_off() {
    given::<Delivery>([requested(), assigned(), dispatched()])
        .when(cancel())
        .then([Event::CancellationRefused {}]);
    let refused = [
        requested(),
        assigned(),
        dispatched(),
        Event::CancellationRefused {},
    ];
    given::<Delivery>(refused).when(cancel()).then_nothing();
}

#[test]
fn a_cancel_or_a_close_before_the_request_keeps_it_from_being_made() {
    given::<Delivery>([]).when(cancel()).then([tombstone()]);
    given::<Delivery>([]).when(close()).then([tombstone()]);
    given::<Delivery>([tombstone()])
        .when(request())
        .then_nothing();
}

#[test]
fn a_courier_who_had_not_heard_of_the_cancellation_changes_nothing() {
    given::<Delivery>([requested(), assigned(), cancelled()])
        .when(Command::Progress(Progress::Dispatch))
        .then_nothing();
}

#[test]
fn a_step_that_the_road_does_not_allow_says_where_the_delivery_is() {
    let why = Rejection::NotAllowed {
        step: "deliver",
        at: "requested",
    };
    assert_eq!(
        why.to_string(),
        "the step 'deliver' is not possible while the delivery is requested"
    );
    given::<Delivery>([requested()])
        .when(Command::Record(Progress::Deliver))
        .then_rejected(why);
}

#[test]
fn only_a_delivery_that_was_never_requested_is_missing() {
    assert!(Rejection::UnknownDelivery.is_missing());
    assert!(!Rejection::Cancelled.is_missing());
    assert!(!Rejection::AnotherDriver.is_missing());
}
