//! Every state of a small world, breadth first.
//!
//! That every order ends is shown on the graph of the states: it has no cycle, so that every walk
//! ends, and where a walk ends each order is over with all of its ends tied. What is delivered or
//! said once more is no edge of the graph, for in no state it changes anything; neither is what a
//! provider refuses again. Fairness is all that this takes: who owes a step takes it at some time.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::checks::{self, ENDS};
use crate::model::World;
use crate::next::{owed, possible};
use crate::setting::{Setting, Wish};
use crate::step::Step;
use crate::trace::trace;
use crate::view::Views;

/// A search of all that can be reached from a setting.
pub struct Search<'a> {
    setting: &'a Setting,
    /// The number of each state that was reached.
    seen: HashMap<Vec<u64>, usize>,
    /// Where each state was first reached from, and by what.
    came_from: Vec<Option<(usize, Step)>>,
    /// The states that each state leads to.
    leads_to: Vec<Vec<usize>>,
    waiting: VecDeque<(usize, World)>,
    /// The orders that were checked by themselves, with the stock as it was then.
    checked: HashSet<Vec<u64>>,
    /// How orders stood wherever nothing was owed.
    ends: BTreeSet<String>,
    /// Why orders were cancelled.
    reasons: BTreeSet<String>,
    steps: usize,
    /// What was delivered or said once more, with no effect.
    repeats: usize,
    views: Views,
}

impl<'a> Search<'a> {
    pub fn new(setting: &'a Setting) -> Self {
        let world = World::new(setting);
        Self {
            setting,
            seen: HashMap::from([(world.key(), 0)]),
            came_from: vec![None],
            leads_to: vec![vec![]],
            waiting: VecDeque::from([(0, world)]),
            checked: HashSet::new(),
            ends: BTreeSet::new(),
            reasons: BTreeSet::new(),
            steps: 0,
            repeats: 0,
            views: Views::new(setting.bug),
        }
    }

    /// Visits every state, and stops at the first in which something is broken: no walk to a
    /// broken state is shorter. The error is that walk in words.
    pub fn run(&mut self) -> Result<(), String> {
        while let Some((at, world)) = self.waiting.pop_front() {
            self.visit(at, &world).map_err(|(last, broken)| {
                let steps: Vec<Step> = self.walk_to(at).into_iter().chain(last).collect();
                trace(self.setting, &steps, &broken)
            })?;
        }
        Ok(())
    }

    /// The steps of the longest walk; an error where a walk need not end.
    fn longest_walk(&self) -> Result<usize, String> {
        let mut into = vec![0u32; self.leads_to.len()];
        for next in self.leads_to.iter().flatten() {
            into[*next] += 1;
        }
        let mut free: Vec<usize> = (0..into.len()).filter(|state| into[*state] == 0).collect();
        let mut steps_to = vec![0; into.len()];
        let (mut done, mut longest) = (0, 0);
        while let Some(state) = free.pop() {
            done += 1;
            longest = longest.max(steps_to[state]);
            for next in &self.leads_to[state] {
                steps_to[*next] = steps_to[*next].max(steps_to[state] + 1);
                into[*next] -= 1;
                if into[*next] == 0 {
                    free.push(*next);
                }
            }
        }
        if done == into.len() {
            return Ok(longest);
        }
        let state = into.iter().position(|into| *into > 0).unwrap();
        let why = "there is a circle that begins here or later";
        Err(trace(self.setting, &self.walk_to(state), why))
    }

    /// Checks a state and takes every step from it; an error has the step that broke something.
    fn visit(&mut self, at: usize, world: &World) -> Result<(), (Option<Step>, String)> {
        let owed = owed(world);
        let checked = self.check(world, owed.is_empty());
        checked.map_err(|broken| (None, broken))?;
        for step in owed {
            if self.take(at, world, step)? == at {
                return Err((Some(step), "it is owed, and nothing comes of it".into()));
            }
        }
        for step in possible(world) {
            self.take(at, world, step)?;
        }
        Ok(())
    }

    fn check(&mut self, world: &World, at_rest: bool) -> Result<(), String> {
        if at_rest {
            checks::at_rest(world)?;
        }
        for side in &world.orders {
            // Neither check looks at the other orders.
            let first_time = self.checked.insert(world.key_of(side));
            if first_time {
                self.repeats += checks::repeats_change_nothing(world, side)?;
                self.views.agree(side)?;
            }
            if at_rest {
                self.ends.insert(checks::end(side));
                self.reasons.extend(checks::reason(side).map(str::to_owned));
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        at: usize,
        world: &World,
        step: Step,
    ) -> Result<usize, (Option<Step>, String)> {
        self.steps += 1;
        let mut next = world.clone();
        next.take(step).map_err(|broken| (Some(step), broken))?;
        let number = self.seen.len();
        let number = match self.seen.entry(next.key()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                new.insert(number);
                self.came_from.push(Some((at, step)));
                self.leads_to.push(vec![]);
                self.waiting.push_back((number, next));
                number
            }
        };
        if number != at {
            self.leads_to[at].push(number);
        }
        Ok(number)
    }

    fn walk_to(&self, mut state: usize) -> Vec<Step> {
        let mut steps = vec![];
        while let Some((before, step)) = self.came_from[state] {
            steps.push(step);
            state = before;
        }
        steps.reverse();
        steps
    }
}

/// An order of one unit of each SKU, to which everything may happen but what a person records.
pub fn eventful(skus: usize) -> Wish {
    Wish {
        lines: (0..skus).map(|sku| (sku, 1)).collect(),
        deadline: true,
        cancel: true,
        refusals: true,
        failures: true,
        lossy: true,
        by_hand: true,
        eta_moves: 1,
        meddled: false,
    }
}

/// Searches, prints what was found and compares it with all that there is: an order is cancelled
/// for the `reasons`, and ends in every way that they allow.
#[track_caller]
fn search_all(name: &str, setting: &Setting, reasons: &[&str]) {
    let mut search = Search::new(setting);
    let longest = search.run().and_then(|()| search.longest_walk());
    let longest = longest.unwrap_or_else(|broken| panic!("{broken}"));
    println!(
        "{name}: {} states, {} transitions, {} repeats, {} states of the views; \
         the longest walk has {longest} steps",
        search.seen.len(),
        search.steps,
        search.repeats,
        search.views.prefixes()
    );
    let (found, wanted) = (search.reasons, reasons.iter().copied().map(str::to_owned));
    assert_eq!(found, wanted.collect());
    let may_be_rejected = reasons.contains(&STOCK);
    let ends = ENDS
        .into_iter()
        .filter(|end| may_be_rejected || !end.contains("rejected"));
    assert_eq!(search.ends, ends.map(str::to_owned).collect());
}

const CUSTOMER: &str = "changed my mind";
const COURIER: &str = "delivery-failed";
const PROVIDER: &str = "payment-declined";
const TIME: &str = "deadline";
const STOCK: &str = "out-of-stock";

#[test]
fn every_interleaving_of_one_order_ends_with_all_ends_tied() {
    let setting = Setting {
        stock: vec![1],
        receipts: vec![],
        orders: vec![eventful(1)],
        bug: None,
    };
    search_all("one order", &setting, &[CUSTOMER, COURIER, PROVIDER, TIME]);
}

#[test]
fn every_interleaving_of_one_order_of_two_skus_one_of_which_may_come_too_late() {
    let setting = Setting {
        stock: vec![1, 0],
        // Also of what may be held by then.
        receipts: vec![(0, 1), (1, 1)],
        orders: vec![eventful(2)],
        bug: None,
    };
    search_all(
        "two SKUs",
        &setting,
        &[CUSTOMER, COURIER, PROVIDER, TIME, STOCK],
    );
}

#[test]
fn every_interleaving_of_one_order_whose_delivery_a_person_records_beside_the_courier() {
    let meddled = Wish {
        meddled: true,
        lossy: false,
        eta_moves: 0,
        ..eventful(1)
    };
    let setting = Setting {
        stock: vec![1],
        receipts: vec![],
        orders: vec![meddled],
        bug: None,
    };
    search_all(
        "recorded by hand",
        &setting,
        &[CUSTOMER, COURIER, PROVIDER, TIME],
    );
}

/// An order that people and others may end, and whose customer may cancel it.
fn troubled() -> Wish {
    Wish {
        cancel: true,
        refusals: true,
        failures: true,
        ..Wish::plain()
    }
}

/// An order that only its customer may end.
fn cancelled() -> Wish {
    Wish {
        cancel: true,
        ..Wish::plain()
    }
}

/// Two orders that want the last unit. They meet in the stock only, where the one finds the unit or
/// does not, so that not everything has to happen to both at once: that would be millions of states.
#[track_caller]
fn search_two(name: &str, one: Wish, other: Wish, reasons: &[&str]) {
    let setting = Setting {
        stock: vec![1],
        receipts: vec![],
        orders: vec![one, other],
        bug: None,
    };
    search_all(name, &setting, reasons);
}

#[test]
fn every_interleaving_of_two_orders_that_want_the_last_unit() {
    search_two(
        "two orders",
        troubled(),
        troubled(),
        &[CUSTOMER, COURIER, PROVIDER, STOCK],
    );
}

#[test]
fn every_interleaving_of_two_orders_one_of_which_has_a_deadline() {
    let hurried = Wish {
        deadline: true,
        ..troubled()
    };
    search_two(
        "two orders, a deadline",
        hurried,
        cancelled(),
        &[CUSTOMER, COURIER, PROVIDER, TIME, STOCK],
    );
}

#[test]
fn every_interleaving_of_two_orders_to_one_of_which_everything_happens() {
    search_two(
        "two orders, everything",
        eventful(1),
        Wish::plain(),
        &[CUSTOMER, COURIER, PROVIDER, TIME, STOCK],
    );
}
