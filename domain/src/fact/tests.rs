use std::collections::BTreeSet;

use super::{Category, FactId, InvalidFactId, Service, StreamId};
use crate::testing::values::order_id;
use crate::testing::{facts, recorded};

/// Every fact of the pipeline, by the service that appends it.
const FACTS: &str = "
    order.created order.cancellation-requested order.cancellation-refused order.cancelled
    order.completed
    inventory.reserved inventory.rejected inventory.released inventory.shipped inventory.returned
    stock.received stock.held stock.freed stock.shipped stock.returned
    payment.requested payment.authorized payment.failed payment.capture-requested payment.captured
    payment.capture-failed payment.void-requested payment.voided payment.refund-requested
    payment.refunded payment.undo-requested
    delivery.requested delivery.assigned delivery.eta-updated delivery.dispatched
    delivery.delivered delivery.failed delivery.cancelled delivery.cancellation-refused
";

#[test]
fn the_names_of_facts_are_those_that_were_published() {
    let published: BTreeSet<&str> = FACTS.split_ascii_whitespace().collect();
    let ours = facts::every();
    let ours: BTreeSet<&str> = ours.iter().map(|fact| fact.name()).collect();
    assert_eq!(ours, published);
}

#[test]
fn a_facts_name_begins_with_the_prefix_of_its_stream() {
    for fact in facts::every() {
        let (prefix, _) = fact.name().split_once('.').unwrap();
        assert_eq!(prefix, fact.category().fact_prefix(), "{}", fact.name());
    }
}

#[test]
fn only_stock_facts_are_not_named_after_their_service() {
    for category in Category::ALL {
        let named_after_service = category.fact_prefix() == category.service().name();
        assert_eq!(named_after_service, category != Category::Stock);
        assert_eq!(Category::named(category.name()), Some(category));
    }
    assert_eq!(Category::Stock.service(), Service::Inventory);
    assert_eq!(Category::named("inventory"), None);
}

#[test]
fn the_id_of_a_fact_reads_back_also_where_a_sku_has_dashes() {
    let stock = |sku: &str| StreamId {
        category: Category::Stock,
        id: sku.into(),
    };
    let ids = [
        (
            StreamId::of(Category::Order, order_id()).fact(1),
            "order-01890a5d-ac96-774b-bcce-b302099a8057-1",
        ),
        (stock("A").fact(12), "stock-A-12"),
        (stock("A-1-2").fact(3), "stock-A-1-2-3"),
        (stock("-").fact(u64::MAX), "stock---18446744073709551615"),
    ];
    for (id, text) in ids {
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
    }
}

#[test]
fn what_is_no_id_of_a_fact_is_refused() {
    let bad = [
        "",
        "order",
        "order-",
        "order-1",
        "order--1",
        "stock-A",
        "stock-A-",
        "stock-A-0",
        "stock-A-01",
        "stock-A-+1",
        "stock-A- 1",
        "stock-A-1x",
        "stock-A-18446744073709551616",
        "inventory-A-1",
        "Stock-A-1",
    ];
    for text in bad {
        assert_eq!(text.parse::<FactId>(), Err(InvalidFactId), "{text}");
    }
}

#[test]
fn a_recorded_fact_knows_its_order_unless_it_is_about_stock() {
    for fact in facts::every() {
        let of_an_order = fact.category() != Category::Stock;
        let recorded = recorded(1, fact);
        assert_eq!(recorded.order_id(), of_an_order.then(order_id));
    }
}

#[test]
fn a_tombstone_is_the_undoing_of_nothing() {
    let fact_names: Vec<String> = facts::every()
        .iter()
        .filter(|fact| fact.is_tombstone())
        .map(|fact| fact.name().to_owned())
        .collect();
    let tombstones = ["inventory.released", "payment.voided", "delivery.cancelled"];
    assert_eq!(fact_names, tombstones);
}
