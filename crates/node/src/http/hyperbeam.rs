//! The dialect of HyperBEAM, as aoconnect's mainnet mode and `aos` speak it: a process is a path, what is sent to it is a
//! whole ANS-104 item, and what came of it is read under its slot.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use ao::limits::ITEM_BYTES_MAX;
use ao::{DataItem, Id, Message, Tags};

use super::error::{HttpError, quoted};
use super::extract::parse_id;
use super::limits::RESULT_WAIT;
use super::message_unit::spawned;
use super::published::{self, KEYS_MAX};
use super::state::{Shared, one_more};
use super::wire::{ResultAnswer, unbelieved};
use super::{body, nothing_at};
use crate::core::Submitted;

/// The device that a process is; it may stand behind the id.
const PROCESS_DEVICE: &str = "process@1.0";

/// What the client reads the id of a new process from.
const PROCESS_HEADER: HeaderName = HeaderName::from_static("process");

/// What it reads the id of a message from, if the body has none.
const ID_HEADER: HeaderName = HeaderName::from_static("id");

/// What a path asks of a process.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Take this message.
    Push,
    /// The number of its last slot.
    CurrentSlot,
    /// What came of a message, by its slot or by its id.
    Result(Place),
    /// What it would answer to a message with these tags.
    DryRun(Tags),
    /// What it publishes at a path.
    Published(Vec<String>),
}

/// Where a message is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Slot(u64),
    Message(Id),
}

/// `POST /push`: an item that spawns a process or goes to one. The header `process` names the process.
pub(crate) async fn push(State(shared): State<Shared>, request: Request<Body>) -> Result<Response, HttpError> {
    take(&shared, request, None).await
}

/// Everything under `/{process}/` and `/{process}~process@1.0/`.
pub(crate) async fn of_process(State(shared): State<Shared>, request: Request<Body>) -> Result<Response, HttpError> {
    let (process, asked) = parse(request.uri())?;
    match asked {
        Asked::Push if request.method() == Method::POST => take(&shared, request, Some(process)).await,
        Asked::Push => {
            let text = "a message is sent with POST: the body is a signed ANS-104 item";
            Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", text))
        }
        Asked::CurrentSlot => {
            let head = shared.blocking(move |core| core.process(&process)).await?.head;
            Ok(head.to_string().into_response())
        }
        Asked::Result(place) => result(&shared, process, place).await,
        Asked::DryRun(tags) => dry_run(&shared, process, tags, request).await,
        Asked::Published(keys) => {
            let _request = one_more(&shared.requests, "requests")?;
            published::read(&shared, process, &keys).await
        }
    }
}

/// Takes an item. The answer waits for the result, as HyperBEAM's does, so that a client may read it there.
async fn take(shared: &Shared, request: Request<Body>, process: Option<Id>) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let (parts, body) = request.into_parts();
    only_items(&parts.headers)?;
    let bytes = body::whole(shared, &parts.headers, body, ITEM_BYTES_MAX).await?;
    let item = DataItem::parse(&bytes)?;
    if let Some(process) = process.filter(|process| item.target() != Some(*process)) {
        let target = item.target().map_or("no process".to_owned(), |target| target.to_string());
        let text =
            format!("the path names the process {process}, and the item is for {target}: send it where it is for");
        return Err(HttpError::bad_request("wrong-target", text));
    }
    let target = item.target();
    let submitted = shared.core.submit(item).await?;
    if let Some(process) = submitted.process {
        spawned(shared, process).await?;
    }
    let of = submitted.process.or(target).unwrap_or_default();
    let raw = finished(shared, of, &submitted).await;
    let mut answer = json!({ "status": 200, "process": of, "slot": submitted.slot, "id": submitted.id });
    if let Some(raw) = raw {
        answer["raw"] = json!(raw);
    }
    if let Some(signer) = submitted.unbelieved {
        answer["warning"] = json!(unbelieved(signer));
    }
    let mut response = Json(answer).into_response();
    for (name, id) in [(PROCESS_HEADER, of), (ID_HEADER, submitted.id)] {
        // An id is base64url, which a header always takes.
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// What came of a message that was just taken; nothing if that cannot be waited for. The item is safe in the log either
/// way.
async fn finished(shared: &Shared, process: Id, submitted: &Submitted) -> Option<ResultAnswer> {
    let _waiting = one_more(&shared.waiting, "waiting requests").ok()?;
    let result = shared.core.result(&process, &submitted.id, RESULT_WAIT);
    shared.unless_stopping(result).await?.ok().map(ResultAnswer::of)
}

async fn result(shared: &Shared, process: Id, place: Place) -> Result<Response, HttpError> {
    let _waiting = one_more(&shared.waiting, "waiting requests")?;
    let result = async {
        match place {
            Place::Slot(slot) => shared.core.result_at(&process, slot, RESULT_WAIT).await,
            Place::Message(message) => shared.core.result(&process, &message, RESULT_WAIT).await,
        }
    };
    match shared.unless_stopping(result).await {
        Some(result) => Ok(Json(json!({ "raw": ResultAnswer::of(result?) })).into_response()),
        None => Err(HttpError::busy("requests, because it stops,")),
    }
}

/// The tags stand in the path; a body, if there is one, says who asks. Nobody is believed: a dry-run has no effects.
async fn dry_run(shared: &Shared, process: Id, tags: Tags, request: Request<Body>) -> Result<Response, HttpError> {
    let bytes = body::of_request(shared, request, ITEM_BYTES_MAX).await?;
    let item = if bytes.is_empty() { None } else { DataItem::parse(&bytes).ok() };
    let owner = item.as_ref().map(DataItem::address).unwrap_or_default();
    let data = item.map(DataItem::into_data).unwrap_or_default();
    let message = Message::dry_run(owner, process, tags, data);
    let outcome = shared.dry_run_of_now(&process, message).await?;
    Ok(Json(json!({ "raw": ResultAnswer::new(0, outcome) })).into_response())
}

/// `GET /~meta@1.0/info`: what a node says of itself.
pub(crate) async fn information(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({
        "address": shared.core.address(),
        "node": concat!("aobench ", env!("CARGO_PKG_VERSION")),
        "codecs": ["ans104@1.0"],
    }))
}

/// The log keeps signed items, so that anybody can verify it later; a signed HTTP request is none.
fn only_items(headers: &HeaderMap) -> Result<(), HttpError> {
    if !headers.contains_key("signature-input") {
        return Ok(());
    }
    let text = "this node takes signed ANS-104 items, and this is a signed HTTP request: set 'signing-format' to \
                'ans104', as aoconnect's message and spawn do";
    Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-an-item", text))
}

/// Reads a path: the process, then what is asked. A key may carry parameters behind `&`.
fn parse(uri: &Uri) -> Result<(Id, Asked), HttpError> {
    let path = uri.path().trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let (process, device) = first.split_once('~').unwrap_or((first, PROCESS_DEVICE));
    let asked = asked(rest);
    if device != PROCESS_DEVICE {
        let text = format!("the device '{}' is not on this node; a process is ID~{PROCESS_DEVICE}", quoted(device));
        return Err(HttpError::not_found(text));
    }
    let asked = asked.ok_or_else(|| nothing_at(uri.path()))??;
    Ok((process.parse().map_err(|_| nothing_at(uri.path()))?, asked))
}

fn asked(rest: &str) -> Option<Result<Asked, HttpError>> {
    let (key, after) = rest.split_once(['/', '&']).unwrap_or((rest, ""));
    let serialised = |text: &'_ str| text.is_empty() || text.starts_with("serialize~json@1.0");
    match key {
        "push" | "schedule" if serialised(after) => Some(Ok(Asked::Push)),
        "slot" if after == "current" => Some(Ok(Asked::CurrentSlot)),
        "as=execution" => {
            let parameters = after.strip_prefix("compute")?;
            Some(Ok(Asked::DryRun(tags(parameters.strip_prefix('&').unwrap_or(parameters)))))
        }
        "compute" | "now" => match after.strip_prefix("results=") {
            Some(place) => Some(place_of(place.split('/').next().unwrap_or_default()).map(Asked::Result)),
            None => keys(after).map(|keys| Ok(Asked::Published(keys))),
        },
        _ => None,
    }
}

fn place_of(text: &str) -> Result<Place, HttpError> {
    match text.parse() {
        Ok(slot) => Ok(Place::Slot(slot)),
        Err(_) => parse_id(text).map(Place::Message),
    }
}

/// The keys of a path, if there are not too many.
fn keys(path: &str) -> Option<Vec<String>> {
    let keys = path.split('/').filter(|key| !key.is_empty());
    let keys: Vec<String> = keys.take(KEYS_MAX + 1).map(decoded).collect();
    (keys.len() <= KEYS_MAX).then_some(keys)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `Action=Info&Recipient=…` as tags. A client writes values as they are; what the URL demanded is escaped.
fn tags(parameters: &str) -> Tags {
    let pairs = parameters.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).fold(Tags::new(), |mut tags, (name, value)| {
        tags.push(decoded(name), decoded(value));
        tags
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_at(path: &str) -> Option<Asked> {
        parse(&path.parse().unwrap()).ok().map(|(_, asked)| asked)
    }

    #[test]
    fn the_paths_of_aoconnect_are_understood() {
        let id = Id::new([7; 32]);
        let process = format!("/{id}~process@1.0");
        for (path, expected) in [
            (format!("{process}/push"), Asked::Push),
            (format!("{process}/push/serialize~json@1.0"), Asked::Push),
            (format!("/{id}/slot/current"), Asked::CurrentSlot),
            (format!("{process}/slot/current"), Asked::CurrentSlot),
            (format!("{process}/compute/results=12"), Asked::Result(Place::Slot(12))),
            (format!("/{id}/compute/results={id}"), Asked::Result(Place::Message(id))),
            (format!("{process}/as=execution/compute"), Asked::DryRun(Tags::new())),
            (
                format!("{process}/as=execution/compute&Action=Info&Note=a%20b/c=d"),
                Asked::DryRun(Tags::new().with("Action", "Info").with("Note", "a b/c=d")),
            ),
            (format!("{process}/now/balances/x"), Asked::Published(vec!["balances".to_owned(), "x".to_owned()])),
            (format!("/{id}/compute"), Asked::Published(Vec::new())),
        ] {
            assert_eq!(asked_at(&path), Some(expected), "{path}");
        }
        for path in ["/x/push", "/x~process@1.0/push", "/~meta@1.0/other", "/a/b/c"] {
            assert_eq!(asked_at(path), None, "{path}");
        }
        assert_eq!(asked_at(&format!("/{id}~json@1.0/push")), None);
    }
}
