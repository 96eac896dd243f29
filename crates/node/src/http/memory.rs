//! The memory of a process, as AO's compute unit gives it to whoever would check it or go on from it.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::error::HttpError;
use super::extract::{PathId, QueryOf};
use super::state::{Shared, one_more};
use crate::gateway::UNKNOWN_TYPE;

const LAST_TIMESTAMP: HeaderName = HeaderName::from_static("last-timestamp");
const LAST_ORDINATE: HeaderName = HeaderName::from_static("last-ordinate");
const LAST_BLOCK_HEIGHT: HeaderName = HeaderName::from_static("last-block-height");

/// The query of a memory.
#[derive(Deserialize)]
pub(crate) struct StateQuery {
    to: Option<String>,
}

/// `GET /state/{process}`: the memory of a process of AO's modules, and in the header the place of the last message that it
/// has handled.
pub(crate) async fn state(
    State(shared): State<Shared>,
    PathId(process): PathId,
    QueryOf(query): QueryOf<StateQuery>,
) -> Result<Response, HttpError> {
    if query.to.is_some() {
        let text = "the memory of a process is that of now, and that of an earlier message is not kept: leave out ?to=";
        return Err(HttpError::bad_request("bad-state", text));
    }
    shared.caught_up(&process).await?;
    let download = one_more(&shared.downloads, "downloads")?;
    let (slot, image) = shared.core.memory(&process).await?.ok_or_else(|| {
        let text = format!(
            "the process {process} runs a native module, which has tables and no memory: read what it publishes at \
             /{process}~process@1.0/now"
        );
        HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "no-memory", text)
    })?;
    let record = shared.blocking(move |core| core.records(&process, slot, 1)).await?.pop();
    let place = record.ok_or_else(|| HttpError::internal("the log lacks a message that was handled"))?.assignment;
    let header = [
        (CONTENT_TYPE, UNKNOWN_TYPE.to_owned()),
        (CONTENT_LENGTH, image.memory_bytes().to_string()),
        (LAST_TIMESTAMP, place.timestamp_ms.to_string()),
        (LAST_ORDINATE, place.slot.to_string()),
        (LAST_BLOCK_HEIGHT, place.block_height.to_string()),
    ];
    // The download counts as long as its pieces are asked for.
    let pieces = image.into_pieces().map(move |piece| {
        let _ = &download;
        Ok::<_, std::io::Error>(Bytes::from(piece))
    });
    Ok((header, Body::from_stream(stream::iter(pieces))).into_response())
}
