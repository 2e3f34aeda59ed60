//! Where reads go.

use domain::View;
use infra::clock;
use infra::view_store::{Generations, State};
use serde::{Deserialize, Serialize};

use super::build::pass;
use super::claim::Claim;
use super::{Rebuild, RebuildError};
use crate::Views;

/// Makes the new generation the one that is read, keeps the one before it, and drops older ones.
pub async fn switch(rebuild: &Rebuild, claim: &Claim) -> Result<(), RebuildError> {
    let Rebuild { views, view, .. } = rebuild;
    let schema = view.schema();
    // The comparison took its time.
    let live = views.live(*view).await?.group(schema);
    let group = claim.generation.group(schema);
    pass(views.bus.as_ref(), &group, &live, |_| {}).await?;
    let number = claim.generation.number;
    let switched = claim.change_all(|all, now| {
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
    switched.await?;
    tracing::info!(view = schema.name, generation = number, "reads go there");
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
    pass(
        views.bus.as_ref(),
        &before.group(schema),
        &live.group(schema),
        |_| {},
    )
    .await?;
    let undone = |all: &mut Generations| {
        let now = clock::now();
        let (Some(before), Some(live)) = (kept(all), all.live().cloned()) else {
            return Err(nothing(schema.name));
        };
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
