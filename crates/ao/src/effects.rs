//! What a process answers to a message: messages to others, processes to spawn, and an output for its caller.

use serde::{Deserialize, Serialize};

use crate::{Id, Tags};

/// A message on its way out of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Whom it is for: a process or a wallet.
    pub target: Id,
    /// Its tags, `Action` among them.
    pub tags: Tags,
    /// Its data.
    #[serde(with = "crate::effects::data_text")]
    pub data: Vec<u8>,
    /// The anchor that its sender gave it; the node gives it one if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub anchor: String,
}

/// A process to be spawned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// Tags of the new process, `Module` among them.
    pub tags: Tags,
    /// Its data.
    #[serde(with = "crate::effects::data_text")]
    pub data: Vec<u8>,
    /// The anchor that its sender gave it; the node gives it one if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub anchor: String,
}

/// What the caller sees of a message that was handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Text or JSON for the caller.
    pub data: String,
    /// What went wrong without undoing the message, if anything: money was returned, a request refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The whole output of a process that writes more than these two: aos adds its prompt, and whether to print.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<serde_json::Value>,
}

/// Everything that handling one message does beyond the tables of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Messages, in the order in which they are sent; a message's index is its place here.
    pub messages: Vec<Outgoing>,
    /// Processes to be spawned.
    pub spawns: Vec<Spawn>,
    /// What the caller sees.
    pub output: Output,
    /// When the process wants to be woken by a tick with `Action=Wake`, milliseconds since 1970. A process has one alarm:
    /// `Some` sets it anew, `None` leaves it as it is.
    pub wake_at_ms: Option<u64>,
    /// Maps that are merged into what the process publishes, as messages to AO's device `patch@1.0` are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<serde_json::Value>,
    /// Instructions that handling took, where they are counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gas_used: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Outgoing {
    /// A message without data to `target`.
    pub fn new(target: Id, action: &str) -> Self {
        Self { target, tags: Tags::new().with("Action", action), data: Vec::new(), anchor: String::new() }
    }

    /// The same message with one more tag.
    #[must_use]
    pub fn tag(mut self, name: &str, value: impl ToString) -> Self {
        self.tags.push(name, value.to_string());
        self
    }

    /// The same message with this data.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// The `Action` tag, or an empty text.
    pub fn action(&self) -> &str {
        self.tags.get("Action").unwrap_or_default()
    }
}

impl Effects {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// An output for the caller and nothing else.
    pub fn output(data: impl Into<String>) -> Self {
        Self { output: Output { data: data.into(), ..Output::default() }, ..Self::default() }
    }

    /// One message and nothing else.
    pub fn message(message: Outgoing) -> Self {
        Self { messages: vec![message], ..Self::default() }
    }

    /// The same effects with one more message.
    #[must_use]
    pub fn and(mut self, message: Outgoing) -> Self {
        self.messages.push(message);
        self
    }
}

/// Data inside JSON: text where it is UTF-8, else `{"base64": …}`, so that a stored result can be read by a person.
pub mod data_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Data {
        Text(String),
        Bytes { base64: String },
    }

    /// For `#[serde(with = "ao::data_text")]`.
    pub fn serialize<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(data) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Data::Bytes { base64: STANDARD.encode(data) }.serialize(serializer),
        }
    }

    /// For `#[serde(with = "ao::data_text")]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Data::deserialize(deserializer)? {
            Data::Text(text) => Ok(text.into_bytes()),
            Data::Bytes { base64 } => STANDARD.decode(base64).map_err(serde::de::Error::custom),
        }
    }
}
