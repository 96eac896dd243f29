//! One message being handled: the tables, the settings, the time, and the effects as they come together.

use ao::{Effects, Id, Message, Outgoing};

use crate::{Env, Fault, Store};

use super::limits::REFERENCE_BYTES_MAX;
use super::settings::Settings;

/// One message being handled. Each file of this module adds the actions of its own part.
pub(super) struct Turn<'turn, 'store> {
    pub(super) store: &'turn mut Store<'store>,
    pub(super) message: &'turn Message,
    pub(super) env: &'turn Env,
    pub(super) settings: Settings,
    /// The time of the message, milliseconds since 1970, as it stands in the tables.
    pub(super) now_ms: i64,
    pub(super) effects: Effects,
    /// Bytes of the data sent so far.
    pub(super) sent_bytes: usize,
}

impl<'turn, 'store> Turn<'turn, 'store> {
    pub(super) fn new(
        store: &'turn mut Store<'store>,
        message: &'turn Message,
        env: &'turn Env,
    ) -> Result<Self, Fault> {
        let settings = Settings::read(&env.tags)?;
        let now_ms = message.timestamp_ms as i64;
        Ok(Self { store, message, env, settings, now_ms, effects: Effects::none(), sent_bytes: 0 })
    }

    /// Sends a message when this one is handled.
    pub(super) fn send(&mut self, message: Outgoing) {
        self.sent_bytes += message.data.len();
        self.effects.messages.push(message);
    }

    /// What the caller sees.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.effects.output.data = text.into();
    }

    /// What the caller sees of a message that had its effect, but not the one that was wanted.
    pub(super) fn say_error(&mut self, text: impl Into<String>) {
        self.effects.output.error = Some(text.into());
    }

    /// Answers a read: to the caller of a dry-run, and as a message.
    pub(super) fn answer(&mut self, action: &str, json: &serde_json::Value) {
        let text = json.to_string();
        self.say(text.clone());
        self.send(Outgoing::new(self.message.from, action).data(text));
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

    /// Whether the message is a tick of this process's own clock.
    pub(super) fn is_tick(&self) -> bool {
        self.message.kind == ao::MessageKind::Cron && self.message.from == self.env.process
    }
}

/// Tells a requester that its request came to nothing. `fault` says whose fault it was: `request`, `busy`, `worker`,
/// `model`.
pub(super) fn refusal(requester: Id, reference: &str, fault: &str, reason: &str) -> Outgoing {
    Outgoing::new(requester, "Inference-Response").tag("Reference", reference).tag("Fault", fault).tag("Error", reason)
}
