//! What the clauses publish, and how they take it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::inventory::stock;
use domain::values::{DeliveryId, OrderId, Reason};
use domain::{Fact, Recorded, Sequence, Service, StreamId, delivery, order, payment};
use infra::bus::{BusError, Delivered, Partition, Polled, Subscription};
use tokio::time::timeout;

use crate::contract::event_store::given::{order_context, second};

/// The longest that records may take to come: far more than they do.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Records of one poll.
pub const MANY: usize = 500;

/// A fact of an order, or for the inventory of a SKU of that name, on a service's topic.
pub fn fact(topic: Service, order: OrderId, sequence: Sequence) -> Recorded {
    let reason = Reason::try_from(format!("é {sequence}")).unwrap();
    let fact: Fact = match topic {
        Service::Order => order::Event::Cancelled { reason }.into(),
        Service::Inventory => stock::Event::Received {
            quantity: sequence.try_into().unwrap(),
            after: stock::State::default(),
        }
        .into(),
        Service::Payment => payment::Event::UndoRequested { reason }.into(),
        Service::Delivery => delivery::Event::Failed {
            delivery_id: DeliveryId::of(order),
            reason,
        }
        .into(),
    };
    let stream = StreamId::of(fact.category(), order);
    Recorded {
        id: stream.fact(sequence),
        position: 0,
        time: second(sequence as i64),
        correlation: order.to_string(),
        causation: order.derive("command").to_string(),
        order: (topic != Service::Inventory).then(order_context),
        traceparent: None,
        fact,
        written: None,
    }
}

/// Facts `sequences` of an order.
pub fn facts(
    topic: Service,
    order: OrderId,
    sequences: impl IntoIterator<Item = Sequence>,
) -> Vec<Recorded> {
    let one = |sequence| fact(topic, order, sequence);
    sequences.into_iter().map(one).collect()
}

/// What a record says, without its place on the bus and its bytes.
pub fn read(record: &Delivered) -> Recorded {
    let read = record.decode().unwrap();
    Recorded {
        position: 0,
        written: None,
        ..read
    }
}

/// What records say.
pub fn read_all(records: &[Delivered]) -> Vec<Recorded> {
    records.iter().map(read).collect()
}

/// What records say, by key.
pub fn by_key(records: &[Delivered]) -> BTreeMap<String, Vec<Recorded>> {
    let mut keys: BTreeMap<String, Vec<Recorded>> = BTreeMap::new();
    for record in records {
        keys.entry(record.key.clone())
            .or_default()
            .push(read(record));
    }
    keys
}

/// Polls until records come.
pub async fn records(
    subscription: &mut Box<dyn Subscription>,
    max: usize,
) -> Result<Vec<Delivered>, BusError> {
    loop {
        if let Polled::Records(records) = subscription.poll(max).await? {
            return Ok(records);
        }
    }
}

/// Polls once, with patience.
pub async fn poll(subscription: &mut Box<dyn Subscription>, max: usize) -> Vec<Delivered> {
    let polled = timeout(PATIENCE, records(subscription, max)).await;
    polled.expect("nothing more comes").unwrap()
}

/// Polls until `count` records have come.
pub async fn take(subscription: &mut Box<dyn Subscription>, count: usize) -> Vec<Delivered> {
    let mut taken = vec![];
    while taken.len() < count {
        match timeout(PATIENCE, records(subscription, MANY)).await {
            Ok(more) => taken.extend(more.unwrap()),
            Err(_) => panic!("{count} were expected, no more come than {taken:#?}"),
        }
    }
    taken
}

/// Polls until that fact has come, which is the last of its key; whatever was to come before it
/// has come then.
pub async fn take_until(
    subscription: &mut Box<dyn Subscription>,
    last: &Recorded,
) -> Vec<Recorded> {
    let mut taken = vec![];
    while !taken.contains(last) {
        match timeout(PATIENCE, records(subscription, MANY)).await {
            Ok(more) => taken.extend(read_all(&more.unwrap())),
            Err(_) => panic!("{last:?} does not come, only {taken:#?}"),
        }
    }
    taken
}

/// The offsets with which all of these are done with.
pub fn past(records: &[Delivered]) -> Vec<(Partition, i64)> {
    let mut next: BTreeMap<Partition, i64> = BTreeMap::new();
    for record in records {
        let next = next.entry(record.partition).or_default();
        *next = record.offset + 1;
    }
    next.into_iter().collect()
}
