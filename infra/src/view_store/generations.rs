//! The tables that a view has had, and which of them is read.
//!
//! A generation is a table, a revision of the view's `project` and a consumer group. How the
//! generations of a view stand is one row, changed as a whole and only by who has seen it as it is:
//! so a switch is one step, and whoever was replaced meanwhile changes nothing.

use domain::values::Timestamp;
use domain::view::Schema;
use serde::{Deserialize, Serialize};

use super::{Table, ViewError, ViewStore};
use crate::clock;

/// How the generations of a view stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// How often this has changed; 0 where it was never stored. Kept beside the rest by the store.
    #[serde(skip)]
    pub version: u64,
    /// Those that have a table, by number.
    pub all: Vec<Generation>,
    /// The number of the next.
    pub next: u32,
    /// The rebuild that is under way, or was cut off.
    pub rebuild: Option<Rebuild>,
}

/// A table of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1; none is used twice.
    pub number: u32,
    /// The revision of `project` that has written it from the first fact on.
    pub revision: u32,
    /// What it is there for.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
}

/// What a generation is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its rows are being folded from the logs. Nobody reads it, and no projector feeds it.
    Building,
    /// It has the rows of all facts up to where its group begins, and projectors feed it.
    CatchingUp,
    /// It is read.
    Live,
    /// It was read before, and is fed, so that it can be read again at once.
    Kept,
    /// Nobody reads or feeds it, and its table is removed.
    Dropped,
}

/// A rebuild of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// The number of the generation that is built.
    pub generation: u32,
    /// Who builds it, for people to read; none where it was left, to be gone on with.
    pub holder: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Grows all the time while somebody is at it.
    pub beat: u64,
    /// The last order whose rows are written, by the text of its id.
    pub after: Option<String>,
    /// How many facts were read so far.
    pub facts: u64,
    /// How many orders.
    pub orders: u64,
    /// How many rows were written of them.
    pub rows: u64,
    /// Somebody has asked it to end.
    pub cancelled: bool,
}

impl Generation {
    /// Its table.
    pub fn table(&self, schema: &Schema) -> Table {
        let name = schema.name;
        let name = match self.number {
            1 => name.to_owned(),
            number => format!("{name}_g{number}"),
        };
        Table { name }
    }

    /// The consumer group that feeds it.
    pub fn group(&self, schema: &Schema) -> String {
        format!("{}-g{}", schema.name, self.number)
    }

    /// Whether projectors keep it up to date.
    pub fn is_fed(&self) -> bool {
        match self.state {
            State::CatchingUp | State::Live | State::Kept => true,
            State::Building | State::Dropped => false,
        }
    }
}

impl Generations {
    /// A view that was never rebuilt: its first table, of today's revision.
    pub fn first(schema: &Schema, now: Timestamp) -> Self {
        Self {
            version: 0,
            all: vec![Generation {
                number: 1,
                revision: schema.revision,
                state: State::Live,
                since: now,
            }],
            next: 2,
            rebuild: None,
        }
    }

    /// How those of a view stand; as one that was never rebuilt where nobody has said.
    ///
    /// # Errors
    /// [`ViewError`]
    pub async fn of_view(store: &dyn ViewStore, schema: &Schema) -> Result<Self, ViewError> {
        let stored = store.generations(schema.name).await?;
        Ok(stored.unwrap_or_else(|| Self::first(schema, clock::now())))
    }

    /// The one that is read.
    pub fn live(&self) -> Option<&Generation> {
        self.in_state(State::Live)
    }

    /// The first in a state.
    pub fn in_state(&self, state: State) -> Option<&Generation> {
        self.all.iter().find(|g| g.state == state)
    }

    /// The one of a number.
    pub fn of(&self, number: u32) -> Option<&Generation> {
        self.all.iter().find(|g| g.number == number)
    }

    /// Says what a generation is there for from now on.
    pub fn set(&mut self, number: u32, state: State, now: Timestamp) {
        for generation in &mut self.all {
            if generation.number == number {
                generation.state = state;
                generation.since = now;
            }
        }
    }
}
