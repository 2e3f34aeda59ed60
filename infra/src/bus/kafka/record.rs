use bytes::BytesMut;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::bus::Record;
use crate::envelope;

/// A copy of what the client has, in one piece: each part of a record is a slice of the same bytes.
pub fn record(message: &BorrowedMessage<'_>) -> Record {
    let values = || {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        headers.map(|header| (header.key, header.value.unwrap_or_default()))
    };
    let (key, payload) = (message.key(), message.payload());
    let parts = || {
        let ends = key.into_iter().chain(payload);
        ends.chain(values().map(|(_, value)| value))
    };
    let mut copy = BytesMut::with_capacity(parts().map(<[u8]>::len).sum());
    parts().for_each(|part| copy.extend_from_slice(part));
    let mut copy = copy.freeze();
    let mut next = |part: &[u8]| copy.split_to(part.len());
    Record {
        key: key.map(&mut next),
        payload: payload.map(&mut next),
        headers: values()
            .map(|(name, value)| (envelope::header_name(name), next(value)))
            .collect(),
    }
}
