//! A customer with ten thousand orders, on both view stores: the query API over a table that is
//! written by `project`, as the projector writes it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use domain::values::{Currency, CustomerId, Item, Items, OrderId, Timestamp};
use domain::view::orders_by_customer::OrdersByCustomer;
use domain::{Category, OrderContext, Recorded, StreamId, order};
use infra::ids;
use infra::view_store::ViewStore;

use super::queries::Queries;
use crate::contract::{Cassandra, Embedded, Views};

const ORDERS: usize = 10_000;
/// Rows that are written at once.
const AT_ONCE: usize = 1000;
const CUSTOMER: &str = "customer-7";
/// What the query API looks at for one page.
const LOOKED_AT: usize = 1000;

fn placed(order: OrderId) -> Recorded {
    let customer_id = CustomerId::try_from(CUSTOMER.to_owned()).unwrap();
    let currency: Currency = "EUR".parse().unwrap();
    let items = Items::try_from(vec![Item {
        sku: "sku-1".parse().unwrap(),
        quantity: 1.try_into().unwrap(),
        unit_price: 1901.try_into().unwrap(),
    }])
    .unwrap();
    let total_amount = items.total();
    let created = order::Event::Created {
        customer_id: customer_id.clone(),
        currency,
        items,
        total_amount,
        deadline_ms: 0,
    };
    of_order(order, 1, created, |time| OrderContext {
        customer_id,
        currency,
        total_amount,
        placed_at: time,
    })
}

fn of_order(
    order: OrderId,
    sequence: u64,
    event: order::Event,
    context: impl FnOnce(Timestamp) -> OrderContext,
) -> Recorded {
    let time = infra::clock::now();
    Recorded {
        id: StreamId::of(Category::Order, order).fact(sequence),
        position: 0,
        time,
        correlation: order.to_string(),
        causation: "a command".to_owned(),
        order: Some(context(time)),
        traceparent: None,
        fact: event.into(),
        written: None,
    }
}

/// The same order, completed.
fn completed(placed: &Recorded) -> Recorded {
    let order = placed.order.clone().unwrap();
    of_order(
        placed.order_id().unwrap(),
        2,
        order::Event::Completed {},
        |_| order,
    )
}

async fn place(queries: &Queries, many: usize) -> Vec<OrderId> {
    let placed: Vec<Recorded> = (0..many).map(|_| placed(ids::order())).collect();
    for some in placed.chunks(AT_ONCE) {
        queries.write(&OrdersByCustomer, some).await;
    }
    let ids = placed.iter().map(|fact| fact.order_id().unwrap());
    ids.collect()
}

/// The ids of a page, and where the next begins.
async fn page(
    queries: &Queries,
    query: &str,
    cursor: Option<&str>,
) -> (Vec<String>, Option<String>) {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}"));
    let path = format!(
        "/api/customers/{CUSTOMER}/orders?{query}{}",
        cursor.unwrap_or_default()
    );
    let page = queries.client.get(&path).await.expect(200).body;
    let orders = page["orders"].as_array().unwrap().iter();
    let ids = orders.map(|order| order["orderId"].as_str().unwrap().to_owned());
    let next = page["nextCursor"].as_str().map(ToOwned::to_owned);
    (ids.collect(), next)
}

async fn every_order_once_while_new_ones_arrive(views: Arc<dyn ViewStore>) {
    let queries = Queries::over(views).await;
    let there = place(&queries, ORDERS).await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut listed: Vec<String> = vec![];
    let mut next = None;
    loop {
        let (page, after) = page(&queries, "limit=100", next.as_deref()).await;
        for id in &page {
            *seen.entry(id.clone()).or_default() += 1;
        }
        listed.extend(page);
        assert!(listed.len() <= ORDERS, "an order is there twice");
        if after.is_none() {
            break;
        }
        next = after;
        place(&queries, 3).await;
    }
    for order in &there {
        assert_eq!(seen.get(&order.to_string()), Some(&1), "{order}");
    }
    // The new ones are in front of where the reader was.
    assert_eq!(listed.len(), ORDERS);
    assert!(listed.is_sorted_by(|newer, older| newer > older));
    let (newest, _) = page(&queries, "limit=1", None).await;
    assert!(!seen.contains_key(&newest[0]));
}

async fn a_rare_status_costs_no_more_than_a_page_may_cost(views: Arc<dyn ViewStore>) {
    let queries = Queries::over(views).await;
    let facts: Vec<Recorded> = (0..ORDERS / 2).map(|_| placed(ids::order())).collect();
    for some in facts.chunks(AT_ONCE) {
        queries.write(&OrdersByCustomer, some).await;
    }
    // The oldest, one in the middle and the newest.
    let rare = [&facts[0], &facts[ORDERS / 4], &facts[ORDERS / 2 - 1]].map(completed);
    queries.write(&OrdersByCustomer, &rare).await;
    let wanted = rare.iter().map(|fact| fact.order_id().unwrap().to_string());
    let wanted: HashSet<String> = wanted.collect();

    let (mut found, mut pages, mut next) = (HashSet::new(), 0, None);
    loop {
        let (page, after) = page(&queries, "status=COMPLETED", next.as_deref()).await;
        found.extend(page);
        pages += 1;
        assert!(pages <= ORDERS / LOOKED_AT, "they do not end");
        next = after;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, wanted);
    assert_eq!(pages, ORDERS / 2 / LOOKED_AT, "each looks at as many");
    let none: (Vec<String>, Option<String>) = page(&queries, "status=DELIVERED", None).await;
    assert!(none.0.is_empty() && none.1.is_some(), "empty, and to go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_with_ten_thousand_orders_pages_through_all_of_them_on_the_embedded_store() {
    let embedded = Embedded::start().await;
    every_order_once_while_new_ones_arrive(embedded.views()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_with_ten_thousand_orders_pages_through_all_of_them_on_cassandra() {
    if let Some(cassandra) = Cassandra::start().await {
        every_order_once_while_new_ones_arrive(cassandra.views()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_hardly_any_order_has_is_found_page_by_page_on_the_embedded_store() {
    let embedded = Embedded::start().await;
    a_rare_status_costs_no_more_than_a_page_may_cost(embedded.views()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_hardly_any_order_has_is_found_page_by_page_on_cassandra() {
    if let Some(cassandra) = Cassandra::start().await {
        a_rare_status_costs_no_more_than_a_page_may_cost(cassandra.views()).await;
    }
}
