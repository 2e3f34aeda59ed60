//! Asking a pipeline: the process that holds the data directory, or the directory itself where
//! nobody does.

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

use super::Context;
use crate::app::Adapters;
use crate::control;
use crate::tools::Request;

pub async fn ask<T: DeserializeOwned>(context: &Context, request: Request) -> anyhow::Result<T> {
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
    serde_json::from_value(answer).context("the pipeline is of another version than this tool")
}
