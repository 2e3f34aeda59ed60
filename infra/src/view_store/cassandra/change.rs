//! Changes of the schema: made one at a time, and waited for until all nodes know them.
//!
//! Repeated where the cluster refuses: of two that change one keyspace at a time, one may find what
//! the other has begun, and neither see nor make it for a moment.

use std::time::Duration;

use scylla::client::session::Session;
use tokio::time::sleep;

use super::cql::idempotent;
use super::unavailable::Unavailable;

/// How long one change may take: all nodes have to learn of it.
pub const CHANGE: Duration = Duration::from_secs(30);
/// How often it is begun: somebody else's change takes the cluster less than a second.
const TRIES: u32 = 5;
/// How long to wait for somebody else's change.
const AGAIN: Duration = Duration::from_millis(500);

/// Changes the schema, and waits until all nodes agree.
pub async fn change(session: &Session, cql: &str) -> Result<(), Unavailable> {
    let mut statement = idempotent(cql);
    statement.set_request_timeout(Some(CHANGE));
    // The driver waits for the nodes to agree, for as long as the session allows.
    session.query_unpaged(statement, ()).await?;
    Ok(())
}

/// That all nodes have the same schema, after a change that somebody else may have made.
pub async fn agreed(session: &Session) -> Result<(), Unavailable> {
    let agreed = session.await_schema_agreement().await;
    agreed.map_err(|e| Unavailable::new(e.to_string()))?;
    Ok(())
}

/// How often something was tried that fails while somebody else changes the schema too.
#[derive(Default)]
pub struct Tries(u32);

impl Tries {
    /// Waits for somebody else's change, and says whether to try again.
    pub async fn again(&mut self) -> bool {
        self.0 += 1;
        let again = self.0 < TRIES;
        if again {
            sleep(AGAIN).await;
        }
        again
    }
}
