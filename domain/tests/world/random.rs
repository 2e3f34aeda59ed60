//! Larger worlds, walked by the seed: up to three orders that compete for three scarce SKUs.
//!
//! A case is a setting and a list of choices; each picks one of the steps that are possible then,
//! and now and again something that was delivered before is delivered once more. When the choices
//! are used up, what is owed happens until nothing is. A failing case shrinks, prints its walk,
//! and is walked first by the next run.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::checks;
use crate::model::World;
use crate::next::{owed, possible};
use crate::setting::{Setting, Wish};
use crate::step::Step;
use crate::trace::trace;
use crate::view;

/// 2,048 unless `PROPTEST_CASES` says otherwise.
const CASES_FOR_EACH_OF_PROPTESTS: u32 = 8;

/// No walk of three orders is nearly as long.
const MOST_STEPS: usize = 5_000;

fn wish() -> impl Strategy<Value = Wish> {
    let units = prop_oneof![3 => Just(0), 2 => Just(1u64), 1 => Just(2)];
    let lines = prop::array::uniform3(units);
    // Few are cancelled or in a hurry, so that most get far enough to fail later.
    let ended_early = prop::array::uniform2(prop::bool::weighted(0.3));
    let others = prop::array::uniform5(any::<bool>());
    let eta_moves = 0u8..3;
    (lines, ended_early, others, eta_moves).prop_map(|(units, ended_early, others, eta_moves)| {
        let mut lines: Vec<_> = units.into_iter().enumerate().collect();
        lines.retain(|(_, units)| *units > 0);
        if lines.is_empty() {
            lines.push((0, 1));
        }
        let [deadline, cancel] = ended_early;
        let [refusals, failures, lossy, by_hand, meddled] = others;
        Wish {
            lines,
            deadline,
            cancel,
            refusals,
            failures,
            lossy,
            by_hand,
            eta_moves,
            meddled,
        }
    })
}

fn setting() -> impl Strategy<Value = Setting> {
    let stock = prop::array::uniform3(0u64..6);
    let receipts = prop::collection::vec((0usize..3, 1u64..3), 0..3);
    let orders = prop::collection::vec(wish(), 1..4);
    (stock, receipts, orders).prop_map(|(stock, receipts, orders)| Setting {
        stock: stock.to_vec(),
        receipts,
        orders,
    })
}

/// Which step is next, and perhaps which delivery is repeated after it.
type Choice = (Index, Option<Index>);

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let again = prop::option::weighted(0.2, any::<Index>());
    prop::collection::vec((any::<Index>(), again), 0..120)
}

/// A walk through one world.
struct Walk {
    world: World,
    steps: Vec<Step>,
}

impl Walk {
    fn step(&mut self, step: Step) -> Result<(), String> {
        self.steps.push(step);
        self.world.take(step).map(drop)
    }

    fn choose(&mut self, (next, again): Choice) -> Result<(), String> {
        let mut steps = owed(&self.world);
        steps.extend(possible(&self.world));
        if !steps.is_empty() {
            self.step(*next.get(&steps))?;
        }
        let Some(again) = again else { return Ok(()) };
        let delivered = self.delivered();
        if !delivered.is_empty() {
            self.step(*again.get(&delivered))?;
        }
        Ok(())
    }

    /// Each delivery so far, as a step that repeats it.
    fn delivered(&self) -> Vec<Step> {
        let sides = self.world.orders.iter();
        let steps = sides.flat_map(|side| {
            let order = side.number;
            (0..side.delivered().count()).map(move |number| Step::Again { order, number })
        });
        steps.collect()
    }

    fn until_nothing_is_owed(&mut self) -> Result<(), String> {
        while let Some(step) = owed(&self.world).first() {
            self.step(*step)?;
            if self.steps.len() > MOST_STEPS {
                return Err("it never comes to rest".into());
            }
        }
        checks::at_rest(&self.world)?;
        self.repeats_change_nothing()
    }

    fn repeats_change_nothing(&self) -> Result<(), String> {
        let mut sides = self.world.orders.iter();
        sides.try_for_each(|side| checks::repeats_change_nothing(&self.world, side))
    }

    /// Delivers everything once more, has every customer place and cancel once more, and expects
    /// that nothing comes of it.
    fn everything_again(&mut self) -> Result<(), String> {
        let facts = |world: &World| -> usize {
            let sides = world.orders.iter();
            sides.map(|side| side.facts().count()).sum()
        };
        let before = facts(&self.world);
        for step in self.delivered() {
            self.step(step)?;
        }
        for order in 0..self.world.orders.len() {
            self.step(Step::Place { order })?;
            self.step(Step::Cancel { order })?;
        }
        self.until_nothing_is_owed()?;
        match facts(&self.world) - before {
            0 => Ok(()),
            more => Err(format!("{more} facts came of repeats")),
        }
    }

    fn through(&mut self, choices: &[Choice]) -> Result<(), String> {
        for choice in choices {
            self.choose(*choice)?;
        }
        self.repeats_change_nothing()?;
        self.until_nothing_is_owed()?;
        self.everything_again()?;
        for side in &self.world.orders {
            let key = |number: usize| match choices {
                [] => usize::MAX - number,
                _ => choices[number % choices.len()].0.index(1000),
            };
            view::agrees(side, key)?;
        }
        Ok(())
    }
}

#[test]
fn whatever_happens_to_orders_that_compete_all_of_them_end_with_all_ends_tied() {
    let cases = CASES_FOR_EACH_OF_PROPTESTS * Config::default().cases;
    let config = Config {
        cases,
        source_file: Some(file!()),
        test_name: Some("random worlds"),
        ..Config::default()
    };
    let ends = RefCell::new(BTreeMap::<String, usize>::new());
    let steps = RefCell::new(0);
    let walked = TestRunner::new(config).run(&(setting(), choices()), |(setting, choices)| {
        let mut walk = Walk {
            world: World::new(&setting),
            steps: vec![],
        };
        if let Err(broken) = walk.through(&choices) {
            return Err(TestCaseError::fail(trace(&setting, &walk.steps, &broken)));
        }
        *steps.borrow_mut() += walk.steps.len();
        for side in &walk.world.orders {
            *ends.borrow_mut().entry(checks::end(side)).or_default() += 1;
        }
        Ok(())
    });
    if let Err(why) = walked {
        panic!("{why}");
    }
    let ends = ends.into_inner();
    println!("{} steps", steps.borrow());
    for (end, orders) in &ends {
        println!("{orders:6} {end}");
    }
    // The walks do not keep to one corner: at least the ends that are not rare are met.
    assert!(
        cases < 2_000 || ends.len() >= 9,
        "only these ends: {ends:?}"
    );
}
