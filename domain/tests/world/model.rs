//! The world, and what a step does to it.

use std::fmt;
use std::rc::Rc;

use domain::delivery::{Assignment, Progress};
use domain::inventory::{hold, reservation, stock};
use domain::payment::Settlement;
use domain::process::{Command, Reaction, When};
use domain::values::{DriverName, Sku, Timestamp};
use domain::{Decider, Fact, Invariant, Refusal, Rejection, Task, delivery, order, payment};

use crate::checks;
use crate::outside::{At, gives_back};
use crate::setting::{Setting, number_of, order_id, quantity, reason};
use crate::side::{Entry, Side};
use crate::step::{Report, Step};
use crate::stock::Shelf;

/// Everything there is.
#[derive(Clone)]
pub struct World {
    pub setting: Rc<Setting>,
    pub orders: Vec<Rc<Side>>,
    pub stock: Vec<Shelf>,
    /// Which receipts have arrived.
    pub arrived: Vec<bool>,
    position: u64,
}

/// The facts of one command: of the order's streams, and of the SKUs by number.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    pub facts: Vec<Fact>,
    pub stock: Vec<(usize, stock::Event)>,
}

/// Why there are none.
pub enum Refused {
    Rejected { code: &'static str },
    Impossible(Invariant),
}

impl<R: Rejection> From<Refusal<R>> for Refused {
    fn from(refusal: Refusal<R>) -> Self {
        match refusal {
            Refusal::Rejected(why) => Self::Rejected { code: why.code() },
            Refusal::Impossible(invariant) => Self::Impossible(invariant),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { code } => write!(f, "is rejected: {code}"),
            Self::Impossible(invariant) => write!(f, "is impossible: {invariant}"),
        }
    }
}

/// Who sent a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// Someone who may be turned down.
    Person,
    /// The process, for a fact that was delivered.
    Process,
    /// The provider, the courier or a timer.
    Outside,
}

impl World {
    pub fn new(setting: &Setting) -> Self {
        let wishes = setting.orders.iter().enumerate();
        let sides = wishes.map(|(number, wish)| Side::new(number, wish));
        let mut world = Self {
            setting: Rc::new(setting.clone()),
            orders: sides.map(Rc::new).collect(),
            stock: vec![Shelf::default(); setting.stock.len()],
            arrived: vec![false; setting.receipts.len()],
            position: 0,
        };
        for (sku, units) in setting.stock.iter().enumerate() {
            if *units > 0 {
                world.receive(sku, *units).unwrap();
            }
        }
        world
    }

    /// Does what happens in `step`, and returns the facts of orders that this appended.
    pub fn take(&mut self, step: Step) -> Result<Vec<Rc<Entry>>, String> {
        use Sender::{Outside, Person};
        let before = step.order().map(|order| Rc::clone(&self.orders[order]));
        let appended = match step {
            Step::Place { order } => {
                let place = order::Command::Place(self.setting.orders[order].place());
                self.carry_out(order, Command::Order(place), Person)?
            }
            Step::Deliver { order, from, to } => {
                let reaction = self.side(order).take_next(from, to);
                self.follow(order, reaction)?
            }
            Step::Again { order, number } => {
                let again = self.orders[order].delivered().nth(number);
                let again = again.expect("something delivered").clone();
                let command = again.command.clone();
                let appended = self.follow(order, again)?;
                if !appended.is_empty() {
                    return Err(format!("a repeat changed something: {command:?}"));
                }
                appended
            }
            Step::Answer {
                order,
                task,
                granted,
            } => {
                self.ask_provider(order, task, granted)?;
                if gives_back(task) && !granted {
                    // The task stays open, to be asked again.
                    vec![]
                } else {
                    let facts = self.carry_out(order, outcome(task, granted), Outside)?;
                    self.is_over(order, task, "answered")?;
                    facts
                }
            }
            Step::AnswerLost {
                order,
                task,
                granted,
            } => {
                self.ask_provider(order, task, granted)?;
                vec![]
            }
            Step::Courier { order, report } => {
                self.side(order).courier.takes(report);
                self.hear_courier(order)?
            }
            Step::CourierLost { order, report } => {
                self.side(order).courier.takes(report);
                vec![]
            }
            Step::CourierHeard { order } => self.hear_courier(order)?,
            Step::CallOff { order } => {
                self.side(order).set_open(Task::CallOff, false);
                self.side(order).courier.at = At::Done;
                vec![]
            }
            Step::Deadline { order } => {
                self.side(order).set_open(Task::Deadline, false);
                self.carry_out(order, time_is_up(), Outside)?
            }
            Step::Cancel { order } => {
                let reason = reason("changed my mind");
                let cancel = order::Command::Cancel { reason };
                self.carry_out(order, Command::Order(cancel), Person)?
            }
            Step::Settle { order, outcome } => {
                let task = match outcome {
                    Settlement::Voided => Task::Void,
                    Settlement::Refunded => Task::Refund,
                };
                self.ask_provider(order, task, true)?;
                let reason = reason("by phone");
                let settle = payment::Command::Settle { outcome, reason };
                let facts = self.carry_out(order, Command::Payment(settle), Person)?;
                self.is_over(order, task, "settled by hand")?;
                facts
            }
            Step::Record { order, report } => {
                let command = delivery::Command::Record(progress(report, "person", 500));
                self.carry_out(order, Command::Delivery(command), Person)?
            }
            Step::Receive { receipt } => {
                let (sku, units) = self.setting.receipts[receipt];
                self.arrived[receipt] = true;
                self.receive(sku, units)?;
                vec![]
            }
        };
        if let Some(before) = before {
            checks::after_step(self, &before, &appended)?;
        }
        Ok(appended)
    }

    fn side(&mut self, order: usize) -> &mut Side {
        Rc::make_mut(&mut self.orders[order])
    }

    /// Does what a delivered fact asks for.
    fn follow(&mut self, order: usize, reaction: Reaction) -> Result<Vec<Rc<Entry>>, String> {
        match reaction.when {
            When::Now => self.carry_out(order, reaction.command, Sender::Process),
            // As the reactions do: no timer is set beside a stream that has begun.
            When::AfterMs(_) => {
                if self.orders[order].delivery == delivery::State::None {
                    self.side(order).set_open(Task::Deadline, true);
                }
                Ok(vec![])
            }
        }
    }

    fn is_over(&self, order: usize, task: Task, how: &str) -> Result<(), String> {
        match self.orders[order].is_open(task) {
            true => Err(format!("{task} is {how} and still open")),
            false => Ok(()),
        }
    }

    fn ask_provider(&mut self, order: usize, task: Task, granted: bool) -> Result<(), String> {
        // As the effects do: what is open says what for, and the state of the stream how much.
        let charge = self.orders[order].payment.charge();
        let charge = charge.ok_or_else(|| format!("{task} of nothing"))?;
        let amount = charge.amount.minor_units();
        self.side(order).provider.ask(task, granted, amount)
    }

    /// Appends all that the courier says in one go.
    fn hear_courier(&mut self, order: usize) -> Result<Vec<Rc<Entry>>, String> {
        let mut appended = vec![];
        for said in self.side(order).courier.hear() {
            let command = delivery::Command::Progress(progress(said.report, "courier", said.eta));
            let command = Command::Delivery(command);
            appended.extend(self.carry_out(order, command, Sender::Outside)?);
        }
        Ok(appended)
    }

    fn receive(&mut self, sku: usize, units: u64) -> Result<(), String> {
        let quantity = quantity(units);
        let state = self.stock[sku].counters;
        let received = stock::Stock::decide(&state, stock::Command::Receive { quantity });
        for event in received.map_err(|why| why.to_string())? {
            self.position += 1;
            self.stock[sku].append(&event)?;
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        order: usize,
        command: Command,
        sender: Sender,
    ) -> Result<Vec<Rc<Entry>>, String> {
        let decision = match self.decide(order, &command) {
            Ok(decision) => decision,
            Err(Refused::Rejected { .. }) if sender == Sender::Person => return Ok(vec![]),
            Err(why) => return Err(format!("{command:?} {why}")),
        };
        let mut appended = vec![];
        for fact in decision.facts {
            self.position += 1;
            let position = self.position;
            let entry = self.side(order).append(fact, position)?;
            appended.push(entry);
        }
        for (sku, event) in decision.stock {
            self.position += 1;
            self.stock[sku].append(&event)?;
        }
        if sender != Sender::Process && !appended.is_empty() {
            self.side(order).remember(command);
        }
        Ok(appended)
    }

    /// What `command` would come to now.
    pub fn decide(&self, order: usize, command: &Command) -> Result<Decision, Refused> {
        fn of<E: Into<Fact>>(events: Vec<E>) -> Decision {
            Decision {
                facts: events.into_iter().map(Into::into).collect(),
                stock: vec![],
            }
        }
        let (side, bug) = (&self.orders[order], self.setting.bug);
        let mut decision = match command.clone() {
            Command::Order(command) => of(order::Order::decide(&side.order, command)?),
            Command::Payment(command) => of(payment::Payment::decide(&side.payment, command)?),
            Command::Delivery(command) => of(delivery::Delivery::decide(&side.delivery, command)?),
            Command::Inventory(command) => {
                let stock_of = |sku: &Sku| self.stock[number_of(sku)].counters;
                let state = match bug {
                    Some(bug) if bug.forgets(side, &command) => &NONE,
                    Some(_) | None => &side.reservation,
                };
                let both = hold::decide(order_id(order), state, command, stock_of)?;
                let stock = both.stock.into_iter();
                Decision {
                    facts: both.reservation.into_iter().map(Fact::from).collect(),
                    stock: stock.map(|(sku, event)| (number_of(&sku), event)).collect(),
                }
            }
        };
        if let Some(bug) = bug {
            bug.spoil(side, command, &mut decision);
        }
        Ok(decision)
    }

    /// All that tells this world from another: what may happen follows from it alone.
    pub fn key(&self) -> Vec<u64> {
        let mut key = vec![];
        for side in &self.orders {
            side.write_key(&mut key);
        }
        self.write_stock(&mut key);
        key
    }

    /// All that tells an order's part of this world, the stock included, from another.
    pub fn key_of(&self, side: &Side) -> Vec<u64> {
        let mut key = vec![];
        side.write_key(&mut key);
        self.write_stock(&mut key);
        key
    }

    fn write_stock(&self, key: &mut Vec<u64>) {
        for shelf in &self.stock {
            key.extend([shelf.counters.on_hand, shelf.counters.held]);
        }
        key.extend(self.arrived.iter().map(|arrived| u64::from(*arrived)));
    }
}

const NONE: reservation::State = reservation::State::None;

/// The command that carries the provider's answer.
pub fn outcome(task: Task, granted: bool) -> Command {
    let reason = || reason("the provider says no");
    Command::Payment(match (task, granted) {
        (Task::Authorize, true) => payment::Command::Authorized,
        (Task::Authorize, false) => payment::Command::Declined { reason: reason() },
        (Task::Capture, true) => payment::Command::Captured,
        (Task::Capture, false) => payment::Command::CaptureRefused { reason: reason() },
        (Task::Void, true) => payment::Command::VoidDone,
        (Task::Refund, true) => payment::Command::RefundDone,
        (task, granted) => unreachable!("{task} has no answer {granted}"),
    })
}

/// The command of the deadline's timer.
pub fn time_is_up() -> Command {
    let reason = domain::values::Reason::deadline();
    Command::Delivery(delivery::Command::Close { reason })
}

fn progress(report: Report, driver: &str, eta: i64) -> Progress {
    let estimated_delivery_time = Timestamp::from_micros(eta);
    match report {
        Report::Assigned => Progress::Assign(Assignment {
            driver_name: DriverName::try_from(driver.to_owned()).unwrap(),
            estimated_delivery_time,
        }),
        Report::Later => Progress::MoveEta {
            estimated_delivery_time,
        },
        Report::Dispatched => Progress::Dispatch,
        Report::Delivered => Progress::Deliver,
        Report::Failed => Progress::Fail {
            reason: reason("nobody at home"),
        },
    }
}
