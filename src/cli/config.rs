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
    // A valid waybill.toml: JSON's texts and numbers are TOML's too.
    for origin in origins {
        say(format_args!(
            "# {}\n{} = {}    # {}\n",
            origin.help.trim(),
            origin.key,
            origin.value,
            origin.source
        ));
    }
    Ok(ExitCode::SUCCESS)
}
