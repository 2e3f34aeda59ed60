//! A stock repository of postgres-es and waybill on the same streams.

use cqrs_es::{AggregateContext, AggregateError, EventStore as _};
use domain::Fact;
use domain::values::Timestamp;
use futures::future::join_all;
use infra::event_store::{Append, AppendError};
use infra::{clock, codec, envelope};
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_stock_repository_replays_what_we_wrote_to_the_same_state() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    both.handle(both.request()).await;
    both.handle(assign("Driver Ash")).await;
    let ours = both.handle(Command::Record(Progress::Dispatch)).await;

    let stock = both.stock();
    assert_eq!(load(&stock, &id).await, (ours.stream.state.clone(), 3));
    let events = stock.load_events(&id).await.unwrap();
    let names: Vec<_> = events.iter().map(|event| event.payload.0.name()).collect();
    let expected = [
        "delivery.requested",
        "delivery.assigned",
        "delivery.dispatched",
    ];
    assert_eq!(names, expected);
    for event in events {
        assert_eq!(event.metadata["correlationId"], id);
        event.metadata["time"].parse::<Timestamp>().unwrap();
    }
}

#[tokio::test]
async fn what_a_stock_repository_wrote_is_read_decided_on_and_published() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    let before = clock::now();
    execute(both.stock(), &id, both.request(), &[])
        .await
        .unwrap();
    let given = [("correlationId", "theirs"), ("tenant", "a")];
    execute(both.stock(), &id, assign("Driver Ash"), &given)
        .await
        .unwrap();
    let left = both.handle(Command::Record(Progress::Dispatch)).await;
    let after = clock::now();

    let facts = both.facts().await;
    assert_eq!(facts, both.store.read_log(0, 100).await.unwrap());
    assert_eq!(
        Some(&facts[2]),
        both.store.read_last(&both.stream()).await.unwrap().as_ref()
    );
    let read: Vec<_> = facts
        .iter()
        .map(|fact| codec::decode(fact).unwrap())
        .collect();
    assert_eq!(read[2].fact, left.facts[0].fact);
    // Nobody said when, about what and why.
    assert!(before.ms_since(read[0].time) < 1000 && read[0].time.ms_since(after) < 1000);
    assert_eq!(read[0].correlation, id);
    assert_eq!(read[0].causation, facts[0].id.to_string());
    assert_eq!(read[0].order, None);
    assert_eq!(read[1].correlation, "theirs");
    assert!(read[0].time < read[1].time && read[1].time < read[2].time);

    for (fact, read) in facts.iter().zip(&read) {
        let record = envelope::record_of(fact).unwrap();
        let published = envelope::fact_of(&record).unwrap();
        assert_eq!(&codec::decode(&published).unwrap(), read);
    }
}

#[tokio::test]
async fn writers_that_take_turns_on_a_stream_have_one_history() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    let by_way_of = async |n: usize, command: Command| match n % 3 {
        0 => execute(both.stock(), &id, command, &[]).await.unwrap(),
        1 => drop(both.handle(command).await),
        _ => execute(both.ours(), &id, command, &[]).await.unwrap(),
    };
    by_way_of(0, both.request()).await;
    by_way_of(1, assign("Driver Ash")).await;
    for n in 2..20 {
        let estimated_delivery_time = Timestamp::from_micros(2_000_000_000_000_000 + n);
        let moved = Progress::MoveEta {
            estimated_delivery_time,
        };
        by_way_of(n as usize, Command::Record(moved)).await;
    }
    by_way_of(20, Command::Record(Progress::Dispatch)).await;

    let facts = both.facts().await;
    let sequences: Vec<_> = facts.iter().map(|fact| fact.id.sequence).collect();
    assert_eq!(sequences, (1..=21).collect::<Vec<_>>());
    let loaded = both.handler.load_fresh(&both.stream()).await.unwrap();
    let expected = (loaded.state.clone(), 21);
    assert_eq!(load(&both.stock(), &id).await, expected);
    assert_eq!(load(&both.ours(), &id).await, expected);
}

#[tokio::test]
async fn whoever_comes_second_is_told_that_the_stream_has_moved_on() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    both.handle(both.request()).await;

    // They loaded, and we were faster.
    let stock = both.stock();
    let mut theirs = stock.load_aggregate(&id).await.unwrap();
    both.handle(assign("Driver Ash")).await;
    let events = Delivery::decide(theirs.aggregate().state(), assign("Driver Oak")).unwrap();
    let events = events.into_iter().map(Event).collect();
    let late = stock.commit(events, theirs, HashMap::new()).await;
    assert!(
        matches!(late, Err(AggregateError::AggregateConflict)),
        "{late:?}"
    );

    // We loaded, and they were faster: an append at the old version is refused, and a command is
    // decided again over what they wrote.
    execute(both.stock(), &id, Command::Record(Progress::Dispatch), &[])
        .await
        .unwrap();
    let stale = Append {
        expect: vec![(both.stream(), 2)],
        ..Append::default()
    };
    let refused = both.store.append(stale).await;
    assert!(
        matches!(refused, Err(AppendError::Conflict(_))),
        "{refused:?}"
    );
    let done = both.handle(Command::Record(Progress::Deliver)).await;
    assert_eq!(done.stream.version, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_race_for_a_version_one_wins_whichever_library_it_uses() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    both.handle(both.request()).await;
    let race = (0..24).map(async |n| {
        let command = assign(&format!("Driver {n}"));
        match n % 3 {
            0 => execute(both.stock(), &id, command, &[]).await.is_ok(),
            1 => execute(both.ours(), &id, command, &[]).await.is_ok(),
            _ => both.try_handle(command).await.is_ok(),
        }
    });
    let won = join_all(race).await.into_iter().filter(|won| *won).count();
    assert_eq!((won, both.facts().await.len()), (1, 2));
}

#[tokio::test]
async fn a_fact_of_the_first_version_is_the_same_fact_for_all() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    both.handle(both.request()).await;
    let first = json!({"type": "delivery.assigned", "deliveryId": DeliveryId::of(both.order),
        "driverName": "Driver Ash", "estimatedDeliveryTime": "2030-01-31T12:00:00.000000Z"});
    both.insert(2, "delivery.assigned", "1", &first.to_string())
        .await;

    let loaded = both.handler.load_fresh(&both.stream()).await.unwrap();
    let expected = (loaded.state.clone(), 2);
    assert_eq!(load(&both.stock(), &id).await, expected);
    assert_eq!(load(&both.ours(), &id).await, expected);
    let facts = both.facts().await;
    let read = codec::decode(&facts[1]).unwrap();
    let Fact::Delivery(domain::delivery::Event::Assigned { driver_name, .. }) = read.fact else {
        panic!("{read:?}");
    };
    assert_eq!(driver_name.as_str(), "Driver Ash");
    // Upcast when it is read, never where it is stored.
    assert_eq!(facts[1].payload, first.to_string());
    let published = envelope::fact_of(&envelope::record_of(&facts[1]).unwrap()).unwrap();
    assert_eq!(published.version, "1");

    let bare = PostgresEventRepository::new(both.pool.clone());
    let bare: Store<_> = PersistedEventStore::new_event_store(bare);
    assert!(bare.load_aggregate(&id).await.is_err());
}

#[tokio::test]
async fn a_fact_of_a_newer_version_is_not_taken_for_one_of_todays() {
    let Some(both) = Both::start().await else {
        return;
    };
    let id = both.order.to_string();
    let newer = json!({"type": "delivery.requested", "deliveryId": DeliveryId::of(both.order)});
    both.insert(1, "delivery.requested", "2", &newer.to_string())
        .await;
    let Err(unknown) = both.ours().load_aggregate(&id).await else {
        panic!("it was read");
    };
    assert!(
        unknown.to_string().contains("version 2 is not known"),
        "{unknown}"
    );
    assert!(both.handler.load_fresh(&both.stream()).await.is_err());
}
