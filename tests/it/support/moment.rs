use std::path::Path;
use std::time::Duration;

use domain::Service;
use infra::relay::CHECKPOINT;
use infra::tasks::Tasks;
use serde_json::Value;
use waybill::adapters::Adapters;
use waybill::control;
use waybill::tools::{Request, ToolError};

use super::eventually_within;

/// How far a pipeline is at a moment.
#[derive(Debug)]
pub struct Moment {
    /// Of each log the last position, and the last that was published.
    before: Vec<(u64, u64)>,
    status: Result<Value, ToolError>,
    /// As before, a moment later.
    after: Vec<(u64, u64)>,
}

/// Looks until nothing is on its way, nothing is to be done later and nothing waits for a person; what
/// `waybill status` says then.
///
/// A look is not at one moment, and so it takes two: by the first all was taken of logs that have not
/// grown since, so that whatever is opened by taking was open by then, and the second saw nothing open.
#[track_caller]
pub fn settled<F: Future<Output = Moment>>(
    patience: Duration,
    look: impl Fn() -> F,
) -> impl Future<Output = Value> {
    let looks = move || {
        let (earlier, later) = (look(), look());
        // Neither looks before it is awaited.
        async move { (earlier.await, later.await) }
    };
    let over =
        |(earlier, later): &(Moment, Moment)| later.is_healthy() && later.over_since(earlier);
    let looked = eventually_within(patience, looks, over);
    async move {
        let (_, moment) = looked.await;
        moment.status()
    }
}

impl Moment {
    pub async fn of(adapters: &Adapters) -> Self {
        Self {
            before: positions(adapters).await,
            status: adapters.tools(&Tasks::new()).answer(Request::Status).await,
            after: positions(adapters).await,
        }
    }

    /// Of the process that has a folder, and has to be there.
    pub async fn within(data_dir: &Path) -> Self {
        let before = told(data_dir).await;
        let status = told(data_dir).await;
        let after = told(data_dir).await;
        Self {
            before: positions_in(&before),
            status: Ok(status),
            after: positions_in(&after),
        }
    }

    /// What `waybill status` says.
    pub fn status(self) -> Value {
        self.status.unwrap()
    }

    /// That all was published and every consumer group had taken it. Where nothing was appended
    /// while that was counted, it was of all there was.
    pub fn at_rest(&self) -> bool {
        let lags = self.sum("groups", "lag");
        let published = self.after.iter().all(|(last, published)| last == published);
        self.before == self.after && published && lags == Some(0)
    }

    /// How many facts and tasks were still to be dealt with; none where somebody did not answer.
    pub fn left(&self) -> Option<u64> {
        Some(self.sum("groups", "lag")? + self.sum("services", "openTasks")?)
    }

    fn is_healthy(&self) -> bool {
        self.status
            .as_ref()
            .is_ok_and(|status| status["healthy"] == true)
    }

    /// That it was at rest, and so without a break since `earlier`, and nothing was to be done at a
    /// later time either.
    fn over_since(&self, earlier: &Self) -> bool {
        self.at_rest_since(earlier) && self.sum("services", "openTasks") == Some(0)
    }

    /// That it was at rest without a break since `earlier`.
    pub fn at_rest_since(&self, earlier: &Self) -> bool {
        earlier.at_rest() && self.at_rest() && earlier.after == self.before
    }

    fn sum(&self, list: &str, key: &str) -> Option<u64> {
        let list = self.status.as_ref().ok()?[list].as_array()?;
        list.iter().map(|one| one[key].as_u64()).sum()
    }
}

async fn told(data_dir: &Path) -> Value {
    let told = control::ask(data_dir, &Request::Status).await.unwrap();
    told.expect("a running pipeline").unwrap()
}

/// Of an embedded pipeline, whose logs are what is published.
fn positions_in(status: &Value) -> Vec<(u64, u64)> {
    let services = status["services"].as_array().unwrap().iter();
    let last = services.map(|of| of["lastPosition"].as_u64().unwrap());
    last.map(|last| (last, last)).collect()
}

async fn positions(adapters: &Adapters) -> Vec<(u64, u64)> {
    let mut positions = vec![];
    for service in Service::ALL {
        let store = adapters.store(service);
        // A server that is away: at rest is only what is known.
        let last = store.last_position().await.unwrap_or(u64::MAX);
        let published = match store.checkpoint(CHECKPOINT).await {
            Ok(Some(relay)) => relay.position,
            // Without a relay the log itself is what is published.
            Ok(None) => last,
            Err(_) => 0,
        };
        positions.push((last, published));
    }
    positions
}
