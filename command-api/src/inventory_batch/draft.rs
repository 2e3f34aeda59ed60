//! Reservations of one batch, decided one after the other.

use std::collections::HashMap;

use domain::inventory::{hold, reservation, stock};
use domain::values::{OrderId, Sku, Timestamp};
use domain::{Category, Fact, OrderContext, Recorded, Refusal, Sequence, StreamId};
use infra::Origin;
use infra::event_store::Append;
use infra::failure::Failure;
use infra::handler::with_agenda;

use super::{Ask, stock_stream};

/// A stream as far as it is known.
#[derive(Clone, Default)]
pub struct Head<S> {
    pub state: S,
    pub version: Sequence,
    pub last_time: Option<Timestamp>,
}

/// A batch as it is decided.
pub struct Draft<'a> {
    pub reservations: &'a HashMap<OrderId, Head<reservation::State>>,
    pub stock: &'a HashMap<Sku, Head<stock::State>>,
    /// What is expected of a stream is what is known of it; this is what it will be.
    pub touched_reservations: HashMap<OrderId, Head<reservation::State>>,
    pub touched_stock: HashMap<Sku, Head<stock::State>>,
    pub request: Append,
}

impl Draft<'_> {
    /// Decides one more, over what those before it leave.
    pub fn decide(&mut self, (order, command, origin): &Ask) -> Result<(), Failure> {
        let mut head = self.reservation(*order);
        let holds = matches!(command, reservation::Command::Hold { .. });
        if holds && infra::planted!("again-on-a-repeat") {
            head.state = reservation::State::None;
        }
        let decision = hold::decide(*order, &head.state, command.clone(), |sku| {
            self.stock_of(sku).state
        });
        let decision = match decision {
            Ok(decision) => decision,
            Err(Refusal::Impossible(broken)) => {
                return Err(Failure::permanent("invariant", broken.to_string()));
            }
            Err(Refusal::Rejected(never)) => match never {},
        };
        let Some(event) = decision.reservation else {
            return Ok(());
        };
        let mut facts = Vec::with_capacity(1 + decision.stock.len());
        if let reservation::Event::Rejected { short, .. } = &event {
            // What is rejected rests on these counters.
            for shortage in short {
                let looked_at = self.stock_of(&shortage.sku);
                self.touched_stock.insert(shortage.sku.clone(), looked_at);
            }
        }
        head.state = head.state.evolve(&event);
        let stream = StreamId::of(Category::Reservation, *order);
        facts.push(head.record(&stream, event.into(), origin));
        self.touched_reservations.insert(*order, head);
        for (sku, event) in decision.stock {
            let mut head = self.stock_of(&sku);
            head.state = event.after();
            facts.push(head.record(&stock_stream(&sku), event.into(), origin));
            self.touched_stock.insert(sku, head);
        }
        let one = with_agenda(&facts, origin);
        self.request.facts.extend(one.facts);
        Ok(())
    }

    fn reservation(&self, order: OrderId) -> Head<reservation::State> {
        let head = self.touched_reservations.get(&order);
        head.or_else(|| self.reservations.get(&order))
            .cloned()
            .unwrap_or_default()
    }

    fn stock_of(&self, sku: &Sku) -> Head<stock::State> {
        let head = self.touched_stock.get(sku);
        head.or_else(|| self.stock.get(sku))
            .cloned()
            .unwrap_or_default()
    }
}

impl<S> Head<S> {
    fn record(&mut self, stream: &StreamId, fact: Fact, origin: &Origin) -> Recorded {
        let time = origin.fact_time(self.last_time);
        self.version += 1;
        self.last_time = Some(time);
        let order: Option<OrderContext> = origin.order.clone();
        Recorded {
            id: stream.fact(self.version),
            position: 0,
            time,
            correlation: origin.correlation.clone(),
            causation: origin.causation.clone(),
            order,
            traceparent: origin.traceparent.clone(),
            fact,
            written: None,
        }
    }
}
