//! The words of AO's units on the wire. No other part of the node knows them.

use ao::{DataItem, Effects, Id, Message, MessageKind, Outgoing, Spawn, Tags};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::core::{Record, StoredResult};

/// The answer to an item that was taken.
#[derive(Debug, Serialize)]
pub(crate) struct Acknowledged {
    /// In the words of AO's messenger unit.
    pub message: &'static str,
    /// The item.
    pub id: Id,
    /// The process, if it is a process item.
    #[serde(rename = "processId", skip_serializing_if = "Option::is_none")]
    pub process_id: Option<Id>,
}

/// The result of a message, in the words of AO's compute unit. A message that was not carried out has nothing but `Error`.
pub(crate) fn result(outcome: &Result<Effects, String>) -> Value {
    match outcome {
        Err(error) => json!({
            "Messages": [], "Assignments": [], "Spawns": [], "Output": {}, "Error": error, "GasUsed": 0,
        }),
        Ok(effects) => json!({
            "Messages": effects.messages.iter().enumerate().map(message).collect::<Vec<_>>(),
            "Assignments": [],
            "Spawns": effects.spawns.iter().map(spawn).collect::<Vec<_>>(),
            "Output": &effects.output,
            "GasUsed": 0,
        }),
    }
}

/// A message that a process sent. Its anchor is its place, with as many digits as those that aos writes.
fn message((index, message): (usize, &Outgoing)) -> Value {
    json!({ "Target": message.target, "Tags": &message.tags, "Data": data(&message.data), "Anchor": format!("{index:032}") })
}

fn spawn(spawn: &Spawn) -> Value {
    json!({ "Tags": &spawn.tags, "Data": data(&spawn.data) })
}

/// Data as text; what is no text is an object that says so.
pub(crate) fn data(data: &[u8]) -> Value {
    match std::str::from_utf8(data) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": STANDARD.encode(data) }),
    }
}

/// A place among the results of a process, as AO's compute unit writes it: base64 of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// When the message was assigned, milliseconds since 1970.
    pub timestamp: u64,
    /// Its slot, as text.
    pub ordinate: String,
    /// The clock whose tick it is.
    pub cron: Option<String>,
    /// The order of the page.
    pub sort: String,
}

impl Cursor {
    /// The place of a result.
    pub(crate) fn of(result: &StoredResult, descending: bool) -> Self {
        let cron = (result.kind == MessageKind::Cron).then(|| result.slot.to_string());
        let sort = if descending { "DESC" } else { "ASC" }.to_owned();
        Self { timestamp: result.timestamp_ms, ordinate: result.slot.to_string(), cron, sort }
    }

    /// As it stands in an answer.
    pub(crate) fn encode(&self) -> String {
        serde_json::to_vec(self).map(|json| STANDARD.encode(json)).unwrap_or_default()
    }

    /// The slot of a cursor, if it is one of this node.
    pub(crate) fn slot(text: &str) -> Option<u64> {
        let json = STANDARD.decode(text).ok()?;
        let cursor: Self = serde_json::from_slice(&json).ok()?;
        cursor.ordinate.parse().ok()
    }
}

/// The body of a dry-run, in the words of AO's compute unit. Nothing in it is verified.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DryRun {
    #[serde(default)]
    pub owner: String,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub anchor: String,
    #[serde(default)]
    pub data: Value,
    #[serde(default)]
    pub tags: Tags,
    #[serde(default)]
    pub timestamp: u64,
    #[serde(rename = "Block-Height", default)]
    pub block_height: u64,
}

impl DryRun {
    /// The message that it stands for. An owner that is no address (AO's clients send "1234") is nobody.
    pub(crate) fn message(self, process: Id) -> Message {
        let owner: Id = self.owner.parse().unwrap_or_default();
        Message {
            id: Id::default(),
            from: self.from.parse().unwrap_or(owner),
            owner,
            target: process,
            kind: MessageKind::Item,
            slot: 0,
            timestamp_ms: self.timestamp,
            block_height: self.block_height,
            pushed_for: Id::default(),
            anchor: self.anchor,
            tags: self.tags,
            data: match self.data {
                Value::String(text) => text.into_bytes(),
                Value::Null => Vec::new(),
                other => other.to_string().into_bytes(),
            },
            read_only: true,
        }
    }
}

/// A record of a schedule, in the words of AO's scheduler unit.
pub(crate) fn scheduled(record: &Record) -> Value {
    let (message, assignment) = (&record.message, &record.assignment_item);
    // Only what came from outside has a key and a signature; what this node pushed is vouched for by its assignment.
    let item = record.item.as_deref().and_then(|item| DataItem::parse(item).ok());
    let key = item.as_ref().map(|item| URL_SAFE_NO_PAD.encode(item.owner()));
    let signature = item.as_ref().map(|item| URL_SAFE_NO_PAD.encode(item.signature()));
    json!({
        "message": {
            "id": message.id, "owner": { "address": message.owner, "key": key }, "tags": &message.tags,
            "data": data(&message.data), "anchor": &message.anchor, "target": message.target, "signature": signature,
        },
        "assignment": {
            "id": assignment.id(), "tags": assignment.tags(), "target": "", "anchor": "",
            "owner": { "address": assignment.address(), "key": URL_SAFE_NO_PAD.encode(assignment.owner()) },
            "signature": URL_SAFE_NO_PAD.encode(assignment.signature()),
        },
    })
}

/// A message of an inbox.
pub(crate) fn inbox_message(message: &Message) -> Value {
    json!({
        "slot": message.slot, "id": message.id, "from": message.from, "pushed_for": message.pushed_for,
        "timestamp_ms": message.timestamp_ms, "tags": &message.tags, "data": data(&message.data),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_base64_of_json_and_comes_back() {
        let result = StoredResult {
            slot: 7,
            message: Id::default(),
            timestamp_ms: 1_000,
            kind: MessageKind::Item,
            outcome: Ok(Effects::none()),
        };
        let text = Cursor::of(&result, true).encode();
        let json: Value = serde_json::from_slice(&STANDARD.decode(&text).unwrap()).unwrap();
        assert_eq!(json, json!({ "timestamp": 1000, "ordinate": "7", "cron": null, "sort": "DESC" }));
        assert_eq!(Cursor::slot(&text), Some(7));
        assert_eq!(Cursor::slot("nonsense"), None);
    }

    #[test]
    fn a_fault_is_an_error_and_nothing_else() {
        let value = result(&Err("no".to_owned()));
        assert_eq!(value["Error"], "no");
        assert_eq!(value["Messages"], json!([]));
    }

    #[test]
    fn nobody_in_particular_asks_in_a_dry_run() {
        let body = r#"{"Id":"1234","Target":"x","Owner":"1234","Anchor":"0","Data":"1234","Tags":[{"name":"Action","value":"Info"}]}"#;
        let message = serde_json::from_str::<DryRun>(body).unwrap().message(Id::new([1; 32]));
        assert_eq!((message.from, message.action(), message.text()), (Id::default(), "Info", Some("1234")));
    }
}
