//! What a world starts from.

use domain::order::Place;
use domain::values::{
    Currency, CustomerId, Item, Items, OrderId, Quantity, Reason, Sku, UnitPrice,
};
use uuid::Uuid;

use crate::planted::Bug;

/// What there is to sell, and who wants it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Units of each SKU that are in the house before anything happens.
    pub stock: Vec<u64>,
    /// Units of a SKU that may arrive later.
    pub receipts: Vec<(usize, u64)>,
    /// The orders.
    pub orders: Vec<Wish>,
    /// A mistake that was made on purpose.
    pub bug: Option<Bug>,
}

/// An order, and which of the things that may happen to it do.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Units of SKUs, each SKU once.
    pub lines: Vec<(usize, u64)>,
    /// It may take too long.
    pub deadline: bool,
    /// Its customer may want to cancel it.
    pub cancel: bool,
    /// The provider may decline to hold the money, or refuse to take it.
    pub refusals: bool,
    /// The courier may fail.
    pub failures: bool,
    /// The provider's answers may get lost, so that it is asked again.
    pub lossy: bool,
    /// An operator may settle a void or refund that the provider refuses.
    pub by_hand: bool,
    /// So often may the courier move the time of arrival.
    pub eta_moves: u8,
    /// Someone may record steps of the delivery besides the courier.
    pub meddled: bool,
}

impl Wish {
    /// One unit of the first SKU, and nothing out of the ordinary.
    pub fn plain() -> Self {
        Self {
            lines: vec![(0, 1)],
            deadline: false,
            cancel: false,
            refusals: false,
            failures: false,
            lossy: false,
            by_hand: false,
            eta_moves: 0,
            meddled: false,
        }
    }

    /// The customer's command.
    pub fn place(&self) -> Place {
        let item = |(sku_number, units): &(usize, u64)| Item {
            sku: sku(*sku_number),
            quantity: quantity(*units),
            unit_price: UnitPrice::try_from(500).unwrap(),
        };
        let items: Vec<Item> = self.lines.iter().map(item).collect();
        Place {
            customer_id: customer(),
            items: Items::try_from(items).unwrap(),
            currency: "EUR".parse::<Currency>().unwrap(),
            deadline_ms: if self.deadline { 60_000 } else { 0 },
        }
    }

    /// What it costs.
    pub fn total(&self) -> u64 {
        self.lines.iter().map(|(_, units)| 500 * units).sum()
    }
}

/// Who orders.
pub fn customer() -> CustomerId {
    CustomerId::try_from("customer-7".to_owned()).unwrap()
}

/// The id of an order, by its number.
pub fn order_id(number: usize) -> OrderId {
    let number = u128::try_from(number).unwrap();
    OrderId(Uuid::from_u128(0x7000_8000_0000_0000_0000 + number))
}

const SKUS: [&str; 3] = ["A", "B", "C"];

/// A SKU, by its number.
pub fn sku(number: usize) -> Sku {
    SKUS[number].parse().unwrap()
}

/// The number of a SKU.
pub fn number_of(sku: &Sku) -> usize {
    let found = SKUS.iter().position(|name| *name == sku.as_str());
    found.expect("a SKU of this world")
}

pub fn quantity(units: u64) -> Quantity {
    Quantity::try_from(units).unwrap()
}

pub fn reason(text: &str) -> Reason {
    Reason::try_from(text.to_owned()).unwrap()
}
