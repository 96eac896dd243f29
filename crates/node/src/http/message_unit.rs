//! The messenger unit of AO: taking signed items.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use ao::limits::ITEM_BYTES_MAX;
use ao::{DataItem, Id};

use super::body;
use super::error::HttpError;
use super::extract::{OfProcess, PathId, QueryOf, parse_id};
use super::limits::{RESULT_WAIT, SPAWN_WAIT};
use super::state::{Shared, one_more};
use super::wire::{Acknowledged, unbelieved};
use crate::core::{Core, StoredResult};
use crate::log::LeftOut;

/// The query of AO's assign: which message, to which process.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PostQuery {
    assign: Option<String>,
    process_id: Option<String>,
    exclude: Option<String>,
    base_layer: Option<String>,
}

/// `POST /`: an ANS-104 item, a message or a process. It is answered when the item is on disk.
pub(crate) async fn post(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<PostQuery>,
    request: Request<Body>,
) -> Result<Response, HttpError> {
    if query.assign.is_some() || query.process_id.is_some() {
        return assign(&shared, &query).await;
    }
    let _request = one_more(&shared.requests, "requests")?;
    let (parts, body) = request.into_parts();
    let bytes = body::whole(&shared, &parts.headers, body, ITEM_BYTES_MAX).await?;
    let item = DataItem::parse(&bytes)?;
    drop(bytes);
    let submitted = shared.core.submit(item).await?;
    if let Some(process) = submitted.process {
        spawned(&shared, process).await?;
    }
    let answer = Acknowledged {
        message: "Processing DataItem",
        id: submitted.id,
        process_id: submitted.process,
        warning: submitted.unbelieved.map(unbelieved),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// An error if a process of a native module could not be spawned, which shows at once: its tags or its data are wrong.
pub(super) async fn spawned(shared: &Shared, process: Id) -> Result<(), HttpError> {
    if !shared.blocking(move |core| core.is_native(&process)).await? {
        return Ok(());
    }
    let spawn = shared.core.result(&process, &process, SPAWN_WAIT);
    let Some(Ok(StoredResult { outcome: Err(fault), .. })) = shared.unless_stopping(spawn).await else { return Ok(()) };
    let text = format!("the process {process} could not be spawned: {fault}");
    Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "spawn-failed", text))
}

/// `POST /?process-id=&assign=[&exclude=]`: gives a process a message that was sent to another. Native processes take none.
async fn assign(shared: &Shared, query: &PostQuery) -> Result<Response, HttpError> {
    let (Some(message), Some(process)) = (&query.assign, &query.process_id) else {
        let text = "an assignment names both: ?process-id= the process, and &assign= the message";
        return Err(HttpError::bad_request("bad-assignment", text));
    };
    if query.base_layer.is_some() {
        let text = "a node has no chain of which a transaction could be assigned: upload the data and send a message";
        return Err(HttpError::bad_request("bad-assignment", text));
    }
    let (message, process) = (parse_id(message)?, parse_id(process)?);
    let left_out = left_out(query.exclude.as_deref().unwrap_or_default())?;
    let module = shared.blocking(move |core: &Core| core.process(&process).map(|summary| summary.module)).await?;
    if shared.blocking(move |core| core.is_native(&process)).await? {
        let text = format!(
            "the process {process} is of the native module '{module}', which takes no messages that were sent to others: \
             send it a message of its own"
        );
        return Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "not-assignable", text));
    }
    let unknown = || HttpError::not_found(format!("there is no message {message} on this node to be assigned"));
    let slot = shared.core.assign(process, message, left_out).await?.ok_or_else(unknown)?.slot;
    let records = shared.blocking(move |core| core.records(&process, slot, 1)).await?;
    let id = records.first().map(|record| record.assignment_item.id()).ok_or_else(unknown)?;
    let answer = Acknowledged { message: "Processing Assignment", id, process_id: None, warning: None };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// The fields that an assignment leaves out, by the names that AO gives them.
fn left_out(names: &str) -> Result<LeftOut, HttpError> {
    let mut left_out = LeftOut::default();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name.to_ascii_lowercase().as_str() {
            "data" => left_out.data = true,
            "tags" => left_out.tags = true,
            "anchor" => left_out.anchor = true,
            _ => {
                let text = format!("'{name:.40}' cannot be left out of an assignment; Data, Tags and Anchor can");
                return Err(HttpError::bad_request("bad-assignment", text));
            }
        }
    }
    Ok(left_out)
}

/// `POST /monitor/{process}`: accepted for old clients. This node runs the clocks of all its processes, so there is nothing
/// to switch on.
pub(crate) async fn monitor(State(shared): State<Shared>, PathId(process): PathId) -> Result<&'static str, HttpError> {
    shared.blocking(move |core| core.process(&process)).await?;
    Ok("Monitoring process")
}

/// `DELETE /monitor/{process}`: accepted likewise; the clocks go on.
pub(crate) async fn unmonitor(
    State(shared): State<Shared>,
    PathId(process): PathId,
) -> Result<&'static str, HttpError> {
    shared.blocking(move |core| core.process(&process)).await?;
    Ok("Process deleted")
}

/// `POST /push/{message}/{number}?process-id=`: what a message made its process send is sent on. Here that was done when the
/// message was handled, once and for ever, so there is nothing left to do.
pub(crate) async fn push_again(
    State(shared): State<Shared>,
    Path((message, number)): Path<(String, String)>,
    QueryOf(query): QueryOf<OfProcess>,
) -> Result<Response, HttpError> {
    if number.parse::<u32>().is_err() {
        let text = "the path ends in the number of a message among those that were sent, from 0";
        return Err(HttpError::bad_request("bad-number", text));
    }
    let (message, process) = (parse_id(&message)?, query.id()?);
    let _waiting = one_more(&shared.waiting, "waiting requests")?;
    match shared.unless_stopping(shared.core.result(&process, &message, RESULT_WAIT)).await {
        Some(result) => drop(result?),
        None => return Err(HttpError::busy("requests, because it stops,")),
    }
    let answer = Acknowledged { message: "Processing Message Result", id: message, process_id: None, warning: None };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}
