//! A payload that stands in for one that cannot be read.

use infra::codec;
use infra::envelope;
use infra::event_store::{ParkedRow, Replacement, StoredFact};
use infra::redrive::stored_fact;
use serde_json::Value;

use super::super::{ToolError, Tools};
use super::find::Found;

impl Tools {
    /// Checks that `payload` can stand in for the fact of what was found: one fact, of the same
    /// name where that is known, and readable. Its id, time and origin stay those of the fact.
    pub(super) async fn replacement(
        &self,
        found: &[Found],
        payload: &str,
    ) -> Result<Replacement, ToolError> {
        let bad = |message: String| Err(ToolError::new("bad-replacement", message));
        let mut rows = found.iter().map(|found| match found {
            Found::Fact(row) => Some(row.as_ref()),
            Found::Task(_) => None,
        });
        let Some(Some(first)) = rows.next() else {
            return bad("a replacement stands in for a fact: name it by its id".to_owned());
        };
        if first.fact.is_none() || !rows.all(|row| row.is_some_and(|row| row.fact == first.fact)) {
            return bad("a replacement stands in for one fact: name that by its id".to_owned());
        }
        let object = match serde_json::from_str::<Value>(payload) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return bad("the replacement is no JSON object".to_owned()),
            Err(e) => return bad(format!("the replacement is no JSON: {e}")),
        };
        let Some(name) = object.get("type").and_then(Value::as_str) else {
            return bad("the replacement has no field `type` with the fact's name".to_owned());
        };
        let Some(version) = codec::version_of(name) else {
            return bad(format!(
                "the replacement's `type` is {name}, which is no fact's name"
            ));
        };
        let fact = self.fact_of(first).await?;
        if codec::version_of(&fact.name).is_some() && fact.name != name {
            return bad(format!(
                "the replacement's `type` is {name}, and the fact {} is {}",
                fact.id, fact.name
            ));
        }
        let replaced = StoredFact {
            name: name.to_owned(),
            version: version.to_owned(),
            payload: payload.to_owned().into(),
            ..fact
        };
        if let Err(e) = codec::decode(&replaced) {
            return bad(format!("with the replacement, {e}"));
        }
        Ok(Replacement {
            name: name.to_owned(),
            version: version.to_owned(),
            payload: payload.to_owned(),
        })
    }

    async fn fact_of(&self, row: &ParkedRow) -> Result<StoredFact, ToolError> {
        if let Some(fact) = stored_fact(self.services.stores(), row).await? {
            return Ok(fact);
        }
        let missing = || ToolError::new("no-fact", "the fact is in no log, and was not kept");
        let original = row.original.as_ref().ok_or_else(missing)?;
        let fact = envelope::fact_of(&original.record());
        fact.map_err(|e| ToolError::new("no-fact", format!("the fact is in no log, and {e}")))
    }
}
