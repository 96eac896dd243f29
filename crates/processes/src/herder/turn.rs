//! What the herder adds to the turn of a message: the time as it stands in its tables, references, and refusals.

use ao::{Id, Outgoing};

use crate::Fault;

use super::limits::REFERENCE_BYTES_MAX;
use super::settings::Settings;

/// One message being handled by the herder. Each file of this module adds the actions of its own part.
pub(super) type Turn<'turn, 'store> = crate::turn::Turn<'turn, 'store, Settings>;

impl Turn<'_, '_> {
    /// The time of the message, milliseconds since 1970, as it stands in the tables.
    pub(super) fn table_time_ms(&self) -> i64 {
        self.message.timestamp_ms as i64
    }

    /// The reference by which a requester knows its answer: the tag, or the id of the message. One that is too long is
    /// cut, for it must come back even with the error that says so.
    pub(super) fn reference(&self, tag: &str) -> String {
        let text = self.message.tag(tag).map_or_else(|| self.message.id.to_string(), str::to_owned);
        let mut end = text.len().min(REFERENCE_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    }

    /// Only the owner of the herder may go on.
    pub(super) fn only_owner(&self, action: &'static str) -> Result<(), Fault> {
        crate::payload::only(self.message, &self.env.owner, "the owner of the herder", action)
    }
}

/// Tells a requester that its request came to nothing. `fault` says whose fault it was: `request`, `busy`, `worker`,
/// `model`.
pub(super) fn refusal(requester: Id, reference: &str, fault: &str, reason: &str) -> Outgoing {
    Outgoing::new(requester, "Inference-Response")
        .tag("Reference", reference)
        .tag("X-Reference", reference)
        .tag("Fault", fault)
        .tag("Error", reason)
}
