//! Where the next page of a list begins, as a text that means nothing to who carries it: base64url
//! of the kind of list, the version of what follows, and the key of the last row that was looked at.
//!
//! A cursor names a place and not a page: rows may come and go, it stays good, and it never expires.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Category;
use domain::values::{OrderId, Timestamp};
use domain::view::order_timeline::Place;
use infra::http::Problem;
use uuid::Uuid;

/// The shape of all cursors that are given out today.
const VERSION: u8 = 1;

/// A row behind which a page may begin.
pub trait Cursor: Sized {
    /// Which list it is of.
    const KIND: u8;

    /// Its bytes.
    fn bytes(&self) -> Vec<u8>;

    /// Reads [`Self::bytes`].
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// The text of a cursor.
pub fn write<C: Cursor>(cursor: &C) -> String {
    let bytes = [&[C::KIND, VERSION], cursor.bytes().as_slice()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads the text of a cursor.
///
/// # Errors
/// A problem with the field `cursor`.
pub fn read<C: Cursor>(text: &str) -> Result<C, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let cursor = match bytes.as_slice() {
        [kind, VERSION, rest @ ..] if *kind == C::KIND => C::read(rest),
        _ => None,
    };
    let detail = "must be the nextCursor of a page of this list";
    cursor.ok_or_else(|| Problem::field("cursor", detail))
}

/// Of the orders of a customer.
impl Cursor for OrderId {
    const KIND: u8 = b'o';

    fn bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }
}

/// Of the timeline of an order.
impl Cursor for Place {
    const KIND: u8 = b't';

    fn bytes(&self) -> Vec<u8> {
        let time = self.occurred_at.as_micros().to_be_bytes();
        let sequence = self.sequence.to_be_bytes();
        [&time, &sequence, self.category.name().as_bytes()].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let (sequence, category) = rest.split_first_chunk()?;
        Some(Self {
            occurred_at: Timestamp::from_micros(i64::from_be_bytes(*time)),
            category: Category::named(std::str::from_utf8(category).ok()?)?,
            sequence: u64::from_be_bytes(*sequence),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            occurred_at: Timestamp::from_micros(1_767_225_600_123_456),
            category: Category::Payment,
            sequence: 7,
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let order = OrderId(Uuid::from_u128(7));
        assert_eq!(read::<OrderId>(&write(&order)).unwrap(), order);
        assert_eq!(read::<Place>(&write(&place())).unwrap(), place());
    }

    #[test]
    fn what_is_no_cursor_of_the_list_is_refused() {
        let order = write(&OrderId(Uuid::from_u128(7)));
        let later = [&[b'o', 2][..], &[0; 16]].concat();
        for wrong in [
            "",
            "AA",
            "not base64!",
            &order[1..],
            &order[..order.len() - 2],
            &format!("{order}="),
            &format!("{order}AA"),
            &write(&place()),
            &URL_SAFE_NO_PAD.encode(later),
        ] {
            assert!(read::<OrderId>(wrong).is_err(), "{wrong}");
        }
        assert!(read::<Place>(&order).is_err());
    }
}
