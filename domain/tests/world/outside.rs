//! The payment provider and the courier, with books of their own.

use domain::Task;

use crate::step::Report;

/// What the provider did for one order. It does each operation once, however often it is asked
/// with the same key, and gives the same answer each time; but what it refused to give back it may
/// give back when it is asked again.
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

    /// True where it was asked to give money back and would not.
    pub fn keeps(&self, task: Task) -> bool {
        gives_back(task) && self.answered(task) == Some(false)
    }

    /// Asks for an operation on `amount`, which the provider does if it is `granted`.
    pub fn ask(&mut self, task: Task, granted: bool, amount: u64) -> Result<(), String> {
        if self.answered(task).is_some() && !self.keeps(task) {
            return Ok(());
        }
        self.answers[number(task)] = Some(granted);
        if !granted {
            return Ok(());
        }
        match task {
            Task::Authorize => self.held += amount,
            Task::Capture => {
                if self.held != amount {
                    return Err("the provider is to take what it does not hold".into());
                }
                self.held = 0;
                self.taken += amount;
            }
            Task::Void => {
                if self.held != amount {
                    return Err("the provider is to void what it does not hold".into());
                }
                self.held = 0;
            }
            Task::Refund => {
                if self.taken != amount {
                    return Err("the provider is to refund what it has not taken".into());
                }
                self.returned += amount;
            }
            Task::Courier | Task::CallOff | Task::Deadline => unreachable!("not the provider's"),
        }
        Ok(())
    }

    /// Its answers; its books follow from them.
    pub fn key(&self) -> u64 {
        let code = |answer: &Option<bool>| answer.map_or(0, |granted| 1 + u64::from(granted));
        self.answers
            .iter()
            .fold(0, |key, answer| 3 * key + code(answer))
    }

    /// What it took and did not give back.
    pub fn kept(&self) -> u64 {
        self.taken - self.returned
    }

    /// True where it has none of the customer's money.
    pub fn has_nothing(&self) -> bool {
        self.held == 0 && self.taken == self.returned
    }
}

/// True for the operations that the provider refuses only for now.
pub fn gives_back(task: Task) -> bool {
    matches!(task, Task::Void | Task::Refund)
}

fn number(task: Task) -> usize {
    CALLS.iter().position(|call| *call == task).unwrap()
}

/// How far the courier is with one order, by what it did itself.
#[derive(Debug, Clone, Default)]
pub struct Courier {
    pub at: At,
    /// How often it has moved the time of arrival.
    pub moved: u8,
    /// What it has done and nobody has heard of yet.
    unheard: Vec<Said>,
}

/// A step of the courier, and when it promised to arrive then.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    pub report: Report,
    pub eta: i64,
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

    /// Its steps follow from how far it is, but for how many of them were heard.
    pub fn key(&self) -> u64 {
        let unheard = self.unheard.iter().map(|said| said.report as u64 + 1);
        let unheard = unheard.fold(0, |key, report| 8 * key + report);
        unheard << 16 | u64::from(self.moved) << 8 | self.at as u64
    }

    /// It takes a step, of which nobody hears yet.
    pub fn takes(&mut self, report: Report) {
        match report {
            Report::Assigned => self.at = At::Assigned,
            Report::Dispatched => self.at = At::OnTheRoad,
            Report::Delivered | Report::Failed => self.at = At::Done,
            Report::Later => self.moved += 1,
        }
        let eta = 100 + i64::from(self.moved);
        self.unheard.push(Said { report, eta });
    }

    /// True where it has more to say than was heard.
    pub fn is_ahead(&self) -> bool {
        !self.unheard.is_empty()
    }

    /// It is asked, and says what was not heard yet.
    pub fn hear(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.unheard)
    }
}
