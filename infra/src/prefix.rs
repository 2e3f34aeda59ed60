//! What names on shared servers begin with.

/// True for nothing and for `[a-z][a-z0-9_]{0,15}`: every server takes names that begin so, within
/// the longest that it allows (48 characters, of a keyspace).
pub(crate) fn is_prefix(text: &str) -> bool {
    let mut letters = text.bytes();
    let begins = letters.next().is_none_or(|b| b.is_ascii_lowercase());
    let goes_on = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    begins && letters.all(goes_on) && text.len() <= 16
}
