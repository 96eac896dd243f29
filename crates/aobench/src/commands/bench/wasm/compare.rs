//! Whether two hosts of a module made the same of a message: the messages that leave as sets of tags, the output, and the
//! text of an error.

use ao::{Effects, Id, Tags};
use serde::Serialize;
use serde_json::{Value, json};

use super::loader::Answered;

/// Tags that AO's messenger unit writes itself, whatever a process puts there.
const REWRITTEN: [&str; 5] = ["Data-Protocol", "Type", "From-Process", "From-Module", "Assignments"];

/// A message of which two hosts made different things.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Difference {
    /// The number of the message.
    pub message: usize,
    /// Its data, or its action where it has none.
    pub sent: String,
    /// What this node made of it.
    pub aobench: Value,
    /// What AO's loader made of it.
    pub loader: Value,
}

/// What this node made of a message, in the form in which it is compared.
pub(super) fn ours(outcome: &Result<Effects, String>) -> Value {
    let effects = match outcome {
        Ok(effects) => effects,
        Err(reason) => return json!({ "error": reason }),
    };
    let output = match (&effects.output.raw, effects.output.data.as_str()) {
        (Some(raw), _) => raw.clone(),
        (None, "") => Value::Null,
        (None, data) => json!(data),
    };
    let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
    let messages = effects
        .messages
        .iter()
        .map(|message| json!({ "target": message.target, "tags": sorted(&message.tags), "data": text(&message.data) }));
    let spawns = effects.spawns.iter().map(|spawn| json!({ "tags": sorted(&spawn.tags), "data": text(&spawn.data) }));
    json!({ "output": output, "messages": messages.collect::<Vec<_>>(), "spawns": spawns.collect::<Vec<_>>() })
}

/// What AO's loader made of it.
pub(super) fn theirs(answered: &Answered) -> Value {
    let answer = &answered.answer;
    match answer.get("Error") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => return json!({ "error": text }),
        Some(other) => return json!({ "error": other.to_string() }),
    }
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let messages = list("Messages").into_iter().filter_map(|message| {
        let target: Id = message.get("Target")?.as_str()?.parse().ok()?;
        Some(json!({ "target": target, "tags": sorted(&tags(&message)?), "data": data(&message) }))
    });
    let spawns = list("Spawns")
        .into_iter()
        .filter_map(|spawn| Some(json!({ "tags": sorted(&tags(&spawn)?), "data": data(&spawn) })));
    let output = match answer.get("Output") {
        None => Value::Null,
        Some(Value::String(text)) if text.is_empty() => Value::Null,
        Some(output) => output.clone(),
    };
    json!({ "output": output, "messages": messages.collect::<Vec<_>>(), "spawns": spawns.collect::<Vec<_>>() })
}

/// Name and value of each, in one order: the order in which Lua gives them is no part of a message.
fn sorted(tags: &Tags) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = tags.iter().map(|tag| (tag.name.clone(), tag.value.clone())).collect();
    pairs.sort();
    pairs
}

/// The tags of a message that goes somewhere: those with a tag that is not a text do not.
fn tags(message: &Value) -> Option<Tags> {
    let mut tags = Tags::new();
    for tag in message.get("Tags")?.as_array()? {
        tags.push(tag.get("name")?.as_str()?, tag.get("value")?.as_str()?);
    }
    for name in REWRITTEN {
        tags.remove(name);
    }
    Some(tags)
}

fn data(message: &Value) -> String {
    match message.get("Data") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
