//! Ending a rebuild from outside.

use std::time::Duration;

use domain::View;
use infra::clock;
use infra::view_store::{Generations, State, ViewError};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::claim::{LASTS, LOOK_EVERY};
use crate::Views;

/// What became of a rebuild that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cancelled {
    /// There was none.
    Nothing,
    /// It has ended, and reads are where they were.
    Ended,
    /// It had switched before it could be ended.
    TooLate,
}

/// Asks the rebuild of a view to end, and ends it where nobody is at it.
///
/// # Errors
/// [`ViewError`]
pub async fn cancel(views: &Views, view: &'static dyn View) -> Result<Cancelled, ViewError> {
    let asked = views.change(view, |all: &mut Generations| {
        let asked = all.rebuild.as_mut().map(|rebuild| {
            rebuild.cancelled = true;
            (rebuild.generation, rebuild.holder.is_some())
        });
        Ok::<_, ViewError>(asked)
    });
    let Some((number, held)) = asked.await? else {
        return Ok(Cancelled::Nothing);
    };
    let is_under_way = |all: &Generations| {
        let mut rebuild = all.rebuild.iter();
        rebuild.any(|rebuild| rebuild.generation == number)
    };
    // Who is at it looks every second.
    let until = Instant::now() + if held { LASTS } else { Duration::ZERO };
    while Instant::now() < until && is_under_way(&views.generations(view).await?) {
        sleep(LOOK_EVERY).await;
    }
    let ended = views.change(view, |all: &mut Generations| {
        if is_under_way(all) {
            all.set(number, State::Dropped, clock::now());
            all.rebuild = None;
        }
        let is_live = all.of(number).is_some_and(|of| of.state == State::Live);
        Ok::<_, ViewError>(match is_live {
            true => Cancelled::TooLate,
            false => Cancelled::Ended,
        })
    });
    ended.await
}
