use std::collections::BTreeSet;

use super::{Entry, OrderTimeline, Place, SCHEMA};
use crate::testing::values::{minute, order_id};
use crate::testing::{facts, recorded};
use crate::view::{Fold, Value};
use crate::{Category, Recorded, View, Written};

fn of_orders() -> impl Iterator<Item = Recorded> {
    let all = facts::every().into_iter();
    let of_orders = all.filter(|fact| fact.category() != Category::Stock);
    (1..)
        .zip(of_orders)
        .map(|(sequence, fact)| recorded(sequence, fact))
}

#[test]
fn every_fact_has_a_row_of_its_own_which_says_all_that_is_shown_of_it() {
    let mut keys = BTreeSet::new();
    for recorded in of_orders() {
        let patch = OrderTimeline.project(&recorded).unwrap();
        let [Value::Uuid(order), place @ ..] = patch.key.as_slice() else {
            panic!("{:?}", patch.key);
        };
        assert_eq!(*order, order_id().0);
        assert!(keys.insert(format!("{place:?}")), "{place:?} twice");
        let place = place.to_vec();
        let mut fold = Fold::default();
        fold.add(patch);
        let entry = Entry::read(order_id(), &place, &fold.cells(&SCHEMA)).unwrap();
        let expected = Entry {
            place: Place {
                occurred_at: recorded.time,
                category: recorded.fact.category(),
                sequence: recorded.id.sequence,
            },
            id: recorded.id,
            name: recorded.fact.name().to_owned(),
            written: recorded.written.unwrap(),
            causation: recorded.causation,
            correlation: recorded.correlation,
            position: recorded.position,
        };
        assert_eq!(entry, expected);
    }
}

#[test]
fn a_payload_is_kept_letter_for_letter_in_the_version_in_which_it_was_written() {
    for mut recorded in of_orders() {
        let as_it_was = Written {
            version: "7".into(),
            payload: "{ \"of\" : \"another shape\" }".into(),
        };
        recorded.written = Some(as_it_was.clone());
        let patch = OrderTimeline.project(&recorded).unwrap();
        let mut fold = Fold::default();
        let place = patch.key[1..].to_vec();
        fold.add(patch);
        let entry = Entry::read(order_id(), &place, &fold.cells(&SCHEMA));
        assert_eq!(entry.unwrap().written, as_it_was);
    }
}

#[test]
fn what_is_about_to_be_appended_is_in_no_timeline() {
    for recorded in of_orders() {
        let not_yet = Recorded {
            written: None,
            ..recorded
        };
        assert_eq!(OrderTimeline.project(&not_yet), None);
    }
}

#[test]
fn a_place_is_read_as_it_was_written_and_anything_else_is_none() {
    for category in Category::ALL {
        let place = Place {
            occurred_at: minute(3),
            category,
            sequence: 12,
        };
        assert_eq!(Place::read(&place.values()), Some(place));
    }
    let [time, stream, sequence] = Place {
        occurred_at: minute(3),
        category: Category::Order,
        sequence: 1,
    }
    .values();
    let unknown = Value::Text("parcel".into());
    for wrong in [
        vec![],
        vec![time.clone(), stream.clone()],
        vec![stream.clone(), time.clone(), sequence.clone()],
        vec![time.clone(), unknown, sequence],
        vec![time, stream, Value::Int(-1)],
    ] {
        assert_eq!(Place::read(&wrong), None, "{wrong:?}");
    }
}
