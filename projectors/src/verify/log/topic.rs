//! Whether a topic holds what its log holds, up to where the relay was when the check began.
//!
//! Topic and log are read once, into buckets. A fact is counted with its first record: the first
//! records of a partition are in the order of the log, so a record whose position is not behind all
//! before it is a repeat (a replay, or a relay that was cut off), and is looked up in the log
//! instead. Where buckets differ, both are read once more, and the facts in these are held against
//! each other one by one; so only what is really wrong is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Position;
use infra::bus::{Ends, Partition, Record, TopicReader};
use infra::envelope;
use infra::event_store::{EventStore, StoredFact};
use infra::relay::CHECKPOINT;

use super::buckets::{Buckets, Chosen};
use super::digest::{Digest, position_of};
use super::lookups::Lookups;
use super::passes::{LogPass, TopicPass, TopicRecord};
use super::report::{TopicError, TopicReport};
use super::{Finds, Kind};

/// A topic that is being held against its log.
pub struct Reconciliation {
    sides: Sides,
    pass: Pass,
}

/// What is held against what, and how far that is.
struct Sides {
    log: Arc<dyn EventStore>,
    reader: Arc<dyn TopicReader>,
    /// The last position of the log, once the ends of the topic were known.
    last: Position,
    ends: BTreeMap<i32, Ends>,
    /// Of partitions that no longer keep their first records, the position of the first that they
    /// keep.
    floors: BTreeMap<i32, Position>,
    buckets: Buckets,
    lookups: Lookups,
    /// Records and facts of this pass.
    done: u64,
    report: TopicReport,
}

/// What is read now.
enum Pass {
    Topic(TopicPass),
    Log(LogPass),
    NamingTopic(TopicPass, Naming),
    NamingLog(LogPass, Naming),
    Over,
}

/// Buckets that are looked at one by one, and their records.
struct Naming {
    chosen: Chosen,
    records: BTreeMap<String, Seen>,
}

/// The first record of a fact, and the first that differs from it.
struct Seen {
    first: (Partition, i64, Digest),
    other: Option<(Partition, i64, Digest)>,
}

impl Reconciliation {
    /// Begins to hold the topic of the service of `log` against it.
    ///
    /// # Errors
    /// [`TopicError`]
    pub async fn begin(
        log: Arc<dyn EventStore>,
        reader: Arc<dyn TopicReader>,
    ) -> Result<Self, TopicError> {
        let service = log.service();
        let topic = reader.topic(service);
        // In this order: what the relay has acknowledged is before the ends, and what is before the
        // ends is in the log.
        let checkpoint = log.checkpoint(CHECKPOINT).await?.unwrap_or_default();
        let ends = reader.ends(service).await?;
        let ends = ends.ok_or_else(|| TopicError::NoTopic(topic.clone()))?;
        let last = log.last_position().await?;
        let report = TopicReport {
            service: service.name().to_owned(),
            topic,
            published: checkpoint.position.min(last),
            facts: 0,
            records: 0,
            repeats: 0,
            older: 0,
            unexamined: 0,
            finds: Finds::default(),
        };
        Ok(Self {
            pass: Pass::Topic(TopicPass::of(&ends)),
            sides: Sides {
                log,
                reader,
                last,
                ends,
                floors: BTreeMap::new(),
                buckets: Buckets::new(),
                lookups: Lookups::default(),
                done: 0,
                report,
            },
        })
    }

    /// Reads one page more, and says whether all is done. It may be dropped while it waits; then, and
    /// after an error, the next step goes on where it was.
    ///
    /// # Errors
    /// [`TopicError`]
    pub async fn step(&mut self) -> Result<bool, TopicError> {
        let sides = &mut self.sides;
        let ended = match &mut self.pass {
            Pass::Topic(at) => sides.read_topic(at).await?,
            Pass::Log(at) => sides.read_log(at).await?,
            Pass::NamingTopic(at, naming) => sides.name_in_topic(at, naming).await?,
            Pass::NamingLog(at, naming) => sides.name_in_log(at, naming).await?,
            Pass::Over => true,
        };
        if ended {
            let before = std::mem::replace(&mut self.pass, Pass::Over);
            self.pass = sides.after(before);
        }
        Ok(matches!(self.pass, Pass::Over))
    }

    /// Records of the topic, or positions of the log, that this pass has read, and of how many. There
    /// are two passes, one over each, and two more where something is wrong.
    pub fn progress(&self) -> (u64, u64) {
        let Sides { ends, report, .. } = &self.sides;
        let records = ends.values().map(|ends| ends.high - ends.low);
        let of = match &self.pass {
            Pass::Topic(_) | Pass::NamingTopic(..) => records.sum::<i64>().unsigned_abs(),
            Pass::Log(_) => report.published,
            Pass::NamingLog(..) | Pass::Over => self.sides.last,
        };
        (self.sides.done, of)
    }

    /// What was found so far; all of it once [`Self::step`] has said so.
    pub fn report(&self) -> &TopicReport {
        &self.sides.report
    }

    /// All of it at once.
    ///
    /// # Errors
    /// [`TopicError`]
    pub async fn run(mut self) -> Result<TopicReport, TopicError> {
        while !self.step().await? {}
        Ok(self.sides.report)
    }
}

impl Sides {
    /// What comes after a pass.
    fn after(&mut self, pass: Pass) -> Pass {
        self.done = 0;
        match pass {
            Pass::Topic(_) => Pass::Log(LogPass::default()),
            Pass::Log(_) => {
                let (chosen, unexamined) = self.buckets.differing();
                self.report.unexamined = unexamined;
                if chosen.is_empty() {
                    return Pass::Over;
                }
                let records = BTreeMap::new();
                Pass::NamingTopic(TopicPass::of(&self.ends), Naming { chosen, records })
            }
            Pass::NamingTopic(_, naming) => Pass::NamingLog(LogPass::default(), naming),
            Pass::NamingLog(_, naming) => {
                for (id, seen) in naming.records {
                    let says = format!("it is {}, and not in the log", place(&seen.first));
                    self.report.finds.add(Kind::Foreign, Some(id), says);
                }
                Pass::Over
            }
            Pass::Over => Pass::Over,
        }
    }

    async fn topic_page(
        &mut self,
        at: &mut TopicPass,
    ) -> Result<Option<Vec<TopicRecord>>, TopicError> {
        let page = at
            .page(self.reader.as_ref(), self.log.service(), &self.ends)
            .await?;
        self.done += page.as_ref().map_or(0, |page| page.len() as u64);
        Ok(page)
    }

    async fn read_topic(&mut self, at: &mut TopicPass) -> Result<bool, TopicError> {
        if self.lookups.is_full() {
            let log = self.log.as_ref();
            self.lookups.flush(log, &mut self.buckets).await?;
        }
        let Some(page) = self.topic_page(at).await? else {
            let log = self.log.as_ref();
            self.lookups.flush(log, &mut self.buckets).await?;
            return Ok(true);
        };
        for (partition, offset, record) in page {
            self.report.records += 1;
            let Some(id) = envelope::id_of(&record) else {
                let says = format!(
                    "a record without the id of a fact is {}",
                    place(&(partition, offset, ()))
                );
                self.report.finds.add(Kind::Foreign, None, says);
                continue;
            };
            self.count(at, partition, &id.to_string(), &record);
        }
        Ok(false)
    }

    /// Counts a record, where it is the first of its fact.
    fn count(&mut self, at: &mut TopicPass, partition: Partition, id: &str, record: &Record) {
        self.buckets.meet(id);
        let Some(position) = position_of(record).filter(|position| *position <= self.last) else {
            self.buckets.suspect(id);
            return;
        };
        let digest = Digest::of(record);
        let first = position > at.greatest;
        at.greatest = at.greatest.max(position);
        if self.keeps_not_all(partition.number) {
            self.floors.entry(partition.number).or_insert(position);
        }
        if first && position <= self.report.published {
            self.buckets.record(id, digest.sum(id));
        } else {
            self.report.repeats += u64::from(!first);
            self.lookups.add(position, id.to_owned(), digest);
        }
    }

    async fn read_log(&mut self, at: &mut LogPass) -> Result<bool, TopicError> {
        let published = self.report.published;
        let (facts, unreadable) = at.page(self.log.as_ref(), published).await?;
        if let Some(says) = unreadable {
            self.report.finds.add(Kind::Row, None, says);
        }
        self.done = at.after;
        for fact in &facts {
            if self.is_older(fact) {
                self.report.older += 1;
                continue;
            }
            self.report.facts += 1;
            let id = fact.id.to_string();
            self.buckets.fact(&id, Digest::expected(fact).sum(&id));
        }
        Ok(at.after >= published)
    }

    async fn name_in_topic(
        &mut self,
        at: &mut TopicPass,
        naming: &mut Naming,
    ) -> Result<bool, TopicError> {
        let Some(page) = self.topic_page(at).await? else {
            return Ok(true);
        };
        for (partition, offset, record) in page {
            let Some(id) = envelope::id_of(&record).map(|id| id.to_string()) else {
                continue;
            };
            if naming.chosen.has(&id) {
                naming.meet(id, (partition, offset, Digest::of(&record)));
            }
        }
        Ok(false)
    }

    async fn name_in_log(
        &mut self,
        at: &mut LogPass,
        naming: &mut Naming,
    ) -> Result<bool, TopicError> {
        // What cannot be read was told before.
        let (facts, _) = at.page(self.log.as_ref(), self.last).await?;
        self.done = at.after;
        for fact in &facts {
            let id = fact.id.to_string();
            if !naming.chosen.has(&id) {
                continue;
            }
            let expected = Digest::expected(fact);
            let seen = naming.records.remove(&id);
            let finds = &mut self.report.finds;
            match seen {
                Some(Seen { first, other }) => {
                    let all = [Some(first), other].into_iter().flatten();
                    let mut wrong = all.filter(|(.., found)| !expected.allows(found));
                    if let Some(found) = wrong.next() {
                        let parts = expected.differences(&found.2).join(" and ");
                        let says = format!("its record {} has another {parts}", place(&found));
                        finds.add(Kind::Different, Some(id), says);
                    }
                }
                None if fact.position <= self.report.published && !self.is_older(fact) => {
                    let says = format!("it is in the log at position {} only", fact.position);
                    self.report.finds.add(Kind::Missing, Some(id), says);
                }
                None => {}
            }
        }
        Ok(at.after >= self.last)
    }

    /// Whether the topic no longer keeps the record of a fact.
    fn is_older(&self, fact: &StoredFact) -> bool {
        if self.ends.values().all(|ends| ends.low == 0) {
            return false;
        }
        let key = infra::codec::key_of(&fact.id).as_bytes();
        let partition = self.reader.partition_of(key, self.ends.len());
        let floor = self.floors.get(&partition);
        self.keeps_not_all(partition) && floor.is_none_or(|floor| fact.position < *floor)
    }

    fn keeps_not_all(&self, partition: i32) -> bool {
        self.ends.get(&partition).is_some_and(|ends| ends.low > 0)
    }
}

impl Naming {
    fn meet(&mut self, id: String, record: (Partition, i64, Digest)) {
        let seen = self.records.entry(id);
        let seen = seen.or_insert_with(|| Seen {
            first: record,
            other: None,
        });
        if seen.first.2 != record.2 && seen.other.is_none() {
            seen.other = Some(record);
        }
    }
}

/// Where a record is, for people.
fn place<T>((partition, offset, _): &(Partition, i64, T)) -> String {
    format!("in partition {} at offset {offset}", partition.number)
}
