//! What the views hold for a recorded log: a line that names each view, its revision and columns,
//! then a line a row, its cells by name.

use std::collections::BTreeMap;

use domain::view::{self, Fold, Schema, Value};
use domain::{Recorded, View};
use serde_json::{Map, Value as Json, json};

/// By key.
type Rows = BTreeMap<String, Map<String, Json>>;
/// The revisions of views, and their rows.
type Kept = (BTreeMap<String, u64>, BTreeMap<String, Rows>);

/// The lines for those facts.
pub fn folded(facts: &[Recorded]) -> Vec<String> {
    let mut lines = vec![];
    for view in view::ALL {
        let Schema { name, revision, .. } = view.schema();
        lines.push(json!({"view": name, "revision": revision}).to_string());
        for (key, cells) in rows(view, facts) {
            let key: Json = serde_json::from_str(&key).unwrap();
            lines.push(json!({"view": name, "key": key, "cells": cells}).to_string());
        }
    }
    lines
}

/// That the views hold today what they held then. A revision that has grown since may add columns.
pub fn check(lines: &[String], facts: &[Recorded]) -> Result<(), String> {
    let (revisions, mut then) = read(lines)?;
    for view in view::ALL {
        let Schema { name, revision, .. } = view.schema();
        // A view that is newer than the recording has nothing to be held against.
        let Some(recorded) = revisions.get(*name) else {
            continue;
        };
        let may_add = u64::from(*revision) > *recorded;
        let differs = |what: String| match may_add {
            true => Err(format!(
                "{name} has another {what}; a new revision adds columns and leaves the others as they \
                 are, for their readers"
            )),
            false => Err(format!(
                "{name} has another {what}: its revision has to grow, so that it is rebuilt, and \
                 `make record` has to write the folder of this version again"
            )),
        };
        let mut then = then.remove(*name).unwrap_or_default();
        for (key, now) in rows(view, facts) {
            let Some(mut then) = then.remove(&key) else {
                return differs(format!("row {key}, which was not there"));
            };
            for (column, now) in now {
                match then.remove(&column) {
                    Some(then) if then == now => {}
                    None if may_add => {}
                    then => return differs(format!("{column} of {key}: {then:?} is {now}")),
                }
            }
            if let Some((column, _)) = then.iter().next() {
                return differs(format!("{column} of {key}, which is gone"));
            }
        }
        if let Some((key, _)) = then.first_key_value() {
            return differs(format!("row {key}, which is gone"));
        }
    }
    Ok(())
}

/// That the recording has every view in its revision of today.
pub fn check_revisions(lines: &[String]) -> Result<(), String> {
    let (revisions, _) = read(lines)?;
    for Schema { name, revision, .. } in view::ALL.map(View::schema) {
        let recorded = revisions.get(*name).copied();
        if recorded != Some(u64::from(*revision)) {
            return Err(format!(
                "{name} has revision {revision} and was recorded in {recorded:?}: `make record`"
            ));
        }
    }
    Ok(())
}

fn read(lines: &[String]) -> Result<Kept, String> {
    let (mut revisions, mut rows) = (BTreeMap::new(), BTreeMap::<_, Rows>::new());
    for line in lines {
        let json: Json = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let view = json["view"].as_str().ok_or("a line of no view")?.to_owned();
        match (json["revision"].as_u64(), json["cells"].as_object()) {
            (Some(revision), None) => {
                revisions.insert(view, revision);
            }
            (None, Some(cells)) => {
                let of = rows.entry(view).or_default();
                of.insert(json["key"].to_string(), cells.clone());
            }
            _ => return Err(format!("{line} is neither a view nor a row")),
        }
    }
    Ok((revisions, rows))
}

/// The rows of a view by their keys, as they are folded today; without cells that nothing wrote.
fn rows(view: &dyn View, facts: &[Recorded]) -> Rows {
    let mut rows: BTreeMap<String, Fold> = BTreeMap::new();
    for patch in facts.iter().filter_map(|fact| view.project(fact)) {
        let key = Json::Array(patch.key.iter().map(json_of).collect());
        rows.entry(key.to_string()).or_default().add(patch);
    }
    let columns = view.schema().columns;
    let cells = |fold: Fold| {
        let cells = fold.cells(view.schema()).into_iter().zip(columns);
        let written = cells.filter_map(|(cell, column)| Some((column.name, cell?)));
        written
            .map(|(name, value)| (name.to_owned(), json_of(&value)))
            .collect()
    };
    let rows = rows.into_iter();
    rows.map(|(key, fold)| (key, cells(fold))).collect()
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Uuid(id) => json!(id),
        Value::Text(text) => json!(text),
        Value::Int(number) => json!(number),
        Value::Time(time) => json!(time.to_string()),
        Value::Items(items) => json!(items),
    }
}

mod tests {
    use super::super::Recording;
    use super::*;
    use infra::codec::decode;

    fn given() -> (Vec<String>, Vec<Recorded>) {
        let recording = Recording::of_this_version();
        let facts = recording.facts().unwrap().into_iter();
        let facts = facts.map(|fact| decode(&fact).unwrap()).collect();
        (recording.views, facts)
    }

    /// With another line for a view or a row of it.
    fn changed(lines: &[String], of: &str, change: impl Fn(&mut Json)) -> Vec<String> {
        let changed = lines.iter().map(|line| {
            let mut json: Json = serde_json::from_str(line).unwrap();
            if json["view"] == of {
                change(&mut json);
            }
            json.to_string()
        });
        changed.collect()
    }

    fn without_currency(json: &mut Json) {
        if let Some(cells) = json["cells"].as_object_mut() {
            cells.remove("currency");
        }
    }

    fn of_revision_0(json: &mut Json) {
        if let Some(revision) = json.get_mut("revision") {
            *revision = json!(0);
        }
    }

    #[test]
    fn a_column_that_is_new_needs_a_new_revision() {
        let (lines, facts) = given();
        check(&lines, &facts).unwrap();
        let fewer = changed(&lines, "order_view", without_currency);
        let wrong = check(&fewer, &facts).unwrap_err();
        assert!(wrong.contains("revision has to grow"), "{wrong}");
        let older = changed(&fewer, "order_view", of_revision_0);
        check(&older, &facts).unwrap();
        let wrong = check_revisions(&older).unwrap_err();
        assert!(wrong.contains("make record"), "{wrong}");
    }

    #[test]
    fn a_column_that_holds_something_else_is_told_in_any_revision() {
        let (lines, facts) = given();
        for older in [false, true] {
            let other = changed(&lines, "orders_by_customer", |json| {
                if let Some(version) = json.pointer_mut("/cells/order_version") {
                    *version = json!(77);
                }
                if older {
                    of_revision_0(json);
                }
            });
            let wrong = check(&other, &facts).unwrap_err();
            assert!(wrong.contains("orders_by_customer"), "{wrong}");
            assert_eq!(wrong.contains("has to grow"), !older, "{wrong}");
        }
    }

    #[test]
    fn a_row_too_few_or_too_many_is_told() {
        let (lines, facts) = given();
        let (last, before) = lines.split_last().unwrap();
        let wrong = check(before, &facts).unwrap_err();
        assert!(wrong.contains("was not there"), "{wrong}");
        let more = changed(std::slice::from_ref(last), "order_timeline", |json| {
            json["key"][0] = json!("01890a5d-ac96-774b-bcce-b302099a8057");
        });
        let wrong = check(&[lines, more].concat(), &facts).unwrap_err();
        assert!(wrong.contains("which is gone"), "{wrong}");
    }
}
