//! Open tasks as they change: opened and settled with facts, put back, and all of it at once.

use std::collections::BTreeSet;

use domain::values::Timestamp;
use domain::{Service, Task};
use futures::future::join_all;
use infra::event_store::{Append, DueRow, EventStore};

use super::Stores;
use super::given::*;

/// Asserts that a task is neither due nor to be waited for.
async fn assert_settled(store: &dyn EventStore, row: &DueRow) {
    assert_eq!(store.due_of(row.order).await.unwrap(), []);
    let due = due_at(store, second(1_000)).await;
    assert!(due.iter().all(|other| other.order != row.order), "{due:?}");
}

pub async fn a_task_is_settled_in_the_transaction_of_facts(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let rows = [task(second(1)), task(second(2)), task(second(3))];
    store.append(opening(&rows)).await.unwrap();
    store.append(settling(&rows[..2])).await.unwrap();
    assert_settled(&*store, &rows[0]).await;
    assert_settled(&*store, &rows[1]).await;
    assert_eq!(due_at(&*store, second(60)).await, rows[2..]);
    assert_eq!(store.next_due(second(0)).await.unwrap(), Some(second(3)));
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 1));
    let without_facts = Append {
        settles: vec![rows[2].id()],
        ..Append::default()
    };
    assert_eq!(store.append(without_facts).await.unwrap(), 0);
    assert_eq!(store.next_due(second(0)).await.unwrap(), None);
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 0));
}

pub async fn a_refused_append_neither_opens_nor_settles(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let (open, new) = (task(second(1)), task(second(1)));
    store.append(opening([&open])).await.unwrap();
    let stream = stream();
    let refused = Append {
        opens: vec![new.clone()],
        settles: vec![open.id()],
        ..to(&stream, 1, 1)
    };
    assert_conflict(store.append(refused.clone()).await, &stream);
    // Nor does it in one commit with others that touch the same tasks.
    for _ in 0..30 {
        let later = DueRow {
            not_before: second(2),
            ..open.clone()
        };
        let good = opening([&later]);
        let (refused, good) = tokio::join!(store.append(refused.clone()), store.append(good));
        assert_conflict(refused, &stream);
        good.unwrap();
    }
    assert_eq!(due_at(&*store, second(60)).await, [open]);
    assert_eq!(store.due_of(new.order).await.unwrap(), []);
}

pub async fn opening_an_open_task_keeps_the_first(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for first_time in [1, 5, 9] {
        let first = task(second(first_time));
        store.append(opening([&first])).await.unwrap();
        let other = DueRow {
            not_before: second(5),
            problem: Some("another".to_owned()),
            parked: true,
            ..first.clone()
        };
        store.append(opening([&other])).await.unwrap();
        assert_eq!(store.due_of(first.order).await.unwrap(), only(&first));
        assert_eq!(due_at(&*store, second(60)).await, only(&first));
        assert_eq!(
            store.next_due(second(0)).await.unwrap(),
            Some(first.not_before)
        );
        store.append(settling([&first])).await.unwrap();
    }
    assert_eq!(store.next_due(second(0)).await.unwrap(), None);
}

pub async fn a_task_opened_twice_in_one_request_is_the_first(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let first = task(second(5));
    let other = DueRow {
        not_before: second(1),
        ..first.clone()
    };
    store
        .append(opening(&[first.clone(), other]))
        .await
        .unwrap();
    assert_eq!(store.due_of(first.order).await.unwrap(), only(&first));
    assert_eq!(store.next_due(second(0)).await.unwrap(), Some(second(5)));
    assert_eq!(due_at(&*store, second(60)).await, only(&first));
    store.append(settling([&first])).await.unwrap();
    assert_settled(&*store, &first).await;
    assert_eq!(store.next_due(second(0)).await.unwrap(), None);
}

pub async fn a_task_settled_and_opened_in_one_request_is_open_anew(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let first = task(second(5));
    store.append(opening([&first])).await.unwrap();
    let anew = DueRow {
        not_before: second(1),
        ..first.clone()
    };
    let request = both(settling([&first]), opening([&anew]));
    store.append(request.clone()).await.unwrap();
    assert_eq!(store.due_of(anew.order).await.unwrap(), only(&anew));
    assert_eq!(due_at(&*store, second(60)).await, [anew]);
}

pub async fn a_settled_task_may_be_opened_again(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut row = task(second(1));
    for n in 1..5 {
        row.not_before = second(10 - n);
        store.append(opening([&row])).await.unwrap();
        assert_eq!(due_at(&*store, second(60)).await, only(&row));
        store.append(settling([&row])).await.unwrap();
        assert_settled(&*store, &row).await;
    }
}

pub async fn settling_what_is_not_open_does_nothing(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let open = task(second(1));
    store.append(opening([&open])).await.unwrap();
    let sibling = task_of(open.order, Task::Capture, second(1));
    let never = Append {
        settles: vec![
            sibling.id(),
            "no such task".to_owned(),
            open.order.to_string(),
        ],
        ..to(&stream(), 0, 1)
    };
    store.append(never).await.unwrap();
    assert_eq!(due_at(&*store, second(60)).await, [open]);
}

pub async fn a_task_put_back_has_its_new_time_and_problem(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut row = task(second(1));
    store.append(opening([&row])).await.unwrap();
    for (time, problem) in [(5, Some("no answer")), (3, None), (8, Some("é"))] {
        row.not_before = second(time);
        row.problem = problem.map(str::to_owned);
        row.failures += 2;
        row.attempts += 1;
        store.put_back(&row).await.unwrap();
        assert_eq!(store.due_of(row.order).await.unwrap(), only(&row));
        assert_eq!(due_at(&*store, second(time - 1)).await, []);
        assert_eq!(due_at(&*store, second(time)).await, only(&row));
        assert_eq!(store.next_due(second(0)).await.unwrap(), Some(second(time)));
    }
}

pub async fn a_parked_task_is_not_due_until_it_is_put_back_unparked(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let row = task(second(1));
    store.append(opening([&row])).await.unwrap();
    let parked = DueRow {
        parked: true,
        problem: Some("it broke".to_owned()),
        ..row.clone()
    };
    store.put_back(&parked).await.unwrap();
    assert_eq!(due_at(&*store, second(60)).await, []);
    assert_eq!(store.next_due(second(0)).await.unwrap(), None);
    assert_eq!(store.due_of(row.order).await.unwrap(), only(&parked));
    assert_eq!(
        store.troubled(ALL).await.unwrap(),
        (vec![parked.clone()], 1)
    );

    store.put_back(&row).await.unwrap();
    assert_eq!(due_at(&*store, second(60)).await, only(&row));
    store.put_back(&parked).await.unwrap();
    store.append(settling([&parked])).await.unwrap();
    assert_settled(&*store, &row).await;
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 0));
}

pub async fn a_settled_task_is_not_put_back(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let never = task(second(1));
    store.put_back(&never).await.unwrap();
    assert_settled(&*store, &never).await;
    let row = task(second(1));
    store.append(opening([&row])).await.unwrap();
    store.append(settling([&row])).await.unwrap();
    store.put_back(&row).await.unwrap();
    assert_settled(&*store, &row).await;
    assert_eq!(store.next_due(second(0)).await.unwrap(), None);
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 0));
}

pub async fn a_task_settled_and_put_back_at_once_is_settled(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for n in 0..200 {
        let row = task(second(1));
        store.append(opening([&row])).await.unwrap();
        let later = DueRow {
            not_before: second(2 + n % 3),
            parked: n % 5 == 0,
            ..row.clone()
        };
        let settle = store.append(settling([&row]));
        let put_back = join_all((0..3).map(|_| store.put_back(&later)));
        let (settled, back) = if n % 2 == 0 {
            tokio::join!(settle, put_back)
        } else {
            let (back, settled) = tokio::join!(put_back, settle);
            (settled, back)
        };
        settled.unwrap();
        back.into_iter().for_each(|back| back.unwrap());
        assert_settled(&*store, &row).await;
        assert_eq!(store.next_due(second(0)).await.unwrap(), None);
    }
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 0));
}

pub async fn a_crowd_that_opens_and_settles_leaves_what_it_did_not_settle(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let one = async |n: i64| {
        let mut row = task(second(n));
        let (open, settle) = (opening([&row]), settling([&row]));
        // Sent behind each other without waiting, so that commits hold both.
        let (opened, settled) = tokio::join!(store.append(open), store.append(settle));
        opened.unwrap();
        settled.unwrap();
        // Whichever came first, it is settled now.
        store.append(settling([&row])).await.unwrap();
        if n % 3 > 0 {
            store.append(opening([&row])).await.unwrap();
        }
        if n % 3 > 1 {
            row.not_before = second(n + 500);
            store.put_back(&row).await.unwrap();
        }
        (n % 3 > 0).then_some(row)
    };
    let left = join_all((0..300).map(one)).await;
    let mut left: Vec<DueRow> = left.into_iter().flatten().collect();
    left.sort_by_key(|row| row.not_before);
    let due = due_at(&*store, second(10_000)).await;
    assert_eq!(due, left);
    let times: BTreeSet<Timestamp> = left.iter().map(|row| row.not_before).collect();
    let mut now = second(-1);
    for time in times {
        let next = store.next_due(now).await.unwrap();
        assert_eq!(next, Some(time));
        now = time;
    }
    assert_eq!(store.next_due(now).await.unwrap(), None);
    assert_eq!(store.troubled(ALL).await.unwrap().1, left.len() as u64);
}

pub async fn a_task_that_moves_is_never_due_while_parked_or_too_early(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let rows: Vec<DueRow> = (0..50).map(|_| task(second(1))).collect();
    store.append(opening(&rows)).await.unwrap();
    let moving = async {
        for n in 0..60 {
            let moved = rows.iter().map(|row| DueRow {
                not_before: second(1 + 9 * (n % 2)),
                parked: n % 3 == 0,
                ..row.clone()
            });
            let moved: Vec<_> = moved.collect();
            join_all(moved.iter().map(|row| store.put_back(row))).await;
        }
    };
    let looking = async {
        loop {
            for row in due_at(&*store, second(5)).await {
                assert!(!row.parked && row.not_before <= second(5), "{row:?}");
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = moving => {}
        () = looking => {}
    }
}
