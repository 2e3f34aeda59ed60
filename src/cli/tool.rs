//! Asking a pipeline: the servers that it is on; or the process that holds the data directory, or
//! the directory itself where nobody does.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use infra::tasks::Tasks;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::serve::stop_on_signals;
use crate::adapters::Adapters;
use crate::control;
use crate::tools::{JobAt, JobRequest, Request, ToolError, Tools, Work};

/// Between two looks at long work.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long work of this process may take to end in order.
const DRAIN: Duration = Duration::from_secs(10);

/// A pipeline that can be asked.
pub struct Pipeline(Way);

enum Way {
    /// By the process that holds this directory.
    Holder(PathBuf),
    /// By this process.
    Own(Box<Own>),
}

struct Own {
    tools: Tools,
    adapters: Adapters,
    tasks: Tasks,
}

impl Pipeline {
    /// The way to the pipeline of the configuration.
    pub async fn open(context: &Context) -> anyhow::Result<Self> {
        let data_dir = &context.config.data_dir;
        if context.config.servers.is_none() {
            if control::is_up(data_dir).await? {
                return Ok(Self(Way::Holder(data_dir.clone())));
            }
            if !data_dir.exists() {
                bail!(
                    "there is no pipeline at {}: start one with `waybill`, or name its data with \
                     --data-dir",
                    data_dir.display()
                );
            }
        }
        let adapters = Adapters::open(&context.config)?;
        let tasks = Tasks::new();
        let tools = adapters.tools(&tasks);
        Ok(Self(Way::Own(Box::new(Own {
            tools,
            adapters,
            tasks,
        }))))
    }

    /// Keeps the views of these names in this process where it alone has the data.
    pub fn keep_views(&self, names: &[String]) {
        if let Way::Own(own) = &self.0
            && own.adapters.folder.is_some()
        {
            let views = own.adapters.kept_views();
            for view in names.iter().filter_map(|name| views.named(name)) {
                views.keep(view, &own.tasks);
            }
        }
    }

    /// Asks.
    pub async fn ask<T: DeserializeOwned>(&self, request: Request) -> anyhow::Result<T> {
        let answer = match &self.0 {
            Way::Own(own) => own.tools.answer(request).await,
            Way::Holder(data_dir) => match control::ask(data_dir, &request).await? {
                Some(answer) => answer,
                None => bail!("the pipeline has ended meanwhile"),
            },
        };
        read(answer?)
    }

    /// Has work done, which takes its time; `look` is told how far it is. Where this process is asked
    /// to end, so is the work.
    pub async fn work<P: DeserializeOwned, T: DeserializeOwned>(
        &self,
        work: Work,
        mut look: impl FnMut(P),
    ) -> anyhow::Result<Result<T, ToolError>> {
        let id: u64 = self.ask(Request::Job(JobRequest::Start { work })).await?;
        let stop = CancellationToken::new();
        let signals = stop_on_signals(&stop)?;
        let mut asked = false;
        let ended = loop {
            if stop.is_cancelled() && !asked {
                asked = true;
                let () = self.ask(Request::Job(JobRequest::Stop { id })).await?;
            }
            let at: JobAt = self.ask(Request::Job(JobRequest::Look { id })).await?;
            look(read(at.progress)?);
            if let Some(ended) = at.ended {
                break ended;
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled(), if !asked => {}
            }
        };
        signals.abort();
        match ended {
            Ok(value) => Ok(Ok(read(value)?)),
            Err(e) => Ok(Err(e)),
        }
    }

    /// Ends what runs in this process.
    pub async fn close(self) -> anyhow::Result<()> {
        if let Way::Own(own) = self.0 {
            own.tasks.drain(DRAIN).await;
            if let Some(folder) = &own.adapters.folder {
                folder.sync()?;
            }
        }
        Ok(())
    }
}

/// Asks once.
pub async fn ask<T: DeserializeOwned>(context: &Context, request: Request) -> anyhow::Result<T> {
    Pipeline::open(context).await?.ask(request).await
}

fn read<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("the pipeline is of another version than this tool")
}

/// True where somebody is at work who takes up what is asked for. On servers nobody can tell, and
/// it is taken that somebody is.
pub async fn is_at_work(context: &Context) -> bool {
    let up = control::is_up(&context.config.data_dir);
    context.config.servers.is_some() || up.await.unwrap_or(false)
}
