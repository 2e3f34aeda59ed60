use domain::Service;
use infra::event_store::DueRow;
use serde::{Deserialize, Serialize};

use super::{OpenTask, Parked, ToolError, Tools};

/// Rows in trouble that are listed of each service; their number is exact up to this.
const LISTED: usize = 20;

/// How far everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// True where nothing waits for a person.
    pub healthy: bool,
    /// One by one.
    pub services: Vec<ServiceStatus>,
    /// How many facts each consumer group has yet to take.
    pub groups: Vec<GroupLag>,
}

/// How far a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Which.
    pub service: String,
    /// The last position of its log.
    pub last_position: u64,
    /// Calls and timers that are open.
    pub open_tasks: u64,
    /// Those of them in trouble.
    pub troubled: Vec<OpenTask>,
    /// Facts that it could not take, and those that wait behind them.
    pub parked: Vec<Parked>,
}

/// How far a consumer group is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupLag {
    /// Which.
    pub group: String,
    /// Whose facts.
    pub topic: String,
    /// How many it has yet to take.
    pub lag: u64,
}

impl Tools {
    pub(super) async fn status(&self) -> Result<Status, ToolError> {
        let mut services = vec![];
        let mut groups = vec![];
        for service in Service::ALL {
            let store = self.services.store(service);
            let (troubled, open_tasks) = store.troubled(LISTED).await?;
            let mut parked = vec![];
            for (group, rows) in self.groups_of(service) {
                parked.extend(rows.parked(&group, None, LISTED).await?);
            }
            services.push(ServiceStatus {
                service: service.name().to_owned(),
                last_position: store.last_position().await?,
                open_tasks,
                troubled: troubled.iter().map(OpenTask::from).collect(),
                parked: parked.into_iter().map(Parked::from).collect(),
            });
            let topics = command_api::topics_of(service);
            groups.extend(self.lags(service.name(), topics).await?);
        }
        for view in projectors::views() {
            let (_, group) = projectors::live_table(view.as_ref());
            groups.extend(self.lags(&group, &Service::ALL).await?);
        }
        let quiet = |s: &ServiceStatus| s.troubled.is_empty() && s.parked.is_empty();
        Ok(Status {
            healthy: services.iter().all(quiet),
            services,
            groups,
        })
    }

    async fn lags(&self, group: &str, topics: &[Service]) -> Result<Vec<GroupLag>, ToolError> {
        let lags = self.bus.lag(group, topics).await;
        let lags = lags.map_err(|e| ToolError::new("bus-unavailable", e.to_string()))?;
        let lag = |(topic, lag): (Service, u64)| GroupLag {
            group: group.to_owned(),
            topic: topic.name().to_owned(),
            lag,
        };
        Ok(lags.into_iter().map(lag).collect())
    }
}

impl From<&DueRow> for OpenTask {
    fn from(row: &DueRow) -> Self {
        Self {
            order: row.order,
            task: row.task.name().to_owned(),
            opened_at: row.opened_at,
            not_before: row.not_before,
            failures: row.failures,
            problem: row.problem.clone(),
            parked: row.parked,
        }
    }
}
