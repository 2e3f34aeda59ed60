//! What an order holds as it stands: what stays behind where a fact of it is given up.

use domain::inventory::reservation;
use domain::values::OrderId;
use domain::{delivery, payment};

use super::explain::{History, States};
use super::{ToolError, Tools};

impl Tools {
    /// What `order` holds, a sentence each.
    pub(super) async fn held_by(&self, order: OrderId) -> Result<Vec<String>, ToolError> {
        let History { facts, unreadable } = self.history(order).await?;
        let states = States::of(&facts);
        let mut held = vec![];
        if !facts.is_empty() && !states.order.is_over() {
            held.push("the order is open, and may stay so".to_owned());
        }
        held.extend(stock(&states.reservation));
        held.extend(money(&states.payment, states.order.is_over()));
        held.extend(goods(&states.delivery));
        let unread = |fact| format!("what {fact} changed is not known here");
        held.extend(unreadable.into_iter().map(unread));
        Ok(held)
    }
}

fn stock(state: &reservation::State) -> Option<String> {
    use reservation::State;
    match state {
        State::Held(lines) => {
            let lines = lines.iter();
            let lines: Vec<_> = lines
                .map(|line| format!("{} x {}", line.quantity, line.sku))
                .collect();
            Some(format!("stock is held: {}", lines.join(", ")))
        }
        State::None | State::Rejected | State::Released | State::Shipped(_) | State::Returned => {
            None
        }
    }
}

fn money(state: &payment::State, is_over: bool) -> Option<String> {
    use payment::State;
    let (what, charge) = match state {
        State::Asked { charge, .. } => ("the provider was asked to hold", charge),
        State::Authorized(charge)
        | State::Capturing { charge, .. }
        | State::CaptureFailed(charge)
        | State::Voiding { charge, .. } => ("the provider holds", charge),
        State::Captured(charge) if !is_over => ("the provider took", charge),
        State::Refunding { charge, .. } => ("the provider is to give back", charge),
        State::None | State::Failed | State::Captured(_) | State::Voided | State::Refunded => {
            return None;
        }
    };
    let (amount, currency) = (charge.amount, charge.currency);
    Some(format!("{what} {amount} {currency} (in its minor units)"))
}

fn goods(state: &delivery::State) -> Option<String> {
    use delivery::State;
    match state {
        State::Requested { .. } | State::Assigned { .. } | State::Dispatched { .. } => {
            Some(format!("a delivery is {}", state.name()))
        }
        State::None | State::Delivered { .. } | State::Failed { .. } | State::Cancelled => None,
    }
}
