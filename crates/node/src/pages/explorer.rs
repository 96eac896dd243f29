//! The explorer: the processes of this node, the slots of a process, a message with its result; and where a message is.

use ao::{Effects, Id, Message, Tags};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::face::{Caller, Form, show};
use super::format::{address, long, name, when};
use crate::core::Core;
use crate::error::ReadError;
use crate::gateway::GatewayError;
use crate::http::error::HttpError;
use crate::http::extract::{PathId, QueryOf, parse_id};
use crate::http::limits::{INDEX_WAIT, RESULT_WAIT};
use crate::http::state::{Shared, one_more};

/// Slots of a process on one page.
const SLOTS_SHOWN: u64 = 50;

/// Tags and messages of one message that a page shows.
const PARTS_SHOWN: usize = 64;

/// Which slots are asked for: those before this one.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SlotsQuery {
    before: Option<u64>,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "processes.html")]
struct ProcessesPage {
    node: Id,
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "process.html")]
struct ProcessPage {
    process: Process,
    tags: Tags,
    slots: Vec<Slot>,
    previous: Option<u64>,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "slot.html")]
struct SlotPage {
    process: Process,
    slot: Slot,
    tags: Tags,
    data: String,
    data_bytes: u64,
    result: Outcome,
}

#[derive(Debug, Deserialize)]
struct Process {
    id: Id,
    name: String,
    module: String,
    owner: Id,
    head: u64,
    applied: u64,
    stopped: Option<String>,
}

/// A message in its place.
#[derive(Debug, Deserialize)]
struct Slot {
    slot: u64,
    id: Id,
    from: Id,
    kind: String,
    action: String,
    timestamp_ms: u64,
    pushed_for: Id,
}

/// What came of a message.
#[derive(Debug, Deserialize)]
struct Outcome {
    fault: Option<String>,
    output: Option<Said>,
    #[serde(default)]
    messages: Vec<Sent>,
    #[serde(default)]
    spawns: u64,
}

#[derive(Debug, Deserialize)]
struct Said {
    data: String,
    error: Option<String>,
}

/// A message that was sent because of another one.
#[derive(Debug, Deserialize)]
struct Sent {
    id: Id,
    target: Id,
    tags: Tags,
    data: String,
}

impl Process {
    fn name(&self) -> String {
        let name = name(&self.name);
        if name.trim().is_empty() { self.id.short() } else { name }
    }

    fn module(&self) -> String {
        name(&self.module)
    }

    fn owner(&self) -> String {
        address(self.owner)
    }

    /// Where people see what it is about.
    fn page(&self) -> Option<String> {
        match self.module.as_str() {
            "dataset" | "retrieval" => Some(format!("/dataset/{}", self.id)),
            "knowledge" => Some(format!("/documents?knowledge={}", self.id)),
            "benchmark" => Some("/pools".to_owned()),
            "herder" => Some("/workers".to_owned()),
            _ => None,
        }
    }

    fn stands(&self) -> String {
        match &self.stopped {
            Some(reason) => format!("stopped: {}", name(reason)),
            None if self.applied < self.head => format!("{} messages behind", self.head - self.applied),
            None => "up to date".to_owned(),
        }
    }
}

impl Slot {
    fn action(&self) -> String {
        name(&self.action)
    }

    fn from(&self) -> String {
        address(self.from)
    }

    fn time(&self) -> String {
        when(self.timestamp_ms)
    }
}

impl Outcome {
    fn fault(&self) -> String {
        long(self.fault.as_deref().unwrap_or_default())
    }
}

impl Said {
    fn data(&self) -> String {
        readable(&self.data)
    }

    fn error(&self) -> String {
        long(self.error.as_deref().unwrap_or_default())
    }
}

impl Sent {
    fn target(&self) -> String {
        address(self.target)
    }

    fn action(&self) -> String {
        name(self.tags.get("Action").unwrap_or_default())
    }

    fn tags(&self) -> Vec<(String, String)> {
        shown(&self.tags)
    }

    fn data(&self) -> String {
        readable(&self.data)
    }
}

impl ProcessPage {
    fn shown_tags(&self) -> Vec<(String, String)> {
        shown(&self.tags)
    }
}

impl SlotPage {
    fn shown_tags(&self) -> Vec<(String, String)> {
        shown(&self.tags)
    }

    fn shown_data(&self) -> String {
        readable(&self.data)
    }

    fn next(&self) -> Option<u64> {
        (self.slot.slot < self.process.head).then(|| self.slot.slot + 1)
    }
}

/// Tags as a page shows them: an id among them is a link.
fn shown(tags: &Tags) -> Vec<(String, String)> {
    tags.iter().take(PARTS_SHOWN).map(|tag| (long(&tag.name), long(&tag.value))).collect()
}

/// JSON in lines, any other text as it is.
fn readable(text: &str) -> String {
    let is_json = text.starts_with(['{', '[']);
    let parsed = is_json.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let pretty = parsed.and_then(|value| serde_json::to_string_pretty(&value).ok());
    long(pretty.as_deref().unwrap_or(text))
}

/// `GET /explorer`.
pub(crate) async fn processes(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let caller = Caller::of(&headers);
    let form = caller.form();
    caller.answer(list(&shared, form).await)
}

/// `GET /explorer.json`.
pub(crate) async fn as_json(State(shared): State<Shared>) -> Response {
    Caller::of(&HeaderMap::new()).answer(list(&shared, Form::Json).await)
}

async fn list(shared: &Shared, form: Form) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let mut processes = shared.blocking(Core::processes).await?;
    processes.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    let processes: Vec<Value> = processes.iter().map(process).collect();
    show::<ProcessesPage>(form, json!({ "node": shared.core.address(), "processes": processes }))
}

fn process(process: &crate::core::ProcessSummary) -> Value {
    json!({
        "id": process.id, "name": process.name.as_deref().unwrap_or_default(), "module": process.module,
        "owner": process.owner, "head": process.head, "applied": process.applied.unwrap_or(0),
        "stopped": process.stopped,
    })
}

/// `GET /explorer/{process}`, also as `.json`: the newest slots first.
pub(crate) async fn slots(
    State(shared): State<Shared>,
    Path(asked): Path<String>,
    QueryOf(query): QueryOf<SlotsQuery>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    let page = async {
        let _request = one_more(&shared.requests, "requests")?;
        let (id, form) = caller.id_and_form(&asked)?;
        let read = move |core: &Core| {
            let summary = core.process(&id)?;
            let end = query.before.unwrap_or(u64::MAX).min(summary.head + 1);
            let first = end.saturating_sub(SLOTS_SHOWN);
            let messages = core.messages(&id, first, (end - first).max(1) as usize)?;
            let slots = messages.iter().filter(|message| message.slot < end).rev().map(slot);
            let slots: Vec<Value> = slots.collect();
            Ok::<_, ReadError>(json!({
                "process": process(&summary), "tags": summary.tags, "slots": slots,
                "previous": (first > 0).then_some(first),
            }))
        };
        show::<ProcessPage>(form, shared.blocking(read).await?)
    };
    let page = page.await;
    caller.answer(page)
}

fn slot(message: &Message) -> Value {
    json!({
        "slot": message.slot, "id": message.id, "from": message.from, "kind": message.kind,
        "action": message.action(), "timestamp_ms": message.timestamp_ms, "pushed_for": message.pushed_for,
    })
}

/// `GET /explorer/{process}/{slot}`, also as `.json`: a message and what came of it.
pub(crate) async fn message(
    State(shared): State<Shared>,
    Path((process, slot)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    let page = one_message(&shared, &caller, &process, &slot).await;
    caller.answer(page)
}

async fn one_message(shared: &Shared, caller: &Caller, id: &str, number: &str) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let id = parse_id(id)?;
    let (number, form) = match number.strip_suffix(".json") {
        Some(number) => (number, Form::Json),
        None => (number, caller.form()),
    };
    let number: u64 = number.parse().map_err(|_| HttpError::bad_request("bad-slot", "a slot is a whole number"))?;
    let result = shared.core.result_at(&id, number, RESULT_WAIT).await?;
    let read = move |core: &Core| {
        let summary = core.process(&id)?;
        let found = core.messages(&id, number, 1)?.into_iter().next();
        let message = found.ok_or(ReadError::UnknownSlot { process: id, slot: number, head: summary.head })?;
        Ok::<_, ReadError>((process(&summary), message))
    };
    let (summary, message) = shared.blocking(read).await?;
    let result = match &result.outcome {
        Err(fault) => json!({ "fault": fault }),
        Ok(effects) => effects_of(&id, number, effects),
    };
    let data = json!({
        "process": summary, "slot": slot(&message), "tags": message.tags,
        "data": String::from_utf8_lossy(&message.data), "data_bytes": message.data.len(), "result": result,
    });
    show::<SlotPage>(form, data)
}

fn effects_of(process: &Id, slot: u64, effects: &Effects) -> Value {
    let sent = |(index, message): (usize, &ao::Outgoing)| {
        json!({
            "id": Message::pushed_id(process, slot, index as u32), "target": message.target, "tags": message.tags,
            "data": String::from_utf8_lossy(&message.data),
        })
    };
    let messages: Vec<Value> = effects.messages.iter().enumerate().take(PARTS_SHOWN).map(sent).collect();
    json!({
        "fault": null, "output": { "data": effects.output.data, "error": effects.output.error },
        "messages": messages, "spawns": effects.spawns.len(),
    })
}

/// `GET /message/{id}`: to the place of a message.
pub(crate) async fn find(State(shared): State<Shared>, PathId(id): PathId, headers: HeaderMap) -> Response {
    let page = async {
        let found = shared.blocking(move |core| {
            core.index_transactions(INDEX_WAIT);
            Ok::<_, GatewayError>(core.message(&id))
        });
        let message = found.await?;
        let message = message.ok_or_else(|| HttpError::not_found(format!("there is no message {id} on this node")))?;
        Ok(Redirect::temporary(&format!("/explorer/{}/{}", message.target, message.slot)).into_response())
    };
    let page = page.await;
    Caller::of(&headers).answer(page)
}
