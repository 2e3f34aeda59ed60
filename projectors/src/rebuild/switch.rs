//! Where reads go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::View;
use infra::clock;
use infra::view_store::{Generations, State};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::build::pass;
use super::claim::Claim;
use super::{Rebuild, RebuildError};
use crate::Views;

/// How long the earlier table may take to have what the other has.
const WITHIN: Duration = Duration::from_secs(30);

/// Makes the new generation the one that is read, keeps the one before it, and drops older ones.
pub async fn switch(rebuild: &Rebuild, claim: &Claim) -> Result<(), RebuildError> {
    let name = rebuild.view.schema().name;
    let number = claim.generation.number;
    let switched = claim.end(State::Live, |all, now| {
        if all
            .rebuild
            .as_ref()
            .is_some_and(|rebuild| rebuild.cancelled)
        {
            return Err(RebuildError::Cancelled(name));
        }
        for other in all.all.clone() {
            match other.state {
                State::Kept => all.set(other.number, State::Dropped, now),
                State::Live => all.set(other.number, State::Kept, now),
                State::Building | State::CatchingUp | State::Dropped => {}
            }
        }
        all.set(number, State::Live, now);
        all.rebuild = None;
        Ok(())
    });
    match switched.await {
        Ok(()) => tracing::info!(view = name, generation = number, "reads go there"),
        Err(e @ RebuildError::Cancelled(_)) => {
            claim.give_up().await?;
            return Err(e);
        }
        Err(e) => return Err(e),
    }
    Ok(())
}

/// What an undoing did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// The view.
    pub view: String,
    /// The generation that is read now.
    pub live: u32,
    /// Its revision.
    pub revision: u32,
    /// Today's.
    pub todays: u32,
    /// The one that was read, and is kept.
    pub kept: u32,
}

/// Makes the generation that was read before the one that is read again; the other is kept, so that
/// doing it twice changes nothing.
///
/// # Errors
/// [`RebuildError`]
pub async fn undo(views: &Views, view: &'static dyn View) -> Result<Undone, RebuildError> {
    let schema = view.schema();
    let kept = |all: &Generations| all.in_state(State::Kept).cloned();
    let before = kept(&views.generations(view).await?).ok_or_else(|| nothing(schema.name))?;
    let live = views.live(view).await?;
    let left = AtomicU64::new(0);
    let (group, goal) = (before.group(schema), live.group(schema));
    let told = |now| left.store(now, Ordering::Relaxed);
    let passed = timeout(WITHIN, pass(views.bus.as_ref(), &group, &goal, told));
    passed.await.map_err(|_| RebuildError::Behind {
        view: schema.name,
        left: left.load(Ordering::Relaxed),
        within: WITHIN,
    })??;
    let undone = |all: &mut Generations| {
        let now = clock::now();
        let are = |number, state| all.of(number).is_some_and(|of| of.state == state);
        if !are(before.number, State::Kept) || !are(live.number, State::Live) {
            let changed = format!("somebody has switched {} meanwhile", schema.name);
            return Err(RebuildError::Nothing(changed));
        }
        all.set(before.number, State::Live, now);
        all.set(live.number, State::Kept, now);
        Ok(Undone {
            view: schema.name.to_owned(),
            live: before.number,
            revision: before.revision,
            todays: schema.revision,
            kept: live.number,
        })
    };
    views.change(view, undone).await
}

fn nothing(view: &str) -> RebuildError {
    RebuildError::Nothing(format!("no earlier table of {view} is kept"))
}
