//! The views of a world: however the facts of its orders come, their rows say how the orders
//! stand.
//!
//! A projector takes the facts of a stream in order, those of different streams in any order, and
//! after a crash some of them once more. So what it has taken is a prefix of each stream, and
//! [`Views`] goes through all of them: every way to get there has to give one row, that row has to
//! be what [`crate::row`] says of the prefixes, and no fact of it may change it when it comes again.

use std::collections::HashMap;
use std::rc::Rc;

use domain::view::order_timeline::OrderTimeline;
use domain::view::order_view::{OrderRow, OrderView};
use domain::view::orders_by_customer::OrdersByCustomer;
use domain::view::{Cell, Fold, Patch, Value};
use domain::{Fact, View, order};

use crate::planted::Bug;
use crate::row;
use crate::setting::{customer, order_id};
use crate::side::{Entry, STREAMS, Side};

/// The views that fold all facts of an order into one row.
const FOLDED: [&dyn View; 2] = [&OrderView, &OrdersByCustomer];

type Rows = [Fold; FOLDED.len()];

/// How many facts of each stream were taken.
type Taken = [usize; STREAMS.len()];

/// A fact and what it writes. Facts that differ only in the walk that led to them are one.
struct Known {
    entry: Rc<Entry>,
    patches: [Patch; FOLDED.len()],
}

/// All that projectors were seen to reach, by the last fact of each prefix.
#[derive(Default)]
pub struct Views {
    known: HashMap<u64, Rc<Known>>,
    rows: HashMap<[u64; STREAMS.len()], Rows>,
    bug: Option<Bug>,
}

impl Views {
    pub fn new(bug: Option<Bug>) -> Self {
        Self {
            bug,
            ..Self::default()
        }
    }

    /// How many prefixes of streams were gone through.
    pub fn prefixes(&self) -> usize {
        self.rows.len()
    }

    /// Goes through all that a projector can have taken of an order.
    pub fn agree(&mut self, side: &Side) -> Result<(), String> {
        self.reach(side, STREAMS.map(|stream| side.log(stream).len()))
    }

    fn reach(&mut self, side: &Side, taken: Taken) -> Result<(), String> {
        let at = last_of(side, taken);
        if self.rows.contains_key(&at) {
            return Ok(());
        }
        let mut rows: Option<Rows> = None;
        for (stream, before) in one_less(taken) {
            self.reach(side, before)?;
            let last = &side.log(STREAMS[stream])[taken[stream] - 1];
            let last = self.known(last)?;
            let mut reached = self.rows[&last_of(side, before)].clone();
            add(&mut reached, &last, self.bug);
            if rows.as_ref().is_some_and(|rows| *rows != reached) {
                return Err(format!(
                    "rows depend on the order of facts: {}",
                    names(side, taken)
                ));
            }
            rows = Some(reached);
        }
        let rows = rows.unwrap_or_default();
        let known = self.taken(side, taken)?;
        let all = || known.iter().flatten();
        let mut repeated = rows.clone();
        for fact in all() {
            add(&mut repeated, fact, self.bug);
            if repeated != rows {
                let name = fact.entry.recorded.fact.name();
                return Err(format!("{name} changes a row when it comes again"));
            }
        }
        say_how_it_stands(side, &rows, &known)?;
        self.rows.insert(at, rows);
        Ok(())
    }

    fn known(&mut self, entry: &Rc<Entry>) -> Result<Rc<Known>, String> {
        if let Some(known) = self.known.get(&entry.print) {
            return Ok(Rc::clone(known));
        }
        let known = Rc::new(Known::new(entry)?);
        self.known.insert(entry.print, Rc::clone(&known));
        Ok(known)
    }

    fn taken(&mut self, side: &Side, taken: Taken) -> Result<Prefixes, String> {
        let mut all = Prefixes::default();
        for (stream, known) in all.iter_mut().enumerate() {
            for entry in &side.log(STREAMS[stream])[..taken[stream]] {
                known.push(self.known(entry)?);
            }
        }
        Ok(all)
    }
}

type Prefixes = [Vec<Rc<Known>>; STREAMS.len()];

/// The prefixes that one fact less gives, and the stream of that fact.
fn one_less(taken: Taken) -> impl Iterator<Item = (usize, Taken)> {
    let streams = (0..taken.len()).filter(move |stream| taken[*stream] > 0);
    streams.map(move |stream| {
        let mut before = taken;
        before[stream] -= 1;
        (stream, before)
    })
}

fn last_of(side: &Side, taken: Taken) -> [u64; STREAMS.len()] {
    std::array::from_fn(|stream| match taken[stream] {
        0 => 0,
        n => side.log(STREAMS[stream])[n - 1].print,
    })
}

fn names(side: &Side, taken: Taken) -> String {
    let prefixes = STREAMS.iter().zip(taken);
    let facts = prefixes.flat_map(|(stream, n)| &side.log(*stream)[..n]);
    let names: Vec<&str> = facts.map(|entry| entry.recorded.fact.name()).collect();
    names.join(", ")
}

/// Takes the facts of an order once in order and twice in another, even within streams: stores keep
/// of each cell the highest sequence, so that they get to the same rows.
pub fn agree_in_any_order(
    side: &Side,
    bug: Option<Bug>,
    shuffle: impl Fn(usize) -> usize,
) -> Result<(), String> {
    let mut views = Views::new(bug);
    let known = views.taken(side, STREAMS.map(|stream| side.log(stream).len()))?;
    let facts: Vec<&Rc<Known>> = known.iter().flatten().collect();
    let mut rows = Rows::default();
    for fact in &facts {
        add(&mut rows, fact, bug);
    }
    let mut shuffled: Vec<(usize, &Rc<Known>)> = facts
        .iter()
        .chain(&facts)
        .copied()
        .enumerate()
        .map(|(number, fact)| (shuffle(number), fact))
        .collect();
    shuffled.sort_by_key(|(key, _)| *key);
    let mut others = Rows::default();
    for (_, fact) in shuffled {
        add(&mut others, fact, bug);
    }
    if others != rows {
        return Err("rows depend on the order of facts".into());
    }
    say_how_it_stands(side, &rows, &known)
}

fn add(rows: &mut Rows, fact: &Known, bug: Option<Bug>) {
    for (number, row) in rows.iter_mut().enumerate() {
        let mut patch = fact.patches[number].clone();
        if bug == Some(Bug::StampsCellsWithTheLast) {
            let known = row.clone().cells(FOLDED[number].schema());
            for (column, value) in known.into_iter().enumerate() {
                let written = patch.cells.iter().any(|cell| cell.column == column);
                if let (Some(value), false) = (value, written) {
                    patch.cells.push(Cell { column, value });
                }
            }
        }
        row.add(patch);
    }
}

/// Every cell is what the facts say, and readers read as much.
fn say_how_it_stands(side: &Side, rows: &Rows, taken: &Prefixes) -> Result<(), String> {
    let facts: Prefixed = std::array::from_fn(|stream| {
        let facts = taken[stream].iter();
        facts.map(|known| &known.entry.recorded).collect()
    });
    let wanted = row::of(&facts);
    for (view, row) in FOLDED.iter().zip(rows) {
        let schema = view.schema();
        let cells = row.clone().cells(schema);
        for (column, cell) in schema.columns.iter().zip(&cells) {
            let wanted = wanted.get(column.name);
            if cell.as_ref() != wanted {
                let column = column.name;
                return Err(format!("{column} is {cell:?} and not {wanted:?}"));
            }
        }
        let versions = view.versions(&cells).ok_or("a row without versions")?;
        for (stream, facts) in STREAMS.iter().zip(&facts) {
            if versions.of(*stream) != Some(facts.len() as u64) {
                return Err(format!("the view is behind: {versions:?}"));
            }
        }
    }
    let cells = rows[0].clone().cells(FOLDED[0].schema());
    let read = OrderRow::read(order_id(side.number), &cells);
    let last = facts[0].last().map(|recorded| &recorded.fact);
    let over = matches!(
        last,
        Some(Fact::Order(
            order::Event::Cancelled { .. } | order::Event::Completed {}
        ))
    );
    match (&read, last) {
        (None, None) => Ok(()),
        (Some(row), Some(_)) if row.status().is_over() == over => Ok(()),
        _ => Err(format!("{last:?} reads as {read:?}")),
    }
}

/// The facts that were taken, by stream.
pub type Prefixed<'a> = [Vec<&'a domain::Recorded>; STREAMS.len()];

impl Known {
    fn new(entry: &Rc<Entry>) -> Result<Self, String> {
        let recorded = &entry.recorded;
        let name = recorded.fact.name();
        let order = recorded.order_id().ok_or("a fact of no order")?;
        let id = Value::Uuid(order.0);
        let customer = Value::Text(customer().as_str().to_owned());
        let keys = [vec![id.clone()], vec![customer, id.clone()]];
        let project = |view: &dyn View| {
            let patch = view.project(recorded);
            patch.ok_or_else(|| format!("{name} is not in {}", view.schema().name))
        };
        let patches = [project(FOLDED[0])?, project(FOLDED[1])?];
        for (patch, key) in patches.iter().zip(&keys) {
            if patch.key != *key {
                return Err(format!("{name} writes another row: {:?}", patch.key));
            }
        }
        // A timeline has a row for every fact, and no other fact writes it.
        let stream = recorded.fact.category().name().to_owned();
        let sequence = Value::Int(recorded.id.sequence as i64);
        let own = vec![
            id,
            Value::Time(recorded.time),
            Value::Text(stream),
            sequence,
        ];
        if project(&OrderTimeline)?.key != own {
            return Err(format!("{name} has no row of its own in the timeline"));
        }
        Ok(Self {
            entry: Rc::clone(entry),
            patches,
        })
    }
}
