//! A decision table in words, held against every cell of the real one.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::testing::facts;
use crate::{Decider, Fact, Refusal, Rejection};

/// Every state and every command of a stream, by name.
pub struct Table<S, C> {
    pub states: Vec<(&'static str, S)>,
    pub commands: Vec<(&'static str, C)>,
}

/// What one cell came to: in words, and the state afterwards.
pub type Cell<S> = (String, S);

impl<S, C: Clone> Table<S, C> {
    /// Decides every command in every state of `D`, and each that yielded facts once more.
    /// `rules` has a line `command: state, state -> facts` for every cell that yields something:
    /// names of facts, `rejected code` or `!` for a broken invariant. What is not listed has to
    /// yield nothing.
    #[track_caller]
    pub fn check<D>(&self, rules: &str)
    where
        D: Decider<State = S, Command = C>,
        D::Event: Into<Fact>,
    {
        self.check_with(rules, decided::<D>);
    }

    /// The same for rules that are no [`Decider`].
    #[track_caller]
    pub fn check_with(&self, rules: &str, decide: impl Fn(&S, C) -> Cell<S>) {
        let mut rules = self.parse(rules);
        let mut wrong = vec![];
        for (state_name, state) in &self.states {
            for (name, command) in &self.commands {
                let want = rules.remove(&(*name, *state_name)).unwrap_or(NOTHING);
                let (got, after) = decide(state, command.clone());
                if got != want {
                    wrong.push(format!("{name}: {state_name} -> {got} instead of {want}"));
                }
                let (again, _) = decide(&after, command.clone());
                if got.contains('.') && again.contains('.') {
                    wrong.push(format!("{name} again after {state_name} -> {again}"));
                }
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    fn parse<'a>(&self, rules: &'a str) -> BTreeMap<(&'a str, &'a str), &'a str> {
        let mut cells = BTreeMap::new();
        for line in rules.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (command, rest) = line.split_once(':').expect("a command");
            let (states, want) = rest.split_once("->").expect("an arrow");
            for state in states.split(',').map(str::trim) {
                assert!(self.has(command, state), "no such cell: {line}");
                let before = cells.insert((command, state), want.trim());
                assert_eq!(before, None, "listed twice: {line}");
            }
        }
        cells
    }

    fn has(&self, command: &str, state: &str) -> bool {
        self.commands.iter().any(|(name, _)| *name == command)
            && self.states.iter().any(|(name, _)| *name == state)
    }
}

const NOTHING: &str = "nothing";

fn decided<D: Decider>(state: &D::State, command: D::Command) -> Cell<D::State>
where
    D::Event: Into<Fact>,
{
    let decision = D::decide(state, command);
    let after = decision.iter().flatten().fold(state.clone(), D::evolve);
    let facts = decision.map(|events| events.into_iter().map(Into::into).collect());
    (in_words(facts), after)
}

/// `payment.authorized, payment.void-requested`, `rejected code`, `!` or `nothing`.
pub fn in_words<R: Rejection + Debug>(decision: Result<Vec<Fact>, Refusal<R>>) -> String {
    match decision {
        Ok(facts) if facts.is_empty() => NOTHING.into(),
        Ok(facts) => facts
            .iter()
            .map(facts::label)
            .collect::<Vec<_>>()
            .join(", "),
        Err(Refusal::Rejected(why)) => format!("rejected {}", why.code()),
        Err(Refusal::Impossible(_)) => "!".into(),
    }
}
