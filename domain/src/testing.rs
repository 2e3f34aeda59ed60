//! Given the facts of a stream, when a command, then facts: how the tests beside the deciders
//! read; and the facts and values that they are made of.

pub mod facts;
pub mod table;
pub mod values;

pub use table::Table;

use std::fmt::Debug;

use crate::{Category, Decider, Fact, OrderContext, Recorded, Refusal, StreamId, Written, fold};

/// A stream with `facts`; nothing yet where there are none.
pub fn given<D: Decider>(facts: impl IntoIterator<Item = D::Event>) -> Given<D> {
    let facts: Vec<_> = facts.into_iter().collect();
    Given(fold::<D>(&facts))
}

/// A stream that a command is about to meet.
pub struct Given<D: Decider>(D::State);

impl<D: Decider> Given<D> {
    /// Decides the command.
    pub fn when(self, command: D::Command) -> Outcome<Vec<D::Event>, D::Rejection> {
        Outcome(D::decide(&self.0, command))
    }
}

/// What a command came to.
#[must_use = "say what should have come of it"]
pub struct Outcome<Y, R>(pub Result<Y, Refusal<R>>);

impl<Y, R> Outcome<Y, R>
where
    Y: Debug + Default + PartialEq,
    R: Debug + PartialEq,
{
    /// It yielded exactly these facts.
    #[track_caller]
    pub fn then(self, facts: impl Into<Y>) {
        assert_eq!(self.0, Ok(facts.into()));
    }

    /// It yielded nothing.
    #[track_caller]
    pub fn then_nothing(self) {
        assert_eq!(self.0, Ok(Y::default()));
    }

    /// A person was told why not.
    #[track_caller]
    pub fn then_rejected(self, why: R) {
        assert_eq!(self.0, Err(Refusal::Rejected(why)));
    }

    /// It broke an invariant.
    #[track_caller]
    pub fn then_impossible(self) {
        assert!(
            matches!(self.0, Err(Refusal::Impossible(_))),
            "not impossible: {:?}",
            self.0
        );
    }
}

/// `fact` as the log has it, as number `sequence` of its stream. Its time follows from the
/// sequence, so that a later fact of a stream is a later moment.
pub fn recorded(sequence: u64, fact: impl Into<Fact>) -> Recorded {
    let fact = fact.into();
    let category = fact.category();
    let id = if category == Category::Stock {
        "A".to_owned()
    } else {
        values::order_id().to_string()
    };
    let stream = StreamId { category, id };
    Recorded {
        id: stream.fact(sequence),
        position: sequence,
        time: values::minute(sequence),
        correlation: values::order_id().to_string(),
        causation: "a command".into(),
        order: Some(OrderContext {
            customer_id: values::customer(),
            currency: values::currency(),
            total_amount: values::total(),
            placed_at: values::minute(0),
        }),
        traceparent: None,
        written: Some(Written {
            version: "1".into(),
            payload: format!("the payload of {}", fact.name()),
        }),
        fact,
    }
}
