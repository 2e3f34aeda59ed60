//! Logs that are whole, and logs that somebody has damaged. What only SQL can do is done on Postgres
//! alone: the folder of the embedded store has no way in but its own.

use std::sync::Arc;

use domain::values::Timestamp;
use domain::{Category, Sequence, Service, StreamId};
use futures::future::join_all;
use infra::event_store::{Append, EventStore, NewFact};
use infra::ids;
use projectors::verify::log::{Cursor, Kind, LogReport, PAGE, check, check_page};
use sqlx::PgConnection;

use super::{named, said};
use crate::contract::{Databases, Embedded, Stores};
use crate::support::{Fast, Pipeline};

const ORDERS: usize = 200;

async fn play(pipeline: Pipeline) {
    pipeline.receive("sku-1", 150).await;
    let place = |n: usize| pipeline.place("sku-1", 1, 1901 + n as u64 % 4);
    for some in (0..ORDERS).collect::<Vec<_>>().chunks(50) {
        let ids = join_all(some.iter().map(|n| place(*n))).await;
        join_all(ids.iter().step_by(5).map(|id| pipeline.cancel(id, "no"))).await;
    }
    pipeline.caught_up().await;
    for service in Service::ALL {
        let log = pipeline.store(service);
        let report = check(log.as_ref()).await.unwrap();
        assert!(report.finds.is_empty(), "{report:#?}");
        let facts = log.read_log(0, usize::MAX).await.unwrap();
        assert_eq!(report.facts, facts.len() as u64, "{service}");
        let stock = u64::from(service == Service::Inventory);
        assert_eq!(report.streams, ORDERS as u64 + stock, "{service}");
    }
    pipeline.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logs_of_a_pipeline_that_has_worked_are_whole() {
    play(Pipeline::start(Fast::default()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logs_of_a_pipeline_that_has_worked_on_servers_are_whole() {
    if let Some(pipeline) = Pipeline::start_on_servers(Fast::default()).await {
        play(pipeline).await;
    }
}

fn stream(category: Category) -> StreamId {
    StreamId::of(category, ids::order())
}

/// A fact that can be read, `second` seconds after noon.
fn fact(stream: &StreamId, sequence: Sequence, second: u64) -> NewFact {
    let noon = 1_769_860_800_000_000;
    let time = Timestamp::from_micros(noon + i64::try_from(second).unwrap() * 1_000_000);
    NewFact {
        stream: stream.clone(),
        sequence,
        name: "order.completed",
        version: "1",
        payload: r#"{"type":"order.completed"}"#.into(),
        metadata: format!(r#"{{"time":"{time}","correlationId":"c","causationId":"c"}}"#).into(),
    }
}

async fn append(log: &dyn EventStore, facts: Vec<NewFact>) {
    let mut expect: Vec<_> = facts.iter().map(|f| (f.stream.clone(), 0)).collect();
    expect.dedup();
    let request = Append {
        expect,
        facts,
        ..Append::default()
    };
    log.append(request).await.unwrap();
}

/// Facts of a stream, all in order.
fn some(stream: &StreamId, count: u64) -> Vec<NewFact> {
    (1..=count).map(|n| fact(stream, n, n)).collect()
}

async fn facts_that_no_reader_takes_are_named(log: Arc<dyn EventStore>) {
    let (newer, broken, back, whole) = (
        stream(Category::Order),
        stream(Category::Order),
        stream(Category::Order),
        stream(Category::Order),
    );
    let mut facts = some(&newer, 3);
    facts[1].version = "9";
    append(&*log, facts).await;
    let mut facts = some(&broken, 3);
    facts[2].payload = r#"{"type":["order.completed"]}"#.into();
    append(&*log, facts).await;
    let seconds = [1, 5, 4, 5, 4, 6].into_iter().zip(1..);
    let facts = seconds.map(|(second, n)| fact(&back, n, second)).collect();
    append(&*log, facts).await;
    append(&*log, some(&whole, 3)).await;

    let report = check(&*log).await.unwrap();
    let (newer, broken) = (newer.fact(2).to_string(), broken.fact(3).to_string());
    let [early, too_early] = [3, 5].map(|n| back.fact(n).to_string());
    let mut expected = vec![
        (Kind::Time, early.as_str()),
        (Kind::Time, too_early.as_str()),
        (Kind::UnknownVersion, newer.as_str()),
        (Kind::Undecodable, broken.as_str()),
    ];
    expected.sort_unstable();
    assert_eq!(named(&report.finds), expected, "{report:#?}");
    assert_eq!((report.facts, report.streams), (15, 4));
    let newer = said(&report.finds, &newer);
    assert!(
        newer.contains("unknown-version") && newer.contains("of version 9"),
        "{newer}"
    );
    assert!(said(&report.finds, &broken).contains("undecodable"));
    let early = said(&report.finds, &early);
    assert!(
        early.contains("12:00:04") && early.contains("12:00:05"),
        "{early}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_no_reader_takes_are_named_on_the_embedded_store() {
    let folder = Embedded::start().await;
    facts_that_no_reader_takes_are_named(folder.of(Service::Order)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_no_reader_takes_are_named_on_postgres() {
    let Some(databases) = Databases::new() else {
        return;
    };
    databases.migrate(Service::Order).await;
    facts_that_no_reader_takes_are_named(Arc::new(databases.open(Service::Order))).await;
}

/// A session of the owner, who may do what he likes once he has switched off what stops mistakes.
async fn owner(databases: &Databases, service: Service) -> PgConnection {
    let owner = databases.place(service).owner();
    let mut session = databases.session(service, Some(&owner)).await;
    for sql in [
        "ALTER TABLE events DISABLE TRIGGER facts_are_final",
        "ALTER TABLE events ALTER position SET GENERATED BY DEFAULT",
        "ALTER TABLE events DROP CONSTRAINT events_sequence_check",
    ] {
        sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
    }
    session
}

async fn run(session: &mut PgConnection, sql: &str, stream: &StreamId) {
    let sql = sql.replace("THE STREAM", &format!("aggregate_id = '{}'", stream.id));
    sqlx::raw_sql(&sql).execute(session).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_to_a_log_by_sql_is_named() {
    let Some(databases) = Databases::new() else {
        return;
    };
    databases.migrate(Service::Order).await;
    let log: Arc<dyn EventStore> = Arc::new(databases.open(Service::Order));
    let all = [(); 7].map(|()| stream(Category::Order));
    for stream in &all {
        append(&*log, some(stream, 9)).await;
    }
    let [holed, beheaded, newer, broken, swapped, _, torn] = &all;
    let mut session = owner(&databases, Service::Order).await;
    for (sql, stream) in [
        (
            "DELETE FROM events WHERE THE STREAM AND sequence IN (4, 7, 8)",
            holed,
        ),
        (
            "DELETE FROM events WHERE THE STREAM AND sequence = 1",
            beheaded,
        ),
        (
            "UPDATE events SET event_version = '2' WHERE THE STREAM AND sequence = 5",
            newer,
        ),
        (
            r#"UPDATE events SET payload = '{"type":7}' WHERE THE STREAM AND sequence = 9"#,
            broken,
        ),
        (
            "UPDATE events SET position = 9000 WHERE THE STREAM AND sequence = 3;
             UPDATE events SET position = position + 1 WHERE THE STREAM AND sequence = 2;
             UPDATE events SET position = (SELECT position - 2 FROM events
                WHERE THE STREAM AND sequence = 4) WHERE THE STREAM AND sequence = 3",
            swapped,
        ),
        (
            "UPDATE events SET metadata = '[1]' WHERE THE STREAM AND sequence = 2",
            torn,
        ),
    ] {
        run(&mut session, sql, stream).await;
    }
    let report = check(&*log).await.unwrap();
    let expected = [
        (Kind::Hole, holed.fact(4).to_string()),
        (Kind::Hole, holed.fact(7).to_string()),
        (Kind::Hole, beheaded.fact(1).to_string()),
        (Kind::UnknownVersion, newer.fact(5).to_string()),
        (Kind::Undecodable, broken.fact(9).to_string()),
        (Kind::Position, swapped.fact(3).to_string()),
        (Kind::Undecodable, torn.fact(2).to_string()),
    ];
    let mut expected: Vec<_> = expected.iter().map(|(kind, id)| (*kind, &id[..])).collect();
    expected.sort_unstable();
    assert_eq!(named(&report.finds), expected, "{report:#?}");
    let several = said(&report.finds, &holed.fact(7).to_string());
    assert!(several.contains("2 facts"), "{several}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_no_fact_is_told_and_what_is_before_it_is_checked() {
    let Some(databases) = Databases::new() else {
        return;
    };
    databases.migrate(Service::Inventory).await;
    let log = databases.open(Service::Inventory);
    let mut both = [(); 2].map(|()| stream(Category::Reservation));
    both.sort();
    let [first, last] = both;
    append(&log, some(&first, 5)).await;
    append(&log, some(&last, 5)).await;
    append(&log, some(&stream(Category::Stock), 5)).await;
    let mut session = owner(&databases, Service::Inventory).await;
    let sql = "UPDATE events SET sequence = -1 WHERE THE STREAM AND sequence = 2";
    run(&mut session, sql, &last).await;
    let report = check(&log).await.unwrap();
    assert_eq!(report.finds.count(Kind::Row), 1);
    let row = report.finds.named.iter().find(|f| f.kind == Kind::Row);
    let says = &row.unwrap().says;
    assert!(says.contains(&first.fact(5).to_string()), "{says}");
    // The facts themselves are of an order, and no other stream can read them.
    assert_eq!(report.finds.count(Kind::Undecodable), 10, "{report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_goes_from_page_to_page_by_its_cursor() {
    let Some(databases) = Databases::new() else {
        return;
    };
    databases.migrate(Service::Order).await;
    let log = databases.open(Service::Order);
    let mut all = [(); 3].map(|()| stream(Category::Order));
    all.sort();
    let count = PAGE as u64 * 3 / 4;
    for stream in &all {
        append(&log, some(stream, count)).await;
    }
    // The first of the second page, and the last of the third.
    let gone = [PAGE as u64 - count + 1, count];
    let mut session = owner(&databases, Service::Order).await;
    for (stream, sequence) in all[1..].iter().zip(gone) {
        let sql = format!("DELETE FROM events WHERE THE STREAM AND sequence = {sequence}");
        run(&mut session, &sql, stream).await;
    }
    let mut report = LogReport::of(Service::Order);
    let (mut next, mut pages) = (Some(Cursor::default()), 0);
    while let Some(cursor) = next {
        // As a tool has it that goes on over a socket.
        let cursor = serde_json::to_string(&cursor).unwrap();
        let page = check_page(&log, serde_json::from_str(&cursor).unwrap());
        next = report.add(page.await.unwrap());
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert_eq!((report.facts, report.streams), (3 * count - 2, 3));
    let missing = all[1].fact(gone[0]).to_string();
    let found = named(&report.finds);
    assert!(
        found.contains(&(Kind::Hole, missing.as_str())),
        "the end of a stream shows nothing: {found:?}"
    );
    assert_eq!(report.finds.count(Kind::Hole), 1);
}
