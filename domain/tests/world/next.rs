//! What may happen next in a world.

use domain::payment::Settlement;
use domain::{Task, delivery};

use crate::model::World;
use crate::outside::{CALLS, gives_back};
use crate::side::Side;
use crate::step::{Report, Step};

/// What will happen sooner or later, the road to a completed order first. A world without any is
/// at rest.
pub fn owed(world: &World) -> Vec<Step> {
    let mut steps = vec![];
    for side in &world.orders {
        let order = side.number;
        if side.facts().next().is_none() {
            steps.push(Step::Place { order });
        }
        steps.extend(
            side.deliverable()
                .map(|(from, to)| Step::Deliver { order, from, to }),
        );
        for (task, granted) in answers(world, side) {
            steps.push(Step::Answer {
                order,
                task,
                granted,
            });
        }
        // Who has to give money back and will not is called by an operator.
        let kept = BY_HAND.into_iter().filter(|(task, _)| {
            let open = side.is_open(*task);
            open && side.provider.keeps(*task)
        });
        steps.extend(kept.map(|(_, outcome)| Step::Settle { order, outcome }));
        if side.is_open(Task::Courier) {
            steps.extend(reports(world, side));
            if side.courier.is_ahead() {
                steps.push(Step::CourierHeard { order });
            }
        }
        if side.is_open(Task::CallOff) {
            steps.push(Step::CallOff { order });
        }
        if side.is_open(Task::Deadline) {
            steps.push(Step::Deadline { order });
        }
    }
    steps
}

/// What may happen besides, or may not.
pub fn possible(world: &World) -> Vec<Step> {
    let mut steps = vec![];
    for side in &world.orders {
        let (order, wish) = (side.number, &world.setting.orders[side.number]);
        if wish.lossy {
            let unheard = answers(world, side)
                .into_iter()
                .filter(|(task, _)| side.provider.answered(*task).is_none());
            steps.extend(unheard.map(|(task, granted)| Step::AnswerLost {
                order,
                task,
                granted,
            }));
        }
        if wish.lossy && side.is_open(Task::Courier) {
            let may = side.courier.may(wish.failures, wish.eta_moves);
            let unheard = |report| Step::CourierLost { order, report };
            steps.extend(may.into_iter().map(unheard));
        }
        // What the courier says late crosses whatever was decided meanwhile.
        if !side.is_open(Task::Courier) {
            steps.extend(reports(world, side));
            if side.courier.is_ahead() {
                steps.push(Step::CourierHeard { order });
            }
        }
        let asked = side.facts().any(|fact| fact.name() == ASKED);
        if wish.cancel && !asked {
            steps.push(Step::Cancel { order });
        }
        if wish.by_hand {
            for (task, outcome) in BY_HAND {
                if !side.is_open(task) {
                    continue;
                }
                let answer = |granted| Step::Answer {
                    order,
                    task,
                    granted,
                };
                if side.provider.keeps(task) {
                    // Asked again and again it may give in; that it refuses again changes nothing.
                    steps.extend([answer(true), answer(false)]);
                    continue;
                }
                steps.push(Step::Settle { order, outcome });
                if side.provider.answered(task).is_none() {
                    steps.push(answer(false));
                }
            }
        }
        if wish.meddled && side.delivery != delivery::State::None {
            steps.extend(Report::ALL.map(|report| Step::Record { order, report }));
        }
    }
    let receipts = world.arrived.iter().enumerate();
    let to_come = receipts.filter(|(_, arrived)| !**arrived);
    steps.extend(to_come.map(|(receipt, _)| Step::Receive { receipt }));
    steps
}

const ASKED: &str = "order.cancellation-requested";

/// What an operator may do at the provider by hand.
const BY_HAND: [(Task, Settlement); 2] = [
    (Task::Void, Settlement::Voided),
    (Task::Refund, Settlement::Refunded),
];

/// The calls that are open, and the answers that end them: what the provider answered before, or
/// what it likes. What it refuses to give back stays open, and is an operator's.
fn answers(world: &World, side: &Side) -> Vec<(Task, bool)> {
    let refusals = world.setting.orders[side.number].refusals;
    let open = CALLS.into_iter().filter(|task| side.is_open(*task));
    open.flat_map(|task| match side.provider.answered(task) {
        Some(_) if side.provider.keeps(task) => vec![],
        Some(granted) => vec![(task, granted)],
        None if refusals && !gives_back(task) => vec![(task, true), (task, false)],
        None => vec![(task, true)],
    })
    .collect()
}

fn reports(world: &World, side: &Side) -> Vec<Step> {
    let (order, wish) = (side.number, &world.setting.orders[side.number]);
    let may = side.courier.may(wish.failures, wish.eta_moves);
    let step = |report| Step::Courier { order, report };
    may.into_iter().map(step).collect()
}
