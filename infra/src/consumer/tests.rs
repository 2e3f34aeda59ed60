use domain::{Category, FactId, Service, StreamId};

use super::lanes::Lanes;
use super::ledger::Ledger;
use crate::bus::{Delivered, Partition};
use crate::event_store::StoredFact;

const PARTITION: Partition = Partition {
    topic: Service::Order,
    number: 0,
};

fn record(key: &str, offset: i64) -> Delivered {
    let stream = StreamId {
        category: Category::Order,
        id: key.to_owned(),
    };
    Delivered {
        partition: PARTITION,
        offset,
        key: key.to_owned(),
        record: None,
        fact: Ok(StoredFact {
            id: FactId {
                stream,
                sequence: 1,
            },
            position: 1,
            name: "order.created".into(),
            version: "1".into(),
            payload: "{}".into(),
            metadata: "{}".into(),
        }),
    }
}

fn offsets(lanes: &mut Lanes) -> Vec<i64> {
    std::iter::from_fn(|| lanes.next())
        .map(|record| record.offset)
        .collect()
}

#[test]
fn of_each_key_one_record_is_out_at_a_time_and_in_order() {
    let mut lanes = Lanes::default();
    for (key, offset) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
        lanes.push(record(key, offset));
    }
    assert_eq!(offsets(&mut lanes), [1, 3]);
    lanes.free("b");
    assert_eq!(offsets(&mut lanes), [] as [i64; 0]);
    lanes.free("a");
    assert_eq!(offsets(&mut lanes), [2]);
    lanes.free("a");
    assert_eq!(offsets(&mut lanes), [4]);
    lanes.free("a");
    lanes.push(record("a", 5));
    assert_eq!(offsets(&mut lanes), [5]);
}

#[test]
fn an_offset_is_committed_only_when_all_before_it_are_done() {
    let mut ledger = Ledger::default();
    // Positions have holes.
    for offset in [3, 5, 9] {
        ledger.begin(PARTITION, offset);
    }
    ledger.end(PARTITION, 9);
    ledger.end(PARTITION, 5);
    assert_eq!(ledger.prefixes(), [(PARTITION, 3)]);
    ledger.end(PARTITION, 3);
    assert_eq!(ledger.prefixes(), [(PARTITION, 10)]);
    assert_eq!(ledger.pending(), 0);
}

#[test]
fn a_partition_that_left_may_come_back_at_a_smaller_offset() {
    let mut ledger = Ledger::default();
    for offset in [3, 4, 5] {
        ledger.begin(PARTITION, offset);
    }
    ledger.end(PARTITION, 5);
    ledger.forget(PARTITION);
    assert_eq!(ledger.pending(), 0);
    assert!(ledger.prefixes().is_empty());
    // Work that was not given up in time counts for nothing.
    ledger.end(PARTITION, 4);
    ledger.begin(PARTITION, 3);
    assert_eq!(ledger.prefixes(), [(PARTITION, 3)]);
    ledger.end(PARTITION, 3);
    assert_eq!(ledger.prefixes(), [(PARTITION, 4)]);
}

#[test]
fn records_of_a_partition_that_left_are_dropped_and_one_that_is_out_keeps_its_key() {
    let mut lanes = Lanes::default();
    for (key, offset) in [("a", 1), ("a", 2), ("b", 3)] {
        lanes.push(record(key, offset));
    }
    assert_eq!(lanes.next().unwrap().offset, 1);
    lanes.drop_of(PARTITION);
    // They come again, behind the one that is still out.
    for (key, offset) in [("a", 1), ("b", 3)] {
        lanes.push(record(key, offset));
    }
    assert_eq!(offsets(&mut lanes), [3]);
    lanes.free("a");
    assert_eq!(offsets(&mut lanes), [1]);
}
