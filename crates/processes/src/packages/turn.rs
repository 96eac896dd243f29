//! What a registry adds to the turn of a message: its answers, in the words of APM.

use ao::{Outgoing, Tags};
use serde_json::Value;

use super::reading;
use crate::{Fault, readable};

/// One message being handled by a registry.
pub(super) type Turn<'a, 'store> = crate::turn::Turn<'a, 'store, ()>;

impl Turn<'_, '_> {
    /// Answers a success. `tags` stand beside those of every answer.
    pub(super) fn respond(&mut self, action: &str, tags: Tags, data: String) -> Result<(), Fault> {
        let mut response = Outgoing::new(self.message.from, action).tag("Result", "success");
        response.tags.extend(tags.iter().cloned());
        response = response.tag("LatestClientVersion", reading::client_version(self)?);
        if let Some(reference) = self.message.tag("Reference") {
            response = response.tag("X-Reference", reference);
        }
        self.say(data.clone());
        self.send(response.data(data));
        Ok(())
    }

    /// Answers a success with JSON.
    pub(super) fn respond_json(&mut self, action: &str, data: &Value) -> Result<(), Fault> {
        self.respond(action, Tags::new(), data.to_string())
    }

    /// Answers that nothing was done. The action is one of its own: what answers a download, or a search, is taken for a
    /// package or a list by clients that look at nothing else.
    pub(super) fn refuse(&mut self, fault: &Fault) {
        let reason = readable::sentence(&fault.to_string());
        self.say_error(fault.to_string());
        let mut response = Outgoing::new(self.message.from, "APM.Error").tag("Result", "error");
        response = response.tag("Request", self.message.action());
        if let Some(reference) = self.message.tag("Reference") {
            response = response.tag("X-Reference", reference);
        }
        self.send(response.data(reason));
    }
}
