use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Refused;

use super::{
    Amount, Currency, CustomerId, DeliveryId, DriverName, Invalid, Items, MAX_AMOUNT, MAX_LINES,
    MAX_QUANTITY, OrderId, PaymentId, Quantity, Reason, Sku, Timestamp, UnitPrice,
};
use crate::testing::values::{item, order_id};

fn refused<T: std::fmt::Debug>(result: Result<T, Invalid>) -> String {
    let invalid = result.unwrap_err();
    match invalid.field.as_str() {
        "" => invalid.message,
        field => format!("{field}: {invalid}"),
    }
}

#[test]
fn a_quantity_is_one_to_a_million() {
    let most = u64::from(MAX_QUANTITY);
    for good in [1, 2, most] {
        assert_eq!(Quantity::try_from(good).unwrap().get(), good);
    }
    // The last two would be 0 and 1 if they were cut to 32 bits.
    for bad in [0, most + 1, u64::MAX, 1 << 32, (1 << 32) + 1] {
        let message = refused(Quantity::try_from(bad));
        assert_eq!(message, "must be a whole number from 1 to 1000000");
    }
}

#[test]
fn an_amount_is_nothing_to_what_every_reader_keeps_exact() {
    assert_eq!(MAX_AMOUNT, 9_007_199_254_740_991);
    for good in [0, 1, MAX_AMOUNT] {
        assert_eq!(Amount::try_from(good).unwrap().minor_units(), good);
    }
    for bad in [MAX_AMOUNT + 1, u64::MAX] {
        let message = refused(Amount::try_from(bad));
        assert_eq!(message, "must be at most 9007199254740991 minor units");
    }
    assert_eq!(Amount::ZERO.minor_units(), 0);
}

#[test]
fn a_price_is_at_least_one_minor_unit() {
    for good in [1, MAX_AMOUNT] {
        assert_eq!(UnitPrice::try_from(good).unwrap().minor_units(), good);
    }
    for bad in [0, MAX_AMOUNT + 1, u64::MAX] {
        let message = refused(UnitPrice::try_from(bad));
        assert_eq!(message, "must be 1 to 9007199254740991 minor units");
    }
}

#[test]
fn a_currency_is_an_iso_code_in_capitals() {
    for good in ["EUR", "USD", "JPY", "AED", "ZWG"] {
        assert_eq!(good.parse::<Currency>().unwrap().as_str(), good);
    }
    for bad in [
        "", "EU", "EURO", "eur", "XXX", "AED AFN", "D A", " EUR", "€",
    ] {
        let message = refused(bad.parse::<Currency>());
        assert_eq!(message, "must be an ISO 4217 code in capitals, such as EUR");
    }
}

#[test]
fn a_sku_is_up_to_64_letters_digits_dots_dashes_and_underscores() {
    let longest = "x".repeat(64);
    for good in ["A", "a.B_c-9", "-", "..", &longest] {
        assert_eq!(good.parse::<Sku>().unwrap().as_str(), good);
    }
    let too_long = "x".repeat(65);
    for bad in ["", " ", "a b", "a/b", "é", "a\n", "a\0", "%41", &too_long] {
        let message = refused(bad.parse::<Sku>());
        let want = "must be 1 to 64 characters of letters, digits, '.', '_' and '-'";
        assert_eq!(message, want, "{bad:?}");
    }
}

/// What a short text takes: the same for all three, but for its length.
fn check_text<T>(max: usize, as_str: fn(&T) -> &str)
where
    T: TryFrom<String, Error = Invalid> + std::fmt::Debug,
{
    let (one, longest) = ("é".to_owned(), "é".repeat(max));
    for good in [one, longest, "Zoë, Straße 1 (東京) 🚚".into(), " x ".into()] {
        assert_eq!(as_str(&T::try_from(good.clone()).unwrap()), good);
    }
    for bad in ["", " ", "\u{2003}\u{a0}", &"é".repeat(max + 1)] {
        let message = refused(T::try_from(bad.to_owned()));
        assert_eq!(message, format!("must have 1 to {max} characters"));
    }
    for bad in [
        "a\0",
        "\tb",
        "a\nb",
        "a\rb",
        "\u{7f}b",
        "a\u{85}b",
        "\u{1b}[1m",
    ] {
        let message = refused(T::try_from(bad.to_owned()));
        assert_eq!(message, "must not have control characters", "{bad:?}");
    }
}

#[test]
fn texts_are_counted_in_characters_and_free_of_control_characters() {
    check_text(CustomerId::MAX_CHARS, CustomerId::as_str);
    check_text(DriverName::MAX_CHARS, DriverName::as_str);
    check_text(Reason::MAX_CHARS, Reason::as_str);
    assert_eq!(CustomerId::MAX_CHARS, 64);
    assert_eq!(DriverName::MAX_CHARS, 100);
    assert_eq!(Reason::MAX_CHARS, 200);
}

#[test]
fn the_systems_reasons_are_four_stable_words() {
    let words = [
        (Reason::out_of_stock(), "out-of-stock"),
        (Reason::payment_declined(), "payment-declined"),
        (Reason::delivery_failed(), "delivery-failed"),
        (Reason::deadline(), "deadline"),
    ];
    for (reason, word) in words {
        assert_eq!(reason.as_str(), word);
        assert_eq!(Reason::try_from(word.to_owned()), Ok(reason));
    }
}

#[test]
fn an_order_id_has_one_spelling() {
    let id = order_id().to_string();
    assert_eq!(id, "01890a5d-ac96-774b-bcce-b302099a8057");
    assert_eq!(id.parse(), Ok(order_id()));
    assert_eq!(id.to_uppercase().parse(), Ok(order_id()));
    let others = [
        String::new(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        id.replacen('0', "g", 1),
        format!("{id} "),
    ];
    for bad in others {
        let message = refused(bad.parse::<OrderId>());
        assert_eq!(message, "must be a UUID in its hyphenated form", "{bad}");
    }
}

#[test]
fn what_belongs_to_an_order_has_an_id_that_follows_from_it() {
    let other = OrderId(uuid::Uuid::from_u128(1));
    assert_eq!(PaymentId::of(order_id()), PaymentId::of(order_id()));
    assert_ne!(PaymentId::of(order_id()), PaymentId::of(other));
    assert_ne!(PaymentId::of(order_id()).0, DeliveryId::of(order_id()).0);
    assert_eq!(PaymentId::of(order_id()).0.get_version_num(), 5);
    // Published ids: a change would break every replay.
    assert_eq!(
        PaymentId::of(order_id()).to_string(),
        "0c9fda37-e005-5317-afa8-73a14b3f5e2d"
    );
    assert_eq!(
        DeliveryId::of(order_id()).to_string(),
        "71af73aa-d6f1-5b24-89eb-632ada7814c4"
    );
}

#[test]
fn an_order_has_one_to_a_hundred_lines() {
    let lines = |count: usize| (0..count).map(|n| item(&format!("S{n}"), 1, 1)).collect();
    let many: Vec<_> = lines(MAX_LINES);
    assert_eq!(Items::try_from(many).unwrap().total().minor_units(), 100);
    assert!(Items::try_from(lines(1)).is_ok());
    for bad in [0, MAX_LINES + 1] {
        let message = refused(Items::try_from(lines(bad)));
        assert_eq!(message, "must have 1 to 100 lines");
    }
}

#[test]
fn a_sku_is_in_one_line_only_and_the_second_is_named() {
    let twice = vec![item("A", 1, 1), item("B", 1, 1), item("A", 2, 1)];
    assert_eq!(
        refused(Items::try_from(twice)),
        "[2].sku: is there twice: A; merge the lines"
    );
    // SKUs that differ in case are two.
    assert!(Items::try_from(vec![item("a", 1, 1), item("A", 1, 1)]).is_ok());
}

#[test]
fn the_total_is_at_most_the_largest_amount_and_never_overflows() {
    let total = |lines: Vec<_>| Items::try_from(lines).map(|items| items.total().minor_units());
    assert_eq!(total(vec![item("A", 2, 500), item("B", 1, 999)]), Ok(1999));
    assert_eq!(total(vec![item("A", 1, MAX_AMOUNT)]), Ok(MAX_AMOUNT));
    let too_much = [
        vec![item("A", 1, MAX_AMOUNT), item("B", 1, 1)],
        vec![item("A", 2, MAX_AMOUNT)],
        // 2^53-1 times a million is beyond 64 bits.
        vec![item("A", u64::from(MAX_QUANTITY), MAX_AMOUNT)],
        (0..MAX_LINES)
            .map(|n| item(&format!("S{n}"), 2000, MAX_AMOUNT))
            .collect(),
    ];
    for lines in too_much {
        let message = refused(total(lines));
        assert_eq!(message, "must total at most 9007199254740991 minor units");
    }
}

#[test]
fn a_path_grows_from_the_inside_out() {
    let invalid = Invalid::new("is wrong").within("sku").within("[3]");
    assert_eq!(invalid.field, "[3].sku");
    assert_eq!(invalid.within("items").field, "items[3].sku");
    assert_eq!(Invalid::new("is wrong").within("items").field, "items");
}

#[test]
fn a_time_is_written_in_utc_with_six_decimals() {
    let cases = [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        // Beyond microseconds: cut, never rounded into the future.
        (
            "2026-01-31T12:00:00.1234569Z",
            "2026-01-31T12:00:00.123456Z",
        ),
        (
            "1969-12-31T23:59:59.9999999Z",
            "1969-12-31T23:59:59.999999Z",
        ),
    ];
    for (text, canonical) in cases {
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(time.to_string(), canonical);
    }
}

#[test]
fn a_time_without_a_zone_or_a_year_of_four_digits_is_refused() {
    let bad = [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ];
    for text in bad {
        let message = refused(text.parse::<Timestamp>());
        let want = "must be an RFC 3339 time such as 2026-01-31T12:00:00Z";
        assert_eq!(message, want, "{text}");
    }
}

#[test]
fn times_stay_within_the_years_that_have_a_text() {
    let (first, last) = (
        Timestamp::from_micros(i64::MIN),
        Timestamp::from_micros(i64::MAX),
    );
    assert_eq!(first.to_string(), "0001-01-01T00:00:00.000000Z");
    assert_eq!(last.to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(last.next(), last);
    assert_eq!(last.plus_ms(u64::MAX), last);
    assert_eq!(first.plus_ms(u64::MAX), last);
    assert_eq!(last.ms_since(first), 315_537_897_599_999);
    assert_eq!(first.ms_since(last), 0);
}

#[test]
fn times_count_in_microseconds_and_milliseconds() {
    let time = Timestamp::from_micros(1_000_000);
    assert_eq!(time.next().as_micros(), 1_000_001);
    assert_eq!(time.plus_ms(2).as_micros(), 1_002_000);
    assert_eq!(time.plus_ms(2).ms_since(time), 2);
    assert_eq!(time.plus_ms(2).ms_since(time.next()), 1, "whole ones only");
    assert_eq!(
        Timestamp::default().to_string(),
        "1970-01-01T00:00:00.000000Z"
    );
}

proptest! {
    #[test]
    fn a_time_reads_back_from_its_text(micros in any::<i64>()) {
        let time = Timestamp::from_micros(micros);
        let text = time.to_string();
        prop_assert_eq!(text.len(), "2026-01-31T12:00:00.000000Z".len());
        prop_assert_eq!(text.parse(), Ok(time));
    }

    #[test]
    fn texts_of_times_sort_as_the_times_do(a in any::<i64>(), b in any::<i64>()) {
        let (a, b) = (Timestamp::from_micros(a), Timestamp::from_micros(b));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }
}

/// Reads a value as a stored fact has it.
fn read<'a, T: Deserialize<'a>, V: IntoDeserializer<'a, Refused>>(stored: V) -> Option<T> {
    T::deserialize(stored.into_deserializer()).ok()
}

#[test]
fn what_is_read_back_goes_through_the_same_checks() {
    assert_eq!(read::<Sku, _>("A"), "A".parse().ok());
    assert_eq!(read::<Sku, _>("a b"), None);
    assert_eq!(read::<Currency, _>("EUR"), "EUR".parse().ok());
    assert_eq!(read::<Currency, _>("eur"), None);
    assert_eq!(read::<Quantity, _>(5u64), Quantity::try_from(5).ok());
    assert_eq!(read::<Quantity, _>(0u64), None);
    assert_eq!(read::<Amount, _>(0u64), Some(Amount::ZERO));
    assert_eq!(read::<Amount, _>(MAX_AMOUNT + 1), None);
    assert_eq!(read::<UnitPrice, _>(0u64), None);
    assert_eq!(read::<Reason, _>("deadline"), Some(Reason::deadline()));
    assert_eq!(read::<Reason, _>(""), None);
    assert_eq!(read::<DriverName, _>("a\n"), None);
    assert_eq!(read::<CustomerId, _>("x".repeat(65).as_str()), None);
    assert_eq!(
        read::<Timestamp, _>("1970-01-01T00:00:00.000001Z"),
        Some(Timestamp::from_micros(1))
    );
    assert_eq!(read::<Timestamp, _>("yesterday"), None);
    assert_eq!(read::<Items, _>(Vec::<&str>::new()), None);
}
