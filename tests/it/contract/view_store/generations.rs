//! How generations stand: said as a whole, by who has seen them as they are.

use domain::view::order_view::SCHEMA;
use domain::view::orders_by_customer;
use infra::view_store::{Generation, Generations, Rebuild, State};
use tokio::task::JoinSet;

use super::Views;
use super::given::*;

const VIEW: &str = SCHEMA.name;
/// Those who change at once.
const MANY: u32 = 8;

/// With everything that there can be.
pub fn full() -> Generations {
    let states = [
        State::Dropped,
        State::Kept,
        State::Live,
        State::CatchingUp,
        State::Building,
    ];
    let all = (1..).zip(states).map(|(number, state)| Generation {
        number,
        revision: 7,
        state,
        since: second(i64::from(number)),
    });
    Generations {
        version: 0,
        all: all.collect(),
        next: 6,
        rebuild: Some(Rebuild {
            generation: 5,
            holder: Some("a host: \u{e9} \"7\"".to_owned()),
            since: second(1),
            beat: 3,
            after: Some("an order".to_owned()),
            facts: u64::MAX,
            orders: 1,
            rows: 2,
            cancelled: true,
        }),
    }
}

pub async fn a_view_has_no_generations_until_they_are_said(views: impl Views) {
    let views = views.views();
    assert_eq!(views.generations(VIEW).await.unwrap(), None);
    let said = full();
    assert!(views.replace_generations(VIEW, &said).await.unwrap());
    let read = views.generations(VIEW).await.unwrap();
    assert_eq!(read, Some(Generations { version: 1, ..said }));
}

pub async fn generations_are_replaced_by_who_has_seen_them_as_they_are(views: impl Views) {
    let views = views.views();
    let first = Generations::first(&SCHEMA, second(1));
    let unseen = Generations {
        version: 3,
        ..first.clone()
    };
    assert!(!views.replace_generations(VIEW, &unseen).await.unwrap());
    assert_eq!(views.generations(VIEW).await.unwrap(), None);

    assert!(views.replace_generations(VIEW, &first).await.unwrap());
    assert!(!views.replace_generations(VIEW, &full()).await.unwrap());
    let mut seen = views.generations(VIEW).await.unwrap().unwrap();
    assert_eq!(seen.version, 1);
    let before = seen.clone();
    seen.set(1, State::Kept, second(2));
    assert!(views.replace_generations(VIEW, &seen).await.unwrap());
    assert!(!views.replace_generations(VIEW, &before).await.unwrap());
    assert!(!views.replace_generations(VIEW, &seen).await.unwrap());
    let read = views.generations(VIEW).await.unwrap().unwrap();
    assert_eq!(read, Generations { version: 2, ..seen });
}

pub async fn of_many_who_replace_generations_at_once_one_does(views: impl Views) {
    for version in 0..6 {
        let mut changing = JoinSet::new();
        for next in 0..MANY {
            let views = views.views();
            changing.spawn(async move {
                let mine = Generations {
                    version,
                    next,
                    ..full()
                };
                let won = views.replace_generations(VIEW, &mine).await.unwrap();
                won.then_some(next)
            });
        }
        let winners: Vec<_> = changing.join_all().await.into_iter().flatten().collect();
        let read = views.views().generations(VIEW).await.unwrap().unwrap();
        assert_eq!(winners, [read.next]);
        assert_eq!(read.version, version + 1);
    }
}

pub async fn generations_of_two_views_are_apart(views: impl Views) {
    let views = views.views();
    let other = orders_by_customer::SCHEMA.name;
    assert!(views.replace_generations(VIEW, &full()).await.unwrap());
    assert_eq!(views.generations(other).await.unwrap(), None);
    let first = Generations::first(&orders_by_customer::SCHEMA, second(1));
    assert!(views.replace_generations(other, &first).await.unwrap());
    let read = views.generations(VIEW).await.unwrap().unwrap();
    assert_eq!(read.all, full().all);
}
