//! The messenger unit of AO: taking signed items.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use ao::limits::ITEM_BYTES_MAX;
use ao::{DataItem, Id};

use super::body;
use super::error::HttpError;
use super::extract::{PathId, QueryOf, parse_id};
use super::limits::{INDEX_WAIT, SPAWN_WAIT};
use super::state::{Shared, one_more};
use super::wire::{Acknowledged, unbelieved};
use crate::core::{Core, StoredResult};

/// The query of AO's assign: which message, to which process.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PostQuery {
    assign: Option<String>,
    process_id: Option<String>,
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

/// `POST /?process-id=&assign=`: gives a process a message that was sent to another. A process has to allow that, or
/// anybody could have a transfer that its owner signed for one token carried out by all; native processes never do.
async fn assign(shared: &Shared, query: &PostQuery) -> Result<Response, HttpError> {
    let (Some(message), Some(process)) = (&query.assign, &query.process_id) else {
        let text = "an assignment names both: ?process-id= the process, and &assign= the message";
        return Err(HttpError::bad_request("bad-assignment", text));
    };
    let (message, process) = (parse_id(message)?, parse_id(process)?);
    let find = move |core: &Core| core.process(&process).map(|summary| summary.module);
    let module = shared.blocking(find).await?;
    let known = shared.blocking(move |core| {
        core.index_transactions(INDEX_WAIT);
        core.gateway().transactions().transaction(&message)
    });
    if known.await?.is_none() {
        return Err(HttpError::not_found(format!("there is no message {message} on this node to be assigned")));
    }
    let text = format!(
        "the process {process} is of the native module '{module}', which takes no messages that were \
                        sent to others: send it a message of its own"
    );
    Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "not-assignable", text))
}

/// `POST` and `DELETE /monitor/{process}`: accepted for old clients. This node runs the clocks of all its processes, so
/// there is nothing to switch on.
pub(crate) async fn monitor(State(shared): State<Shared>, PathId(process): PathId) -> Result<&'static str, HttpError> {
    shared.blocking(move |core| core.process(&process)).await?;
    Ok("Monitoring process")
}
