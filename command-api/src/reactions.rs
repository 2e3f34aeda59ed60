//! What a service does with the facts of others: the part of the order process that is its own.

use std::sync::Arc;

use async_trait::async_trait;
use domain::process::{Command, Reaction, When, react};
use domain::values::OrderId;
use domain::{Category, Decider, Fact, Recorded, Service, StreamId, Task};
use infra::Origin;
use infra::cache::{Cache, lives};
use infra::clock;
use infra::consumer::Take;
use infra::event_store::{Append, AppendError, DueRow};
use infra::failure::Failure;
use infra::handler::{HandleError, Handler};
use infra::telemetry::trace::{self, Kind};

use crate::inventory_batch::Reservations;
use crate::services::{Outside, Services};

/// Whose facts a service takes: those for which the process has a command for it.
pub fn topics_of(service: Service) -> &'static [Service] {
    use Service::{Delivery, Inventory, Order, Payment};
    match service {
        Order => &[Inventory, Delivery],
        Inventory => &[Order, Payment, Delivery],
        Payment => &[Inventory, Delivery],
        Delivery => &[Order, Payment],
    }
}

/// The reactions of one service.
pub struct Reactions {
    service: Service,
    services: Services,
    reservations: Option<Reservations>,
    cache: Arc<dyn Cache>,
}

impl Reactions {
    /// The reactions of `service`; those of the inventory need a decider of reservations.
    pub fn new(
        services: &Services,
        service: Service,
        reservations: Option<Reservations>,
        outside: &Outside,
    ) -> Self {
        Self {
            service,
            services: services.clone(),
            reservations,
            cache: outside.cache.clone(),
        }
    }

    async fn carry_out(&self, fact: &Recorded, reaction: Reaction) -> Result<(), Failure> {
        let origin = Origin::of_fact(reaction.command_id, fact, clock::now());
        if let When::AfterMs(ms) = reaction.when {
            return self.schedule(&reaction, origin, ms).await;
        }
        let Services {
            order,
            payment,
            delivery,
            ..
        } = &self.services;
        let id = reaction.order;
        match reaction.command {
            Command::Order(command) => handle(order, Category::Order, id, command, &origin).await,
            Command::Inventory(command) => match &self.reservations {
                Some(reservations) => reservations.decide(id, command, origin).await,
                None => Err(Failure::Unavailable("the stock has no decider here".into())),
            },
            Command::Payment(command) => {
                handle(payment, Category::Payment, id, command, &origin).await
            }
            Command::Delivery(command) => {
                handle(delivery, Category::Delivery, id, command, &origin).await
            }
        }
    }

    /// The row is the reaction's durable effect. The only command with a time is the order's
    /// deadline, which matters only while no delivery was ever requested or called off.
    async fn schedule(&self, reaction: &Reaction, origin: Origin, ms: u64) -> Result<(), Failure> {
        let request = Append {
            expect: vec![(StreamId::of(Category::Delivery, reaction.order), 0)],
            opens: vec![DueRow {
                order: reaction.order,
                task: Task::Deadline,
                opened_at: origin.at,
                not_before: origin.at.plus_ms(ms),
                failures: 0,
                attempts: 0,
                problem: None,
                parked: false,
                origin,
            }],
            ..Append::default()
        };
        infra::crash_point!("reaction.before-schedule");
        let appended = self.services.store(Service::Delivery).append(request).await;
        infra::crash_point!("reaction.after-schedule");
        match appended {
            Ok(_) | Err(AppendError::Conflict(_)) => Ok(()),
            Err(AppendError::Store(e)) => Err(e.into()),
            Err(e @ (AppendError::Invalid(_) | AppendError::Repeated(_))) => {
                Err(Failure::permanent("invalid", e.to_string()))
            }
        }
    }

    /// The mark of a fact that the payment service has taken: one that comes again is then
    /// passed over without a look at its stream.
    fn mark_of(&self, fact: &Recorded) -> Option<String> {
        (self.service == Service::Payment).then(|| format!("payment:dedup:{}", fact.id))
    }
}

async fn handle<D: Decider>(
    handler: &Handler<D>,
    category: Category,
    order: OrderId,
    command: D::Command,
    origin: &Origin,
) -> Result<(), Failure>
where
    Fact: From<D::Event>,
    D::Event: TryFrom<Fact>,
{
    let stream = StreamId::of(category, order);
    let handled = handler.handle(&stream, &[command], origin, None).await;
    handled.map(drop).map_err(HandleError::into_failure)
}

#[async_trait]
impl Take for Reactions {
    async fn take(&self, fact: &Recorded) -> Result<(), Failure> {
        let mut own = react(fact)
            .into_iter()
            .filter(|reaction| reaction.command.service() == self.service)
            .peekable();
        if own.peek().is_none() {
            return Ok(());
        }
        let mark = self.mark_of(fact);
        if let Some(mark) = &mark
            && self.cache.is_marked(mark).await
        {
            return Ok(());
        }
        let work = trace::of_fact(Kind::Consumer, "react", fact);
        work.note("waybill.group", self.service.name());
        let carry_out = async {
            for reaction in own {
                self.carry_out(fact, reaction).await?;
            }
            Ok::<_, Failure>(())
        };
        let carried_out = work.run(carry_out).await;
        carried_out.inspect_err(|e| work.failed(e))?;
        if let Some(mark) = &mark {
            infra::crash_point!("reaction.before-mark");
            self.cache.mark(mark, lives::DEDUP).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_service_takes_its_own_facts() {
        for service in Service::ALL {
            assert!(!topics_of(service).contains(&service));
        }
    }
}
