//! What a module answers: the JSON of `handle`, as the effects that a native process would have.

use ao::{Assigned, Effects, Outgoing, Output, Spawn, Tag, Tags};
use serde::Deserialize;
use serde_json::Value;

/// Tags that the node sets itself; a process cannot speak for another by writing them.
const REWRITTEN: [&str; 5] = ["Data-Protocol", "Type", "From-Process", "From-Module", "Assignments"];

/// How Lua's allocator ends an output when its memory is at its limit; what came before it is half done.
const OUT_OF_MEMORY: &str = "not enough memory for buffer allocation";

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    response: Value,
}

/// The effects of an answer, or the error in it.
pub(super) fn effects(json: &str) -> Result<Effects, String> {
    let unreadable =
        |error: serde_json::Error| format!("the module answered with something that is not AO's JSON: {error}");
    let answer: Answer = serde_json::from_str(json).map_err(unreadable)?;
    if !answer.ok {
        return Err(text(answer.response));
    }
    let Value::Object(mut response) = answer.response else {
        return Err("the module answered with something that is not AO's JSON: its response is no object".to_owned());
    };
    let mut take = |name: &str| response.swap_remove(name).unwrap_or_default();
    let error = take("Error");
    if !matches!(&error, Value::Null | Value::Bool(false)) && error != Value::String(String::new()) {
        return Err(text(error));
    }
    let output = output(take("Output"));
    if output.data.ends_with(OUT_OF_MEMORY) {
        return Err(output.data);
    }
    let (patches, messages): (Vec<Value>, Vec<Value>) = list(take("Messages")).into_iter().partition(is_patch);
    Ok(Effects {
        messages: messages.into_iter().filter_map(message).collect(),
        spawns: list(take("Spawns")).into_iter().filter_map(spawn).collect(),
        assignments: list(take("Assignments")).into_iter().filter_map(assigned).collect(),
        output,
        patches: patches.into_iter().map(patch).collect(),
        ..Effects::default()
    })
}

/// Lua cannot tell an empty list from an empty table.
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

/// The device of HyperBEAM that publishes what it is sent.
const PATCH_DEVICE: &str = "patch@1.0";

/// What of a message to the device is not published: how the message is made, and not what it says.
const NOT_PUBLISHED: [&str; 14] = [
    "device",
    "Target",
    "Data",
    "Anchor",
    "Tags",
    "Action",
    "Type",
    "Variant",
    "Data-Protocol",
    "Reference",
    "From-Process",
    "From-Module",
    "Pushed-For",
    "Content-Type",
];

/// The fields of a message, and its tags with values of any kind.
fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let tags = value.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let tags = tags.filter_map(|tag| Some((tag.get("name")?.as_str()?, tag.get("value")?)));
    let own = value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    own.chain(tags)
}

fn is_patch(value: &Value) -> bool {
    fields(value).any(|(name, value)| name.eq_ignore_ascii_case("device") && value == PATCH_DEVICE)
}

/// What a message to the device publishes.
fn patch(value: Value) -> Value {
    let is_said = |name: &str| !NOT_PUBLISHED.iter().any(|known| known.eq_ignore_ascii_case(name));
    let said = fields(&value).filter(|(name, _)| is_said(name));
    Value::Object(said.map(|(name, value)| (name.to_owned(), value.clone())).collect())
}

/// A message. As in AO's messenger unit one that lacks a target or has tags that are not texts goes nowhere.
fn message(value: Value) -> Option<Outgoing> {
    let target = value.get("Target")?.as_str()?.parse().ok()?;
    let mut tags = tags(value.get("Tags")?)?;
    for name in REWRITTEN {
        tags.remove(name);
    }
    Some(Outgoing { target, tags, data: data(&value), anchor: anchor(&value) })
}

fn spawn(value: Value) -> Option<Spawn> {
    let mut tags = tags(value.get("Tags")?)?;
    for name in REWRITTEN {
        tags.remove(name);
    }
    Some(Spawn { tags, data: data(&value), anchor: anchor(&value) })
}

/// The anchor that a module gave, if it is one: 32 characters.
fn anchor(value: &Value) -> String {
    let anchor = value.get("Anchor").and_then(Value::as_str).unwrap_or_default();
    if anchor.len() == 32 { anchor.to_owned() } else { String::new() }
}

fn assigned(value: Value) -> Option<Assigned> {
    let message = value.get("Message")?.as_str()?.parse().ok()?;
    let processes = value.get("Processes")?.as_array()?.iter();
    Some(Assigned { message, processes: processes.filter_map(|process| process.as_str()?.parse().ok()).collect() })
}

fn tags(value: &Value) -> Option<Tags> {
    match value {
        Value::Array(tags) => tags
            .iter()
            .map(|tag| Some(Tag::new(tag.get("name")?.as_str()?, tag.get("value")?.as_str()?)))
            .collect::<Option<Tags>>(),
        Value::Object(none) if none.is_empty() => Some(Tags::new()),
        _ => None,
    }
}

fn data(value: &Value) -> Vec<u8> {
    match value.get("Data") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(other) => other.to_string().into_bytes(),
    }
}

/// The output: its text, and the whole of it where a client of AO reads more than the text.
fn output(value: Value) -> Output {
    match value {
        Value::Null => Output::default(),
        Value::String(data) => Output { data, ..Output::default() },
        Value::Object(fields) => {
            let shown = fields.get("data").map(|data| data.get("output").unwrap_or(data).clone());
            Output { data: shown.map(text).unwrap_or_default(), raw: Some(Value::Object(fields)), ..Output::default() }
        }
        other => Output { data: text(other.clone()), raw: Some(other), ..Output::default() },
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => "an error without a text".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_without_a_place_to_go_are_left_out() {
        let target = ao::Id::new([1; 32]);
        let answer = json!({ "ok": true, "response": { "Output": { "data": "2", "print": true }, "Spawns": {}, "Messages": [
            { "Target": target, "Tags": [{ "name": "Action", "value": "A" }, { "name": "From-Process", "value": "x" }], "Data": "d" },
            { "Tags": [{ "name": "device", "value": "patch@1.0" }, { "name": "balances", "value": { "a": "1" } }, { "name": "Reference", "value": "7" }] },
            { "Target": "nowhere", "Tags": [] },
        ] } });
        let effects = effects(&answer.to_string()).unwrap();
        assert_eq!(effects.messages, [Outgoing::new(target, "A").data("d")]);
        assert_eq!(effects.patches, [json!({ "balances": { "a": "1" } })]);
        assert_eq!((effects.output.data.as_str(), effects.output.raw.unwrap()["print"].clone()), ("2", json!(true)));
    }

    #[test]
    fn every_form_of_an_error_is_one() {
        for answer in [
            json!({ "ok": false, "response": "no" }),
            json!({ "ok": true, "response": { "Error": "no", "Messages": [] } }),
            json!({ "ok": true, "response": { "Error": { "code": 1 } } }),
            json!({ "ok": true, "response": { "Output": format!("x {OUT_OF_MEMORY}") } }),
            json!(7),
        ] {
            assert!(effects(&answer.to_string()).is_err(), "{answer}");
        }
    }
}
