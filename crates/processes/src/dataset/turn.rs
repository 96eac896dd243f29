//! What a dataset adds to the turn of a message: who may do what, and how much it may send.

use ao::Id;

use super::settings::Settings;
use crate::Fault;
use crate::limits::{DATASET_SENT_BYTES_MAX, OUTGOING_MAX};

/// One message being handled by a dataset.
pub(super) type Turn<'a, 'store> = crate::turn::Turn<'a, 'store, Settings>;

impl Turn<'_, '_> {
    /// How many more messages fit, and how many bytes.
    pub(super) fn room(&self) -> (usize, usize) {
        let messages = OUTGOING_MAX.saturating_sub(self.effects.messages.len());
        (messages, DATASET_SENT_BYTES_MAX.saturating_sub(self.sent_bytes))
    }

    /// Goes on a millisecond later.
    pub(super) fn wake_at_once(&mut self) {
        self.effects.wake_at_ms = Some(self.now_ms() + 1);
    }

    /// Only the owner of the dataset may go on.
    pub(super) fn only_owner(&self, action: &'static str) -> Result<(), Fault> {
        crate::payload::only(self.message, &self.env.owner, "the owner of the dataset", action)
    }

    /// Only the node may go on: it alone looks at files.
    pub(super) fn only_node(&self, action: &'static str) -> Result<(), Fault> {
        crate::payload::only(self.message, &self.env.node, "the node of this process", action)
    }

    /// Whether the message is from that process.
    pub(super) fn is_from(&self, process: Option<Id>) -> bool {
        process == Some(self.message.from)
    }
}
