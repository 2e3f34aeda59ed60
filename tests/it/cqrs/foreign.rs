//! Aggregates of somebody else in our table: nobody's facts, and in nobody's way.

use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Parcel;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Weighed {
    grams: u32,
}

impl DomainEvent for Weighed {
    fn event_type(&self) -> String {
        "parcel.weighed".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

impl cqrs_es::Aggregate for Parcel {
    const TYPE: &'static str = "parcel";

    type Command = u32;
    type Event = Weighed;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(
        &mut self,
        grams: u32,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        sink.write(Weighed { grams }, self).await;
        Ok(())
    }

    fn apply(&mut self, _: Weighed) {}
}

#[tokio::test]
async fn a_log_is_read_past_the_facts_of_others_however_many_there_are() {
    let Some(both) = Both::start().await else {
        return;
    };
    let parcels = postgres_es::postgres_cqrs::<Parcel>(both.pool.clone(), vec![], ());
    let weigh = async |times: u32| {
        for grams in 0..times {
            parcels.execute("one", grams).await.unwrap();
        }
    };
    weigh(3).await;
    assert_eq!(both.store.read_log(0, 2).await.unwrap(), []);
    assert_eq!(both.store.last_position().await.unwrap(), 0);
    both.handle(both.request()).await;
    weigh(7).await;
    both.handle(assign("Driver Ash")).await;
    weigh(1).await;

    let ours = both.facts().await;
    for limit in 1..=12 {
        let (mut read, mut after) = (vec![], 0);
        loop {
            let page = both.store.read_log(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = last.position;
            read.extend(page);
        }
        assert_eq!(read, ours, "by pages of {limit}");
    }
    // Whoever has read all of ours is not behind.
    assert_eq!(both.store.last_position().await.unwrap(), ours[1].position);
}
