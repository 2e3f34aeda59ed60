//! How far a stream is, as several views show it.

use crate::{Fact, delivery};

/// The status that a fact gives its stream: its name in capitals, so that `payment.capture-failed`
/// becomes `CAPTURE_FAILED`. `None` for facts that are no step of their own, and for tombstones:
/// these leave the status as it was.
pub(super) fn status_of(fact: &Fact) -> Option<String> {
    let name = fact.name();
    let step = name.split_once('.').map_or(name, |(_, step)| step);
    moves_status(fact).then(|| step.to_ascii_uppercase().replace('-', "_"))
}

fn moves_status(fact: &Fact) -> bool {
    use delivery::Event::{CancellationRefused, EtaUpdated};
    let aside = matches!(
        fact,
        Fact::Delivery(EtaUpdated { .. } | CancellationRefused {})
    );
    !aside && !fact.is_tombstone()
}
