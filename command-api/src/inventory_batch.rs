//! The one decider of reservations.
//!
//! Reservations of one SKU meet at its stream, where each would conflict with the others. So all
//! that wait are decided here together, one after the other over the counters that the one before
//! leaves, and appended as one: reservations and stock in one transaction, one version check a
//! stream. While that is written the next batch gathers; a lone one waits for nothing.
//!
//! Receipts of goods are appended by others. The version that a batch expects of every stream it
//! looked at, of those it rejects for too, catches them, and the batch is decided again.

mod draft;

use std::collections::HashMap;
use std::sync::Arc;

use domain::inventory::{reservation, stock};
use domain::values::{MAX_LINES, OrderId, Sku};
use domain::{Category, Fact, Recorded, Sequence, StreamId};
use futures::future::try_join_all;
use infra::Origin;
use infra::codec;
use infra::event_store::{Append, AppendError, EventStore, MAX_FACTS, StoredFact};
use infra::failure::Failure;
use infra::telemetry::trace::{self, Kind};
use tokio::sync::{mpsc, oneshot};

use draft::{Draft, Head};

/// Reservations that may wait. Those who send them, the consumer's tasks, are fewer.
const QUEUE: usize = 1024;
/// Reservations of one batch: as many as come in two statements' time. Those of many lines are
/// fewer, and stay below the most facts of a request.
const BATCH: usize = 256;
/// The most facts of a reservation: one for each line of the largest order, and its own.
const FACTS: usize = MAX_LINES + 1;
/// Streams whose heads are kept in memory; past that all are forgotten and read again. Most have
/// a line or none, at some 200 bytes.
const HEADS: usize = 50_000;
/// How often a batch is decided again after a conflict, before its facts are taken again.
const RETRIES: usize = 10;

struct Job {
    order: OrderId,
    command: reservation::Command,
    origin: Origin,
    answer: oneshot::Sender<Result<(), Failure>>,
}

/// The way to the decider.
#[derive(Clone)]
pub struct Reservations {
    queue: mpsc::Sender<Job>,
}

impl Reservations {
    /// A decider over the inventory's store, and the way to it. It ends when the last way to it
    /// is dropped.
    pub fn new(store: Arc<dyn EventStore>) -> (Self, Decider) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let decider = Decider {
            store,
            jobs,
            reservations: HashMap::new(),
            stock: HashMap::new(),
        };
        (Self { queue }, decider)
    }

    /// Has a command decided; returns once what it yields is durable.
    pub async fn decide(
        &self,
        order: OrderId,
        command: reservation::Command,
        origin: Origin,
    ) -> Result<(), Failure> {
        // It waits, is decided with others and appended: its share of that cannot be told apart.
        let _until_decided = trace::within(Kind::Client, "decide", "stock");
        let (answer, answered) = oneshot::channel();
        let job = Job {
            order,
            command,
            origin,
            answer,
        };
        let gone = || Failure::Unavailable("the decider of the stock has ended".into());
        self.queue.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Decides what waits.
pub struct Decider {
    store: Arc<dyn EventStore>,
    jobs: mpsc::Receiver<Job>,
    reservations: HashMap<OrderId, Head<reservation::State>>,
    stock: HashMap<Sku, Head<stock::State>>,
}

impl Decider {
    /// Decides until nobody can ask any more.
    pub async fn run(mut self) {
        let size = metrics::histogram!("waybill_reservations_batch_size");
        let queue = metrics::gauge!("waybill_reservations_queue");
        let mut waiting = Vec::with_capacity(BATCH);
        while !waiting.is_empty() || self.jobs.recv_many(&mut waiting, BATCH).await > 0 {
            let fit = of_one_request(&waiting);
            let batch: Vec<_> = waiting.drain(..fit).collect();
            size.record(batch.len() as f64);
            queue.set((waiting.len() + self.jobs.len()) as f64);
            self.decide(batch).await;
            if self.reservations.len() + self.stock.len() > HEADS {
                self.forget();
            }
        }
    }

    fn forget(&mut self) {
        self.reservations.clear();
        self.stock.clear();
    }

    async fn decide(&mut self, jobs: Vec<Job>) {
        let (answers, jobs): (Vec<_>, Vec<_>) = jobs
            .into_iter()
            .map(|job| (job.answer, (job.order, job.command, job.origin)))
            .unzip();
        let results = match self.append(&jobs).await {
            Ok(results) => results,
            Err(Failure::Permanent { .. }) if jobs.len() > 1 => {
                // One of them poisons the batch: each by itself, so that only that one fails.
                let mut results = Vec::with_capacity(jobs.len());
                for job in &jobs {
                    let alone = self.append(std::slice::from_ref(job)).await;
                    results.extend(alone.unwrap_or_else(|failure| vec![Err(failure)]));
                }
                results
            }
            Err(failure) => vec![Err(failure); jobs.len()],
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // The asker may have gone away.
            drop(answer.send(result));
        }
    }

    /// Decides and appends as one. The outer error is that of the batch, the inner ones are those
    /// of single commands.
    async fn append(&mut self, jobs: &[Ask]) -> Result<Vec<Result<(), Failure>>, Failure> {
        for attempt in 0..RETRIES {
            self.load(jobs, attempt == 0).await?;
            let mut draft = Draft {
                reservations: &self.reservations,
                stock: &self.stock,
                touched_reservations: HashMap::new(),
                touched_stock: HashMap::new(),
                request: Append::default(),
            };
            let results: Vec<_> = jobs.iter().map(|job| draft.decide(job)).collect();
            let Draft {
                touched_reservations,
                touched_stock,
                mut request,
                ..
            } = draft;
            if request.facts.is_empty() {
                return Ok(results);
            }
            request.expect = self.expected(&touched_reservations, &touched_stock);
            infra::crash_point!("inventory.before-append");
            match self.store.append(request).await {
                Ok(_) => {
                    infra::crash_point!("inventory.after-append");
                    self.reservations.extend(touched_reservations);
                    self.stock.extend(touched_stock);
                    return Ok(results);
                }
                Err(AppendError::Conflict(_)) => {
                    self.forget_all_of(&touched_reservations, &touched_stock)
                }
                Err(AppendError::Store(e)) => {
                    self.forget();
                    return Err(e.into());
                }
                Err(e @ (AppendError::Invalid(_) | AppendError::Repeated(_))) => {
                    return Err(Failure::permanent("invalid", e.to_string()));
                }
            }
        }
        Err(Failure::Unavailable("the stock is too busy".into()))
    }

    fn expected(
        &self,
        reservations: &HashMap<OrderId, Head<reservation::State>>,
        stock: &HashMap<Sku, Head<stock::State>>,
    ) -> Vec<(StreamId, Sequence)> {
        let orders = reservations.keys().map(|order| {
            let version = self.reservations.get(order).map_or(0, |head| head.version);
            (StreamId::of(Category::Reservation, *order), version)
        });
        let skus = stock.keys().map(|sku| {
            let version = self.stock.get(sku).map_or(0, |head| head.version);
            (stock_stream(sku), version)
        });
        orders.chain(skus).collect()
    }

    fn forget_all_of(
        &mut self,
        reservations: &HashMap<OrderId, Head<reservation::State>>,
        stock: &HashMap<Sku, Head<stock::State>>,
    ) {
        self.reservations
            .retain(|order, _| !reservations.contains_key(order));
        self.stock.retain(|sku, _| !stock.contains_key(sku));
    }

    /// Loads what the jobs need and is not known. What is to hold has mostly no reservation yet: at
    /// first it is taken as having none, and the version that the batch expects tells.
    async fn load(&mut self, jobs: &[Ask], first: bool) -> Result<(), Failure> {
        let is_needed = |(_, command, _): &&Ask| match command {
            reservation::Command::Hold { .. } => !first,
            reservation::Command::Ship | reservation::Command::Undo { .. } => true,
        };
        let needed = jobs.iter().filter(is_needed);
        let mut orders: Vec<OrderId> = needed.map(|(order, ..)| *order).collect();
        orders.sort_unstable();
        orders.dedup();
        orders.retain(|order| !self.reservations.contains_key(order));
        let loaded = try_join_all(orders.iter().map(|order| self.load_reservation(*order))).await?;
        self.reservations.extend(orders.into_iter().zip(loaded));

        let mut skus: Vec<Sku> = jobs.iter().flat_map(|job| self.skus_of(job)).collect();
        skus.sort_unstable();
        skus.dedup();
        skus.retain(|sku| !self.stock.contains_key(sku));
        let loaded = try_join_all(skus.iter().map(|sku| self.load_stock(sku))).await?;
        self.stock.extend(skus.into_iter().zip(loaded));
        Ok(())
    }

    fn skus_of(&self, (order, command, _): &Ask) -> Vec<Sku> {
        let held = match self.reservations.get(order).map(|head| &head.state) {
            Some(reservation::State::Held(lines) | reservation::State::Shipped(lines)) => {
                lines.as_slice()
            }
            _ => &[],
        };
        let wanted = match command {
            reservation::Command::Hold { lines } => lines.as_slice(),
            reservation::Command::Ship | reservation::Command::Undo { .. } => &[],
        };
        held.iter()
            .chain(wanted)
            .map(|line| line.sku.clone())
            .collect()
    }

    async fn load_reservation(&self, order: OrderId) -> Result<Head<reservation::State>, Failure> {
        /// A reservation has at most three facts.
        const ALL: usize = 100;
        let stream = StreamId::of(Category::Reservation, order);
        let mut head: Head<reservation::State> = Head::default();
        for stored in self.store.read_stream(&stream, 0, ALL).await? {
            let (recorded, event) = read::<reservation::Event>(&stored)?;
            head = Head {
                state: head.state.evolve(&event),
                version: recorded.id.sequence,
                last_time: Some(recorded.time),
            };
        }
        Ok(head)
    }

    async fn load_stock(&self, sku: &Sku) -> Result<Head<stock::State>, Failure> {
        let Some(stored) = self.store.read_last(&stock_stream(sku)).await? else {
            return Ok(Head::default());
        };
        let (recorded, event) = read::<stock::Event>(&stored)?;
        Ok(Head {
            state: event.after(),
            version: recorded.id.sequence,
            last_time: Some(recorded.time),
        })
    }
}

/// How many of them, from the first on, fit into one request.
fn of_one_request(waiting: &[Job]) -> usize {
    let facts = waiting.iter().scan(0, |sum, job| {
        *sum += match &job.command {
            reservation::Command::Hold { lines } => lines.len() + 1,
            reservation::Command::Ship | reservation::Command::Undo { .. } => FACTS,
        };
        Some(*sum)
    });
    facts.take_while(|sum| *sum <= MAX_FACTS).count()
}

type Ask = (OrderId, reservation::Command, Origin);

fn stock_stream(sku: &Sku) -> StreamId {
    StreamId {
        category: Category::Stock,
        id: sku.as_str().to_owned(),
    }
}

fn read<E: TryFrom<Fact>>(stored: &StoredFact) -> Result<(Recorded, E), Failure> {
    let recorded = codec::decode(stored)?;
    let event = E::try_from(recorded.fact.clone()).map_err(|_| {
        Failure::permanent(
            "undecodable",
            format!("{} is in the wrong stream", stored.id),
        )
    })?;
    Ok((recorded, event))
}
