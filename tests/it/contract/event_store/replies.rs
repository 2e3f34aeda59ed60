//! Replies under idempotency keys: stored in the transaction of the facts, and given back.

use domain::Service;
use futures::future::join_all;
use infra::event_store::{Append, AppendError, StoredReply};

use super::Stores;
use super::given::*;

pub async fn a_reply_is_kept_as_it_was_given(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let full = StoredReply {
        scope: "POST /api/orders/é?".to_owned(),
        key: "k".repeat(255),
        hash: std::array::from_fn(|n| n as u8 * 8 + 3),
        status: 599,
        body: (0..=255).cycle().take(70_000).collect(),
        location: Some("/api/orders/é".to_owned()),
        token: Some("order-1".to_owned()),
        stored_at: domain::values::Timestamp::from_micros(1_767_225_600_123_457),
    };
    let bare = StoredReply {
        body: vec![],
        location: None,
        token: None,
        ..reply("POST /", "", second(1))
    };
    for reply in [full, bare] {
        let request = Append {
            reply: Some(reply.clone()),
            ..to(&stream(), 0, 1)
        };
        store.append(request).await.unwrap();
        let kept = store.stored_reply(&reply.scope, &reply.key).await.unwrap();
        assert_eq!(kept, Some(reply));
    }
}

pub async fn a_used_key_gives_the_first_reply_and_appends_nothing(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let first = keyed("POST /", "key");
    store.append(first.clone()).await.unwrap();
    let before = log_of(&*store).await;
    let (opened, stream) = (task(second(1)), stream());
    for _ in 0..3 {
        let again = Append {
            opens: vec![opened.clone()],
            ..both(to(&stream, 0, 2), keyed("POST /", "key"))
        };
        let told = repeated(store.append(again).await);
        assert_eq!(Some(told), first.reply);
        assert_eq!(log_of(&*store).await, before);
        assert_eq!(store.due_of(opened.order).await.unwrap(), []);
        let kept = store.stored_reply("POST /", "key").await.unwrap();
        assert_eq!(kept, first.reply);
    }
    store.append(to(&stream, 0, 1)).await.unwrap();
}

pub async fn a_used_key_is_told_before_a_stale_version(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let first = keyed("POST /", "key");
    store.append(first.clone()).await.unwrap();
    // The very same request once more: its version is stale now, and that is not the news.
    let told = repeated(store.append(first.clone()).await);
    assert_eq!(Some(told), first.reply);
}

pub async fn a_key_in_another_scope_is_another_key(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let mut used = vec![];
    for (scope, key) in [
        ("POST /a", "key"),
        ("POST /b", "key"),
        ("POST /a", "Key"),
        ("POST /a", "key "),
        ("POST /ak", "ey"),
        ("POST /", "akey"),
        ("POST /a", ""),
        ("", "POST /a"),
    ] {
        let request = keyed(scope, key);
        used.push(request.reply.clone().unwrap());
        store.append(request).await.unwrap();
    }
    for reply in used {
        let told = repeated(store.append(keyed(&reply.scope, &reply.key)).await);
        assert_eq!(told, reply);
    }
}

pub async fn of_many_appends_with_one_key_exactly_one_is_accepted(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for n in 0..50 {
        let key = format!("key {n}");
        let before = store.last_position().await.unwrap();
        let requests: Vec<_> = (0..6).map(|_| keyed("POST /", &key)).collect();
        let sent = requests.iter().map(|request| store.append(request.clone()));
        let answers = join_all(sent).await;
        let won = answers.iter().position(Result::is_ok).unwrap();
        let winner = &requests[won];
        for (n, answer) in answers.into_iter().enumerate() {
            if n != won {
                assert_eq!(Some(repeated(answer)), winner.reply);
            }
        }
        let there = store.read_log(before, ALL).await.unwrap();
        assert_eq!(without_positions(&there), [stored(&winner.facts[0])]);
        let kept = store.stored_reply("POST /", &key).await.unwrap();
        assert_eq!(kept, winner.reply);
    }
}

pub async fn a_refused_append_stores_no_reply(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let stream = stream();
    store.append(to(&stream, 0, 1)).await.unwrap();
    let refused = both(keyed("POST /", "key"), to(&stream, 0, 1));
    assert_conflict(store.append(refused).await, &stream);
    assert_eq!(store.stored_reply("POST /", "key").await.unwrap(), None);

    // Not even for a neighbour in the same commit.
    for n in 0..30 {
        let key = format!("key {n}");
        let refused = both(keyed("POST /", &key), to(&stream, 0, 1));
        let good = keyed("POST /", &key);
        let reply = good.reply.clone();
        let (refused, good) = tokio::join!(store.append(refused), store.append(good));
        good.unwrap();
        match refused {
            Err(AppendError::Repeated(told)) => assert_eq!(Some(*told), reply),
            refused => assert_conflict(refused, &stream),
        }
        assert_eq!(store.stored_reply("POST /", &key).await.unwrap(), reply);
    }
}

pub async fn a_reply_may_be_stored_without_facts(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let bare = Append {
        reply: Some(reply("POST /", "key", second(1))),
        ..Append::default()
    };
    assert_eq!(store.append(bare.clone()).await.unwrap(), 0);
    assert_eq!(Some(repeated(store.append(bare.clone()).await)), bare.reply);
}

pub async fn scopes_and_keys_with_nul_bytes_are_invalid(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    for (scope, key) in [("POST /\0a", "b"), ("POST /", "a\0b"), ("POST /", "\0")] {
        assert_invalid(store.append(keyed(scope, key)).await, "a NUL byte");
        assert_eq!(log_of(&*store).await, []);
    }
}

pub async fn purging_removes_older_replies_only(stores: impl Stores) {
    let store = stores.of(Service::Payment);
    let at = |key: String, stored_at| Append {
        reply: Some(reply("POST /", &key, stored_at)),
        ..Append::default()
    };
    let old = (0..1_100).map(|n| at(format!("old {n}"), second(n % 60)));
    let young = (0..20).map(|n| at(format!("young {n}"), second(60 + n)));
    for answer in join_all(old.chain(young).map(|request| store.append(request))).await {
        answer.unwrap();
    }
    assert_eq!(store.purge_replies(second(0)).await.unwrap(), 0);
    assert_eq!(store.purge_replies(second(60)).await.unwrap(), 1_100);
    assert_eq!(store.purge_replies(second(60)).await.unwrap(), 0);
    for n in 0..20 {
        let kept = store.stored_reply("POST /", &format!("young {n}")).await;
        assert!(kept.unwrap().is_some(), "young {n}");
    }
    for n in [0, 59, 999, 1_099] {
        let key = format!("old {n}");
        assert_eq!(
            store.stored_reply("POST /", &key).await.unwrap(),
            None,
            "{key}"
        );
        store.append(keyed("POST /", &key)).await.unwrap();
    }
}
