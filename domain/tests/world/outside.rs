//! The payment provider and the courier, with books of their own.

use domain::Task;

use crate::step::Report;

/// What the provider did for one order. It does each operation once, however often it is asked
/// with the same key, and gives the same answer each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Provider {
    /// Its answers, in the order of [`CALLS`].
    answers: [Option<bool>; 4],
    /// Held of the customer's money.
    pub held: u64,
    /// Taken so far.
    pub taken: u64,
    /// Given back so far.
    pub returned: u64,
}

/// The operations of the provider.
pub const CALLS: [Task; 4] = [Task::Authorize, Task::Capture, Task::Void, Task::Refund];

impl Provider {
    /// The answer that was given, if the provider was asked before.
    pub fn answered(&self, task: Task) -> Option<bool> {
        self.answers[number(task)]
    }

    /// Asks for an operation on `total`, which the provider does if it is `granted`.
    pub fn ask(&mut self, task: Task, granted: bool, total: u64) -> Result<(), String> {
        if self.answered(task).is_some() {
            return Ok(());
        }
        self.answers[number(task)] = Some(granted);
        if !granted {
            return Ok(());
        }
        let (amount, what) = match task {
            Task::Authorize => (&mut self.held, "authorized twice"),
            Task::Capture => {
                if self.held != total {
                    return Err("the provider is to take what it does not hold".into());
                }
                self.held = 0;
                (&mut self.taken, "captured twice")
            }
            Task::Void => {
                if self.held != total {
                    return Err("the provider is to void what it does not hold".into());
                }
                self.held = 0;
                return Ok(());
            }
            Task::Refund => {
                if self.taken != total {
                    return Err("the provider is to refund what it has not taken".into());
                }
                (&mut self.returned, "refunded twice")
            }
            Task::Courier | Task::CallOff | Task::Deadline => unreachable!("not the provider's"),
        };
        if *amount != 0 {
            return Err(what.into());
        }
        *amount = total;
        Ok(())
    }

    /// Its answers; its books follow from them.
    pub fn key(&self) -> u64 {
        let code = |answer: &Option<bool>| answer.map_or(0, |granted| 1 + u64::from(granted));
        self.answers
            .iter()
            .fold(0, |key, answer| 3 * key + code(answer))
    }

    /// True where it has none of the customer's money.
    pub fn has_nothing(&self) -> bool {
        self.held == 0 && self.taken == self.returned
    }
}

fn number(task: Task) -> usize {
    CALLS.iter().position(|call| *call == task).unwrap()
}

/// How far the courier is with one order, by what it did itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Courier {
    pub at: At,
    /// How often it has moved the time of arrival.
    pub moved: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// Not asked yet.
    #[default]
    Home,
    Asked,
    Assigned,
    OnTheRoad,
    /// Arrived, failed or called off.
    Done,
}

impl Courier {
    /// What it may report next, the way there first.
    pub fn may(&self, failures: bool, eta_moves: u8) -> Vec<Report> {
        let mut all = match self.at {
            At::Home | At::Done => return vec![],
            At::Asked => vec![Report::Assigned],
            At::Assigned => vec![Report::Dispatched],
            At::OnTheRoad => vec![Report::Delivered],
        };
        if failures {
            all.push(Report::Failed);
        }
        if self.at != At::Asked && self.moved < eta_moves {
            all.push(Report::Later);
        }
        all
    }

    pub fn key(&self) -> u64 {
        u64::from(self.moved) << 8 | self.at as u64
    }

    pub fn reports(&mut self, report: Report) {
        match report {
            Report::Assigned => self.at = At::Assigned,
            Report::Dispatched => self.at = At::OnTheRoad,
            Report::Delivered | Report::Failed => self.at = At::Done,
            Report::Later => self.moved += 1,
        }
    }
}
