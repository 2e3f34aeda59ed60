use super::{Charge, Command, Event, Payment, Rejection, Settlement, State};
use crate::testing::facts::payment::{
    authorized, capture_failed, capture_requested, captured, failed, refund_requested, refunded,
    requested, tombstone, undo_requested, void_requested, voided,
};
use crate::testing::values::{amount, currency, payment_id, reason, total};
use crate::testing::{Table, given};
use crate::values::Reason;

fn authorize() -> Command {
    Command::Authorize {
        payment_id: payment_id(),
        amount: total(),
        currency: currency(),
    }
}

fn undo() -> Command {
    Command::Undo {
        reason: reason("changed my mind"),
    }
}

fn declined() -> Command {
    Command::Declined {
        reason: reason("insufficient funds"),
    }
}

fn capture_refused() -> Command {
    Command::CaptureRefused {
        reason: reason("card expired"),
    }
}

fn settle(outcome: Settlement) -> Command {
    Command::Settle {
        outcome,
        reason: reason("by phone"),
    }
}

fn charge() -> Charge {
    Charge {
        payment_id: payment_id(),
        amount: total(),
        currency: currency(),
    }
}

fn states() -> Vec<(&'static str, State)> {
    let charge = charge();
    let undo = Some(reason("changed my mind"));
    let reason = reason("changed my mind");
    vec![
        ("none", State::None),
        ("asked", State::Asked { charge, undo: None }),
        (
            "asked with undo",
            State::Asked {
                charge,
                undo: undo.clone(),
            },
        ),
        ("authorized", State::Authorized(charge)),
        ("failed", State::Failed),
        ("capturing", State::Capturing { charge, undo: None }),
        ("capturing with undo", State::Capturing { charge, undo }),
        ("captured", State::Captured(charge)),
        ("capture-failed", State::CaptureFailed(charge)),
        (
            "voiding",
            State::Voiding {
                charge,
                reason: reason.clone(),
            },
        ),
        ("voided", State::Voided),
        ("refunding", State::Refunding { charge, reason }),
        ("refunded", State::Refunded),
    ]
}

#[test]
fn the_table_of_the_payment_stream_holds_in_every_cell() {
    let table = Table {
        states: states(),
        commands: vec![
            ("authorize", authorize()),
            ("authorized", Command::Authorized),
            ("declined", declined()),
            ("capture", Command::Capture),
            ("captured", Command::Captured),
            ("capture refused", capture_refused()),
            ("undo", undo()),
            ("void done", Command::VoidDone),
            ("refund done", Command::RefundDone),
            ("settle voided", settle(Settlement::Voided)),
            ("settle refunded", settle(Settlement::Refunded)),
        ],
    };
    table.check::<Payment>(
        "
        authorize: none -> payment.requested
        authorized: asked -> payment.authorized
        authorized: asked with undo -> payment.authorized, payment.void-requested
        declined: asked, asked with undo -> payment.failed
        capture: authorized -> payment.capture-requested
        capture: none, asked, asked with undo, failed -> !
        captured: capturing -> payment.captured
        captured: capturing with undo -> payment.captured, payment.refund-requested
        capture refused: capturing -> payment.capture-failed
        capture refused: capturing with undo -> payment.capture-failed, payment.void-requested
        undo: none -> payment.voided()
        undo: asked, capturing -> payment.undo-requested
        undo: authorized, capture-failed -> payment.void-requested
        undo: captured -> payment.refund-requested
        void done: voiding -> payment.voided
        refund done: refunding -> payment.refunded
        settle voided: voiding -> payment.voided
        settle refunded: refunding -> payment.refunded
        settle voided: none, asked, asked with undo, authorized, failed -> rejected nothing-to-settle
        settle voided: capturing, capturing with undo, captured -> rejected nothing-to-settle
        settle voided: capture-failed, voided, refunding, refunded -> rejected nothing-to-settle
        settle refunded: none, asked, asked with undo, authorized, failed -> rejected nothing-to-settle
        settle refunded: capturing, capturing with undo, captured -> rejected nothing-to-settle
        settle refunded: capture-failed, voiding, voided, refunded -> rejected nothing-to-settle
        ",
    );
}

#[test]
fn every_state_of_the_table_is_one_that_facts_lead_to() {
    let roads = [
        vec![],
        vec![requested()],
        vec![requested(), undo_requested()],
        vec![requested(), authorized()],
        vec![requested(), failed(None)],
        vec![requested(), authorized(), capture_requested()],
        vec![
            requested(),
            authorized(),
            capture_requested(),
            undo_requested(),
        ],
        vec![requested(), authorized(), capture_requested(), captured()],
        vec![
            requested(),
            authorized(),
            capture_requested(),
            capture_failed(),
        ],
        vec![requested(), authorized(), void_requested()],
        vec![requested(), authorized(), void_requested(), voided()],
        vec![
            requested(),
            authorized(),
            capture_requested(),
            captured(),
            Event::RefundRequested {
                payment_id: payment_id(),
                amount: total(),
                reason: reason("changed my mind"),
            },
        ],
        vec![
            requested(),
            authorized(),
            capture_requested(),
            captured(),
            refund_requested(),
            refunded(),
        ],
    ];
    for ((name, state), road) in states().iter().zip(&roads) {
        assert_eq!(crate::fold::<Payment>(road), *state, "{name}");
    }
    assert_eq!(states().len(), roads.len());
    assert_eq!(crate::fold::<Payment>(&[tombstone()]), State::Voided);
}

#[test]
fn the_intent_says_what_the_provider_is_asked_for() {
    given::<Payment>([]).when(authorize()).then([requested()]);
}

#[test]
fn what_is_authorized_and_captured_is_what_was_asked_for() {
    given::<Payment>([requested()])
        .when(Command::Authorized)
        .then([authorized()]);
    given::<Payment>([requested(), authorized()])
        .when(Command::Capture)
        .then([capture_requested()]);
    given::<Payment>([requested(), authorized(), capture_requested()])
        .when(Command::Captured)
        .then([captured()]);
}

#[test]
fn a_decline_keeps_the_providers_words() {
    given::<Payment>([requested()])
        .when(declined())
        .then([failed(None)]);
}

#[test]
fn a_decline_that_comes_after_an_undo_says_what_began_the_undo() {
    given::<Payment>([requested(), undo_requested()])
        .when(declined())
        .then([failed(Some(reason("changed my mind")))]);
}

#[test]
fn an_undo_before_the_payment_leaves_a_tombstone_of_nothing() {
    given::<Payment>([]).when(undo()).then([Event::Voided {
        amount: amount(0),
        reason: reason("changed my mind"),
        settled_by_hand: None,
    }]);
}

#[test]
fn the_tombstone_keeps_a_late_authorization_from_being_asked_for() {
    given::<Payment>([tombstone()])
        .when(authorize())
        .then_nothing();
}

#[test]
fn an_undo_waits_for_the_answer_that_is_on_its_way_and_then_follows_it() {
    given::<Payment>([requested()])
        .when(undo())
        .then([undo_requested()]);
    given::<Payment>([requested(), undo_requested()])
        .when(Command::Authorized)
        .then([authorized(), void_requested()]);

    let capturing = [requested(), authorized(), capture_requested()];
    given::<Payment>(capturing.clone())
        .when(undo())
        .then([undo_requested()]);
    let refund = Event::RefundRequested {
        payment_id: payment_id(),
        amount: total(),
        reason: reason("changed my mind"),
    };
    given::<Payment>(capturing.into_iter().chain([undo_requested()]))
        .when(Command::Captured)
        .then([captured(), refund]);
}

#[test]
fn a_refused_capture_that_is_undone_voids_what_may_still_be_held() {
    let road = [requested(), authorized(), capture_requested()];
    given::<Payment>(road.clone())
        .when(capture_refused())
        .then([capture_failed()]);
    given::<Payment>(road.clone().into_iter().chain([undo_requested()]))
        .when(capture_refused())
        .then([capture_failed(), void_requested()]);
    given::<Payment>(road.into_iter().chain([capture_failed()]))
        .when(undo())
        .then([void_requested()]);
}

#[test]
fn money_that_was_taken_is_refunded_and_says_why() {
    let road = [requested(), authorized(), capture_requested(), captured()];
    let undo = Command::Undo {
        reason: Reason::delivery_failed(),
    };
    given::<Payment>(road.clone())
        .when(undo)
        .then([refund_requested()]);
    given::<Payment>(road.into_iter().chain([refund_requested()]))
        .when(Command::RefundDone)
        .then([refunded()]);
}

#[test]
fn what_was_held_is_voided_and_says_why() {
    given::<Payment>([requested(), authorized(), void_requested()])
        .when(Command::VoidDone)
        .then([voided()]);
}

#[test]
fn what_an_operator_settled_says_so_and_keeps_what_began_the_undoing() {
    given::<Payment>([requested(), authorized(), void_requested()])
        .when(settle(Settlement::Voided))
        .then([Event::Voided {
            amount: total(),
            reason: reason("changed my mind"),
            settled_by_hand: Some(reason("by phone")),
        }]);
    let road = [
        requested(),
        authorized(),
        capture_requested(),
        captured(),
        refund_requested(),
    ];
    given::<Payment>(road)
        .when(settle(Settlement::Refunded))
        .then([Event::Refunded {
            amount: total(),
            reason: Reason::delivery_failed(),
            settled_by_hand: Some(reason("by phone")),
        }]);
}

#[test]
fn the_providers_late_answer_to_what_was_settled_by_hand_changes_nothing() {
    given::<Payment>([requested(), authorized(), void_requested(), voided()])
        .when(Command::VoidDone)
        .then_nothing();
}

#[test]
fn an_operator_cannot_settle_what_is_not_open() {
    given::<Payment>([requested(), authorized(), void_requested()])
        .when(settle(Settlement::Refunded))
        .then_rejected(Rejection::NothingToSettle);
}

#[test]
fn a_capture_of_what_was_never_authorized_breaks_an_invariant() {
    given::<Payment>([requested(), failed(None)])
        .when(Command::Capture)
        .then_impossible();
}
