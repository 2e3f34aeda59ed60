//! What outlives the process.

use domain::Service;
use infra::ids;

use super::Buses;
use super::given::*;

pub async fn a_group_goes_on_where_it_was_after_a_restart(mut buses: impl Buses) {
    let topic = Service::Payment;
    let order = ids::order();
    buses.publish(&facts(topic, order, 1..=10)).await;
    let mut left = 1;
    for done in [0, 4, 5] {
        let bus = buses.bus();
        let mut subscription = bus.subscribe("group", &[topic]).await.unwrap();
        let expected = facts(topic, order, left..=10);
        let taken = take(&mut subscription, expected.len()).await;
        assert_eq!(read_all(&taken), expected);
        subscription.commit(&past(&taken[..done])).await.unwrap();
        left += done as u64;
        drop((bus, subscription));
        buses.restart().await;
    }
    let bus = buses.bus();
    buses.publish(&facts(topic, order, 11..=12)).await;
    let mut subscription = bus.subscribe("group", &[topic]).await.unwrap();
    let taken = take(&mut subscription, 3).await;
    assert_eq!(read_all(&taken), facts(topic, order, 10..=12));
    assert_eq!(bus.lag("group", &[topic]).await.unwrap(), [(topic, 3)]);
}
