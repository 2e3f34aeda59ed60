//! The ways in which a record can be broken on its way, and what is said of each.

use bytes::Bytes;
use infra::bus::Record;

/// A header that consumers pass over: which kind a record is of, and in whose place it is.
pub const MARK: &str = "test-broken";
/// The bytes of a header's lengths, and of the mark's header.
const MARKED: usize = 256;
/// More than any limit of ours, in bytes. What is as large as brokers take is tried in
/// `contract::kafka::large`: here all that is parked is read again and again.
const LARGE: usize = 100 * 1024;

/// How a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The value ends too early.
    CutOff,
    /// There is no value.
    Empty,
    /// The value is as large as it can be, and means nothing.
    Huge,
    /// There are NUL bytes in the value.
    Nul,
    /// The value is no UTF-8.
    NotUtf8,
    /// The value is JSON of another shape.
    OtherShape,
    /// Nobody knows this fact.
    UnknownType,
    /// It was written by a newer program.
    NewerVersion,
    /// It has the key of somebody else.
    WrongKey,
    /// It does not say which fact it is.
    NoId,
    /// A header is missing that says something about its order.
    NoAmount,
    /// It says that it is a fact of another order.
    OtherFact,
    /// The header that names the fact is larger than any is.
    LargeHeader,
    /// So is its key.
    LargeKey,
}

impl Kind {
    pub const ALL: [Self; 14] = [
        Self::CutOff,
        Self::Empty,
        Self::Huge,
        Self::Nul,
        Self::NotUtf8,
        Self::OtherShape,
        Self::UnknownType,
        Self::NewerVersion,
        Self::WrongKey,
        Self::NoId,
        Self::NoAmount,
        Self::OtherFact,
        Self::LargeHeader,
        Self::LargeKey,
    ];

    pub fn name(self) -> String {
        format!("{self:?}")
    }

    pub fn named(name: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name).unwrap()
    }

    /// The class under which it is set aside, and what is said of it.
    pub fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::CutOff => ("undecodable", "EOF while parsing"),
            Self::Empty => ("undecodable", "the record has no value"),
            Self::Huge => ("undecodable", "expected value"),
            Self::Nul => ("undecodable", "control character"),
            Self::NotUtf8 => ("undecodable", "invalid utf-8"),
            Self::OtherShape => ("undecodable", "invalid type"),
            Self::UnknownType => (
                "unknown-version",
                "order.teleported of version 1 is not known",
            ),
            Self::NewerVersion => ("unknown-version", "of version 99 is not known"),
            Self::WrongKey => ("wrong-key", "was published under the key \"somebody else\""),
            Self::NoId => ("undecodable", "the header ce_id is missing"),
            Self::NoAmount => ("undecodable", "totalAmount is missing"),
            Self::OtherFact | Self::LargeKey => ("wrong-key", "was published under the key"),
            Self::LargeHeader => ("undecodable", "ce_dataschema is no urn:waybill:xxx"),
        }
    }

    /// Breaks a record, and says so in its headers. `other` is the id of a fact of another order, and
    /// `room` how much larger brokers would still take it.
    pub fn apply(self, record: &mut Record, other: &str, room: usize) {
        let fact = text(record, "ce_id");
        let name = text(record, "ce_type");
        let value = record.payload.take().unwrap();
        let long = value.len();
        record.payload = Some(match self {
            Self::CutOff => value.slice(..value.len() - 5),
            // In the middle of the first name.
            Self::Nul => [&value[..4], b"\0\0", &value[4..]].concat().into(),
            Self::NotUtf8 => [b"\xff\xfe", &value[..]].concat().into(),
            Self::OtherShape => format!(r#"{{"type":{{"is":"{name}"}}}}"#).into(),
            Self::UnknownType => r#"{"type":"order.teleported","to":"the moon"}"#.into(),
            Self::Empty
            | Self::Huge
            | Self::NewerVersion
            | Self::WrongKey
            | Self::NoId
            | Self::NoAmount
            | Self::OtherFact
            | Self::LargeHeader
            | Self::LargeKey => value,
        });
        let says = format!("{} {fact}", self.name());
        record.headers.push((MARK.into(), says.into()));
        match self {
            Self::CutOff | Self::Nul | Self::NotUtf8 | Self::OtherShape => {}
            Self::Empty => record.payload = None,
            Self::Huge => {
                let size = (long + room).saturating_sub(MARKED);
                record.payload = Some(vec![b'x'; size].into());
            }
            Self::UnknownType => {
                set(record, "ce_type", "order.teleported");
                set(record, "ce_dataschema", "urn:waybill:order.teleported:1");
            }
            Self::NewerVersion => set(record, "ce_dataschema", &format!("urn:waybill:{name}:99")),
            Self::WrongKey => record.key = Some("somebody else".into()),
            Self::NoId => lose(record, "ce_id"),
            Self::NoAmount => lose(record, "ce_totalamount"),
            Self::OtherFact => set(record, "ce_id", other),
            Self::LargeHeader => set(record, "ce_type", &"x".repeat(LARGE.min(room))),
            Self::LargeKey => record.key = Some("x".repeat(LARGE.min(room)).into()),
        }
    }
}

/// The value of a header that is there.
pub fn text(record: &Record, header: &str) -> String {
    let found = record.headers.iter().find(|(key, _)| key == header);
    let (_, value) = found.unwrap_or_else(|| panic!("no {header} in {record:?}"));
    String::from_utf8(value.to_vec()).unwrap()
}

fn set(record: &mut Record, header: &str, value: &str) {
    let found = record.headers.iter_mut().find(|(key, _)| key == header);
    found.unwrap().1 = Bytes::from(value.to_owned());
}

fn lose(record: &mut Record, header: &str) {
    record.headers.retain(|(key, _)| key != header);
}
