use infra::http::MAX_BODY_BYTES;
use serde_json::Value;

use crate::support::Reply;

/// Of so many requests one is wrong, in the same places of each run.
const ONE_OF: usize = 50;
/// No order, nor goods: which of them are wrong has nothing to do with what they are.
const FIRST: usize = 7;
const RIGHT: &str = r#"{"quantity": 1}"#;

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The body is no JSON.
    NoJson,
    /// The body is larger than anybody takes.
    TooLarge,
    /// There is no such path.
    NoRoute,
}

impl Wrong {
    /// What is wrong with that of a number, where anything is.
    pub fn of(number: usize) -> Option<Self> {
        let which = number.checked_sub(FIRST)?;
        let kinds = [Self::NoJson, Self::TooLarge, Self::NoRoute];
        let kind = kinds[which / ONE_OF % kinds.len()];
        which.is_multiple_of(ONE_OF).then_some(kind)
    }

    /// The status and the code that say so.
    fn says(self) -> (u16, &'static str) {
        match self {
            Self::NoJson => (400, "invalid-json"),
            Self::TooLarge => (413, "body-too-large"),
            Self::NoRoute => (404, "not-found"),
        }
    }

    /// Whether this is the answer that says so.
    pub fn is_said_by(self, reply: &Reply) -> bool {
        let body: Value = serde_json::from_slice(&reply.bytes).unwrap_or_default();
        let code = body["code"].as_str().unwrap_or_default();
        (reply.status.as_u16(), code) == self.says()
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::NoJson | Self::TooLarge => "/api/stock/sku-1/receipts",
            Self::NoRoute => "/api/stock/sku-1/thefts",
        }
    }

    pub fn body(self) -> String {
        match self {
            Self::NoJson => r#"{"quantity": 1"#.to_owned(),
            Self::TooLarge => " ".repeat(MAX_BODY_BYTES) + RIGHT,
            Self::NoRoute => RIGHT.to_owned(),
        }
    }
}
