//! What is told of a row that is not as the logs have it.

use std::sync::Arc;

use domain::view::{Cells, Value};
use domain::{Category, View};
use infra::event_store::{EventStore, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// How a row is not as the logs have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It holds something else.
    Different,
    /// It is as the logs had it, and stays so.
    Behind,
    /// It is not there.
    Missing,
    /// No fact writes it.
    Extra,
    /// It is written over by something that no projection can have written: a cell with the time of a
    /// clock, or a deletion. Only a rebuild mends it.
    Frozen,
    /// It holds something that is no row of the view. Only a rebuild mends it.
    Unreadable,
}

impl Kind {
    /// Its name, in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Behind => "behind",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Frozen => "frozen",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A row that is not as the logs have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Find {
    /// The order that it is about.
    pub order: Option<String>,
    /// Its key, column by column.
    pub row: String,
    /// How it differs.
    pub kind: Kind,
    /// What differs.
    pub cells: Vec<CellFind>,
    /// Why it cannot be read, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// It was put right.
    pub repaired: bool,
    /// The key, for who repairs it.
    #[serde(skip)]
    pub key: Vec<Value>,
}

/// A cell that is not as the logs have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellFind {
    /// Its column.
    pub column: String,
    /// How it differs.
    pub kind: Kind,
    /// What it holds; null where it is empty.
    pub view: Json,
    /// What the logs say that it holds.
    pub log: Json,
}

/// A fact that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Its id.
    pub fact: String,
    /// Why.
    pub reason: String,
}

impl Find {
    /// A row of this key.
    pub fn of(view: &dyn View, key: &[Value], kind: Kind) -> Self {
        let schema = view.schema();
        let columns = schema.key.iter().zip(key);
        let columns: Vec<_> = columns
            .map(|((name, _), value)| format!("{name}={}", text_of(value)))
            .collect();
        Self {
            order: schema.order_of(key).map(|order| order.to_string()),
            row: columns.join(" "),
            kind,
            cells: vec![],
            reason: None,
            repaired: false,
            key: key.to_vec(),
        }
    }

    /// The cells that differ.
    pub fn with_cells(mut self, view: &dyn View, found: &Cells, wanted: &Cells) -> Self {
        let columns = view.schema().columns.iter();
        let cells = columns.zip(found.iter().zip(wanted));
        let differing = cells.filter(|(_, (found, wanted))| found != wanted);
        self.cells = differing
            .map(|(column, (found, wanted))| CellFind {
                column: column.name.to_owned(),
                kind: match (found, wanted) {
                    (None, _) => Kind::Missing,
                    (Some(_), None) => Kind::Extra,
                    (Some(_), Some(_)) => Kind::Different,
                },
                view: json_of(found.as_ref()),
                log: json_of(wanted.as_ref()),
            })
            .collect();
        self
    }
}

/// A value as programs read it; null for none.
pub fn json_of(value: Option<&Value>) -> Json {
    match value {
        None => Json::Null,
        Some(Value::Uuid(id)) => json!(id),
        Some(Value::Text(text)) => json!(text),
        Some(Value::Int(n)) => json!(n),
        Some(Value::Time(time)) => json!(time),
        Some(Value::Items(items)) => json!(items),
    }
}

fn text_of(value: &Value) -> String {
    match json_of(Some(value)) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// From the first order to the last.
pub struct Span {
    first: u128,
    last: u128,
}

impl Span {
    /// The text of an id between the two.
    pub fn somewhere(&self) -> String {
        /// The lowest bits of an id are random.
        const RANDOM: u32 = 60;
        let random = infra::ids::unique().as_u128() & ((1 << RANDOM) - 1);
        let high = ((self.last - self.first) >> 64) + 1;
        let high = high.saturating_mul(random) >> RANDOM;
        Uuid::from_u128(self.first.saturating_add(high << 64)).to_string()
    }
}

/// Where the orders of the log begin and end; `None` where there are none.
pub async fn span(logs: &[Arc<dyn EventStore>]) -> Result<Option<Span>, StoreError> {
    let of_orders = |log: &&Arc<dyn EventStore>| log.service() == Category::Order.service();
    let Some(log) = logs.iter().find(of_orders) else {
        return Ok(None);
    };
    let first = log.read_category(Category::Order, None, 1).await?;
    let first = first.first().map(|fact| fact.id.stream.id.clone());
    let first = first.and_then(|id| id.parse::<Uuid>().ok());
    // Ids are made from the time: none is much younger than now.
    let last = infra::ids::unique().as_u128();
    Ok(first.map(|first| Span {
        first: first.as_u128().saturating_sub(1),
        last: last.max(first.as_u128()),
    }))
}
