//! How many of what, and for how much.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Amount, Invalid, Sku, UnitPrice};

/// The largest quantity of one line or one receipt. A limit on mistyped numbers rather than on
/// trade; a larger delivery is several receipts.
pub const MAX_QUANTITY: u32 = 1_000_000;

/// The most lines of one order: its facts stay within a few tens of kilobytes, and one order
/// holds at most this many SKUs in one transaction.
pub const MAX_LINES: usize = 100;

/// A number of units, 1 to [`MAX_QUANTITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Quantity(u32);

impl Quantity {
    /// The number.
    pub fn get(self) -> u64 {
        u64::from(self.0)
    }
}

impl TryFrom<u64> for Quantity {
    type Error = Invalid;

    fn try_from(number: u64) -> Result<Self, Invalid> {
        match u32::try_from(number) {
            Ok(n @ 1..=MAX_QUANTITY) => Ok(Self(n)),
            _ => Err(Invalid::new("must be a whole number from 1 to 1000000")),
        }
    }
}

impl From<Quantity> for u64 {
    fn from(quantity: Quantity) -> Self {
        quantity.get()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Units of a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// For how much each, in minor units of the order's currency.
    pub unit_price: UnitPrice,
}

/// The lines of an order: 1 to [`MAX_LINES`], each SKU once, with a total that is an [`Amount`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Item>", into = "Vec<Item>")]
pub struct Items(Vec<Item>);

impl Items {
    /// The lines, as given.
    pub fn as_slice(&self) -> &[Item] {
        &self.0
    }

    /// What all of them cost.
    pub fn total(&self) -> Amount {
        // Checked when the value was built.
        total(&self.0).unwrap_or(Amount::ZERO)
    }

    /// What the stock has to hold.
    pub fn lines(&self) -> Vec<Line> {
        let line = |item: &Item| Line {
            sku: item.sku.clone(),
            quantity: item.quantity,
        };
        self.0.iter().map(line).collect()
    }
}

impl TryFrom<Vec<Item>> for Items {
    type Error = Invalid;

    fn try_from(items: Vec<Item>) -> Result<Self, Invalid> {
        if !(1..=MAX_LINES).contains(&items.len()) {
            return Err(Invalid::new("must have 1 to 100 lines"));
        }
        let mut seen = HashSet::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            if !seen.insert(&item.sku) {
                let twice = Invalid::new(format!("is there twice: {}; merge the lines", item.sku));
                return Err(twice.within(&format!("[{at}].sku")));
            }
        }
        if total(&items).is_none() {
            return Err(Invalid::new(
                "must total at most 9007199254740991 minor units",
            ));
        }
        Ok(Self(items))
    }
}

impl From<Items> for Vec<Item> {
    fn from(items: Items) -> Self {
        items.0
    }
}

fn total(items: &[Item]) -> Option<Amount> {
    let cost = |item: &Item| {
        item.unit_price
            .minor_units()
            .checked_mul(item.quantity.get())
    };
    items
        .iter()
        .try_fold(0u64, |sum, item| sum.checked_add(cost(item)?))
        .and_then(|units| Amount::try_from(units).ok())
}
