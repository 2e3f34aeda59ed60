//! One order's way, as its customer goes it: placed, perhaps cancelled, and looked at until it has
//! ended.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use super::client::{Asked, Client};
use super::play::{CHANGED_MY_MIND, Play, Verdict};
use super::script::Order;
use super::seen::Seen;

/// Something new about the order of that number.
pub type News = (usize, Event);

/// What there is to hear about an order.
pub enum Event {
    /// It was placed.
    Placed {
        /// Its id.
        order_id: String,
    },
    /// The view had it by its token, so long after the POST began.
    Visible(Duration),
    /// It stands like this.
    Seen(Box<Seen>),
}

/// How an order is followed.
pub struct Follow<'a> {
    /// The pipeline.
    pub client: &'a Client,
    /// What makes the keys of this run its own.
    pub run: &'a str,
    /// The pause between two looks.
    pub look_every: Duration,
    /// Who is told.
    pub news: Sender<News>,
}

impl Follow<'_> {
    /// Follows the order of number `n` to its end.
    pub async fn order(&self, n: usize, order: &Order) -> anyhow::Result<()> {
        let begun = Instant::now();
        let key = format!("demo-{}-place-{n}", self.run);
        let placed = self.client.place(order, &key).await?;
        let order_id = placed.order_id;
        self.tell(
            n,
            Event::Placed {
                order_id: order_id.clone(),
            },
        )
        .await;

        let seen = async {
            let seen = self.look(&order_id, &placed.token).await?;
            self.tell(n, Event::Visible(begun.elapsed())).await;
            anyhow::Ok(seen)
        };
        let cancel = async {
            match order.play {
                Play::CancelledInTime => self.cancel(n, &order_id).await,
                _ => Ok(None),
            }
        };
        let (mut seen, cancelled) = tokio::try_join!(seen, cancel)?;
        let mut after = cancelled.unwrap_or(placed.token);
        let mut may_cancel = order.play == Play::CancelledTooLate;
        loop {
            let verdict = order.play.judge(&seen);
            let has_left = seen.has_left();
            self.tell(n, Event::Seen(Box::new(seen))).await;
            if may_cancel && has_left {
                may_cancel = false;
                after = self.cancel(n, &order_id).await?.unwrap_or(after);
            } else if verdict != Verdict::Open {
                return Ok(());
            } else {
                sleep(self.look_every).await;
            }
            seen = self.look(&order_id, &after).await?;
        }
    }

    /// Sends a cancellation, and returns its token where it was taken.
    async fn cancel(&self, n: usize, order_id: &str) -> anyhow::Result<Option<String>> {
        let key = format!("demo-{}-cancel-{n}", self.run);
        let asked = self.client.cancel(order_id, CHANGED_MY_MIND, &key).await?;
        Ok(match asked {
            Asked::Taken { token } => Some(token),
            Asked::Refused => None,
        })
    }

    async fn look(&self, order_id: &str, after: &str) -> anyhow::Result<Seen> {
        loop {
            if let Some(seen) = self.client.order(order_id, after).await? {
                return Ok(seen);
            }
            sleep(self.look_every).await;
        }
    }

    async fn tell(&self, n: usize, event: Event) {
        // Who no longer listens has seen enough.
        drop(self.news.send((n, event)).await);
    }
}
