//! One order's side of the world: its four streams, what was delivered of them, what is open, and
//! what provider and courier did.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use domain::process::{Command, Reaction, react};
use domain::values::Timestamp;
use domain::{
    Category, Decider, Fact, OrderContext, Recorded, Service, StreamId, Task, Written, agenda,
    delivery, inventory::reservation, order, payment,
};

use crate::outside::{At, Courier, Provider};
use crate::setting::{Wish, order_id};

/// The streams of an order.
pub const STREAMS: [Category; 4] = Category::OF_ORDERS;

/// A fact, and what it asks of the services.
pub struct Entry {
    pub recorded: Recorded,
    reactions: Vec<Reaction>,
    /// Tells the stream up to this fact from all others.
    pub print: u64,
}

#[derive(Clone)]
pub struct Side {
    pub number: usize,
    context: Rc<OrderContext>,
    pub order: order::State,
    pub reservation: reservation::State,
    pub payment: payment::State,
    pub delivery: delivery::State,
    logs: [Vec<Rc<Entry>>; 4],
    /// How many of the reactions that a stream asks of a service were delivered to it.
    taken: [[u8; 4]; 4],
    open: [bool; Task::ALL.len()],
    /// Commands from outside that yielded facts.
    said: Vec<Rc<Command>>,
    pub provider: Provider,
    pub courier: Courier,
}

impl Side {
    pub fn new(number: usize, wish: &Wish) -> Self {
        let placed = wish.place();
        let context = OrderContext {
            total_amount: placed.items.total(),
            customer_id: placed.customer_id,
            currency: placed.currency,
            placed_at: Timestamp::default(),
        };
        Self {
            number,
            context: Rc::new(context),
            order: order::State::default(),
            reservation: reservation::State::default(),
            payment: payment::State::default(),
            delivery: delivery::State::default(),
            logs: [const { vec![] }; 4],
            taken: [[0; 4]; 4],
            open: [false; Task::ALL.len()],
            said: vec![],
            provider: Provider::default(),
            courier: Courier::default(),
        }
    }

    /// The facts of one stream.
    pub fn log(&self, stream: Category) -> &[Rc<Entry>] {
        &self.logs[at(stream)]
    }

    /// The facts of all streams.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.entries().map(|entry| &entry.recorded.fact)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Rc<Entry>> {
        self.logs.iter().flatten()
    }

    pub fn is_open(&self, task: Task) -> bool {
        self.open[task as usize]
    }

    pub fn set_open(&mut self, task: Task, open: bool) {
        self.open[task as usize] = open;
    }

    pub fn open_tasks(&self) -> impl Iterator<Item = Task> {
        Task::ALL.into_iter().filter(|task| self.is_open(*task))
    }

    /// Appends a fact to its stream, and moves what it opens and settles.
    pub fn append(&mut self, fact: Fact, position: u64) -> Result<Rc<Entry>, String> {
        match &fact {
            Fact::Order(event) => self.order = order::Order::evolve(self.order, event),
            Fact::Reservation(event) => self.reservation = self.reservation.clone().evolve(event),
            Fact::Payment(event) => {
                self.payment = payment::Payment::evolve(self.payment.clone(), event);
            }
            Fact::Delivery(event) => {
                self.delivery = delivery::Delivery::evolve(self.delivery.clone(), event);
            }
            Fact::Stock(_) => unreachable!("no stream of an order"),
        }
        self.open_and_settle(&fact)?;
        let entry = Rc::new(self.entry(fact, position));
        self.logs[at(entry.recorded.fact.category())].push(Rc::clone(&entry));
        Ok(entry)
    }

    fn open_and_settle(&mut self, fact: &Fact) -> Result<(), String> {
        let agenda = agenda(fact);
        for task in agenda.settles {
            // Tombstones and requests settle what may never have been opened.
            let was_asked = self.is_open(*task) || fact.is_tombstone() || *task == Task::Deadline;
            if !was_asked {
                return Err(format!("{} settles what is not open", fact.name()));
            }
            self.set_open(*task, false);
        }
        if let Some(task) = agenda.opens {
            if self.is_open(task) {
                return Err(format!("{} opens {task} twice", fact.name()));
            }
            self.set_open(task, true);
            if task == Task::Courier {
                self.courier.at = At::Asked;
            }
        }
        Ok(())
    }

    fn entry(&self, fact: Fact, position: u64) -> Entry {
        let order = order_id(self.number);
        let log = &self.logs[at(fact.category())];
        let payload = format!("{fact:?}");
        let mut print = DefaultHasher::new();
        let before = log.last().map(|entry| entry.print);
        (before, self.number, fact.category(), &payload).hash(&mut print);
        let stream = StreamId::of(fact.category(), order);
        let sequence = log.len() as u64 + 1;
        let recorded = Recorded {
            id: stream.fact(sequence),
            position,
            time: Timestamp::from_micros(position as i64),
            correlation: order.to_string(),
            causation: String::new(),
            order: Some(OrderContext::clone(&self.context)),
            traceparent: None,
            fact,
            written: Some(Written {
                version: "1".to_owned(),
                payload,
            }),
        };
        Entry {
            reactions: react(&recorded),
            recorded,
            print: print.finish(),
        }
    }

    fn asked(&self, from: Category, to: Service) -> impl Iterator<Item = &Reaction> {
        let all = self.log(from).iter().flat_map(|entry| &entry.reactions);
        all.filter(move |reaction| reaction.command.service() == to)
    }

    /// What the next fact of `from` that concerns `to` asks of it.
    pub fn next(&self, from: Category, to: Service) -> Option<&Reaction> {
        let taken = self.taken[at(from)][to as usize];
        self.asked(from, to).nth(usize::from(taken))
    }

    /// Delivers it.
    pub fn take_next(&mut self, from: Category, to: Service) -> Reaction {
        let reaction = self.next(from, to).expect("a fact to deliver").clone();
        self.taken[at(from)][to as usize] += 1;
        reaction
    }

    /// The streams that have a fact to deliver, and to whom.
    pub fn deliverable(&self) -> impl Iterator<Item = (Category, Service)> {
        let pairs = STREAMS
            .into_iter()
            .flat_map(|from| Service::ALL.map(|to| (from, to)));
        pairs.filter(|(from, to)| self.next(*from, *to).is_some())
    }

    /// All that was delivered so far.
    pub fn delivered(&self) -> impl Iterator<Item = &Reaction> {
        let pairs = STREAMS
            .into_iter()
            .flat_map(|from| Service::ALL.map(|to| (from, to)));
        pairs.flat_map(|(from, to)| {
            let taken = self.taken[at(from)][to as usize];
            self.asked(from, to).take(usize::from(taken))
        })
    }

    /// Remembers a command from outside that yielded facts. Of the times of arrival only the last
    /// is kept: to promise an earlier one again is to move it back, not to repeat.
    pub fn remember(&mut self, command: Command) {
        if moves_eta(&command) {
            self.said.retain(|said| !moves_eta(said));
        }
        self.said.push(Rc::new(command));
    }

    pub fn said(&self) -> impl Iterator<Item = &Command> {
        self.said.iter().map(|command| &**command)
    }

    /// All that tells this side from another. What was said is left out: it follows from the
    /// facts, but for whether courier or person said it.
    pub fn write_key(&self, key: &mut Vec<u64>) {
        let prints = self
            .logs
            .iter()
            .map(|log| log.last().map(|entry| entry.print));
        key.extend(prints.map(Option::unwrap_or_default));
        key.extend(self.taken.map(u32::from_le_bytes).map(u64::from));
        let open = self.open.iter().enumerate();
        key.push(open.map(|(task, open)| u64::from(*open) << task).sum());
        key.extend([self.provider.key(), self.courier.key()]);
    }
}

fn at(stream: Category) -> usize {
    let found = STREAMS.iter().position(|it| *it == stream);
    found.expect("a stream of an order")
}

fn moves_eta(command: &Command) -> bool {
    use delivery::{Command as Delivery, Progress};
    matches!(
        command,
        Command::Delivery(
            Delivery::Progress(Progress::MoveEta { .. })
                | Delivery::Record(Progress::MoveEta { .. })
        )
    )
}
