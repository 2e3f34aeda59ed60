use crate::Category;

/// The last sequence of each stream that a row has seen; 0 where none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Versions {
    /// Of the order stream.
    pub order: u64,
    /// Of the reservation stream.
    pub reservation: u64,
    /// Of the payment stream.
    pub payment: u64,
    /// Of the delivery stream.
    pub delivery: u64,
}

impl Versions {
    /// The version of the stream of that kind; `None` for stock, which is part of no order.
    pub fn of(&self, category: Category) -> Option<u64> {
        match category {
            Category::Order => Some(self.order),
            Category::Reservation => Some(self.reservation),
            Category::Payment => Some(self.payment),
            Category::Delivery => Some(self.delivery),
            Category::Stock => None,
        }
    }
}
