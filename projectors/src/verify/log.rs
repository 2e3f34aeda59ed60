//! Whether a log is whole, and whether its topic holds what it holds.
//!
//! [`check_page`] looks at one page of a log, stream by stream: the facts of a stream are numbered
//! from 1 without holes, their positions grow and their times do not go back, and each can be read by
//! this program. A page takes milliseconds and constant memory, and its cursor says where to go on, so
//! that whoever asks can show how far it is. [`Reconciliation`] holds a topic against its log; where
//! the log is the bus there is nothing to hold against it.
//!
//! Nothing is written and nothing held up. What is appended meanwhile is looked at or not; either is
//! right. What a log cannot show by itself is that the last facts of a stream are gone: the topic and
//! the views still have them.

mod buckets;
mod digest;
mod finds;
mod lookups;
mod page;
mod passes;
mod report;
mod topic;

use domain::values::Timestamp;
use domain::{Category, FactId, Position, Sequence, Service};
use infra::codec::{self, Unreadable};
use infra::event_store::{EventStore, StoreError, StoredFact};
use serde::{Deserialize, Serialize};

pub use finds::{Find, Finds, Kind, MAX_NAMED};
pub use report::{TopicError, TopicReport};
pub use topic::Reconciliation;

/// Facts a page: some milliseconds, and with facts of the largest size a quarter of a gigabyte.
pub const PAGE: usize = 500;

/// Where a check of a log goes on. The default is its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The categories of the service that are done with.
    categories: usize,
    /// The last fact that was met in the next category.
    after: Option<Met>,
}

/// What the next fact of a stream is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Met {
    id: String,
    /// `None` where the row could not be read.
    position: Option<Position>,
    /// Of the last fact that could be read.
    time: Option<Timestamp>,
}

/// What one page showed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Facts that were looked at.
    pub facts: u64,
    /// Streams that begin on it.
    pub streams: u64,
    /// What is wrong.
    pub finds: Finds,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// What a whole log showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReport {
    /// Whose log.
    pub service: String,
    /// Facts that were looked at.
    pub facts: u64,
    /// Their streams.
    pub streams: u64,
    /// What is wrong.
    pub finds: Finds,
}

impl LogReport {
    /// Of nothing yet.
    pub fn of(service: Service) -> Self {
        Self {
            service: service.name().to_owned(),
            facts: 0,
            streams: 0,
            finds: Finds::default(),
        }
    }

    /// Takes the next page, and says where to go on.
    pub fn add(&mut self, page: Page) -> Option<Cursor> {
        self.facts += page.facts;
        self.streams += page.streams;
        self.finds.append(page.finds);
        page.next
    }
}

/// Checks all of a log.
///
/// # Errors
/// [`StoreError`]
pub async fn check(log: &dyn EventStore) -> Result<LogReport, StoreError> {
    let mut report = LogReport::of(log.service());
    let mut next = Some(Cursor::default());
    while let Some(cursor) = next {
        next = report.add(check_page(log, cursor).await?);
    }
    Ok(report)
}

/// Checks the next facts of a log, [`PAGE`] at most.
///
/// # Errors
/// [`StoreError`], but for rows that cannot be read: those are finds.
pub async fn check_page(log: &dyn EventStore, cursor: Cursor) -> Result<Page, StoreError> {
    let categories = Category::ALL.into_iter();
    let mut categories = categories.filter(|category| category.service() == log.service());
    let Some(category) = categories.nth(cursor.categories) else {
        return Ok(Page::default());
    };
    let after = match &cursor.after {
        Some(met) => Some(met.id.parse::<FactId>().map_err(|e| {
            StoreError::Corrupt(format!("the cursor of a check, at {:?}: {e}", met.id))
        })?),
        None => None,
    };
    let mut page = Page::default();
    let behind = page::behind(log, category, after.as_ref(), PAGE).await?;
    let mut met = cursor.after;
    if let Some(cause) = &behind.unreadable {
        met = page.unreadable(
            category,
            after.as_ref(),
            cause,
            behind.skipped_to.as_ref(),
            met,
        );
    }
    for fact in &behind.facts {
        met = Some(page.fact(met.as_ref(), fact));
    }
    page.next = Some(match behind.more {
        true => Cursor {
            categories: cursor.categories,
            after: met,
        },
        false => Cursor {
            categories: cursor.categories + 1,
            after: None,
        },
    });
    // The cursor behind the last category says nothing but that it is over.
    if !behind.more && categories.next().is_none() {
        page.next = None;
    }
    Ok(page)
}

impl Page {
    /// Checks a fact against the one before it.
    fn fact(&mut self, before: Option<&Met>, fact: &StoredFact) -> Met {
        let id = &fact.id;
        let last: Option<(FactId, &Met)> = before.and_then(|met| Some((met.id.parse().ok()?, met)));
        let last = last.filter(|(last, _)| last.stream == id.stream);
        let (sequence, position, time) = match &last {
            Some((last, met)) => (last.sequence, met.position, met.time),
            None => (0, None, None),
        };
        self.facts += 1;
        self.streams += u64::from(last.is_none());
        self.numbered(sequence, id);
        if let Some(position) = position.filter(|position| fact.position <= *position) {
            self.finds.add(
                Kind::Position,
                Some(id.to_string()),
                format!(
                    "it has the position {}, and the fact before it in its stream, {}, has {position}: \
                     the log is not in the order of the stream",
                    fact.position,
                    id.stream.fact(sequence),
                ),
            );
        }
        let read = self.read(fact, sequence, time);
        Met {
            id: id.to_string(),
            position: Some(fact.position),
            time: read.or(time),
        }
    }

    fn numbered(&mut self, before: Sequence, id: &FactId) {
        let next = before.saturating_add(1);
        if id.sequence == next {
            return;
        }
        let says = match id.sequence.checked_sub(next) {
            Some(1) => format!("it is missing: the next in its stream is {id}"),
            Some(count) => format!("it and those behind it are missing, {count} facts, up to {id}"),
            None => format!("{id} stands where it should be"),
        };
        let missing = id.stream.fact(next);
        self.finds.add(Kind::Hole, Some(missing.to_string()), says);
    }

    /// The time of a fact that can be read.
    fn read(
        &mut self,
        fact: &StoredFact,
        before: Sequence,
        last: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let id = &fact.id;
        match codec::decode(fact) {
            Ok(recorded) => {
                if let Some(last) = last.filter(|last| recorded.time < *last) {
                    let (time, before) = (recorded.time, id.stream.fact(before));
                    let says = format!(
                        "it has the time {time}, before that of {before} or of one before that, {last}"
                    );
                    self.finds.add(Kind::Time, Some(id.to_string()), says);
                }
                // One that went back is no measure for those behind it.
                last.max(Some(recorded.time))
            }
            Err(e) => {
                let kind = match e {
                    Unreadable::Unknown { .. } => Kind::UnknownVersion,
                    Unreadable::Broken(_) | Unreadable::WrongKey { .. } => Kind::Undecodable,
                };
                let says = format!("this program cannot read it: {}: {e}", e.class());
                self.finds.add(kind, Some(id.to_string()), says);
                None
            }
        }
    }

    /// Tells of a row that the store cannot give, and says what is held against those behind it.
    fn unreadable(
        &mut self,
        category: Category,
        after: Option<&FactId>,
        cause: &str,
        skipped_to: Option<&FactId>,
        before: Option<Met>,
    ) -> Option<Met> {
        let place = match after {
            Some(after) => format!("behind {after}"),
            None => format!("at the beginning of the {category} streams"),
        };
        let rest = match skipped_to {
            Some(to) if to.sequence < Sequence::MAX => "",
            Some(_) => "; the rest of that stream was not checked",
            None => "; no stream behind it was checked",
        };
        let says = format!("the row {place} cannot be read: {cause}{rest}");
        self.finds.add(Kind::Row, None, says);
        let time = before.and_then(|met| met.time);
        skipped_to.map(|to| Met {
            id: to.to_string(),
            position: None,
            time,
        })
    }
}
