//! Every road of the process, from POST to GET, on the embedded store and on servers: there each
//! role is a process of its own.

mod back;
mod cancel;
mod provider;
mod there;

use serde_json::{Value, json};

use crate::support::{Fast, Pipeline};

/// Nobody takes any time.
const AT_ONCE: Fast = Fast {
    by_hand: false,
    payment_delay_ms: 0,
    deadline_ms: 0,
    fresh_wait_ms: None,
};
/// People drive the deliveries.
const BY_HAND: Fast = Fast {
    by_hand: true,
    ..AT_ONCE
};
/// A payment takes long enough to do something meanwhile.
const SLOWLY_PAID: Fast = Fast {
    payment_delay_ms: 1500,
    ..BY_HAND
};
/// A payment takes longer than an order may, which is long enough to ask for it.
const OVERDUE: Fast = Fast {
    payment_delay_ms: 3000,
    deadline_ms: 1500,
    ..AT_ONCE
};

/// Two tests a journey, one on each stack; on servers it is skipped where one is missing.
macro_rules! journeys {
    ($($pace:ident: $($road:ident::$journey:ident),+;)+) => {
        mod embedded {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $journey() {
                    super::$road::$journey(Pipeline::start($pace).await).await;
                }
            )+)+
        }

        mod servers {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $journey() {
                    if let Some(pipeline) = Pipeline::start_on_servers($pace).await {
                        super::$road::$journey(pipeline).await;
                    }
                }
            )+)+
        }
    };
}

journeys! {
    AT_ONCE:
        there::an_order_is_reserved_paid_delivered_and_completed,
        there::a_provider_that_times_out_is_asked_again_and_charges_once,
        there::a_refused_capture_does_not_stop_the_delivery,
        back::a_declined_payment_cancels_the_order,
        back::an_order_too_large_for_the_stock_is_cancelled,
        back::of_two_customers_who_race_for_the_last_unit_one_gets_it,
        back::of_many_customers_who_race_for_the_last_units_as_many_win_as_there_are;
    BY_HAND:
        there::people_can_drive_a_delivery_over_http,
        there::explain_names_the_awaited_step,
        back::a_delivery_that_fails_before_it_left_gives_money_and_stock_back,
        back::a_failed_delivery_gives_money_and_stock_back,
        cancel::an_order_is_cancelled_at_once_after_it_was_placed,
        cancel::an_order_is_cancelled_before_a_driver_is_assigned,
        cancel::an_order_is_cancelled_before_its_delivery_leaves,
        cancel::an_order_whose_delivery_has_left_is_not_cancelled;
    SLOWLY_PAID:
        cancel::an_order_is_cancelled_while_its_payment_is_asked_for;
    OVERDUE:
        back::an_order_that_takes_too_long_is_cancelled_and_its_late_payment_undone;
}

/// Waits until every service has taken facts, which on servers begins with a rebalance: an order of
/// what there is not has come to all of them.
async fn warm_up(pipeline: &Pipeline) {
    let id = pipeline.place("sku-0", 1, 1901).await;
    pipeline.order_in(&id, "CANCELLED").await;
    pipeline.caught_up().await;
}

/// Nothing is held of the one unit that there was.
async fn expect_undone(pipeline: &Pipeline, id: &str, reason: &str) -> Value {
    pipeline.order_in(id, "CANCELLED").await;
    // The facts of one stream may be shown a moment before those of another.
    pipeline.caught_up().await;
    let order = pipeline.order(id).await;
    assert_eq!(order["cancelReason"], reason);
    pipeline.expect_stock("sku-1", 1, 0).await;
    order
}

fn assignment() -> Value {
    json!({"driverName": "Driver Ash", "estimatedDeliveryTime": "2030-01-31T12:00:00Z"})
}
