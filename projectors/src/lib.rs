//! The workers that keep the views: facts in, cells out.
//!
//! - `supervisor`: a [`Projector`] for each generation of a view that is fed.
//! - `projector`: keeps one table. `fold`: what many facts write, as one write a row.
//! - `orders`: the logs once more, merged by order.
//! - [`rebuild`]: the next generation of a view, beside the live one.
//! - [`verify`]: views and logs held against each other.

mod compare;
mod fold;
mod orders;
mod projector;
pub mod rebuild;
mod router;
mod supervisor;
pub mod verify;

use std::sync::Arc;
use std::time::Duration;

use domain::View;
use infra::bus::Bus;
use infra::clock;
use infra::event_store::{EventStore, ParkedRows};
use infra::tasks::Tasks;
use infra::view_store::{Generation, Generations, ViewError, ViewStore};

pub use projector::Projector;
pub use router::router;

/// The views, and what keeping them needs.
#[derive(Clone)]
pub struct Views {
    /// Which there are.
    pub all: &'static [&'static dyn View],
    /// Where facts come from.
    pub bus: Arc<dyn Bus>,
    /// Where cells go.
    pub store: Arc<dyn ViewStore>,
    /// Where facts are parked that cannot be read.
    pub parked: Arc<dyn ParkedRows>,
    /// The logs: views are rebuilt from them, and parked facts are read there when they are taken up
    /// again.
    pub logs: Vec<Arc<dyn EventStore>>,
    /// How long a generation is kept that is not read any more.
    pub kept_for: Duration,
}

impl Views {
    /// Keeps every view until `tasks` are asked to end.
    pub fn run(&self, tasks: &Tasks) {
        for view in self.all {
            self.keep(*view, tasks);
        }
    }

    /// Keeps a view until `tasks` are asked to end.
    pub fn keep(&self, view: &'static dyn View, tasks: &Tasks) {
        tasks.spawn("views", supervisor::run(self.clone(), view, tasks.clone()));
    }

    /// The view of this name.
    pub fn named(&self, name: &str) -> Option<&'static dyn View> {
        let mut views = self.all.iter().copied();
        views.find(|view| view.schema().name == name)
    }

    /// How the generations of a view stand; as one that was never rebuilt where nobody has said.
    ///
    /// # Errors
    /// [`ViewError`]
    pub async fn generations(&self, view: &dyn View) -> Result<Generations, ViewError> {
        Generations::of_view(self.store.as_ref(), view.schema()).await
    }

    /// The generation of a view that is read.
    ///
    /// # Errors
    /// [`ViewError`]
    pub async fn live(&self, view: &dyn View) -> Result<Generation, ViewError> {
        let generations = self.generations(view).await?;
        let none = || ViewError::Corrupt(format!("no table of {} is read", view.schema().name));
        generations.live().cloned().ok_or_else(none)
    }

    /// The consumer groups of all generations that are fed; those of views that were never rebuilt
    /// where the view store does not answer.
    pub async fn groups(&self) -> Vec<String> {
        let mut groups = vec![];
        for view in self.all {
            let known = self.generations(*view).await;
            let known = known.unwrap_or_else(|_| Generations::first(view.schema(), clock::now()));
            let fed = known.all.iter().filter(|of| of.is_fed());
            groups.extend(fed.map(|of| of.group(view.schema())));
        }
        groups
    }

    /// Changes how the generations of a view stand, by what `change` makes of how they stand; who
    /// comes between is taken into account. Where `change` returns `Err`, nothing is changed.
    ///
    /// # Errors
    /// [`ViewError`], and what `change` says.
    pub(crate) async fn change<T, E: From<ViewError>>(
        &self,
        view: &dyn View,
        change: impl Fn(&mut Generations) -> Result<T, E>,
    ) -> Result<T, E> {
        loop {
            let mut generations = self.generations(view).await?;
            let before = generations.clone();
            let changed = change(&mut generations)?;
            if generations == before {
                return Ok(changed);
            }
            let name = view.schema().name;
            if self.store.replace_generations(name, &generations).await? {
                return Ok(changed);
            }
        }
    }
}
