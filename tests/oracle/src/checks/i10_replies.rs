//! I10: who asks again is told the same.

use std::collections::HashMap;

use crate::evidence::StoredReply;
use crate::journal::Reply;
use crate::requests::{About, Request};
use crate::{Case, Checked};

/// The same idempotency key gets the byte-same reply, and it is what the store keeps under it.
pub fn replies(case: &Case<'_>) -> Checked {
    let mut checked = Checked::new("I10", "the same idempotency key gets the byte-same reply");
    let stored = case.world.replies.iter();
    let stored: HashMap<_, _> = stored
        .map(|reply| ((&*reply.scope, &*reply.key), reply))
        .collect();
    if stored.is_empty() {
        let note = "without what is kept under keys, only answers were held against each other";
        checked.notes.push(note.to_owned());
    }
    let requests = Request::all(&case.world.journal);
    let mut bodies: HashMap<(&str, &str), &Request<'_>> = HashMap::new();
    for request in requests.iter().filter(|one| one.taken().next().is_some()) {
        let Some(key) = request.key else {
            continue;
        };
        checked.looked_at("keys", 1);
        if let Some(other) = bodies.insert((request.path, key), request) {
            let what = format!("another body was taken under the same key: {}", other.body);
            checked.find(request.name(), what);
        }
        same(request, &mut checked);
        let scope = format!("POST {}", request.path);
        match stored.get(&(&*scope, key)) {
            Some(kept) => as_kept(request, kept, &mut checked),
            None if !stored.is_empty() && always_appends(request) => {
                checked.find(
                    request.name(),
                    "it was taken, and nothing is kept under its key",
                );
            }
            None => {}
        }
    }
    for kept in &case.world.replies {
        checked.looked_at("kept replies", 1);
        let token = kept.token.as_deref().unwrap_or_default();
        if !case.by_id.contains_key(token) {
            let what = format!(
                "{} {} is kept, and its fact {token} is nowhere",
                kept.status, kept.body
            );
            checked.find(format!("{} under {}", kept.scope, kept.key), what);
        }
    }
    checked
}

/// What is taken and changes nothing is not kept.
fn always_appends(request: &Request<'_>) -> bool {
    match request.about() {
        About::Place | About::Receipt(_) => true,
        About::Cancel(_) | About::Step(..) | About::Other => false,
    }
}

fn same(request: &Request<'_>, checked: &mut Checked) {
    let mut taken = request.taken();
    let Some(first) = taken.next() else {
        return;
    };
    for again in taken {
        // What changes nothing is not kept and is answered anew, with the state of then.
        let may_be_anew = matches!(request.about(), About::Cancel(_) | About::Step(..));
        if may_be_anew && again.token != first.token {
            continue;
        }
        checked.looked_at("repeated answers", 1);
        if again != first {
            let what = format!("it was told {} and then {}", told(first), told(again));
            checked.find(request.name(), what);
        }
    }
}

fn as_kept(request: &Request<'_>, kept: &StoredReply, checked: &mut Checked) {
    for reply in request.taken() {
        checked.looked_at("answers that are kept", 1);
        let same =
            (reply.status, &reply.body, &reply.token) == (kept.status, &kept.body, &kept.token);
        if !same {
            let what = format!(
                "it was told {}, and {} {} is kept",
                told(reply),
                kept.status,
                kept.body
            );
            checked.find(request.name(), what);
        }
    }
}

fn told(reply: &Reply) -> String {
    let Reply {
        status,
        body,
        token,
        location,
    } = reply;
    let [token, location] = [token, location].map(|one| one.as_deref().unwrap_or("none"));
    format!("{status} {body} (token {token}, location {location})")
}
