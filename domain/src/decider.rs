//! The shape of every stream's rules.

use std::fmt;

/// The rules of one kind of stream: what a command yields, and what a fact means.
///
/// Both functions are pure and total. The contract every decider keeps, shown by its tests:
///
/// - a fold of any prefix of facts gives a state, never a panic;
/// - a repeated command yields no facts;
/// - only commands that a person sent (over HTTP or a tool) are [`Refusal::Rejected`]; a command
///   of the process, a timer or an outside answer yields facts, nothing, or
///   [`Refusal::Impossible`].
pub trait Decider {
    /// What the rules need to remember; the default is a stream without facts.
    type State: Default + Clone + Send + Sync + 'static;
    /// What may be asked of the stream.
    type Command: Clone + Send + Sync + 'static;
    /// What happened to the stream.
    type Event: Clone + Send + Sync + 'static;
    /// Why a person's command is turned down.
    type Rejection: Rejection;

    /// The facts that `command` yields in `state`: none where there is nothing left to do.
    ///
    /// # Errors
    /// [`Refusal`], see there. Nothing is ever half decided.
    fn decide(
        state: &Self::State,
        command: Self::Command,
    ) -> Result<Vec<Self::Event>, Refusal<Self::Rejection>>;

    /// The state after `event`.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;
}

/// The state after `events`, from the first.
pub fn fold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D::State
where
    D::Event: 'a,
{
    events.into_iter().fold(D::State::default(), D::evolve)
}

/// A reason that a person can act on.
pub trait Rejection: std::error::Error + Send + Sync + 'static {
    /// A stable name for programs, in kebab case; part of the HTTP contract.
    fn code(&self) -> &'static str;

    /// True where the thing that the command names does not exist (HTTP says 404, else 409).
    fn is_missing(&self) -> bool {
        false
    }
}

/// Why a command yielded no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal<R> {
    /// The rules turn a person's command down.
    #[error(transparent)]
    Rejected(#[from] R),
    /// The command cannot have been sent in this state by a process that works: something broke
    /// an invariant, and a person has to look. The fact behind it becomes a dead letter.
    #[error("{0}")]
    Impossible(Invariant),
}

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{command} in state {state}: {why}")]
pub struct Invariant {
    /// The command that arrived.
    pub command: &'static str,
    /// The state that it met.
    pub state: &'static str,
    /// What should have been true.
    pub why: &'static str,
}

impl<R> Refusal<R> {
    /// A broken invariant.
    pub fn impossible(command: &'static str, state: &'static str, why: &'static str) -> Self {
        Self::Impossible(Invariant {
            command,
            state,
            why,
        })
    }
}

/// The rejection of a stream that takes no commands from people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

impl Rejection for Never {
    fn code(&self) -> &'static str {
        match *self {}
    }
}

#[cfg(test)]
mod tests;
