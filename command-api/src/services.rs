//! The only list of services, and what each runs in the background.

use std::sync::Arc;

use domain::Service;
use domain::delivery::Delivery;
use domain::inventory::stock::Stock;
use domain::order::Order;
use domain::payment::Payment;
use infra::bus::{Bus, Publisher};
use infra::cache::Cache;
use infra::consumer::{Consumer, Take};
use infra::courier::Courier;
use infra::due::{DueRunner, RunTask};
use infra::event_store::EventStore;
use infra::handler::Handler;
use infra::lease::{LeaseHolder, Terms};
use infra::monitor::Monitor;
use infra::payment_provider::PaymentProvider;
use infra::redrive::Redriver;
use infra::relay::{self, Relay, RelayStatus};
use infra::tasks::Tasks;
use tokio_util::sync::CancellationToken;

use crate::effects::{DeliveryEffects, PaymentEffects};
use crate::inventory_batch::Reservations;
use crate::reactions::{Reactions, topics_of};

/// What the services need of the outside.
#[derive(Clone)]
pub struct Outside {
    /// How facts come in.
    pub bus: Arc<dyn Bus>,
    /// How facts go out, where the log itself is not the bus.
    pub publisher: Option<Arc<dyn Publisher>>,
    /// What makes things faster.
    pub cache: Arc<dyn Cache>,
    /// Who holds and takes the money.
    pub provider: Arc<dyn PaymentProvider>,
    /// Who brings the goods.
    pub courier: Arc<dyn Courier>,
}

/// The time for which a process has a lease.
#[derive(Clone)]
struct Term {
    /// The process.
    owner: String,
    /// Of the lease: grows with every change of holder.
    epoch: u64,
    /// Cancelled when it is over.
    end: CancellationToken,
}

/// The four services of the command side.
#[derive(Clone)]
pub struct Services {
    stores: [Arc<dyn EventStore>; 4],
    pub(crate) order: Arc<Handler<Order>>,
    pub(crate) stock: Arc<Handler<Stock>>,
    pub(crate) payment: Arc<Handler<Payment>>,
    pub(crate) delivery: Arc<Handler<Delivery>>,
}

impl Services {
    /// The services over their stores, in the order of [`Service::ALL`].
    pub fn new(stores: [Arc<dyn EventStore>; 4]) -> Self {
        let [order, inventory, payment, delivery] = stores.clone();
        Self {
            order: Arc::new(Handler::new(order)),
            stock: Arc::new(Handler::new(inventory).from_last_fact()),
            payment: Arc::new(Handler::new(payment)),
            delivery: Arc::new(Handler::new(delivery)),
            stores,
        }
    }

    /// The store of a service.
    pub fn store(&self, service: Service) -> &Arc<dyn EventStore> {
        let [order, inventory, payment, delivery] = &self.stores;
        match service {
            Service::Order => order,
            Service::Inventory => inventory,
            Service::Payment => payment,
            Service::Delivery => delivery,
        }
    }

    /// The stores of all services.
    pub fn stores(&self) -> &[Arc<dyn EventStore>] {
        &self.stores
    }

    /// The payment service's commands.
    pub fn payment(&self) -> &Handler<Payment> {
        &self.payment
    }

    /// Runs the reactions and tasks of `service` in the background, as `holder`, and relays its
    /// log.
    ///
    /// Reactions run in every process, but those of the inventory: only the holder of its lease
    /// takes them, since one decider of the stock does the work of many. Tasks are run, the log
    /// is relayed and parked facts are taken up again by the holder of the service's lease.
    pub fn run(
        &self,
        service: Service,
        outside: &Outside,
        terms: Terms,
        holder: &str,
        tasks: &Tasks,
    ) {
        if service != Service::Inventory {
            let take = Reactions::new(self, service, None, outside);
            let consumer = self.consumer(service, outside, Arc::new(take));
            tasks.spawn("reactions", consumer.run(tasks.stopping()));
        }
        let lease = LeaseHolder {
            store: self.store(service).clone(),
            name: relay::LEASE,
            holder: holder.to_owned(),
            terms,
        };
        let (services, outside) = (self.clone(), outside.clone());
        let owner = holder.to_owned();
        let held = lease.run(tasks.stopping(), move |epoch, end| {
            let (services, outside) = (services.clone(), outside.clone());
            let owner = owner.clone();
            let term = Term { owner, epoch, end };
            let relayed = services
                .clone()
                .relay(service, outside.clone(), term.clone());
            let monitored = services.monitor(service, &outside).run(term.end.clone());
            let own = services.hold(service, outside, term);
            async {
                tokio::join!(relayed, own, monitored);
            }
        });
        tasks.spawn("lease", held);
    }

    /// Where the log itself is the bus there is nothing to relay.
    async fn relay(self, service: Service, outside: Outside, term: Term) {
        if let Some(publisher) = outside.publisher {
            let relay = Relay {
                store: self.store(service).clone(),
                publisher,
                status: RelayStatus::default(),
                recheck: relay::RECHECK,
            };
            relay.run(term.epoch, term.end).await;
        }
    }

    /// What only the holder of the lease does, beside relaying.
    async fn hold(self, service: Service, outside: Outside, term: Term) {
        match service {
            Service::Inventory => self.decide_stock(outside, term.end).await,
            Service::Order | Service::Payment | Service::Delivery => {
                let take = Arc::new(Reactions::new(&self, service, None, &outside));
                let redriver = self.redriver(service, &outside, take);
                let redriving = redriver.run(term.end.clone());
                tokio::join!(redriving, self.run_tasks(service, outside, term));
            }
        }
    }

    async fn decide_stock(self, outside: Outside, end: CancellationToken) {
        let (reservations, decider) = Reservations::new(self.store(Service::Inventory).clone());
        let take = Reactions::new(&self, Service::Inventory, Some(reservations), &outside);
        let take: Arc<dyn Take> = Arc::new(take);
        let redriver = self.redriver(Service::Inventory, &outside, take.clone());
        let consumer = self.consumer(Service::Inventory, &outside, take);
        // The decider ends when the two others, which hold the way to it, have ended.
        tokio::join!(consumer.run(end.clone()), redriver.run(end), decider.run());
    }

    async fn run_tasks(self, service: Service, outside: Outside, term: Term) {
        let run: Arc<dyn RunTask> = match service {
            Service::Payment => Arc::new(PaymentEffects {
                payment: self.payment.clone(),
                provider: outside.provider,
                cache: outside.cache,
                owner: term.owner,
                epoch: term.epoch,
            }),
            Service::Delivery => Arc::new(DeliveryEffects {
                delivery: self.delivery.clone(),
                courier: outside.courier,
            }),
            Service::Order | Service::Inventory => return,
        };
        let store = self.store(service).clone();
        DueRunner { store, run }.run(term.end).await;
    }

    fn monitor(&self, service: Service, outside: &Outside) -> Monitor {
        Monitor {
            group: service.name().to_owned(),
            topics: topics_of(service).to_vec(),
            bus: outside.bus.clone(),
            parked: self.store(service).clone(),
            tasks: Some(self.store(service).clone()),
            progress: None,
        }
    }

    fn redriver(&self, service: Service, outside: &Outside, take: Arc<dyn Take>) -> Redriver {
        let store = self.store(service).clone();
        Redriver {
            group: service.name().to_owned(),
            parked: store,
            logs: self.stores.to_vec(),
            bus: outside.bus.clone(),
            take,
            in_order: true,
        }
    }

    fn consumer(&self, service: Service, outside: &Outside, take: Arc<dyn Take>) -> Consumer {
        Consumer {
            group: service.name().to_owned(),
            topics: topics_of(service).to_vec(),
            bus: outside.bus.clone(),
            store: self.store(service).clone(),
            take,
        }
    }
}
