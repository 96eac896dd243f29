//! What the benchmark adds to the turn of a message: the identity of what it sends, and how much that may be.

use ao::{Id, Message, Outgoing};

use super::settings::Settings;
use crate::limits::OUTGOING_MAX;

/// One message being handled by the benchmark.
pub(super) type Turn<'a, 'store> = crate::turn::Turn<'a, 'store, Settings>;

impl Turn<'_, '_> {
    /// Sends a message whose `Reference` is the identity that it will have, so that whatever comes back names it; that
    /// identity.
    pub(super) fn send_known(&mut self, outgoing: Outgoing) -> Id {
        let id = Message::pushed_id(&self.env.process, self.message.slot, self.effects.messages.len() as u32);
        self.send(outgoing.tag("Reference", id));
        id
    }

    /// How many more messages fit.
    pub(super) fn room(&self) -> usize {
        OUTGOING_MAX.saturating_sub(self.effects.messages.len())
    }
}
