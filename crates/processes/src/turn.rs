//! One message being handled: the tables, the message, the settings, and what goes out because of it.
//!
//! Every process but the token is a set of actions on such a turn. What a process adds to it (who may do what, how much
//! fits) stands in its own folder, as methods of the turn with its own settings.

use ao::{Effects, Message, MessageKind, Outgoing};
use serde_json::Value;

use crate::{Env, Fault, Store};

/// The rows of an answer, as many as fit into so many bytes as JSON: the first one always does, so that whoever asks for the rest
/// comes to an end. Rows behind the last one that fits are not even read.
pub(crate) fn fitting(
    rows: impl IntoIterator<Item = Result<Value, Fault>>,
    bytes_max: usize,
) -> Result<Vec<Value>, Fault> {
    let (mut fitting, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        bytes += row.to_string().len();
        if bytes > bytes_max && !fitting.is_empty() {
            break;
        }
        fitting.push(row);
    }
    Ok(fitting)
}

/// One message being handled by a process with the settings `S`.
pub(crate) struct Turn<'a, 'store, S> {
    pub(crate) store: &'a mut Store<'store>,
    pub(crate) message: &'a Message,
    pub(crate) env: &'a Env,
    pub(crate) settings: S,
    pub(crate) effects: Effects,
    /// Bytes of the data sent so far.
    pub(crate) sent_bytes: usize,
}

impl<'a, 'store, S> Turn<'a, 'store, S> {
    pub(crate) fn new(store: &'a mut Store<'store>, message: &'a Message, env: &'a Env, settings: S) -> Self {
        Self { store, message, env, settings, effects: Effects::none(), sent_bytes: 0 }
    }

    /// Process time, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.message.timestamp_ms
    }

    /// Sends a message when this one is handled.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        self.sent_bytes += outgoing.data.len();
        self.effects.messages.push(outgoing);
    }

    /// What the caller sees.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.effects.output.data = text.into();
    }

    /// What the caller sees of a message that did not do what it asked for.
    pub(crate) fn say_error(&mut self, text: impl Into<String>) {
        self.effects.output.error = Some(text.into());
    }

    /// Answers the sender: by a message, and to the caller of a dry-run by the same text.
    pub(crate) fn answer(&mut self, action: &str, data: &Value) {
        self.answer_with(Outgoing::new(self.message.from, action), data);
    }

    /// The same with a message that has more tags. A caller in aos that waits for its answer knows it by `X-Reference`.
    pub(crate) fn answer_with(&mut self, mut response: Outgoing, data: &Value) {
        let text = data.to_string();
        self.say(text.clone());
        if let (Some(reference), None) = (self.message.tag("Reference"), response.tags.get("X-Reference")) {
            response.tags.push("X-Reference", reference);
        }
        self.send(response.data(text));
    }

    /// Whether this is a tick of the process's own clock. A tag cannot say that.
    pub(crate) fn is_tick(&self) -> bool {
        self.message.kind == MessageKind::Cron && self.message.from == self.env.process
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_takes_rows_until_it_is_full_and_at_least_one() {
        let mut read = 0;
        let rows = ["four", "five", "six"].map(|row| Ok(json!(row)));
        let rows = rows.into_iter().inspect(|_| read += 1);
        assert_eq!(fitting(rows, 12).unwrap(), ["four", "five"]);
        assert_eq!(read, 3, "the row that does not fit is the last one that is read");
        assert_eq!(fitting([Ok(json!("large")), Ok(json!("x"))], 1).unwrap(), ["large"]);
        assert!(fitting([Ok(json!("x")), Err(Fault::MissingTag("Model"))], 99).is_err());
    }
}
