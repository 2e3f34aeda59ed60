//! As much of Kafka's protocol as it takes to change records on their way to a topic.
//!
//! A produce request stays as it was but for the bytes of the batch that was changed: the broker and
//! the producer notice nothing.

use bytes::Bytes;
use infra::bus::Record;

/// Produce, and the first version of it whose lengths are variable.
const PRODUCE: i16 = 0;
const FLEXIBLE: i16 = 9;
/// Where in a batch are its length, checksum, attributes and records.
const LENGTH: usize = 8;
const BEHIND_LENGTH: usize = 12;
const CHECKSUM: usize = 17;
const ATTRIBUTES: usize = 21;
const RECORDS: usize = 61;
/// What a batch may have at most, by the brokers' defaults.
const MOST: usize = 1_048_588;
/// The bits of the attributes that name a compression, and what they say of LZ4.
const COMPRESSION: u8 = 0b111;
const LZ4: u8 = 3;

/// Has `change` look at each record of a produce request, with its topic and by how much it may grow,
/// and change it; the request that it makes, where any was changed.
pub fn change(
    request: &[u8],
    mut change: impl FnMut(&str, &mut Record, usize) -> bool,
) -> Option<Vec<u8>> {
    let mut batches = vec![];
    let mut cursor = Cursor::of(request);
    let (api, version) = (cursor.i16(), cursor.i16());
    if api != PRODUCE {
        return None;
    }
    let flexible = version >= FLEXIBLE;
    cursor.skip(4);
    cursor.short();
    if flexible {
        cursor.tags();
        cursor.sized(true);
    } else {
        cursor.short();
    }
    cursor.skip(2 + 4);
    for _ in 0..cursor.count(flexible) {
        let topic = if flexible {
            cursor.sized(true)
        } else {
            cursor.short()
        };
        let topic = str::from_utf8(topic).unwrap();
        for _ in 0..cursor.count(flexible) {
            cursor.skip(4);
            let begins = cursor.at;
            let batch = cursor.sized(flexible);
            if let Some(changed) = change_batch(batch, |record, room| change(topic, record, room)) {
                batches.push((begins..cursor.at, changed));
            }
            if flexible {
                cursor.tags();
            }
        }
        if flexible {
            cursor.tags();
        }
    }
    if batches.is_empty() {
        return None;
    }
    let (mut changed, mut at) = (vec![], 0);
    for (place, batch) in batches {
        changed.extend_from_slice(&request[at..place.start]);
        match flexible {
            true => put_unsigned(&mut changed, batch.len() as u64 + 1),
            false => changed.extend_from_slice(&u32::try_from(batch.len()).unwrap().to_be_bytes()),
        }
        changed.extend_from_slice(&batch);
        at = place.end;
    }
    changed.extend_from_slice(&request[at..]);
    Some(changed)
}

fn change_batch(
    batch: &[u8],
    mut change: impl FnMut(&mut Record, usize) -> bool,
) -> Option<Vec<u8>> {
    let attributes = batch[ATTRIBUTES + 1];
    let unpacked;
    let records = match attributes & COMPRESSION {
        0 => &batch[RECORDS..],
        LZ4 => {
            unpacked = unpack(&batch[RECORDS..]);
            &unpacked[..]
        }
        other => panic!("nobody asked for the compression {other}"),
    };
    let (mut any, mut cursor) = (false, Cursor::of(records));
    let mut out = batch[..RECORDS].to_vec();
    while cursor.at < records.len() {
        let length = cursor.signed();
        let ends = cursor.at + usize::try_from(length).unwrap();
        let begins = cursor.at;
        // Attributes, time and number.
        cursor.skip(1);
        cursor.signed();
        cursor.signed();
        let before = &records[begins..cursor.at];
        let mut record = cursor.record();
        assert_eq!(cursor.at, ends, "a record was not understood");
        // The lengths of what grows take a few bytes more.
        let room = MOST.saturating_sub(out.len() + records.len() - begins + 64);
        any |= change(&mut record, room);
        let mut body = before.to_vec();
        put_record(&mut body, &record);
        put_signed(&mut out, body.len() as i64);
        out.extend_from_slice(&body);
    }
    if !any {
        return None;
    }
    out[ATTRIBUTES + 1] = attributes & !COMPRESSION;
    let length = u32::try_from(out.len() - BEHIND_LENGTH).unwrap();
    out[LENGTH..BEHIND_LENGTH].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c(&out[ATTRIBUTES..]);
    out[CHECKSUM..ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
    Some(out)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        taken
    }

    fn skip(&mut self, count: usize) {
        self.take(count);
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    /// Seven bits a byte, the low ones first.
    fn unsigned(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
            shift += 7;
        }
    }

    /// The same, where the lowest bit is the sign.
    fn signed(&mut self) -> i64 {
        let value = self.unsigned();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    /// With a length of two bytes; -1 for none.
    fn short(&mut self) -> &'a [u8] {
        let length = self.i16();
        self.take(usize::try_from(length).unwrap_or(0))
    }

    fn count(&mut self, flexible: bool) -> usize {
        match flexible {
            true => (self.unsigned() as usize).saturating_sub(1),
            false => usize::try_from(self.i32()).unwrap_or(0),
        }
    }

    fn sized(&mut self, flexible: bool) -> &'a [u8] {
        let length = self.count(flexible);
        self.take(length)
    }

    fn tags(&mut self) {
        for _ in 0..self.unsigned() {
            self.unsigned();
            let length = self.unsigned();
            self.skip(length as usize);
        }
    }

    /// None where the length is -1.
    fn field(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.signed()).ok()?;
        Some(Bytes::copy_from_slice(self.take(length)))
    }

    fn record(&mut self) -> Record {
        let (key, payload) = (self.field(), self.field());
        let headers = (0..self.signed()).map(|_| {
            let name = self.field().unwrap();
            let name = String::from_utf8(name.into()).unwrap();
            (name.into(), self.field().unwrap_or_default())
        });
        Record {
            headers: headers.collect(),
            key,
            payload,
        }
    }
}

fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    put_signed(out, field.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(field.unwrap_or_default());
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    put_field(out, record.key.as_deref());
    put_field(out, record.payload.as_deref());
    put_signed(out, record.headers.len() as i64);
    for (name, value) in &record.headers {
        put_field(out, Some(name.as_bytes()));
        put_field(out, Some(value));
    }
}

/// What a frame of LZ4 holds.
fn unpack(frame: &[u8]) -> Vec<u8> {
    let flags = frame[4];
    let has = |bit: u8| usize::from(flags >> bit & 1);
    let mut at = 4 + 2 + 8 * has(3) + 4 * has(0) + 1;
    let mut out = vec![];
    loop {
        let size = u32::from_le_bytes(frame[at..at + 4].try_into().unwrap());
        at += 4;
        let length = (size & !(1 << 31)) as usize;
        if length == 0 {
            return out;
        }
        let block = &frame[at..at + length];
        match size >> 31 {
            0 => unpack_block(block, &mut out),
            _ => out.extend_from_slice(block),
        }
        at += length + 4 * has(4);
    }
}

fn unpack_block(block: &[u8], out: &mut Vec<u8>) {
    let mut cursor = Cursor::of(block);
    let longer = |cursor: &mut Cursor<'_>, nibble: u8| {
        let mut length = usize::from(nibble);
        while length >= 15 {
            let more = cursor.take(1)[0];
            length += usize::from(more);
            if more < 255 {
                break;
            }
        }
        length
    };
    loop {
        let token = cursor.take(1)[0];
        let literals = longer(&mut cursor, token >> 4);
        out.extend_from_slice(cursor.take(literals));
        if cursor.at == block.len() {
            return;
        }
        let back = u16::from_le_bytes(cursor.take(2).try_into().unwrap());
        let length = longer(&mut cursor, token & 15) + 4;
        for _ in 0..length {
            out.push(out[out.len() - usize::from(back)]);
        }
    }
}

/// The checksum of batches (Castagnoli).
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
