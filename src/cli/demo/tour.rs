//! The tour itself: the goods, then the orders, then the counters.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::follow::Follow;
use super::script::Script;
use super::seen::Stock;
use super::summary::{self, Summary};
use super::table::Screen;
use super::watch::Watch;
use crate::cli::output::{say, say_json};

/// Orders are placed one after the other, so that they can be told apart: all within
/// [`PLACED_WITHIN`], and none further apart than this.
const APART: Duration = Duration::from_millis(150);
const PLACED_WITHIN: Duration = Duration::from_secs(4);
/// The pause between two looks at an order, and what each order adds to it: some 200 looks a
/// second at most.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_APART: Duration = Duration::from_millis(5);
/// How often the table is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// How long the counters of the stock may take to follow the orders.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);
/// News that wait to be shown.
const NEWS: usize = 64;

/// What is done with a pipeline.
pub struct Tour {
    /// What is to be done.
    pub script: Script,
    /// How long it may take.
    pub limit: Duration,
    /// Whether a program reads the end.
    pub json: bool,
    /// When to end before the end.
    pub stop: CancellationToken,
}

impl Tour {
    /// Goes through the script and says what came of it.
    pub async fn run(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let mut watch = Watch::new(&self.script);
        let begun = Instant::now();
        let summary = tokio::select! {
            summary = self.go(client, &mut watch, begun) => summary,
            () = self.stop.cancelled() => Err(anyhow!("interrupted")),
        };
        let summary = summary.map_err(|e| cut_short(&e, &watch))?;
        if self.json {
            say_json(&summary)?;
        } else {
            summary.say();
        }
        match summary.complaint() {
            None => Ok(ExitCode::SUCCESS),
            Some(complaint) => bail!(complaint),
        }
    }

    async fn go(
        &self,
        client: &Client,
        watch: &mut Watch,
        begun: Instant,
    ) -> anyhow::Result<Summary> {
        client.ready().await?;
        let tokens = self.fill(client).await?;
        self.follow(client, watch, begun).await?;
        let took = begun.elapsed();
        let stock = self.count(client, watch, &tokens).await?;
        Ok(Summary::new(&self.script, watch, stock, took))
    }

    /// Puts the goods in stock, and returns the token of each receipt.
    async fn fill(&self, client: &Client) -> anyhow::Result<Vec<String>> {
        let mut tokens = Vec::new();
        for goods in &self.script.stock {
            let key = format!("demo-{}-receive", self.script.run);
            tokens.push(client.receive(goods, &key).await?);
        }
        Ok(tokens)
    }

    /// Places all orders and follows each until it has ended, or the time is over.
    async fn follow(
        &self,
        client: &Client,
        watch: &mut Watch,
        begun: Instant,
    ) -> anyhow::Result<()> {
        let count = u32::try_from(self.script.orders.len())?;
        let apart = APART.min(PLACED_WITHIN / count);
        let (news, mut heard) = mpsc::channel(NEWS);
        let follow = Follow {
            client,
            run: &self.script.run,
            look_every: LOOK_EVERY.max(LOOK_APART * count),
            news,
        };
        let orders = (0u32..).zip(self.script.orders.iter().enumerate());
        let mut open: FuturesUnordered<_> = orders
            .map(|(nth, (n, order))| {
                let follow = &follow;
                async move {
                    sleep(apart * nth).await;
                    follow.order(n, order).await
                }
            })
            .collect();
        let mut screen = Screen::new(self.json);
        let mut draw = interval(DRAW_EVERY);
        draw.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let over = sleep(self.limit.saturating_sub(begun.elapsed()));
        tokio::pin!(over);
        let result = loop {
            tokio::select! {
                // What was heard is taken in before the end is.
                biased;
                Some(news) = heard.recv() => {
                    let now = begun.elapsed();
                    if let Some(order) = watch.take(news, now) {
                        screen.changed(order, now);
                    }
                }
                _ = draw.tick() => screen.draw(watch, begun.elapsed(), false),
                () = &mut over => break Ok(()),
                ended = open.next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(e)) => break Err(e),
                    None => break Ok(()),
                },
            }
        };
        screen.draw(watch, begun.elapsed(), true);
        result
    }

    /// The stock at the end; what an order's last fact implies has been done when it is seen, but
    /// reads may lag.
    async fn count(
        &self,
        client: &Client,
        watch: &Watch,
        tokens: &[String],
    ) -> anyhow::Result<Vec<Stock>> {
        let mut stock = Vec::new();
        for (goods, token) in self.script.stock.iter().zip(tokens) {
            let shipped = summary::shipped(&self.script, watch, &goods.sku);
            let right = |stock: &Stock| summary::is_as_computed(goods.quantity, shipped, stock);
            // What an open order will take is not known: one look has to do.
            let wait = if watch.is_over() {
                COUNTED_WITHIN
            } else {
                Duration::ZERO
            };
            let until = Instant::now() + wait;
            let counted = loop {
                match client.stock(&goods.sku, token).await? {
                    Some(counted) if right(&counted) || Instant::now() > until => break counted,
                    None if Instant::now() > until => bail!("{} is not seen in time", goods.sku),
                    _ => sleep(LOOK_EVERY).await,
                }
            };
            stock.push(counted);
        }
        Ok(stock)
    }

    /// Says something to people only.
    pub fn note(&self, what: impl Display) {
        if !self.json {
            say(what);
        }
    }
}

/// What to say where the end was not seen.
fn cut_short(why: &anyhow::Error, watch: &Watch) -> anyhow::Error {
    let open = watch.orders.iter().filter(|order| order.is_open());
    let open: Vec<_> = open.filter_map(|order| order.id.as_deref()).collect();
    let mut text = format!("the demo was cut short: {why:#}");
    if let Some(first) = open.first() {
        let many = open.len();
        text.push_str(&format!(
            "\n  {many} orders had not ended; a pipeline that runs on, or again, brings them to \
             their end:\n  `waybill explain {first}` says what one of them waits for"
        ));
    }
    anyhow!(text)
}
