//! Work that takes longer than one answer: started by one request, looked at by others.
//!
//! It runs in the process that holds the data. Who started it looks at it all the time; what nobody
//! looks at any more ends by itself, but for a rebuild, which is worth its end.

use std::collections::HashMap;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::View;
use infra::bus::TopicReader;
use infra::ids;
use infra::tasks::Tasks;
use projectors::Views;
use projectors::rebuild::{Progress, Rebuild, RebuildError};
use projectors::verify::{
    Logs, LogsError, LogsVerified, SETTLE, Verification, Verified, VerifyError, Which,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{ToolError, json};

/// How long work goes on that nobody looks at.
const UNWATCHED: Duration = Duration::from_secs(30);
/// How long an end waits to be looked at.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// Jobs of a process at a time: people start them.
const JOBS: usize = 16;

/// What is asked about long work.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum JobRequest {
    /// Begins some; the answer is its number.
    Start {
        /// What is to be done.
        work: Work,
    },
    /// How far it is.
    Look {
        /// Its number.
        id: u64,
    },
    /// Asks it to end.
    Stop {
        /// Its number.
        id: u64,
    },
}

/// Long work.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Work {
    /// Rebuilds a view.
    Rebuild {
        /// Which.
        view: String,
        /// Builds and compares only.
        dry_run: bool,
        /// Facts a second, at most.
        rate: Option<u32>,
        /// Slows down when the stores answer slowly.
        throttled: bool,
    },
    /// Holds a view against the logs.
    Verify {
        /// Which.
        view: String,
        /// What of it.
        which: Which,
        /// Puts right what can be.
        repair: bool,
        /// Orders a second, at most.
        rate: Option<u32>,
        /// Begins again at the end.
        again: bool,
    },
    /// Looks whether the logs are whole, and their topics hold them.
    VerifyLogs,
}

/// What jobs are about.
#[derive(Clone)]
pub struct About {
    /// The views, and the logs that they are folded from.
    pub views: Views,
    /// What reads the topics of these logs, where there are any.
    pub topics: Option<Arc<dyn TopicReader>>,
}

/// How far a job is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobAt {
    /// As the kind of work tells it.
    pub progress: Value,
    /// How it ended.
    pub ended: Option<Result<Value, ToolError>>,
}

/// The jobs of a process.
#[derive(Clone, Default)]
pub struct Jobs {
    tasks: Tasks,
    last: Arc<AtomicU64>,
    all: Arc<Mutex<HashMap<u64, Job>>>,
}

struct Job {
    progress: Box<dyn Fn() -> Value + Send>,
    ended: Arc<Mutex<Option<Result<Value, ToolError>>>>,
    looked_at: Arc<Mutex<Instant>>,
    stop: CancellationToken,
}

impl Jobs {
    /// Jobs that end with `tasks`.
    pub fn within(tasks: &Tasks) -> Self {
        Self {
            tasks: tasks.clone(),
            ..Self::default()
        }
    }

    /// Answers a request.
    pub(super) fn answer(&self, about: &About, request: JobRequest) -> Result<Value, ToolError> {
        match request {
            JobRequest::Start { work } => json(&self.start(about, work)?),
            JobRequest::Look { id } => json(&self.look(id)?),
            JobRequest::Stop { id } => {
                let jobs = locked(&self.all);
                jobs.get(&id).ok_or_else(|| no_such(id))?.stop.cancel();
                json(&())
            }
        }
    }

    fn start(&self, about: &About, work: Work) -> Result<u64, ToolError> {
        let mut jobs = locked(&self.all);
        jobs.retain(|_, job| locked(&job.looked_at).elapsed() < FORGOTTEN);
        let running = jobs.values().filter(|job| locked(&job.ended).is_none());
        if running.count() >= JOBS {
            let message = format!("{JOBS} rebuilds and verifications run already");
            return Err(ToolError::new("too-many-jobs", message));
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        jobs.insert(id, self.begin(about, work)?);
        Ok(id)
    }

    fn look(&self, id: u64) -> Result<JobAt, ToolError> {
        let mut jobs = locked(&self.all);
        let job = jobs.get(&id).ok_or_else(|| no_such(id))?;
        *locked(&job.looked_at) = Instant::now();
        let ended = locked(&job.ended).clone();
        let at = JobAt {
            progress: (job.progress)(),
            ended,
        };
        if at.ended.is_some() {
            jobs.remove(&id);
        }
        Ok(at)
    }

    fn begin(&self, about: &About, work: Work) -> Result<Job, ToolError> {
        let views = &about.views;
        match work {
            Work::Rebuild {
                view,
                dry_run,
                rate,
                throttled,
            } => {
                let rebuild = Rebuild {
                    dry_run,
                    rate,
                    throttled,
                    ..Rebuild::of(views.clone(), named(views, &view)?, holder())
                };
                Ok(self.spawn(
                    "rebuild",
                    Progress::default(),
                    true,
                    async move |told, stop| json(&rebuild.run(&told, &stop).await?),
                ))
            }
            Work::Verify {
                view,
                which,
                repair,
                rate,
                again,
            } => {
                let verification = Verification {
                    view: named(views, &view)?,
                    views: views.clone(),
                    which,
                    repair,
                    rate,
                    again,
                    settle: SETTLE,
                };
                let told = Verified::default();
                Ok(self.spawn("verify", told, false, async move |told, stop| {
                    json(&verification.run(&told, &stop).await?)
                }))
            }
            Work::VerifyLogs => {
                let logs = Logs {
                    logs: views.logs.clone(),
                    topics: about.topics.clone(),
                };
                let told = LogsVerified::default();
                Ok(self.spawn("verify", told, false, async move |told, stop| {
                    json(&logs.run(&told, &stop).await?)
                }))
            }
        }
    }

    /// Runs `work`, which tells how far it is.
    fn spawn<P, F>(
        &self,
        name: &'static str,
        first: P,
        outlives: bool,
        work: impl FnOnce(watch::Sender<P>, CancellationToken) -> F,
    ) -> Job
    where
        P: Serialize + Send + Sync + 'static,
        F: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        let (told, progress) = watch::channel(first);
        let stop = self.tasks.stopping().child_token();
        let job = Job {
            progress: Box::new(move || json(&*progress.borrow()).unwrap_or_default()),
            ended: Arc::default(),
            looked_at: Arc::new(Mutex::new(Instant::now())),
            stop: stop.clone(),
        };
        let (ended, looked_at) = (job.ended.clone(), job.looked_at.clone());
        let work = work(told, stop.clone());
        let unwatched = async move {
            while outlives || locked(&looked_at).elapsed() < UNWATCHED {
                sleep(UNWATCHED).await;
            }
            stop.cancel();
        };
        self.tasks.spawn(name, async move {
            tokio::pin!(work);
            let end = tokio::select! {
                end = &mut work => end,
                () = unwatched => work.await,
            };
            *locked(&ended) = Some(end);
        });
        job
    }
}

/// The view of this name.
///
/// # Errors
/// [`ToolError`] names those that there are.
pub(super) fn named(views: &Views, name: &str) -> Result<&'static dyn View, ToolError> {
    views.named(name).ok_or_else(|| {
        let all: Vec<_> = views.all.iter().map(|view| view.schema().name).collect();
        let message = format!("there is no view {name}, but {}", all.join(", "));
        ToolError::new("unknown-view", message)
    })
}

/// Who rebuilds, for people to find; no two are called the same.
fn holder() -> String {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    let some = ids::unique().as_u128() & 0xFFFF;
    format!("process {} on {host} ({some:04x})", process::id())
}

fn no_such(id: u64) -> ToolError {
    ToolError::new("unknown-job", format!("there is no job {id} any more"))
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<RebuildError> for ToolError {
    fn from(e: RebuildError) -> Self {
        let code = match &e {
            RebuildError::Busy { .. } => "busy",
            RebuildError::Cancelled(_) => "cancelled",
            RebuildError::TakenOver(..) => "taken-over",
            RebuildError::Stopped(_) => "stopped",
            RebuildError::Nothing(_) => "nothing-kept",
            RebuildError::Log(_) | RebuildError::View(_) | RebuildError::Bus(_) => {
                "store-unavailable"
            }
            RebuildError::Unreadable(_) => "unreadable-facts",
            RebuildError::Newer { .. } => "newer-revision",
            RebuildError::Behind { .. } => "behind",
        };
        Self::new(code, e.to_string())
    }
}

impl From<LogsError> for ToolError {
    fn from(e: LogsError) -> Self {
        let code = match &e {
            LogsError::Log(_) | LogsError::Topic(_) => "store-unavailable",
            LogsError::Stopped => "stopped",
        };
        Self::new(code, e.to_string())
    }
}

impl From<VerifyError> for ToolError {
    fn from(e: VerifyError) -> Self {
        let code = match &e {
            VerifyError::Look(_) => "store-unavailable",
            VerifyError::Stopped => "stopped",
        };
        Self::new(code, e.to_string())
    }
}
