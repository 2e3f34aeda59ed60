//! What every courier promises, and what one does that drives by itself.

mod asking;
mod driving;

use std::sync::Arc;

use infra::courier::{Courier, NoCourier, SimulatedCourier, Steps};

macro_rules! courier_contract {
    ($adapter:ident, $start:path) => {
        contract! { $adapter, $start;
            asking:
                asked_again_it_says_the_same,
                it_never_takes_a_step_back,
                a_delivery_may_be_called_off_again_and_before_it_was_asked_for;
        }
    };
}

macro_rules! driving_contract {
    ($adapter:ident, $start:path) => {
        contract! { $adapter, $start;
            driving:
                nothing_has_happened_before_the_first_step_is_due,
                each_step_is_taken_when_its_time_has_come,
                it_is_asked_again_until_the_goods_are_delivered,
                the_estimated_time_is_half_an_hour_to_an_hour_away_and_moves_once,
                the_plan_follows_from_the_job_alone,
                deliveries_have_different_drivers,
                with_no_delays_everything_has_happened_at_once;
        }
    };
}

/// A courier.
type AnyCourier = Arc<dyn Courier>;

/// Takes the steps that a driving courier is asked for.
type Driving = fn(Steps) -> AnyCourier;

async fn simulated() -> AnyCourier {
    simulated_with(STEPS)
}

async fn simulated_driving() -> Driving {
    simulated_with
}

fn simulated_with(steps: Steps) -> AnyCourier {
    Arc::new(SimulatedCourier::new(steps))
}

async fn none() -> AnyCourier {
    Arc::new(NoCourier)
}

/// All different, so that none is taken for another.
const STEPS: Steps = Steps {
    assign_ms: 1_000,
    dispatch_ms: 3_000,
    deliver_ms: 7_000,
};

courier_contract!(by_simulation, simulated);
driving_contract!(by_simulation_driving, simulated_driving);
courier_contract!(by_hand, none);
