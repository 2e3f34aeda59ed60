//! The one order that most tests are about: two of A and one of B, for 19.99 EUR.

use uuid::Uuid;

use crate::values::{
    Amount, Currency, CustomerId, DeliveryId, DriverName, Item, Items, Line, OrderId, PaymentId,
    Quantity, Reason, Sku, Timestamp, UnitPrice,
};

pub fn order_id() -> OrderId {
    OrderId(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057))
}

pub fn payment_id() -> PaymentId {
    PaymentId::of(order_id())
}

pub fn delivery_id() -> DeliveryId {
    DeliveryId::of(order_id())
}

pub fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

pub fn quantity(number: u64) -> Quantity {
    Quantity::try_from(number).unwrap()
}

pub fn price(units: u64) -> UnitPrice {
    UnitPrice::try_from(units).unwrap()
}

pub fn amount(units: u64) -> Amount {
    Amount::try_from(units).unwrap()
}

pub fn currency() -> Currency {
    "EUR".parse().unwrap()
}

pub fn customer() -> CustomerId {
    CustomerId::try_from("customer-7".to_owned()).unwrap()
}

pub fn driver(name: &str) -> DriverName {
    DriverName::try_from(name.to_owned()).unwrap()
}

pub fn reason(text: &str) -> Reason {
    Reason::try_from(text.to_owned()).unwrap()
}

/// So many minutes after the order was placed.
pub fn minute(number: u64) -> Timestamp {
    let placed: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    placed.plus_ms(60_000 * number)
}

pub fn item(name: &str, units: u64, unit_price: u64) -> Item {
    Item {
        sku: sku(name),
        quantity: quantity(units),
        unit_price: price(unit_price),
    }
}

pub fn items() -> Items {
    Items::try_from(vec![item("A", 2, 500), item("B", 1, 999)]).unwrap()
}

pub fn total() -> Amount {
    amount(1999)
}

pub fn line(name: &str, units: u64) -> Line {
    Line {
        sku: sku(name),
        quantity: quantity(units),
    }
}

pub fn lines() -> Vec<Line> {
    vec![line("A", 2), line("B", 1)]
}
