//! A courier that plays one, for trying things out.
//!
//! Its plan for a delivery follows from the delivery's id and the time of the request, and what
//! it has done so far from the clock: it needs no memory, and a restart changes nothing.

use async_trait::async_trait;
use domain::delivery::{Assignment, Progress};
use domain::values::{DriverName, Timestamp};

use super::{Courier, CourierError, Job, Update};

/// How long each step takes, in milliseconds after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// From the request until a driver is assigned.
    pub assign_ms: u64,
    /// Until the goods leave; half-way there the estimated time moves.
    pub dispatch_ms: u64,
    /// Until they arrive.
    pub deliver_ms: u64,
}

/// A courier that plays one.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedCourier {
    steps: Steps,
}

/// Names that nobody in particular has.
const DRIVERS: [&str; 8] = [
    "Driver Ash",
    "Driver Birch",
    "Driver Cedar",
    "Driver Elm",
    "Driver Hazel",
    "Driver Maple",
    "Driver Oak",
    "Driver Rowan",
];

impl SimulatedCourier {
    /// A courier that takes its steps as `steps` says.
    pub fn new(steps: Steps) -> Self {
        Self { steps }
    }

    /// Every step of a delivery, with its time.
    fn plan(&self, job: &Job) -> Vec<(Timestamp, Progress)> {
        let Steps {
            assign_ms,
            dispatch_ms,
            deliver_ms,
        } = self.steps;
        let assigned = job.requested_at.plus_ms(assign_ms);
        let moved = assigned.plus_ms(dispatch_ms / 2);
        let dispatched = assigned.plus_ms(dispatch_ms);
        let delivered = dispatched.plus_ms(deliver_ms);
        // The id is a hash already; its bytes are as good as drawn.
        let [drawn, .., driver] = *job.delivery_id.0.as_bytes();
        let minutes = 30 + u64::from(drawn) % 31;
        let eta = assigned.plus_ms(minutes * 60_000);
        let driver = DRIVERS[usize::from(driver) % DRIVERS.len()];
        let Ok(driver_name) = DriverName::try_from(driver.to_owned()) else {
            return vec![];
        };
        let assign = Progress::Assign(Assignment {
            driver_name,
            estimated_delivery_time: eta,
        });
        let move_eta = Progress::MoveEta {
            estimated_delivery_time: eta.plus_ms(5 * 60_000),
        };
        vec![
            (assigned, assign),
            (moved, move_eta),
            (dispatched, Progress::Dispatch),
            (delivered, Progress::Deliver),
        ]
    }
}

#[async_trait]
impl Courier for SimulatedCourier {
    async fn ask(&self, job: &Job, now: Timestamp) -> Result<Update, CourierError> {
        let plan = self.plan(job);
        let ask_again = plan.iter().map(|(at, _)| *at).find(|at| *at > now);
        let taken = plan.into_iter().take_while(|(at, _)| *at <= now);
        Ok(Update {
            steps: taken.map(|(_, step)| step).collect(),
            ask_again,
        })
    }

    /// Called-off deliveries are remembered by their stream, which takes no more steps.
    async fn call_off(&self, _: &Job) -> Result<(), CourierError> {
        Ok(())
    }
}
