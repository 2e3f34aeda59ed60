//! The roads that orders take to their ends.

use oracle::ledger::Operation;
use serde_json::json;

use super::{Builder, DELIVERY, Placed, SKU, lines};

impl Builder {
    /// Cancelled by its customer, in time.
    pub fn called_off(&mut self) -> Placed {
        let order = self.placed();
        self.reserved(&order);
        self.authorized(&order);
        self.assigned(&order);
        let asked = self.asked_to_cancel(&order);
        let cancelled = json!({"type": "delivery.cancelled", "deliveryId": DELIVERY, "reason": "changed my mind"});
        let cancelled = self.of_delivery(&order, cancelled, &asked);
        let voided = self.done(&order, Operation::Void, &cancelled);
        self.given_back(&order, "inventory.released", &voided);
        order
    }

    /// It left, and did not arrive.
    pub fn failed_on_the_way(&mut self) -> Placed {
        let order = self.placed();
        self.reserved(&order);
        self.authorized(&order);
        let requested = self.dispatched(&order);
        let failed =
            json!({"type": "delivery.failed", "deliveryId": DELIVERY, "reason": "no such street"});
        let failed = self.of_delivery(&order, failed, &requested);
        let refunded = self.done(&order, Operation::Refund, &failed);
        self.given_back(&order, "inventory.returned", &refunded);
        order
    }

    fn given_back(&mut self, order: &Placed, name: &str, cause: &str) {
        let back = json!({"type": name, "lines": lines(), "reason": "delivery-failed"});
        let back = self.of_reservation(order, back, cause);
        let cancelled = json!({"type": "order.cancelled", "reason": "delivery-failed"});
        self.of_order(order, cancelled, &back);
    }

    /// Nothing was left; its customer cancels too, which leaves tombstones behind the end.
    pub fn short_of_stock(&mut self) -> Placed {
        let order = self.placed();
        let rejected = json!({
            "type": "inventory.rejected", "reason": "out-of-stock",
            "short": [{"sku": SKU, "wanted": 1, "available": 0}],
        });
        let rejected = self.of_reservation(&order, rejected, &order.created);
        let asked = self.asked_to_cancel(&order);
        let over = json!({"type": "order.cancelled", "reason": "out-of-stock"});
        self.of_order(&order, over, &rejected);
        let closed = json!({"type": "delivery.cancelled", "reason": "changed my mind"});
        let closed = self.of_delivery(&order, closed, &asked);
        let voided = json!({"type": "payment.voided", "amount": 0, "reason": "changed my mind"});
        self.of_payment(&order, voided, &closed);
        order
    }
}
