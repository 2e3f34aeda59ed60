//! The bytes of a key, which sort as its values do, one value after the other.
//!
//! Numbers and times are big-endian with their sign turned over, ids their sixteen bytes. A text is
//! closed by two NULs, and a NUL in it is followed by 0xFF, so that no text runs into what comes
//! behind it, and a text that goes on sorts behind one that has ended.

use domain::values::Timestamp;
use domain::view::{Kind, Value};
use uuid::Uuid;

/// What a NUL within a text is followed by.
const ESCAPED: u8 = 0xFF;
/// What the NUL that closes a text is followed by.
const CLOSED: u8 = 0x00;

/// The bytes of a key, or of the first values of one.
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut key = vec![];
    for value in values {
        match value {
            Value::Uuid(id) => key.extend_from_slice(id.as_bytes()),
            Value::Int(n) => key.extend_from_slice(&number(*n)),
            Value::Time(time) => key.extend_from_slice(&number(time.as_micros())),
            Value::Text(text) => self::text(&mut key, text.as_bytes()),
            // In no key, for they have no order. Plain structs, whose JSON cannot fail.
            Value::Items(items) => {
                let json = serde_json::to_vec(items).unwrap_or_default();
                self::text(&mut key, &json);
            }
        }
    }
    key
}

/// The values of a key of these kinds; `None` where it is none.
pub fn decode(kinds: impl IntoIterator<Item = Kind>, key: &[u8]) -> Option<Vec<Value>> {
    let mut rest = key;
    let mut values = vec![];
    for kind in kinds {
        let (value, after) = match kind {
            Kind::Uuid => {
                let (id, after) = rest.split_first_chunk::<16>()?;
                (Value::Uuid(Uuid::from_bytes(*id)), after)
            }
            Kind::Int => {
                let (n, after) = rest.split_first_chunk()?;
                (Value::Int(read_number(*n)), after)
            }
            Kind::Time => {
                let (n, after) = rest.split_first_chunk()?;
                (Value::Time(Timestamp::from_micros(read_number(*n))), after)
            }
            Kind::Text => {
                let (text, after) = read_text(rest)?;
                (Value::Text(String::from_utf8(text).ok()?), after)
            }
            Kind::Items => {
                let (json, after) = read_text(rest)?;
                (Value::Items(serde_json::from_slice(&json).ok()?), after)
            }
        };
        values.push(value);
        rest = after;
    }
    rest.is_empty().then_some(values)
}

/// The first bytes that sort behind all that begin with `prefix`; `None` where nothing does.
pub fn after_all_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

fn number(n: i64) -> [u8; 8] {
    (n ^ i64::MIN).to_be_bytes()
}

fn read_number(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}

fn text(key: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        key.push(*byte);
        if *byte == 0 {
            key.push(ESCAPED);
        }
    }
    key.extend_from_slice(&[0, CLOSED]);
}

fn read_text(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = vec![];
    let mut rest = bytes;
    loop {
        match rest {
            [0, CLOSED, after @ ..] => return Some((text, after)),
            [0, ESCAPED, after @ ..] => {
                text.push(0);
                rest = after;
            }
            [] | [0, ..] => return None,
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    const KINDS: [Kind; 5] = [Kind::Text, Kind::Uuid, Kind::Time, Kind::Text, Kind::Int];

    /// Few values, so that they meet, and those at the ends of their range.
    fn values() -> impl Strategy<Value = Vec<Value>> {
        let text = || {
            prop_oneof![
                prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'ÿ']), 0..4)
                    .prop_map(|chars| Value::Text(chars.into_iter().collect())),
                any::<String>().prop_map(Value::Text),
            ]
        };
        let number = || prop_oneof![-2..3i64, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
        let uuid = prop_oneof![0..3u128, (u128::MAX - 2)..=u128::MAX, any::<u128>()];
        let time = number().prop_map(|n| Value::Time(Timestamp::from_micros(n)));
        let uuid = uuid.prop_map(|n| Value::Uuid(Uuid::from_u128(n)));
        (text(), uuid, time, text(), number().prop_map(Value::Int))
            .prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e])
    }

    fn by_value(one: &[Value], other: &[Value]) -> Ordering {
        let pairs = one.iter().zip(other).map(|pair| match pair {
            (Value::Text(one), Value::Text(other)) => one.cmp(other),
            (Value::Uuid(one), Value::Uuid(other)) => one.cmp(other),
            (Value::Time(one), Value::Time(other)) => one.cmp(other),
            (Value::Int(one), Value::Int(other)) => one.cmp(other),
            pair => panic!("{pair:?}"),
        });
        pairs.fold(Ordering::Equal, Ordering::then)
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_values_and_no_two_are_one(one in values(), other in values()) {
            let bytes = encode(&one).cmp(&encode(&other));
            prop_assert_eq!(bytes, by_value(&one, &other));
        }

        #[test]
        fn a_key_is_read_as_it_was_written(values in values()) {
            let key = encode(&values);
            prop_assert_eq!(decode(KINDS, &key), Some(values));
            prop_assert_eq!(decode(KINDS, &key[..key.len() - 1]), None);
            prop_assert_eq!(decode(KINDS, &[&key[..], &[0]].concat()), None);
        }

        #[test]
        fn a_partition_is_a_range_of_its_own(one in values(), other in values()) {
            let partition = encode(&one[..2]);
            let end = after_all_of(&partition).unwrap();
            for values in [&one, &other] {
                let key = encode(values);
                let within = partition <= key && key < end;
                prop_assert_eq!(within, values[..2] == one[..2]);
            }
        }

        #[test]
        fn whatever_bytes_a_key_has_reading_it_does_not_panic(bytes: Vec<u8>) {
            if let Some(values) = decode(KINDS, &bytes) {
                prop_assert_eq!(encode(&values).len(), bytes.len());
            }
        }
    }

    #[test]
    fn nothing_sorts_behind_the_last_id() {
        assert_eq!(after_all_of(Uuid::max().as_bytes()), None);
        assert_eq!(after_all_of(&[]), None);
        assert_eq!(after_all_of(&[1, 0xFF]), Some(vec![2]));
    }
}
