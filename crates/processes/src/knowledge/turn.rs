//! One message being handled: the tables, the message, and what goes out because of it.

use ao::{Effects, Message, MessageKind, Outgoing};
use serde_json::Value;

use super::limits::SENT_BYTES_MAX;
use super::settings::Settings;
use crate::limits::OUTGOING_MAX;
use crate::{Env, Fault, Store};

/// One message being handled.
pub(super) struct Turn<'a, 'store> {
    pub(super) store: &'a mut Store<'store>,
    pub(super) message: &'a Message,
    pub(super) env: &'a Env,
    pub(super) settings: Settings,
    pub(super) effects: Effects,
    /// Bytes of the data sent so far.
    sent_bytes: usize,
}

impl<'a, 'store> Turn<'a, 'store> {
    pub(super) fn new(store: &'a mut Store<'store>, message: &'a Message, env: &'a Env) -> Result<Self, Fault> {
        let settings = Settings::read(env)?;
        Ok(Self { store, message, env, settings, effects: Effects::none(), sent_bytes: 0 })
    }

    /// Process time, milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        self.message.timestamp_ms
    }

    /// Sends a message.
    pub(super) fn send(&mut self, outgoing: Outgoing) {
        self.sent_bytes += outgoing.data.len();
        self.effects.messages.push(outgoing);
    }

    /// Whether one more message with so many bytes of data fits.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.effects.messages.len() < OUTGOING_MAX && self.sent_bytes + bytes <= SENT_BYTES_MAX
    }

    /// What the caller sees.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.effects.output.data = text.into();
    }

    /// What the caller sees of a message that did not do what it asked for.
    pub(super) fn say_error(&mut self, text: impl Into<String>) {
        self.effects.output.error = Some(text.into());
    }

    /// Answers the sender: by a message, and to the caller of a dry-run by the same text.
    pub(super) fn answer(&mut self, action: &str, data: &Value) {
        let text = data.to_string();
        self.say(text.clone());
        self.send(Outgoing::new(self.message.from, action).data(text));
    }

    /// Whether this is a tick of the process's own clock. A tag cannot say that.
    pub(super) fn is_tick(&self) -> bool {
        self.message.kind == MessageKind::Cron && self.message.from == self.env.process
    }
}
