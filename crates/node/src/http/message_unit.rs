//! The messenger unit of AO: taking signed items.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use ao::DataItem;
use ao::limits::ITEM_BYTES_MAX;

use super::body;
use super::error::HttpError;
use super::extract::{PathId, QueryOf};
use super::state::{Shared, one_more};
use super::wire::Acknowledged;

/// The query of AO's assign, which this node does not have.
#[derive(Deserialize)]
pub(crate) struct PostQuery {
    assign: Option<String>,
}

/// `POST /`: an ANS-104 item, a message or a process. It is answered when the item is on disk.
pub(crate) async fn post(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<PostQuery>,
    request: Request<Body>,
) -> Result<Response, HttpError> {
    if query.assign.is_some() {
        let text = "assigning a message of the network to a process is not supported by this node; send it as an item";
        return Err(HttpError::new(StatusCode::NOT_IMPLEMENTED, "not-supported", text));
    }
    let _request = one_more(&shared.requests, "requests")?;
    let (parts, body) = request.into_parts();
    let bytes = body::whole(&shared, &parts.headers, body, ITEM_BYTES_MAX).await?;
    let item = DataItem::parse(&bytes)?;
    drop(bytes);
    let submitted = shared.core.submit(item).await?;
    let answer = Acknowledged { message: "Processing DataItem", id: submitted.id, process_id: submitted.process };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// `POST` and `DELETE /monitor/{process}`: accepted for old clients. This node runs the clocks of all its processes, so
/// there is nothing to switch on.
pub(crate) async fn monitor(State(shared): State<Shared>, PathId(process): PathId) -> Result<&'static str, HttpError> {
    shared.blocking(move |core| core.process(&process)).await?;
    Ok("Monitoring process")
}
