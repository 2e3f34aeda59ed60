//! Which table of each view is read, and what stands beside it.

use infra::view_store::State;
use serde::{Deserialize, Serialize};

use super::Tools;

/// How the generations of a view stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewAt {
    /// Which.
    pub view: String,
    /// The generation that is read.
    pub generation: Option<u32>,
    /// The revision of `project` that has folded it.
    pub revision: Option<u32>,
    /// Today's revision.
    pub todays: u32,
    /// The generation that `waybill rebuild --undo` goes back to.
    pub kept: Option<u32>,
    /// The rebuild that is under way, or was left.
    pub rebuild: Option<RebuildAt>,
    /// Why nobody knows.
    pub problem: Option<String>,
}

/// How far a rebuild is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildAt {
    /// What it builds.
    pub generation: u32,
    /// Who is at it; none where it was left.
    pub holder: Option<String>,
    /// Since when it is on its way.
    pub since: String,
    /// Orders whose rows are written.
    pub orders: u64,
}

impl ViewAt {
    /// Whether it was folded by another `project` than today's.
    pub fn is_outdated(&self) -> bool {
        self.revision.is_some_and(|revision| revision < self.todays)
    }
}

impl Tools {
    pub(super) async fn views_at(&self) -> Vec<ViewAt> {
        let mut views = vec![];
        for view in self.about.views.all {
            let schema = view.schema();
            let at = ViewAt {
                view: schema.name.to_owned(),
                todays: schema.revision,
                ..ViewAt::default()
            };
            let generations = match self.about.views.generations(*view).await {
                Ok(generations) => generations,
                Err(e) => {
                    views.push(ViewAt {
                        problem: Some(e.to_string()),
                        ..at
                    });
                    continue;
                }
            };
            let live = generations.live();
            views.push(ViewAt {
                generation: live.map(|of| of.number),
                revision: live.map(|of| of.revision),
                kept: generations.in_state(State::Kept).map(|of| of.number),
                rebuild: generations.rebuild.map(|of| RebuildAt {
                    generation: of.generation,
                    holder: of.holder,
                    since: of.since.to_string(),
                    orders: of.orders,
                }),
                ..at
            });
        }
        views
    }
}
