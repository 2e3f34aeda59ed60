//! Whether a table has been given all that there was at a moment.

use domain::{Position, Service};
use infra::bus::Partition;
use infra::failure::Failure;
use infra::relay;

use crate::Views;

/// What feeds a table, from a moment on.
pub struct Feed {
    views: Views,
    group: String,
    /// The last positions of the logs at that moment.
    positions: Option<Vec<Position>>,
    /// The ends of the topics after all of that was published.
    ends: Option<Vec<(Partition, i64)>>,
}

impl Feed {
    /// From the first question on.
    pub fn of(views: Views, group: String) -> Self {
        Self {
            views,
            group,
            positions: None,
            ends: None,
        }
    }

    /// Whether the group has taken all that there was. Nobody knows while something does not answer.
    pub async fn is_past(&mut self) -> bool {
        match self.look().await {
            Ok(past) => past,
            Err(e) => {
                tracing::debug!(group = self.group, error = %e, "how far it is is not known");
                false
            }
        }
    }

    async fn look(&mut self) -> Result<bool, Failure> {
        let Views { logs, bus, .. } = &self.views;
        if self.positions.is_none() {
            let mut positions = vec![];
            for log in logs {
                positions.push(log.last_position().await?);
            }
            self.positions = Some(positions);
        }
        let positions = self.positions.iter().flatten();
        for (log, position) in logs.iter().zip(positions) {
            let published = log.checkpoint(relay::CHECKPOINT).await?;
            // Where the log is the bus, nothing is published.
            if published.is_some_and(|at| at.position < *position) {
                return Ok(false);
            }
        }
        let ends = match self.ends.take() {
            Some(ends) => ends,
            None => bus.ends(&Service::ALL).await?,
        };
        let ends = self.ends.insert(ends);
        let at = bus.offsets(&self.group, &Service::ALL).await?;
        Ok(left(ends, &at) == 0)
    }
}

/// How many records there are from one place to another, in all partitions.
pub fn left(goal: &[(Partition, i64)], at: &[(Partition, i64)]) -> u64 {
    let left = goal.iter().map(|(partition, goal)| {
        let mut there = at.iter().filter(|(of, _)| of == partition);
        let there = there.next().map_or(0, |(_, offset)| *offset);
        u64::try_from(goal - there).unwrap_or(0)
    });
    left.sum()
}
