//! A fact that could not be taken, as the store of its service keeps it: what came, why it failed,
//! what was asked for since, and how it ended.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use domain::values::Timestamp;
use domain::{FactId, Service};
use serde::{Deserialize, Serialize};

use crate::bus::{Delivered, Partition, Record};
use crate::codec::Unreadable;
use crate::envelope;

use super::StoredFact;

/// The class of a fact that waits behind another of its topic and key.
pub const WAITING: &str = "waiting";
/// The class of a fact that this program may learn to read.
pub const UNKNOWN_VERSION: &str = "unknown-version";

/// A fact that a consumer could not take, or that waits behind one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedRow {
    /// The consumer group.
    pub group: String,
    /// The topic that it came from.
    pub topic: String,
    /// What it is about: facts of one key wait behind each other.
    pub key: String,
    /// The partition that it came from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its id, where that could be read.
    pub fact: Option<String>,
    /// What kind of failure, in kebab case; [`WAITING`] for one that waits behind another.
    pub class: String,
    /// What went wrong.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// The record as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// What is taken in place of the payload that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
    /// Somebody asked that it be taken up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<Redrive>,
    /// How it ended. Such a row is a record of that, and holds nothing up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// Grows with every change: who changes a row that somebody else has changed is refused.
    #[serde(default)]
    pub revision: u32,
}

/// Where a parked fact came from, and so which it is: `{group}/{topic}/{key}/{partition}/{offset}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParkedId {
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The key.
    pub key: String,
    /// The partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
}

/// A record, in a form that JSON keeps and people can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// What decided its partition.
    pub key: Option<Text>,
    /// The value.
    pub payload: Option<Text>,
    /// Names and values, in their order.
    pub headers: Vec<(String, Text)>,
}

/// Bytes: as they are where they are UTF-8, else in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Utf8(String),
    /// Anything else.
    Hex {
        /// Two digits a byte.
        hex: String,
    },
}

/// A payload that a person wrote for a fact that is unreadable in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The fact's name.
    pub name: String,
    /// The version of its shape.
    pub version: String,
    /// One JSON object that names itself.
    pub payload: String,
}

/// A wish that a fact be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// Since when.
    pub asked_at: Timestamp,
    /// Why, in the words of whoever asked.
    pub reason: Option<String>,
}

/// How the parking of a fact ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// In which way.
    pub how: How,
    /// When.
    pub at: Timestamp,
    /// Why, in the words of whoever asked for it.
    pub reason: Option<String>,
}

/// The ways in which a parking ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Somebody asked, and it was taken.
    Redriven,
    /// It was taken by itself: what it waited for was there.
    TakenUp,
    /// Somebody gave it up: it was never taken.
    Discarded,
}

impl How {
    /// In kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::TakenUp => "taken-up",
            Self::Discarded => "discarded",
        }
    }
}

impl ParkedRow {
    /// Which it is.
    pub fn id(&self) -> ParkedId {
        ParkedId {
            group: self.group.clone(),
            topic: self.topic.clone(),
            key: self.key.clone(),
            partition: self.partition,
            offset: self.offset,
        }
    }

    /// True where it only waits behind another.
    pub fn waits(&self) -> bool {
        self.class == WAITING
    }

    /// The id of its fact, where that could be read.
    pub fn fact_id(&self) -> Option<FactId> {
        self.fact.as_ref()?.parse().ok()
    }

    /// Whose facts its topic carries.
    pub fn service(&self) -> Option<Service> {
        let named = |service: &Service| service.name() == self.topic;
        Service::ALL.into_iter().find(named)
    }

    /// The record, as it was delivered; none where it was not kept.
    pub fn delivered(&self) -> Option<Delivered> {
        let record = self.original.as_ref()?.record();
        Some(Delivered {
            partition: Partition {
                topic: self.service()?,
                number: self.partition,
            },
            offset: self.offset,
            key: self.key.clone(),
            fact: envelope::fact_of(&record),
            record: Some(record),
        })
    }

    /// True for the record of a fact that was given up, where `row` is that fact come again: it
    /// stays given up. A record that ended otherwise and is parked anew is in new trouble.
    pub(crate) fn gave_up(&self, row: &Self) -> bool {
        let discarded = |ended: &Ended| ended.how == How::Discarded;
        self.ended.as_ref().is_some_and(discarded) && self.fact == row.fact
    }
}

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group,
            topic,
            key,
            partition,
            offset,
        } = self;
        write!(f, "{group}/{topic}/{key}/{partition}/{offset}")
    }
}

impl FromStr for ParkedId {
    type Err = ();

    /// A key may have slashes of its own.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (group, rest) = text.split_once('/').ok_or(())?;
        let (topic, rest) = rest.split_once('/').ok_or(())?;
        let (rest, offset) = rest.rsplit_once('/').ok_or(())?;
        let (key, partition) = rest.rsplit_once('/').ok_or(())?;
        Ok(Self {
            group: group.to_owned(),
            topic: topic.to_owned(),
            key: key.to_owned(),
            partition: partition.parse().map_err(drop)?,
            offset: offset.parse().map_err(drop)?,
        })
    }
}

impl From<&Record> for Original {
    fn from(record: &Record) -> Self {
        let headers = record.headers.iter();
        Self {
            key: record.key.as_ref().map(Text::of),
            payload: record.payload.as_ref().map(Text::of),
            headers: headers
                .map(|(name, value)| (name.clone().into_owned(), Text::of(value)))
                .collect(),
        }
    }
}

impl Original {
    /// The record of what was delivered; on a bus that has no records, the one that its fact would
    /// have.
    pub fn of(record: Option<&Record>, fact: &Result<StoredFact, Unreadable>) -> Option<Self> {
        match (record, fact) {
            (Some(record), _) => Some(record.into()),
            (None, Ok(fact)) => envelope::record_of(fact).ok().as_ref().map(Self::from),
            (None, Err(_)) => None,
        }
    }

    /// The record.
    pub fn record(&self) -> Record {
        let headers = self.headers.iter();
        Record {
            key: self.key.as_ref().map(Text::bytes),
            payload: self.payload.as_ref().map(Text::bytes),
            headers: headers
                .map(|(name, value)| (name.clone().into(), value.bytes()))
                .collect(),
        }
    }
}

impl Text {
    fn of(bytes: &Bytes) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.to_owned()),
            Err(_) => Self::Hex {
                hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            },
        }
    }

    fn bytes(&self) -> Bytes {
        match self {
            Self::Utf8(text) => text.clone().into(),
            Self::Hex { hex } => {
                let digits = hex.as_bytes().chunks(2);
                let byte = |two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
                digits.filter_map(byte).collect::<Vec<_>>().into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_whatever_its_key_is() {
        for key in ["", "sku-1", "a/b", "/", "7/8"] {
            let id = ParkedId {
                group: "payment".to_owned(),
                topic: "order".to_owned(),
                key: key.to_owned(),
                partition: 3,
                offset: 1 << 40,
            };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", "order-1-1", "a/b/c", "a/b/c/d/e", "a/b/c/1/e"] {
            assert_eq!(text.parse::<ParkedId>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_record_is_kept_byte_for_byte_and_text_is_kept_readable() {
        let record = Record {
            key: None,
            payload: Some(Bytes::from_static(b"\xff\x00\xfe{")),
            headers: vec![
                ("ce_id".into(), Bytes::from_static(b"order-1-1")),
                ("b3".into(), Bytes::from_static(b"\xc3\x28")),
            ],
        };
        let kept = serde_json::to_string(&Original::from(&record)).unwrap();
        assert!(
            kept.contains("order-1-1") && kept.contains("ff00fe7b"),
            "{kept}"
        );
        let kept: Original = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept.record(), record);
    }
}
