//! Every state of a small world, breadth first.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::checks::{self, ENDS};
use crate::model::World;
use crate::next::{owed, possible};
use crate::setting::{Setting, Wish};
use crate::step::Step;
use crate::trace::trace;
use crate::view;

/// A search of all that can be reached from a setting.
struct Search<'a> {
    setting: &'a Setting,
    /// The number of each state that was reached.
    seen: HashMap<Vec<u64>, usize>,
    /// Where each state was first reached from, and by what.
    came_from: Vec<Option<(usize, Step)>>,
    waiting: VecDeque<(usize, World)>,
    /// The orders that were checked by themselves, with the stock as it was then.
    checked: HashSet<Vec<u64>>,
    /// How orders stood wherever nothing was owed.
    ends: BTreeSet<String>,
    /// Why orders were cancelled.
    reasons: BTreeSet<String>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(setting: &'a Setting) -> Self {
        let world = World::new(setting);
        Self {
            setting,
            seen: HashMap::from([(world.key(), 0)]),
            came_from: vec![None],
            waiting: VecDeque::from([(0, world)]),
            checked: HashSet::new(),
            ends: BTreeSet::new(),
            reasons: BTreeSet::new(),
            steps: 0,
        }
    }

    /// Visits every state, and stops at the first in which something is broken: no walk to a
    /// broken state is shorter.
    fn run(&mut self) {
        while let Some((at, world)) = self.waiting.pop_front() {
            if let Err((last, broken)) = self.visit(at, &world) {
                let steps: Vec<Step> = self.walk_to(at).into_iter().chain(last).collect();
                panic!("{}", trace(self.setting, &steps, &broken));
            }
        }
    }

    /// Checks a state and takes every step from it; an error has the step that broke something.
    fn visit(&mut self, at: usize, world: &World) -> Result<(), (Option<Step>, String)> {
        let owed = owed(world);
        let checked = self.check(world, owed.is_empty());
        checked.map_err(|broken| (None, broken))?;
        let key = world.key();
        for step in owed {
            let next = self.take(at, world, step)?;
            if next == key {
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
                checks::repeats_change_nothing(world, side)?;
                view::agrees(side, |number| usize::MAX - number)?;
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
    ) -> Result<Vec<u64>, (Option<Step>, String)> {
        self.steps += 1;
        let mut next = world.clone();
        next.take(step).map_err(|broken| (Some(step), broken))?;
        let (key, number) = (next.key(), self.seen.len());
        if let Entry::Vacant(new) = self.seen.entry(key.clone()) {
            new.insert(number);
            self.came_from.push(Some((at, step)));
            self.waiting.push_back((number, next));
        }
        Ok(key)
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
fn eventful(skus: usize) -> Wish {
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
    search.run();
    let states = search.seen.len();
    println!("{name}: {states} states, {} steps", search.steps);
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
    };
    search_all("one order", &setting, &[CUSTOMER, COURIER, PROVIDER, TIME]);
}

#[test]
fn every_interleaving_of_one_order_of_two_skus_one_of_which_may_come_too_late() {
    let setting = Setting {
        stock: vec![1, 0],
        receipts: vec![(1, 1)],
        orders: vec![eventful(2)],
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
        by_hand: false,
        eta_moves: 0,
        ..eventful(1)
    };
    let setting = Setting {
        stock: vec![1],
        receipts: vec![],
        orders: vec![meddled],
    };
    search_all(
        "recorded by hand",
        &setting,
        &[CUSTOMER, COURIER, PROVIDER, TIME],
    );
}

#[test]
fn every_interleaving_of_two_orders_that_want_the_last_unit() {
    let troubled = Wish {
        refusals: true,
        failures: true,
        ..Wish::plain()
    };
    let cancelled = Wish {
        cancel: true,
        ..troubled.clone()
    };
    let setting = Setting {
        stock: vec![1],
        receipts: vec![],
        orders: vec![cancelled, troubled],
    };
    search_all(
        "two orders",
        &setting,
        &[CUSTOMER, COURIER, PROVIDER, STOCK],
    );
}
