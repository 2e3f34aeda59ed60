use domain::Service;
use infra::relay::CHECKPOINT;
use infra::tasks::Tasks;
use serde_json::Value;
use waybill::adapters::Adapters;
use waybill::tools::{Request, ToolError};

/// How far a pipeline is at a moment.
#[derive(Debug)]
pub struct Moment {
    /// Of each log the last position, and the last that was published.
    before: Vec<(u64, u64)>,
    status: Result<Value, ToolError>,
    /// As before, a moment later.
    after: Vec<(u64, u64)>,
}

impl Moment {
    pub async fn of(adapters: &Adapters) -> Self {
        Self {
            before: positions(adapters).await,
            status: adapters.tools(&Tasks::new()).answer(Request::Status).await,
            after: positions(adapters).await,
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

    /// That it was at rest, and so without a break since `earlier`, and nothing was to be done at a
    /// later time either.
    pub fn over_since(&self, earlier: &Self) -> bool {
        let rest = earlier.at_rest() && self.at_rest() && earlier.after == self.before;
        rest && self.sum("services", "openTasks") == Some(0)
    }

    fn sum(&self, list: &str, key: &str) -> Option<u64> {
        let list = self.status.as_ref().ok()?[list].as_array()?;
        list.iter().map(|one| one[key].as_u64()).sum()
    }
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
