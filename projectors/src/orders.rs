//! All logs, merged by order: every fact of an order at once, order by order, in memory that does not
//! grow with the logs.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::values::OrderId;
use domain::{Category, FactId, Recorded, Sequence, StreamId};
use futures::future::try_join_all;
use infra::codec::{self, Unreadable};
use infra::event_store::{EventStore, StoreError, StoredFact};

/// Facts that are read of a log at a time: larger pages gain nothing, and four of them take some
/// 5 MB.
const PAGE: usize = 2000;

/// The facts of an order.
#[derive(Debug, Default)]
pub struct OfOrder {
    /// The text of its id, which the streams share.
    pub id: String,
    /// Those that can be read, stream by stream and in order.
    pub facts: Vec<Recorded>,
    /// Those that cannot.
    pub unreadable: Vec<(FactId, Unreadable)>,
}

impl OfOrder {
    fn take(&mut self, fact: &StoredFact) {
        match codec::decode(fact) {
            Ok(recorded) => self.facts.push(recorded),
            Err(e) => self.unreadable.push((fact.id.clone(), e)),
        }
    }

    /// How many facts there are.
    pub fn len(&self) -> usize {
        self.facts.len() + self.unreadable.len()
    }
}

/// Reads the logs from an order on.
pub struct Orders {
    streams: Vec<Streams>,
}

impl Orders {
    /// The orders whose ids sort behind `after`; all of them without it.
    pub fn behind(logs: &[Arc<dyn EventStore>], after: Option<&str>) -> Self {
        let streams = Category::OF_ORDERS.into_iter().filter_map(|category| {
            let log = log_of(logs, category)?;
            Some(Streams {
                log: log.clone(),
                category,
                after: after.map(|id| end_of(category, id)),
                page: VecDeque::new(),
                over: false,
            })
        });
        Self {
            streams: streams.collect(),
        }
    }

    /// The next order, by the bytes of its id.
    ///
    /// # Errors
    /// [`StoreError`]; what comes next is then not known, and reading begins anew.
    pub async fn next(&mut self) -> Result<Option<OfOrder>, StoreError> {
        for streams in &mut self.streams {
            streams.fill().await?;
        }
        let heads = self.streams.iter().filter_map(Streams::head);
        let Some(id) = heads.min().map(ToOwned::to_owned) else {
            return Ok(None);
        };
        let mut order = OfOrder {
            id,
            ..OfOrder::default()
        };
        for streams in &mut self.streams {
            while streams.head() == Some(&*order.id) {
                if let Some(fact) = streams.page.pop_front() {
                    order.take(&fact);
                }
                streams.fill().await?;
            }
        }
        Ok(Some(order))
    }

    /// The next orders, `orders` at most; none at the end.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn some(&mut self, orders: usize) -> Result<Vec<OfOrder>, StoreError> {
        let mut some = Vec::with_capacity(orders);
        while some.len() < orders {
            match self.next().await? {
                Some(order) => some.push(order),
                None => break,
            }
        }
        Ok(some)
    }
}

/// Everything that the logs have about an order now.
///
/// # Errors
/// [`StoreError`]
pub async fn facts_of(logs: &[Arc<dyn EventStore>], order: OrderId) -> Result<OfOrder, StoreError> {
    let mut of_order = OfOrder {
        id: order.to_string(),
        ..OfOrder::default()
    };
    let reads = Category::OF_ORDERS.into_iter().filter_map(|category| {
        let log = log_of(logs, category)?;
        Some(stream(log.clone(), StreamId::of(category, order)))
    });
    for fact in try_join_all(reads).await?.iter().flatten() {
        of_order.take(fact);
    }
    Ok(of_order)
}

async fn stream(log: Arc<dyn EventStore>, stream: StreamId) -> Result<Vec<StoredFact>, StoreError> {
    let mut facts: Vec<StoredFact> = vec![];
    loop {
        let after = facts.last().map_or(0, |fact| fact.id.sequence);
        let page = log.read_stream(&stream, after, PAGE).await?;
        let last = page.len() < PAGE;
        facts.extend(page);
        if last {
            return Ok(facts);
        }
    }
}

fn log_of(logs: &[Arc<dyn EventStore>], category: Category) -> Option<&Arc<dyn EventStore>> {
    logs.iter().find(|log| log.service() == category.service())
}

/// Behind the last fact that a stream can have.
fn end_of(category: Category, id: &str) -> FactId {
    FactId {
        stream: StreamId {
            category,
            id: id.to_owned(),
        },
        sequence: Sequence::MAX,
    }
}

/// The streams of one kind, one after the other.
struct Streams {
    log: Arc<dyn EventStore>,
    category: Category,
    /// The last fact that was read.
    after: Option<FactId>,
    page: VecDeque<StoredFact>,
    over: bool,
}

impl Streams {
    fn head(&self) -> Option<&str> {
        self.page.front().map(|fact| &*fact.id.stream.id)
    }

    async fn fill(&mut self) -> Result<(), StoreError> {
        if !self.page.is_empty() || self.over {
            return Ok(());
        }
        let after = self.after.as_ref();
        let page = self.log.read_category(self.category, after, PAGE).await?;
        self.over = page.len() < PAGE;
        self.after = page
            .last()
            .map(|fact| fact.id.clone())
            .or(self.after.take());
        self.page.extend(page);
        Ok(())
    }
}
