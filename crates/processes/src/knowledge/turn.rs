//! What a knowledge process adds to the turn of a message: how much it may send.

use super::limits::SENT_BYTES_MAX;
use super::settings::Settings;
use crate::limits::OUTGOING_MAX;

/// One message being handled by a knowledge process.
pub(super) type Turn<'a, 'store> = crate::turn::Turn<'a, 'store, Settings>;

impl Turn<'_, '_> {
    /// Whether one more message with so many bytes of data fits.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.effects.messages.len() < OUTGOING_MAX && self.sent_bytes + bytes <= SENT_BYTES_MAX
    }
}
