//! What goes through a proxy: as much of the servers' protocols as it takes to know the answer to an
//! append, a produced record, a written row, a mark or a payment.
//!
//! Of Postgres all messages are read. Of the others a look at the beginning of each piece has to do:
//! what is missed there is not lost, and what is lost was one of these.

use std::collections::HashSet;

/// Which answers are worth losing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// All.
    Anything,
    /// To statements whose text has this in it, where they were carried out and committed.
    Postgres(&'static str),
    /// To produced records and committed offsets.
    Kafka,
    /// To prepared statements and batches.
    Cassandra,
    /// To a mark or lock that was set or given up.
    Redis,
    /// To POSTs.
    Http,
}

/// What is known of one connection.
pub struct Watch {
    aim: Aim,
    /// What a client has begun to say to Postgres.
    saying: Vec<u8>,
    begun: bool,
    /// The names of statements that are aimed at.
    statements: HashSet<Vec<u8>>,
    in_hand: HashSet<Vec<u8>>,
}

/// What Kafka calls these requests.
const PRODUCE: &[u8] = &[0, 0];
const OFFSET_COMMIT: &[u8] = &[0, 8];
/// What Cassandra calls these.
const EXECUTE: u8 = 0x0a;
const BATCH: u8 = 0x0d;
/// What a client of Postgres may ask for before it says who it is: encryption, of two kinds.
const ASKS_FOR_ENCRYPTION: [&[u8]; 2] =
    [&80_877_103_u32.to_be_bytes(), &80_877_104_u32.to_be_bytes()];
/// The end of what Postgres says to a statement outside of a transaction: it is committed.
const READY: &[u8] = b"Z\0\0\0\x05I";

impl Aim {
    pub fn watch(self) -> Watch {
        Watch {
            aim: self,
            saying: vec![],
            begun: false,
            statements: HashSet::new(),
            in_hand: HashSet::new(),
        }
    }
}

impl Watch {
    /// The client has said that.
    pub fn asked(&mut self, bytes: &[u8]) {
        let has = |what: &[u8]| contains(bytes, what);
        let one = match self.aim {
            Aim::Anything => Some(vec![]),
            Aim::Postgres(text) => return self.says(text.as_bytes(), bytes),
            Aim::Kafka => {
                let aimed = |name| [PRODUCE, OFFSET_COMMIT].contains(&name);
                let correlation = bytes.get(8..12).map(<[u8]>::to_vec);
                correlation.filter(|_| bytes.get(4..6).is_some_and(aimed))
            }
            Aim::Cassandra => {
                let aimed = bytes.get(4).is_some_and(|it| [EXECUTE, BATCH].contains(it));
                aimed.then(|| bytes[2..4].to_vec())
            }
            Aim::Redis => {
                let scripts = [&b"EVALSHA"[..], b"PSETEX"];
                scripts.iter().any(|name| has(name)).then(Vec::new)
            }
            Aim::Http => has(b"POST ").then(Vec::new),
        };
        self.in_hand.extend(one);
    }

    /// Whether that is an answer, or its beginning, that is worth losing.
    pub fn awaits(&mut self, answer: &[u8]) -> bool {
        match self.aim {
            Aim::Anything | Aim::Redis | Aim::Http => self.in_hand.remove(&[][..]),
            Aim::Kafka => answer.get(4..8).is_some_and(|it| self.in_hand.remove(it)),
            Aim::Cassandra => answer.get(2..4).is_some_and(|it| self.in_hand.remove(it)),
            Aim::Postgres(_) => {
                let awaited = !self.in_hand.is_empty();
                if answer.ends_with(READY) {
                    self.in_hand.clear();
                }
                awaited
            }
        }
    }

    /// Whether the server has acted, once that is known of what it has said so far.
    pub fn acted(&self, answer: &[u8]) -> Option<bool> {
        match self.aim {
            Aim::Postgres(_) => answer
                .ends_with(READY)
                .then(|| messages(answer).any(|(kind, _)| kind == b'C')),
            Aim::Anything | Aim::Kafka | Aim::Cassandra | Aim::Redis | Aim::Http => Some(true),
        }
    }

    fn says(&mut self, text: &[u8], bytes: &[u8]) {
        self.saying.extend_from_slice(bytes);
        // The first message has no kind.
        while !self.begun {
            let Some(length) = length_at(&self.saying, 0) else {
                return;
            };
            let first: Vec<u8> = self.saying.drain(..length).collect();
            self.begun = !ASKS_FOR_ENCRYPTION.contains(&&first[4..8]);
        }
        let mut read = 0;
        for (kind, body) in messages(&self.saying) {
            read += body.len() + 5;
            let mut words = body.split(|byte| *byte == 0);
            let (first, second) = (words.next().unwrap_or(&[]), words.next().unwrap_or(&[]));
            match kind {
                // A statement is prepared: its name and its text.
                b'P' if contains(second, text) => {
                    self.statements.insert(first.to_vec());
                }
                // It is bound: the name of what it becomes, and its own.
                b'B' if self.statements.contains(second) => {
                    self.in_hand.insert(second.to_vec());
                }
                _ => {}
            }
        }
        self.saying.drain(..read);
    }
}

/// The messages of Postgres that are whole: of each its kind and its body.
fn messages(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let length = length_at(bytes, at + 1)?;
        let message = (bytes[at], &bytes[at + 5..at + 1 + length]);
        at += 1 + length;
        Some(message)
    })
}

/// The length that stands there and counts itself, where so much is there.
fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..at + 4)?;
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
    (bytes.len() >= at + length).then_some(length)
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|part| part == what)
}
