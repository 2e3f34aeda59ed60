//! Pages of a log that may have rows which its store cannot give: what is before such a row is read
//! all the same, and what is behind it where there is a way around.

use domain::{Category, FactId, Position, Sequence};
use infra::event_store::{EventStore, StoreError, StoredFact};

/// Facts of a category.
pub struct Behind {
    pub facts: Vec<StoredFact>,
    /// Why the first row cannot be read.
    pub unreadable: Option<String>,
    /// The fact that the row might have been, behind which the others are; of the largest sequence
    /// where a whole stream was passed over.
    pub skipped_to: Option<FactId>,
    /// Whether there may be more.
    pub more: bool,
}

/// The facts of `category` behind `after`, `limit` at most; fewer before a row that cannot be read.
pub async fn behind(
    log: &dyn EventStore,
    category: Category,
    after: Option<&FactId>,
    limit: usize,
) -> Result<Behind, StoreError> {
    let mut limit = limit;
    let cause = loop {
        match log.read_category(category, after, limit).await {
            Err(StoreError::Corrupt(_)) if limit > 1 => limit /= 2,
            Err(StoreError::Corrupt(cause)) => break cause,
            read => {
                let facts = read?;
                return Ok(Behind {
                    more: facts.len() == limit,
                    facts,
                    unreadable: None,
                    skipped_to: None,
                });
            }
        }
    };
    // Most likely it is the next of the stream, else the first of the one behind.
    for sequence in [
        after.map(|id| id.sequence.saturating_add(1)),
        Some(Sequence::MAX),
    ] {
        let Some((after, sequence)) = after.zip(sequence) else {
            break;
        };
        let skipped = after.stream.fact(sequence);
        match log.read_category(category, Some(&skipped), 1).await {
            Err(StoreError::Corrupt(_)) => {}
            read => {
                let facts = read?;
                return Ok(Behind {
                    more: !facts.is_empty(),
                    facts,
                    unreadable: Some(cause),
                    skipped_to: Some(skipped),
                });
            }
        }
    }
    Ok(Behind {
        facts: vec![],
        unreadable: Some(cause),
        skipped_to: None,
        more: false,
    })
}

/// Facts of a log.
pub struct After {
    pub facts: Vec<StoredFact>,
    /// Where to go on.
    pub next: Position,
    /// Why the row that would be the first cannot be read.
    pub unreadable: Option<String>,
}

/// The facts of the log after `after`, `limit` at most; fewer before a row that cannot be read.
pub async fn after(
    log: &dyn EventStore,
    after: Position,
    limit: usize,
) -> Result<After, StoreError> {
    let mut limit = limit;
    loop {
        match log.read_log(after, limit).await {
            Err(StoreError::Corrupt(_)) if limit > 1 => limit /= 2,
            // Its position is not known, only that it is at least the next.
            Err(StoreError::Corrupt(cause)) => {
                return Ok(After {
                    facts: vec![],
                    next: after + 1,
                    unreadable: Some(cause),
                });
            }
            read => {
                let facts = read?;
                let next = facts.last().map_or(after, |fact| fact.position);
                return Ok(After {
                    facts,
                    next,
                    unreadable: None,
                });
            }
        }
    }
}
