//! `waybill config`

use std::process::ExitCode;

use infra::config::Config;

use super::Context;
use super::output::{say, say_json};

pub fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let origins = Config::origins(&context.sources)?;
    if context.json {
        say_json(&origins)?;
        return Ok(ExitCode::SUCCESS);
    }
    for origin in origins {
        let value = match &origin.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        say(format_args!("# {}", origin.help.trim()));
        say(format_args!(
            "{} = {value}    ({})\n",
            origin.key, origin.source
        ));
    }
    Ok(ExitCode::SUCCESS)
}
