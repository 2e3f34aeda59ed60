//! Open tasks: what is due, when, and what is in trouble.

use std::collections::HashSet;

use domain::values::Timestamp;
use domain::{Service, Task};
use infra::event_store::{Append, DueRow, TaskCount};
use infra::{Origin, ids};

use super::Stores;
use super::given::*;

pub async fn a_task_opened_with_facts_is_there_as_it_was_given(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let bare = task(second(5));
    let full = DueRow {
        opened_at: Timestamp::from_micros(1_767_225_600_123_457),
        not_before: Timestamp::from_micros(1_767_225_601_123_459),
        failures: 3,
        attempts: 2,
        problem: Some("é \" \\ \n 'twas".to_owned()),
        origin: Origin {
            causation: "payment-1-1".to_owned(),
            cause_time: Some(Timestamp::from_micros(1_767_225_600_000_001)),
            order: Some(order_context()),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            ..bare.origin.clone()
        },
        ..task_of(ids::order(), Task::Refund, second(0))
    };
    let parked = DueRow {
        parked: true,
        ..task(second(0))
    };
    for row in [&bare, &full, &parked] {
        store
            .append(opening(std::slice::from_ref(row)))
            .await
            .unwrap();
        assert_eq!(store.due_of(row.order).await.unwrap(), only(row));
    }
    assert_eq!(due_at(&*store, second(60)).await, [full, bare]);
}

pub async fn a_task_is_not_due_before_its_time(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let row = task(second(5));
    let alone = Append {
        opens: vec![row.clone()],
        ..Append::default()
    };
    assert_eq!(store.append(alone).await.unwrap(), 0);
    let just_before = Timestamp::from_micros(row.not_before.as_micros() - 1);
    for now in [second(-5), second(4), just_before] {
        assert_eq!(due_at(&*store, now).await, [], "{now}");
    }
    for now in [row.not_before, row.not_before.next(), second(1_000_000)] {
        assert_eq!(due_at(&*store, now).await, only(&row), "{now}");
    }
}

pub async fn tasks_that_are_due_come_longest_waiting_first_up_to_a_limit(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    // Around 1970 and far ahead: times that do not sort by their bytes or digits alone.
    let times = [-1, 0, 9_999_999_999, 10_000_000_000, 1_767_225_600_000_000];
    let times = times.map(Timestamp::from_micros);
    let mut rows: Vec<DueRow> = times.into_iter().map(task).collect();
    rows.extend((1..8).map(|n| task(second(n))));
    let mut shuffled = rows.clone();
    shuffled.sort_by_key(DueRow::id);
    shuffled.reverse();
    shuffled.rotate_left(5);
    store.append(opening(&shuffled)).await.unwrap();
    let nobody = HashSet::new();
    for limit in [0, 1, 3, rows.len(), ALL] {
        let due = store.due(second(60), limit, &nobody).await.unwrap();
        assert_eq!(due, rows[..limit.min(rows.len())]);
    }
    assert_eq!(due_at(&*store, second(3)).await, rows[..8]);
}

pub async fn busy_tasks_are_passed_over_and_use_up_no_limit(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let rows: Vec<DueRow> = (0..10).map(|n| task(second(n))).collect();
    store.append(opening(&rows)).await.unwrap();
    let busy: HashSet<String> = rows.iter().step_by(2).map(DueRow::id).collect();
    let due = store.due(second(60), 3, &busy).await.unwrap();
    assert_eq!(due, [1, 3, 5].map(|n| rows[n].clone()));
    let all = rows.iter().map(DueRow::id).collect();
    assert_eq!(store.due(second(60), 3, &all).await.unwrap(), []);
}

pub async fn the_next_time_is_the_earliest_later_one(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let parked = DueRow {
        parked: true,
        ..task(second(2))
    };
    let rows = [task(second(5)), task(second(1)), task(second(5)), parked];
    store.append(opening(&rows)).await.unwrap();
    let just_before = Timestamp::from_micros(second(1).as_micros() - 1);
    for (after, next) in [
        (second(0), Some(1)),
        (just_before, Some(1)),
        (second(1), Some(5)),
        (second(4), Some(5)),
        (second(5), None),
    ] {
        let found = store.next_due(after).await.unwrap();
        assert_eq!(found, next.map(second), "after {after}");
    }
}

pub async fn the_tasks_of_an_order_are_those_of_no_other(stores: impl Stores) {
    let store = stores.of(Service::Delivery);
    let order = ids::order();
    let mut own = vec![];
    for (n, task) in [Task::Courier, Task::CallOff, Task::Deadline]
        .into_iter()
        .enumerate()
    {
        let row = task_of(order, task, second(n as i64));
        store.append(opening([&row])).await.unwrap();
        store
            .append(opening(&[task_of(ids::order(), task, second(1))]))
            .await
            .unwrap();
        own.push(row);
    }
    let mut found = store.due_of(order).await.unwrap();
    found.sort_by_key(|row| row.not_before);
    assert_eq!(found, own);
    assert_eq!(store.due_of(ids::order()).await.unwrap(), []);
}

pub async fn tasks_are_counted_by_their_kind_and_those_that_are_parked_are_never_overdue(
    stores: impl Stores,
) {
    let store = stores.of(Service::Payment);
    let of = |task, at| task_of(ids::order(), task, second(at));
    let parked = DueRow {
        parked: true,
        ..of(Task::Capture, 0)
    };
    let settled = of(Task::Void, 1);
    let rows = [
        of(Task::Authorize, 1),
        of(Task::Authorize, 4),
        of(Task::Authorize, 5),
        of(Task::Capture, 9),
        parked,
        settled.clone(),
    ];
    store.append(opening(&rows)).await.unwrap();
    let settle = Append {
        settles: vec![settled.id()],
        ..Append::default()
    };
    store.append(settle).await.unwrap();
    let other = stores.of(Service::Delivery);
    let deadline = of(Task::Deadline, 1);
    other.append(opening(&[deadline])).await.unwrap();

    let mut counts = store.count_tasks(second(5)).await.unwrap();
    counts.sort_by_key(|count| count.task);
    let count = |task, open, overdue| TaskCount {
        task,
        open,
        overdue,
    };
    let authorize = count(Task::Authorize, 3, 2);
    assert_eq!(counts, [authorize, count(Task::Capture, 2, 0)]);
}

pub async fn tasks_in_trouble_are_the_parked_and_the_failed(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let fine: Vec<DueRow> = (0..5).map(|n| task(second(n))).collect();
    let failed = DueRow {
        failures: 3,
        problem: Some("no answer".to_owned()),
        ..task(second(1))
    };
    let parked = DueRow {
        parked: true,
        ..task(second(1))
    };
    let recovered = DueRow {
        attempts: 3,
        ..task(second(1))
    };
    // A call that timed out, and is made again.
    let tried_again = DueRow {
        failures: 2,
        problem: Some("no answer".to_owned()),
        ..task(second(1))
    };
    store.append(opening(&fine)).await.unwrap();
    assert_eq!(store.troubled(ALL).await.unwrap(), (vec![], 5));
    let rows = [failed.clone(), recovered, tried_again, parked.clone()];
    store.append(opening(&rows)).await.unwrap();

    let (mut rows, open) = store.troubled(ALL).await.unwrap();
    rows.sort_by_key(|row| row.parked);
    assert_eq!((rows, open), (vec![failed, parked], 9));
    for limit in [0, 1] {
        let (rows, open) = store.troubled(limit).await.unwrap();
        assert_eq!((rows.len(), open), (limit, 9));
    }
}
