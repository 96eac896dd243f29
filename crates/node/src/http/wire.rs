//! The words of AO's units on the wire. No other part of the node knows them.

use ao::{DataItem, Effects, Id, Message, Outgoing, Spawn, Tags};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// What its sender may not have meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What is said of an item whose signer speaks for a process without being an authority of the receiver.
pub(crate) fn unbelieved(signer: Id) -> String {
    format!(
        "the tag From-Process was not believed, and the message is from its signer, {signer}: a process trusts only the \
         authorities that it was spawned with (tag Authority)"
    )
}

/// What came of a message, in the words of AO's compute unit. A message that was not carried out has nothing but `Error`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResultAnswer {
    messages: Vec<ResultMessage>,
    assignments: Vec<ResultAssignment>,
    spawns: Vec<ResultSpawn>,
    output: ResultOutput,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    gas_used: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResultMessage {
    target: Id,
    tags: Tags,
    data: Text,
    anchor: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResultSpawn {
    tags: Tags,
    data: Text,
    anchor: String,
}

/// A message that was sent to one process and is given to others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResultAssignment {
    message: Id,
    processes: Vec<Id>,
}

impl ResultAssignment {
    fn of(ao::Assigned { message, processes }: ao::Assigned) -> Self {
        Self { message, processes }
    }
}

/// Data in JSON: text where it is UTF-8, else an object that says so.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Text(#[serde(with = "ao::data_text")] Vec<u8>);

/// What a process shows: all of what a WebAssembly module wrote, or the two fields of a native one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ResultOutput {
    Whole(Value),
    Fields(ao::Output),
}

impl ResultOutput {
    fn of(mut output: ao::Output) -> Self {
        match output.raw.take() {
            Some(raw) => Self::Whole(raw),
            None => Self::Fields(output),
        }
    }
}

impl ResultAnswer {
    /// The answer for a message in a slot.
    pub(crate) fn new(slot: u64, outcome: Result<Effects, String>) -> Self {
        let (effects, error) = match outcome {
            Ok(effects) => (effects, None),
            Err(fault) => (Effects::none(), Some(fault)),
        };
        let message = |(Outgoing { target, tags, data, anchor: given }, index)| ResultMessage {
            target,
            tags,
            data: Text(data),
            anchor: anchor(given, slot, index),
        };
        let spawn = |(Spawn { tags, data, anchor: given }, index)| ResultSpawn {
            tags,
            data: Text(data),
            anchor: anchor(given, slot, index),
        };
        Self {
            messages: effects.messages.into_iter().zip(0..).map(message).collect(),
            assignments: effects.assignments.into_iter().map(ResultAssignment::of).collect(),
            spawns: effects.spawns.into_iter().zip(0..).map(spawn).collect(),
            output: ResultOutput::of(effects.output),
            error,
            gas_used: effects.gas_used,
        }
    }

    /// The same answer as the live feed of aos shows it, with the prompt of the process: what a native process says there is
    /// printed, as what a handler of Lua prints is.
    pub(crate) fn shown(mut self, prompt: &str) -> Self {
        if let ResultOutput::Fields(output) = self.output {
            let mut whole =
                serde_json::json!({ "data": output.data, "prompt": prompt, "print": !output.data.is_empty() });
            if let Some(error) = output.error {
                whole["error"] = Value::String(error);
            }
            self.output = ResultOutput::Whole(whole);
        }
        self
    }

    /// The answer for a stored result.
    pub(crate) fn of(result: StoredResult) -> Self {
        Self::new(result.slot, result.outcome)
    }
}

/// AO gives a message an anchor of 32 digits that is its own within its sender; slot and index are such a number where the
/// sender gave none.
fn anchor(given: String, slot: u64, index: u32) -> String {
    if given.is_empty() { format!("{slot:022}{index:010}") } else { given }
}

/// A page of results.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultsAnswer {
    pub page_info: ResultsPageInfo,
    pub edges: Vec<ResultEdge>,
}

/// Whether there are results after a page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultsPageInfo {
    pub has_next_page: bool,
}

/// A result, and where to go on after it.
#[derive(Debug, Serialize)]
pub(crate) struct ResultEdge {
    pub cursor: String,
    pub node: ResultAnswer,
}

/// The body of a dry-run, in the words of AO's compute unit. Nothing in it is verified.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DryRun {
    owner: String,
    from: String,
    anchor: String,
    data: Value,
    tags: Tags,
    timestamp: u64,
    #[serde(rename = "Block-Height")]
    block_height: u64,
}

impl DryRun {
    /// The message that it stands for. An owner that is no address (AO's clients send "1234") is nobody, and as in a
    /// message that is sent, no tag says who speaks.
    pub(crate) fn message(mut self, process: Id) -> Message {
        let owner: Id = self.owner.parse().unwrap_or_default();
        for name in ["From", "Owner", "From-Process"] {
            self.tags.remove(name);
        }
        let data = match self.data {
            Value::String(text) => text.into_bytes(),
            Value::Null => Vec::new(),
            other => other.to_string().into_bytes(),
        };
        Message {
            from: self.from.parse().unwrap_or(owner),
            timestamp_ms: self.timestamp,
            block_height: self.block_height,
            anchor: self.anchor,
            ..Message::dry_run(owner, process, self.tags, data)
        }
    }
}

/// An item, or a message that no wallet signed, in the words of AO's scheduler unit.
#[derive(Debug, Serialize)]
struct ItemAnswer {
    id: Id,
    owner: OwnerAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Text>,
    tags: Tags,
    signature: String,
    anchor: Option<String>,
    target: Option<Id>,
}

#[derive(Debug, Serialize)]
struct OwnerAnswer {
    address: Id,
    key: String,
}

impl ItemAnswer {
    fn of_item(item: DataItem, with_data: bool) -> Self {
        Self {
            id: item.id(),
            owner: OwnerAnswer { address: item.address(), key: URL_SAFE_NO_PAD.encode(item.owner()) },
            tags: item.tags().clone(),
            signature: URL_SAFE_NO_PAD.encode(item.signature()),
            anchor: item.anchor().map(|anchor| URL_SAFE_NO_PAD.encode(anchor)),
            target: item.target(),
            data: with_data.then(|| Text(item.into_data())),
        }
    }

    /// A message that a process pushed, or a tick of the clock.
    fn of_message(message: Message) -> Self {
        Self {
            id: message.id,
            owner: OwnerAnswer { address: message.owner, key: String::new() },
            data: Some(Text(message.data)),
            tags: message.tags,
            signature: String::new(),
            anchor: Some(message.anchor),
            target: Some(message.target),
        }
    }
}

/// A message with its assignment.
#[derive(Debug, Serialize)]
pub(crate) struct RecordAnswer {
    message: ItemAnswer,
    assignment: ItemAnswer,
}

impl RecordAnswer {
    /// The answer for a record. A signed item is shown as it was signed; what is in the log was verified, so it parses.
    pub(crate) fn of(record: Record) -> Self {
        let signed = record.item.as_deref().and_then(|bytes| DataItem::parse(bytes).ok());
        let message = match signed {
            Some(item) => ItemAnswer::of_item(item, true),
            None => ItemAnswer::of_message(record.message),
        };
        Self { message, assignment: ItemAnswer::of_item(record.assignment_item, false) }
    }

    /// About how many bytes it takes on the wire.
    pub(crate) fn bytes(&self) -> usize {
        self.message.data.as_ref().map_or(0, |data| data.0.len()) + 4096
    }
}

/// A page of a schedule.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduleAnswer {
    pub page_info: SchedulePageInfo,
    pub edges: Vec<ScheduleEdge>,
}

/// Whether there are entries after a page.
#[derive(Debug, Serialize)]
pub(crate) struct SchedulePageInfo {
    pub has_next_page: bool,
}

/// An entry of a schedule, and where to go on after it.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduleEdge {
    pub node: RecordAnswer,
    pub cursor: String,
}

/// A process in the words of AO's scheduler unit.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduledProcess {
    process_id: Id,
    block: String,
    timestamp: u64,
    owner: OwnerAnswer,
    tags: Tags,
    data: Option<Text>,
    anchor: Option<String>,
    signature: String,
    target: Option<Id>,
}

impl ScheduledProcess {
    /// The answer for the record in slot 0.
    pub(crate) fn of(record: Record) -> Self {
        let (process_id, timestamp) = (record.assignment.process, record.assignment.timestamp_ms);
        let block = block_height(record.assignment.block_height);
        let ItemAnswer { owner, data, tags, signature, anchor, target, .. } = RecordAnswer::of(record).message;
        Self { process_id, block, timestamp, owner, tags, data, anchor, signature, target }
    }
}

/// A block height as AO's scheduler unit writes it.
pub(crate) fn block_height(height: u64) -> String {
    format!("{height:012}")
}

/// A page of an inbox.
#[derive(Debug, Serialize)]
pub(crate) struct InboxAnswer {
    pub messages: Vec<InboxEntry>,
    pub next: u64,
    /// Where a message that comes now will be.
    pub end: u64,
}

/// A message in an inbox.
#[derive(Debug, Serialize)]
pub(crate) struct InboxEntry {
    pub slot: u64,
    id: Id,
    from: Id,
    pushed_for: Id,
    timestamp_ms: u64,
    tags: Tags,
    data: Text,
}

impl From<Message> for InboxEntry {
    fn from(message: Message) -> Self {
        let Message { slot, id, from, pushed_for, timestamp_ms, tags, data, .. } = message;
        Self { slot, id, from, pushed_for, timestamp_ms, tags, data: Text(data) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_has_all_fields_of_a_compute_unit() {
        let target = Id::new([1; 32]);
        let effects = Effects::output("done").and(Outgoing::new(target, "Info").data([0xff, 0x00]));
        let answer = serde_json::to_value(ResultAnswer::new(7, Ok(effects))).unwrap();
        let message = json!({
            "Target": target, "Tags": [{ "name": "Action", "value": "Info" }], "Data": { "base64": "/wA=" },
            "Anchor": "00000000000000000000070000000000",
        });
        let expected = json!({
            "Messages": [message], "Assignments": [], "Spawns": [], "Output": { "data": "done" }, "GasUsed": 0,
        });
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_fault_is_an_error_and_nothing_else() {
        let answer = serde_json::to_value(ResultAnswer::new(7, Err("no".to_owned()))).unwrap();
        assert_eq!((&answer["Error"], &answer["Messages"]), (&json!("no"), &json!([])));
    }

    #[test]
    fn nobody_in_particular_asks_in_a_dry_run() {
        let body = r#"{"Id":"1234","Target":"x","Owner":"1234","Anchor":"0","Data":"1234",
            "Tags":[{"name":"Action","value":"Info"},{"name":"from-process","value":"x"}]}"#;
        let message = serde_json::from_str::<DryRun>(body).unwrap().message(Id::new([1; 32]));
        assert_eq!((message.from, message.action(), message.text()), (Id::default(), "Info", Some("1234")));
        assert_eq!(message.tag("From-Process"), None);
    }
}
