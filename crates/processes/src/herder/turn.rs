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

    /// The references by which a requester knows its answer: those of the tag, or the id of the message. One that is too
    /// long is cut, for it must come back even with the error that says so.
    pub(super) fn reference(&self, tag: &str) -> Reference {
        let id = self.message.id.to_string();
        let mut all = self.message.tags.all(tag);
        let first = all.next();
        Reference { awaited: cut(first.unwrap_or(&id)), own: cut(all.last().or(first).unwrap_or(&id)) }
    }

    /// Only the owner of the herder may go on.
    pub(super) fn only_owner(&self, action: &'static str) -> Result<(), Fault> {
        crate::payload::only(self.message, &self.env.owner, "the owner of the herder", action)
    }
}

/// The references of a request. aos puts a number of its own before a `Reference` that its user writes, and waits for it as
/// `X-Reference`; the answer has both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The requester's own: the last that it wrote.
    pub(super) own: String,
    /// The first.
    pub(super) awaited: String,
}

impl Reference {
    /// An answer that its requester knows.
    pub(super) fn on(&self, answer: Outgoing) -> Outgoing {
        answer.tag("Reference", &self.own).tag("X-Reference", &self.awaited)
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(REFERENCE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Tells a requester that its request came to nothing. `fault` says whose fault it was: `request`, `busy`, `worker`,
/// `model`.
pub(super) fn refusal(requester: Id, reference: &Reference, fault: &str, reason: &str) -> Outgoing {
    reference.on(Outgoing::new(requester, "Inference-Response")).tag("Fault", fault).tag("Error", reason)
}
