//! A world as lines of JSON, one thing a line: `{"fact": {..}}`, `{"row": {..}}`. So a pipeline can
//! be looked at that has no servers, and a world can be kept for later.

use std::io::{BufRead, Write};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::World;
use crate::evidence::{DeadLetter, Due, Offset, Parked, Poison, Record, Row, StoredReply, Table};
use crate::fact::{Fact, Stored};
use crate::{journal, ledger};

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// Of the journal.
    Journal(journal::Line),
    /// Of the provider's books.
    Ledger(ledger::Entry),
    /// A row of a log.
    Fact(Stored),
    /// A row of replies.
    Reply(StoredReply),
    /// An open task.
    Due(Due),
    /// A record on a topic.
    Record(Record),
    /// How far a group is.
    Offset(Offset),
    /// A record on a topic of dead letters.
    DeadLetter(DeadLetter),
    /// A row of dead letters.
    Parked(Parked),
    /// What was broken on purpose.
    Poison(Poison),
    /// A table, with or without rows.
    Table(Table),
    /// A row of the table that was named last.
    Row(Row),
    /// Something that was looked for, so that none of it is there where no line says otherwise.
    Looked(Kind),
    /// When it was read, in microseconds since 1970.
    ReadAt(i64),
    /// Nobody but people ends a delivery.
    ByHand(bool),
}

/// What may be missing altogether, or be looked for and not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The provider's books.
    Ledger,
    /// Open tasks.
    Due,
    /// Topics of facts.
    Topics,
    /// Topics of dead letters.
    DeadLetters,
}

impl World {
    /// Adds a line.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Journal(line) => self.journal.add(line),
            Line::Ledger(entry) => self.ledger.get_or_insert_default().push(entry),
            Line::Fact(stored) => self.facts.push(Fact::read(stored)),
            Line::Reply(reply) => self.replies.push(reply),
            Line::Due(due) => self.due.get_or_insert_default().push(due),
            Line::Record(record) => self.topics.get_or_insert_default().push(record),
            Line::Offset(offset) => self.offsets.push(offset),
            Line::DeadLetter(letter) => self.dead_letters.get_or_insert_default().push(letter),
            Line::Parked(parked) => self.parked.push(parked),
            Line::Poison(poison) => self.poison.push(poison),
            Line::Table(table) => self.tables.push(table),
            Line::Row(row) => {
                if let Some(table) = self.tables.last_mut() {
                    table.rows.push(row);
                }
            }
            Line::Looked(Kind::Ledger) => drop(self.ledger.get_or_insert_default()),
            Line::Looked(Kind::Due) => drop(self.due.get_or_insert_default()),
            Line::Looked(Kind::Topics) => drop(self.topics.get_or_insert_default()),
            Line::Looked(Kind::DeadLetters) => drop(self.dead_letters.get_or_insert_default()),
            Line::ReadAt(at) => self.read_at = Some(at),
            Line::ByHand(by_hand) => self.by_hand = by_hand,
        }
    }

    /// All of it, line by line.
    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.journal.lines().map(Line::Journal).collect();
        let looked = [
            (Kind::Ledger, self.ledger.is_some()),
            (Kind::Due, self.due.is_some()),
            (Kind::Topics, self.topics.is_some()),
            (Kind::DeadLetters, self.dead_letters.is_some()),
        ];
        let looked = looked.into_iter().filter(|(_, looked)| *looked);
        lines.extend(looked.map(|(kind, _)| Line::Looked(kind)));
        lines.extend(self.ledger.iter().flatten().cloned().map(Line::Ledger));
        lines.extend(
            self.facts
                .iter()
                .map(|fact| Line::Fact(fact.stored.clone())),
        );
        lines.extend(self.replies.iter().cloned().map(Line::Reply));
        lines.extend(self.due.iter().flatten().cloned().map(Line::Due));
        lines.extend(self.topics.iter().flatten().cloned().map(Line::Record));
        lines.extend(self.offsets.iter().cloned().map(Line::Offset));
        let letters = self.dead_letters.iter().flatten().cloned();
        lines.extend(letters.map(Line::DeadLetter));
        lines.extend(self.parked.iter().cloned().map(Line::Parked));
        lines.extend(self.poison.iter().cloned().map(Line::Poison));
        for table in &self.tables {
            lines.push(Line::Table(Table {
                rows: vec![],
                ..table.clone()
            }));
            lines.extend(table.rows.iter().cloned().map(Line::Row));
        }
        lines.extend(self.read_at.map(Line::ReadAt));
        lines.push(Line::ByHand(self.by_hand));
        lines
    }

    /// Writes all of it down.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, mut to: impl Write) -> Result<()> {
        for line in self.lines() {
            serde_json::to_writer(&mut to, &line)?;
            to.write_all(b"\n")?;
        }
        Ok(to.flush()?)
    }

    /// Adds what was written down.
    ///
    /// # Errors
    /// Names the line that cannot be read.
    pub fn read(&mut self, from: impl BufRead) -> Result<()> {
        each(from, |line| self.add(line))
    }

    /// Adds a journal.
    ///
    /// # Errors
    /// Names the line that cannot be read.
    pub fn read_journal(&mut self, from: impl BufRead) -> Result<()> {
        each(from, |line| self.journal.add(line))
    }

    /// Adds the provider's books.
    ///
    /// # Errors
    /// Names the line that cannot be read.
    pub fn read_ledger(&mut self, from: impl BufRead) -> Result<()> {
        let ledger = self.ledger.get_or_insert_default();
        each(from, |entry| ledger.push(entry))
    }
}

fn each<T: for<'de> Deserialize<'de>>(from: impl BufRead, mut take: impl FnMut(T)) -> Result<()> {
    for (at, line) in from.lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            let read = serde_json::from_str(&line);
            take(read.with_context(|| format!("line {}", at + 1))?);
        }
    }
    Ok(())
}
