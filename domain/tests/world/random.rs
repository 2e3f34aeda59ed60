//! Larger worlds, walked by the seed: up to three orders that compete for three scarce SKUs.
//!
//! A case is a setting and a list of choices; each picks one of the steps that are possible then,
//! and now and again something that was delivered before is delivered once more. When the choices
//! are used up, what is owed happens until nothing is.
//!
//! All of it follows from a seed, which is printed: `PROPTEST_RNG_SEED` walks the same again. A
//! failing case shrinks, prints its walk, and is walked first by the next run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use crate::checks;
use crate::model::World;
use crate::next::{owed, possible};
use crate::planted::Bug;
use crate::setting::{Setting, Wish};
use crate::step::Step;
use crate::trace::trace;
use crate::view::agree_in_any_order;

/// 10,240 unless `PROPTEST_CASES` says otherwise.
const CASES_FOR_EACH_OF_PROPTESTS: u32 = 40;

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

fn setting(bug: Option<Bug>) -> impl Strategy<Value = Setting> {
    let stock = prop::array::uniform3(0u64..6);
    let receipts = prop::collection::vec((0usize..3, 1u64..3), 0..3);
    let orders = prop::collection::vec(wish(), 1..4);
    (stock, receipts, orders).prop_map(move |(stock, receipts, orders)| Setting {
        stock: stock.to_vec(),
        receipts,
        orders,
        bug,
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
        sides.try_for_each(|side| checks::repeats_change_nothing(&self.world, side).map(drop))
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

    /// A whole walk; the error is the walk in words.
    fn through(setting: &Setting, choices: &[Choice]) -> Result<Self, String> {
        let mut walk = Self {
            world: World::new(setting),
            steps: vec![],
        };
        match walk.walk_on(choices) {
            Ok(()) => Ok(walk),
            Err(broken) => Err(trace(setting, &walk.steps, &broken)),
        }
    }

    fn walk_on(&mut self, choices: &[Choice]) -> Result<(), String> {
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
            agree_in_any_order(side, self.world.setting.bug, key)?;
        }
        Ok(())
    }
}

/// What the environment says, or else another each time.
fn seed() -> u64 {
    match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one(()),
    }
}

#[test]
fn whatever_happens_to_orders_that_compete_all_of_them_end_with_all_ends_tied() {
    let (seed, cases) = (
        seed(),
        CASES_FOR_EACH_OF_PROPTESTS * Config::default().cases,
    );
    println!("{cases} walks, PROPTEST_RNG_SEED={seed}");
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        source_file: Some(file!()),
        test_name: Some("random worlds"),
        ..Config::default()
    };
    let ends = RefCell::new(BTreeMap::<String, usize>::new());
    let steps = RefCell::new(0);
    let cases_of = &(setting(None), choices());
    let walked = TestRunner::new(config).run(cases_of, |(setting, choices)| {
        let walk = Walk::through(&setting, &choices).map_err(TestCaseError::fail)?;
        *steps.borrow_mut() += walk.steps.len();
        for side in &walk.world.orders {
            *ends.borrow_mut().entry(checks::end(side)).or_default() += 1;
        }
        Ok(())
    });
    if let Err(why) = walked {
        panic!("PROPTEST_RNG_SEED={seed}\n{why}");
    }
    let ends = ends.into_inner();
    println!("{} steps", steps.borrow());
    for (end, orders) in &ends {
        println!("{orders:6} {end}");
    }
    // The walks do not keep to one corner: all ends but perhaps the rarest are met.
    let most = checks::ENDS.len() - 1;
    assert!(
        cases < 10_000 || ends.len() >= most,
        "only these ends: {ends:?}"
    );
}

/// A case that failed and has shrunk.
#[derive(Debug)]
struct Caught {
    setting: Setting,
    choices: Vec<Choice>,
    /// In words.
    walk: String,
    /// How many choices there were before it shrank.
    before: usize,
}

/// Walks with a bug until it is caught.
fn catch(bug: Bug) -> Caught {
    let config = Config {
        cases: 10_000,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    };
    let before = RefCell::new(None);
    let cases_of = &(setting(Some(bug)), choices());
    let walked = TestRunner::new(config).run(cases_of, |(setting, choices)| {
        let walk = Walk::through(&setting, &choices);
        if walk.is_err() {
            before.borrow_mut().get_or_insert(choices.len());
        }
        walk.map(drop).map_err(TestCaseError::fail)
    });
    match walked {
        Err(TestError::Fail(walk, (setting, choices))) => Caught {
            setting,
            choices,
            walk: walk.message().to_owned(),
            before: before.into_inner().expect("one that failed"),
        },
        other => panic!("{bug:?} is not seen: {other:?}"),
    }
}

#[test]
fn a_walk_that_fails_prints_itself_shrinks_and_is_walked_again_to_the_same_words() {
    for bug in Bug::ALL {
        let caught = catch(bug);
        let (choices, lines) = (caught.choices.len(), caught.walk.lines().count());
        println!(
            "{bug:?}: {} choices shrink to {choices}, {lines} lines",
            caught.before
        );
        assert!(choices <= caught.before);
        for wanted in [format!("{:?}", caught.setting), "is placed".to_owned()] {
            assert!(caught.walk.contains(&wanted), "{}", caught.walk);
        }
        let again = Walk::through(&caught.setting, &caught.choices).err();
        assert_eq!(again.as_deref(), Some(caught.walk.as_str()));
        // And so from the seed alone.
        assert_eq!(format!("{:?}", catch(bug)), format!("{caught:?}"));
    }
}
