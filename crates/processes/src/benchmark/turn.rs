//! One message being handled: the tables, the message, and what goes out because of it.

use ao::{Effects, Id, Message, Outgoing};

use super::settings::Settings;
use crate::limits::OUTGOING_MAX;
use crate::{Env, Store};

/// One message being handled.
pub(super) struct Turn<'a, 'store> {
    pub(super) store: &'a mut Store<'store>,
    pub(super) message: &'a Message,
    pub(super) env: &'a Env,
    pub(super) settings: Settings,
    pub(super) effects: Effects,
}

impl Turn<'_, '_> {
    /// Process time, milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        self.message.timestamp_ms
    }

    /// Sends a message; the identity that it will have.
    pub(super) fn send(&mut self, outgoing: Outgoing) -> Id {
        let index = self.effects.messages.len() as u32;
        self.effects.messages.push(outgoing);
        Message::pushed_id(&self.env.process, self.message.slot, index)
    }

    /// How many more messages fit.
    pub(super) fn room(&self) -> usize {
        OUTGOING_MAX.saturating_sub(self.effects.messages.len())
    }

    /// What the caller sees.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.effects.output.data = text.into();
    }

    /// What the caller sees of a request that was not carried out.
    pub(super) fn refuse(&mut self, error: impl Into<String>) {
        self.effects.output.error = Some(error.into());
    }
}
