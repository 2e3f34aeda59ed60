//! How far everything is. All is asked at once, and what does not answer is said where its answer
//! would be.

use domain::Service;
use futures::future::join_all;
use infra::event_store::{Checkpoint, DueRow, EventStore, StoreError, TaskCount};
use infra::monitor::{COUNTED, overdue_before};
use infra::relay;
use serde::{Deserialize, Serialize};

use super::{OpenTask, Parked, Tools, ViewAt};

/// Tasks in trouble that are listed of each service, and parked facts of each group.
const LISTED: usize = 20;

/// How far everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// True where everything has answered and nothing waits for a person.
    pub healthy: bool,
    /// One by one.
    pub services: Vec<ServiceStatus>,
    /// How many facts each consumer group has yet to take.
    pub groups: Vec<GroupLag>,
    /// What each consumer group could not take.
    pub parked: Vec<GroupParked>,
    /// Which table of each view is read.
    pub views: Vec<ViewAt>,
}

/// How far a service is; where its store does not answer there is a problem and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Which.
    pub service: String,
    /// The last position of its log.
    pub last_position: Option<u64>,
    /// How far its log is published; none where the log itself is the bus.
    pub relay: Option<RelayAt>,
    /// Calls and timers that are open.
    pub open_tasks: Option<u64>,
    /// The same by their kinds.
    pub tasks: Vec<TaskAt>,
    /// Those of them in trouble.
    pub troubled: Vec<OpenTask>,
    /// Why the store does not answer.
    pub problem: Option<String>,
}

/// How far a log is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayAt {
    /// The last position that the brokers have acknowledged, with all before it.
    pub position: u64,
    /// Facts that they have not, by positions.
    pub lag: u64,
    /// Why it has stopped, and what mends that.
    pub halted: Option<String>,
}

/// How many tasks of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskAt {
    /// Which.
    pub task: String,
    /// Those that are open.
    pub open: u64,
    /// Those whose time came 30 seconds ago or longer: nobody runs them.
    pub overdue: u64,
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
    pub lag: Option<u64>,
    /// Why nobody knows.
    pub problem: Option<String>,
}

/// What a consumer group could not take.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupParked {
    /// Which.
    pub group: String,
    /// How many facts failed, up to 500 with those that wait.
    pub failed: Option<u64>,
    /// How many wait behind these.
    pub waiting: Option<u64>,
    /// The first of them.
    pub facts: Vec<Parked>,
    /// Why nobody knows.
    pub problem: Option<String>,
}

impl Status {
    /// What did not answer, and why.
    pub fn problems(&self) -> Vec<(String, &str)> {
        let services = self.services.iter().map(|of| {
            let name = format!("event store of {}", of.service);
            (name, of.problem.as_deref())
        });
        let groups = self.groups.iter().map(|of| {
            let name = format!("lag of {}", of.group);
            (name, of.problem.as_deref())
        });
        let parked = self.parked.iter().map(|of| {
            let name = format!("parked facts of {}", of.group);
            (name, of.problem.as_deref())
        });
        let views = self.views.iter().map(|of| {
            let name = format!("tables of {}", of.view);
            (name, of.problem.as_deref())
        });
        let all = services.chain(groups).chain(parked).chain(views);
        let mut told: Vec<_> = all
            .filter_map(|(name, problem)| Some((name, problem?)))
            .collect();
        // A group has a lag for each topic, and one answer for all.
        told.dedup();
        told
    }

    fn waits_for_nobody(&self) -> bool {
        let halted = |of: &ServiceStatus| of.relay.as_ref().is_some_and(|at| at.halted.is_some());
        let quiet = |of: &ServiceStatus| of.troubled.is_empty() && !halted(of);
        let outdated = self.views.iter().any(ViewAt::is_outdated);
        let parked = self.parked.iter().any(|of| !of.facts.is_empty());
        self.services.iter().all(quiet) && !parked && !outdated
    }
}

impl Tools {
    pub(super) async fn status(&self) -> Status {
        let of_services = Service::ALL.map(|service| self.status_of(service));
        let lags = Service::ALL.map(|service| {
            let topics = command_api::topics_of(service);
            self.lag_of(service.name().to_owned(), topics)
        });
        let of_views = self.about.views.groups().await.into_iter();
        let of_views = of_views.map(|group| self.lag_of(group, &Service::ALL));
        let groups = join_all(Service::ALL.map(|service| self.groups_of(service))).await;
        let groups = groups.into_iter().flatten();
        let parked = groups.map(|(group, rows)| async move {
            let found = rows.parked(&group, None, COUNTED).await;
            GroupParked::of(group, found)
        });
        let (services, lags, parked, views) = tokio::join!(
            join_all(of_services),
            join_all(lags.into_iter().chain(of_views)),
            join_all(parked),
            self.views_at(),
        );
        let mut status = Status {
            healthy: true,
            services,
            groups: lags.into_iter().flatten().collect(),
            parked,
            views,
        };
        status.healthy = status.problems().is_empty() && status.waits_for_nobody();
        status
    }

    async fn status_of(&self, service: Service) -> ServiceStatus {
        let store = self.services.store(service).as_ref();
        let status = ServiceStatus {
            service: service.name().to_owned(),
            ..ServiceStatus::default()
        };
        match self.asked(store).await {
            Ok(answered) => ServiceStatus {
                service: status.service,
                ..answered
            },
            Err(e) => ServiceStatus {
                problem: Some(e.to_string()),
                ..status
            },
        }
    }

    async fn asked(&self, store: &dyn EventStore) -> Result<ServiceStatus, StoreError> {
        let ((troubled, open), counts, checkpoint, last) = tokio::try_join!(
            store.troubled(LISTED),
            store.count_tasks(overdue_before()),
            store.checkpoint(relay::CHECKPOINT),
            store.last_position(),
        )?;
        let published = || RelayAt::of(checkpoint.unwrap_or_default(), last);
        Ok(ServiceStatus {
            last_position: Some(last),
            relay: self.relayed.then(published),
            open_tasks: Some(open),
            tasks: counts.into_iter().map(TaskAt::from).collect(),
            troubled: troubled.iter().map(OpenTask::from).collect(),
            ..ServiceStatus::default()
        })
    }

    async fn lag_of(&self, group: String, topics: &[Service]) -> Vec<GroupLag> {
        let lag = self.bus.lag(&group, topics).await;
        let problem = lag.as_ref().err().map(ToString::to_string);
        let lag = lag.unwrap_or_default();
        let of_topic = |topic: &Service| GroupLag {
            group: group.clone(),
            topic: topic.name().to_owned(),
            lag: lag
                .iter()
                .find_map(|(of, lag)| (of == topic).then_some(*lag)),
            problem: problem.clone(),
        };
        topics.iter().map(of_topic).collect()
    }
}

impl RelayAt {
    fn of(checkpoint: Checkpoint, last: u64) -> Self {
        Self {
            position: checkpoint.position,
            lag: last.saturating_sub(checkpoint.position),
            halted: checkpoint.halted,
        }
    }
}

impl GroupParked {
    fn of(group: String, found: Result<Vec<infra::event_store::ParkedRow>, StoreError>) -> Self {
        let parked = Self {
            group,
            ..Self::default()
        };
        match found {
            Ok(rows) => {
                let waiting = rows.iter().filter(|row| row.waits()).count();
                Self {
                    failed: Some((rows.len() - waiting) as u64),
                    waiting: Some(waiting as u64),
                    facts: rows.into_iter().take(LISTED).map(Parked::from).collect(),
                    ..parked
                }
            }
            Err(e) => Self {
                problem: Some(e.to_string()),
                ..parked
            },
        }
    }
}

impl From<TaskCount> for TaskAt {
    fn from(count: TaskCount) -> Self {
        Self {
            task: count.task.name().to_owned(),
            open: count.open,
            overdue: count.overdue,
        }
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
