//! Asking a pipeline: the servers that it is on; or the process that holds the data directory, or
//! the directory itself where nobody does.

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Context;
use crate::adapters::Adapters;
use crate::control;
use crate::tools::Request;

pub async fn ask<T: DeserializeOwned>(context: &Context, request: Request) -> anyhow::Result<T> {
    if context.config.servers.is_some() {
        let adapters = Adapters::open(&context.config)?;
        return read(adapters.tools().answer(request).await?);
    }
    let data_dir = &context.config.data_dir;
    let answer = match control::ask(data_dir, &request).await? {
        Some(answer) => answer?,
        None => {
            if !data_dir.exists() {
                bail!(
                    "there is no pipeline at {}: start one with `waybill`, or name its data with \
                     --data-dir",
                    data_dir.display()
                );
            }
            let adapters = Adapters::open(&context.config)?;
            adapters.tools().answer(request).await?
        }
    };
    read(answer)
}

fn read<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("the pipeline is of another version than this tool")
}

/// True where somebody is at work who takes up what is asked for. On servers nobody can tell, and
/// it is taken that somebody is.
pub async fn is_at_work(context: &Context) -> bool {
    context.config.servers.is_some() || control::is_up(&context.config.data_dir).await
}
