//! Topics and logs that do not belong together: each is noticed, named and mended.

use domain::Service;
use infra::bus::Publisher;
use infra::event_store::Checkpoint;
use infra::relay::{CHECKPOINT, mend};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::given::{Given, assert_first_occurrences_are_the_log, batch, make_topics};
use crate::contract::{stream, to};
use crate::support::eventually;

const MEND: &str = "waybill replay --to-kafka --service payment";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_anew_stops_the_relay_until_it_is_filled_again() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 100).await;
    let relay = given.run().await;
    given.relayed().await;
    assert!(
        !mend(&*given.store, &*given.publisher, 0).await.unwrap(),
        "it runs"
    );
    relay.end().await;
    let topic = given.publisher.topic(Service::Payment);
    let (client, options) = given.admin();
    client.delete_topics(&[&topic], &options).await.unwrap();
    let ends = || given.publisher.ends(Service::Payment);
    eventually(ends, |seen| matches!(seen, Ok(None)))
        .await
        .unwrap();
    let relay = given.run().await;
    let halt = given.halted().await;
    assert!(halt.contains("is gone") && halt.contains(&topic), "{halt}");
    make_topics(&given.place).await;
    let anew = |seen: &Checkpoint| seen.halted.as_ref().is_some_and(|h| h.contains("anew"));
    let halt = eventually(|| given.checkpoint(), anew)
        .await
        .halted
        .unwrap();
    assert!(halt.contains(MEND) && halt.contains(&topic), "{halt}");
    assert!(mend(&*given.store, &*given.publisher, 0).await.unwrap());
    given.relayed().await;
    eventually(
        || async { given.status.now() },
        |seen| seen.halted.is_none(),
    )
    .await;
    relay.end().await;
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_lost_its_tail_stops_a_relay_that_runs() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 300).await;
    let relay = given.run().await;
    given.relayed().await;
    let topic = given.publisher.topic(Service::Payment);
    let (client, options) = given.admin();
    client.delete_topics(&[&topic], &options).await.unwrap();
    make_topics(&given.place).await;
    // What is left of it is less than there was.
    let mut session = given.publisher.begin(Service::Payment).unwrap();
    for fact in given.log().await.iter().take(60) {
        let record = infra::envelope::record_of(fact).unwrap();
        session.send(&record).unwrap().await.unwrap();
    }
    let lost = |seen: &Checkpoint| {
        seen.halted
            .as_ref()
            .is_some_and(|h| h.contains("lost its tail"))
    };
    let seen = eventually(|| given.checkpoint(), lost).await;
    let halt = seen.halted.unwrap();
    assert!(halt.contains(MEND) && halt.contains(&topic), "{halt}");
    let halted = || async { given.status.now().halted };
    eventually(halted, Option::is_some).await;
    assert!(mend(&*given.store, &*given.publisher, 0).await.unwrap());
    given.relayed().await;
    relay.end().await;
    assert_first_occurrences_are_the_log(&given, &given.topic().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_restored_from_a_backup_stops_the_relay() {
    let Some(mut given) = Given::start().await else {
        return;
    };
    batch(&given, 400).await;
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    let Some(restored) = Given::start().await else {
        return;
    };
    // Its first facts are others, so neither what is short nor what went on unlike is missed.
    for (count, stored) in [(10, "the log has nothing"), (390, "the log has payment-")] {
        batch(&restored, count).await;
        given.store = restored.store.clone();
        let relay = given.run().await;
        let named = |seen: &Checkpoint| seen.halted.as_ref().is_some_and(|h| h.contains(stored));
        let halt = eventually(|| given.checkpoint(), named).await.halted;
        let halt = halt.unwrap();
        assert!(halt.contains("backup") && halt.contains(MEND), "{halt}");
        relay.end().await;
    }
    let relay = given.run().await;
    assert!(mend(&*given.store, &*given.publisher, 0).await.unwrap());
    given.relayed().await;
    relay.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_log_that_went_on_with_the_same_ids_is_told_by_their_times() {
    let (Some(mut given), Some(restored)) = (Given::start().await, Given::start().await) else {
        return;
    };
    let stream = stream();
    for (store, second) in [(&given.store, 1), (&restored.store, 2)] {
        let mut request = to(&stream, 0, 3);
        for fact in &mut request.facts {
            let time = format!(r#"{{"time":"2026-01-01T00:00:0{second}.000000Z"}}"#);
            fact.metadata = time.into();
        }
        store.append(request).await.unwrap();
    }
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    given.store = restored.store.clone();
    let relay = given.run().await;
    let halt = given.halted().await;
    assert!(halt.contains("backup"), "{halt}");
    relay.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_the_brokers_no_longer_keep_are_no_reason_to_stop() {
    let Some(given) = Given::start().await else {
        return;
    };
    batch(&given, 100).await;
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    let topic = given.publisher.topic(Service::Payment);
    let mut below = TopicPartitionList::new();
    let ends = given
        .publisher
        .ends(Service::Payment)
        .await
        .unwrap()
        .unwrap();
    for (partition, ends) in ends {
        let end = Offset::Offset(ends.high);
        below.add_partition_offset(&topic, partition, end).unwrap();
    }
    let (client, options) = given.admin();
    client.delete_records(&below, &options).await.unwrap();
    batch(&given, 100).await;
    let relay = given.run().await;
    given.relayed().await;
    relay.end().await;
    assert_eq!(given.checkpoint().await.halted, None);
    assert_eq!(given.topic().await.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_partitions_than_before_stop_the_relay() {
    let Some(given) = Given::start().await else {
        return;
    };
    let known = Checkpoint {
        offsets: [(0, -1)].into(),
        ..Checkpoint::default()
    };
    let set = given.store.set_checkpoint(CHECKPOINT, &known, None);
    set.await.unwrap();
    let relay = given.run().await;
    let halt = given.halted().await;
    assert!(halt.contains("had 1 partitions and has 3"), "{halt}");
    relay.end().await;
}
