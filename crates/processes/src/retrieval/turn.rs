//! What a retrieval process adds to the turn of a message: who may do what, and how much it may send.

use ao::Id;

use super::limits::SENT_BYTES_MAX;
use super::settings::Settings;
use crate::Fault;
use crate::limits::OUTGOING_MAX;

/// One message being handled by a retrieval process.
pub(super) type Turn<'a, 'store> = crate::turn::Turn<'a, 'store, Settings>;

impl Turn<'_, '_> {
    /// Whether so many more messages, with so many bytes of data in all, fit.
    pub(super) fn has_room_for(&self, messages: usize, bytes: usize) -> bool {
        self.effects.messages.len() + messages <= OUTGOING_MAX && self.sent_bytes + bytes <= SENT_BYTES_MAX
    }

    /// Only the owner may go on.
    pub(super) fn only_its_owner(&self, action: &'static str) -> Result<(), Fault> {
        crate::payload::only(self.message, &self.env.owner, "the owner of this process", action)
    }

    /// Only the benchmark process may go on; which one it is.
    pub(super) fn only_benchmark(&self, action: &'static str) -> Result<Id, Fault> {
        let from = self.message.from;
        if self.settings.benchmark == Some(from) {
            return Ok(from);
        }
        Err(Fault::NotAllowed { action, allowed: "the benchmark process of this dataset", from })
    }
}
