use super::{Command, Event, Order, Place, Rejection, State};
use crate::Rejection as _;
use crate::testing::facts::order::{
    cancellation_requested, cancelled, created, created_with_deadline,
};
use crate::testing::values::{currency, customer, items, reason, total};
use crate::testing::{Table, given};

fn place(deadline_ms: u64) -> Command {
    Command::Place(Place {
        customer_id: customer(),
        items: items(),
        currency: currency(),
        deadline_ms,
    })
}

fn cancel() -> Command {
    Command::Cancel {
        reason: reason("changed my mind"),
    }
}

fn finish() -> Command {
    Command::Finish {
        reason: reason("changed my mind"),
    }
}

#[test]
fn the_table_of_the_order_stream_holds_in_every_cell() {
    let table = Table {
        states: vec![
            ("none", State::None),
            ("open", State::Open),
            ("asked", State::Asked),
            ("refused", State::Refused),
            ("cancelled", State::Cancelled),
            ("completed", State::Completed),
        ],
        commands: vec![
            ("place", place(0)),
            ("cancel", cancel()),
            ("refuse", Command::Refuse),
            ("finish", finish()),
            ("complete", Command::Complete),
        ],
    };
    table.check::<Order>(
        "
        place: none -> order.created
        cancel: none -> rejected unknown-order
        cancel: open -> order.cancellation-requested
        cancel: refused -> rejected cancellation-refused
        cancel: completed -> rejected order-completed
        refuse: asked -> order.cancellation-refused
        finish: open, asked, refused -> order.cancelled
        finish: completed -> !
        complete: open, asked, refused -> order.completed
        complete: cancelled -> !
        ",
    );
}

#[test]
fn a_placed_order_says_what_it_is_for_and_what_it_costs() {
    given::<Order>([])
        .when(place(90_000))
        .then([Event::Created {
            customer_id: customer(),
            currency: currency(),
            items: items(),
            total_amount: total(),
            deadline_ms: 90_000,
        }]);
}

#[test]
fn an_order_is_placed_once() {
    given::<Order>([created()]).when(place(5)).then_nothing();
}

#[test]
fn an_open_order_is_asked_to_be_cancelled_in_the_customers_words() {
    given::<Order>([created()])
        .when(cancel())
        .then([cancellation_requested()]);
}

#[test]
fn asking_to_cancel_again_changes_nothing_whatever_the_reason() {
    let other = Command::Cancel {
        reason: reason("found it cheaper"),
    };
    given::<Order>([created(), cancellation_requested()])
        .when(other)
        .then_nothing();
}

#[test]
fn an_order_that_nobody_placed_cannot_be_cancelled() {
    given::<Order>([])
        .when(cancel())
        .then_rejected(Rejection::UnknownOrder);
    assert!(Rejection::UnknownOrder.is_missing());
}

#[test]
fn an_order_that_has_left_cannot_be_cancelled() {
    let refused = [
        created(),
        cancellation_requested(),
        Event::CancellationRefused {},
    ];
    given::<Order>(refused)
        .when(cancel())
        .then_rejected(Rejection::CancellationRefused);
    assert!(!Rejection::CancellationRefused.is_missing());
}

#[test]
fn a_completed_order_cannot_be_cancelled() {
    given::<Order>([created(), Event::Completed {}])
        .when(cancel())
        .then_rejected(Rejection::OrderCompleted);
    assert!(!Rejection::OrderCompleted.is_missing());
}

#[test]
fn a_cancelled_order_says_what_began_the_undoing() {
    given::<Order>([created_with_deadline(1)])
        .when(Command::Finish {
            reason: reason("deadline"),
        })
        .then([Event::Cancelled {
            reason: reason("deadline"),
        }]);
}

#[test]
fn an_order_too_late_to_cancel_may_still_be_undone_when_its_delivery_fails() {
    let refused = [
        created(),
        cancellation_requested(),
        Event::CancellationRefused {},
    ];
    given::<Order>(refused).when(finish()).then([cancelled()]);
}

#[test]
fn an_order_does_not_end_twice() {
    given::<Order>([created(), cancelled()])
        .when(Command::Complete)
        .then_impossible();
    given::<Order>([created(), Event::Completed {}])
        .when(finish())
        .then_impossible();
}

#[test]
fn only_the_two_ends_are_over() {
    let over = |state: State| state.is_over();
    assert!([State::Cancelled, State::Completed].into_iter().all(over));
    assert!(
        ![State::None, State::Open, State::Asked, State::Refused]
            .into_iter()
            .any(over)
    );
}
