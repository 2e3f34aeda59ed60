//! Reading all streams of a category, one after another.

use domain::{Category, FactId, Sequence, Service, StreamId};
use infra::event_store::{EventStore, StoredFact};
use infra::ids;

use super::Stores;
use super::given::*;

/// Ids whose order by bytes is not that of any language, in no order.
const SKUS: [&str; 9] = ["b", "ab", "a-b", "Z", "é", "a", "a b", "a0", "z"];
/// Facts of each stream.
const EACH: Sequence = 5;

/// Stock and reservations, appended in an order that is not that in which they are read.
async fn filled(stores: &impl Stores) -> std::sync::Arc<dyn EventStore> {
    let store = stores.of(Service::Inventory);
    for version in 0..EACH {
        for sku in SKUS {
            store.append(to(&stock(sku), version, 1)).await.unwrap();
        }
        let reservation = StreamId::of(Category::Reservation, ids::order());
        store.append(to(&reservation, 0, 2)).await.unwrap();
    }
    store
}

/// The facts of the stock, as they should be read.
fn expected() -> Vec<FactId> {
    let mut skus = SKUS;
    skus.sort_by_key(|sku| sku.as_bytes());
    let of = |sku| (1..=EACH).map(move |sequence| stock(sku).fact(sequence));
    skus.into_iter().flat_map(of).collect()
}

async fn read(store: &dyn EventStore, after: Option<&FactId>, limit: usize) -> Vec<StoredFact> {
    let read = store.read_category(Category::Stock, after, limit).await;
    read.unwrap()
}

pub async fn a_category_is_read_page_by_page_by_stream_and_sequence(stores: impl Stores) {
    let store = filled(&stores).await;
    let log = log_of(&*store).await;
    for limit in [1, 3, 7, ALL] {
        let (mut facts, mut after) = (vec![], None);
        loop {
            let page = read(&*store, after.as_ref(), limit).await;
            assert!(page.len() <= limit);
            let last = page.len() < limit;
            after = page.last().map(|fact| fact.id.clone()).or(after);
            facts.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(ids_of(&facts), expected(), "pages of {limit}");
        for fact in &facts {
            assert!(log.contains(fact), "{fact:?}");
        }
    }
    let reservations = store.read_category(Category::Reservation, None, ALL).await;
    assert_eq!(reservations.unwrap().len(), 2 * EACH as usize);
    assert_eq!(read(&*store, None, 0).await, []);
}

pub async fn a_category_is_read_behind_a_fact_whether_it_is_there_or_not(stores: impl Stores) {
    let store = filled(&stores).await;
    let all = expected();
    let behind = async |id: &str, sequence| {
        let after = stock(id).fact(sequence);
        ids_of(&read(&*store, Some(&after), ALL).await)
    };
    let from = |id: &str, sequence| {
        let first = stock(id).fact(sequence);
        let at = all.iter().position(|id| *id == first).unwrap();
        &all[at..]
    };
    assert_eq!(behind("a-b", 2).await, from("a-b", 3));
    assert_eq!(behind("a-b", 0).await, from("a-b", 1));
    // Behind all of a stream, however long it grows.
    assert_eq!(behind("a", Sequence::MAX).await, from("a b", 1));
    assert_eq!(behind("a b", EACH).await, from("a-b", 1));
    assert_eq!(behind("Z", Sequence::MAX).await, from("a", 1));
    // No such stream.
    assert_eq!(behind("", 0).await, all);
    assert_eq!(behind("aa", 1).await, from("ab", 1));
    assert_eq!(behind("é", Sequence::MAX).await, []);
    assert_eq!(behind("ê", 1).await, []);
}

pub async fn a_category_of_which_there_is_nothing_is_empty(stores: impl Stores) {
    let store = stores.of(Service::Inventory);
    assert_eq!(read(&*store, None, ALL).await, []);
    let store = filled(&stores).await;
    let of_another = store.read_category(Category::Delivery, None, ALL).await;
    assert_eq!(of_another.unwrap(), []);
}
