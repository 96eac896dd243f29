//! The gateway: uploads of any size, and their data with ranges.

use std::io::SeekFrom;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use ao::Id;

use super::error::HttpError;
use super::extract::{PathId, QueryOf};
use super::limits::{FILE_PIECE_BYTES, INDEX_WAIT, UPLOAD_BYTES_PER_SECOND_MIN};
use super::range::{Wanted, wanted};
use super::scheduler_unit::{self, ScheduleQuery};
use super::state::{Shared, one_more};
use super::{body, nothing_at};
use crate::clock::Clock;
use crate::core::Core;
use crate::gateway::{GatewayError, Stored, Transaction, UNKNOWN_TYPE, block_id};
use crate::limits::PAGE_MAX;

/// The content type of a model file.
const MODEL_TYPE: &str = "application/x-gguf";

/// Strangers upload what they like under a type that they like. A browser shows it as from nowhere: no script, and
/// nothing of this node's pages within reach.
const POLICY_OF_STRANGERS: &str = "default-src 'none'; sandbox";

/// The data of an id never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `POST /tx`: an ANS-104 item of any size, streamed to disk while its signature is verified.
pub(crate) async fn upload(State(shared): State<Shared>, request: Request<Body>) -> Result<Json<Value>, HttpError> {
    let _upload = one_more(&shared.uploads, "uploads")?;
    let (parts, body) = request.into_parts();
    if is_layer_one(&parts.headers) {
        let text = "this is a layer-1 transaction of Arweave in JSON, and this node takes signed ANS-104 items: sign the \
                    data with arbundles, or upload it as Turbo does";
        return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-an-item", text));
    }
    let stated = body::content_length(&parts.headers)?.ok_or_else(|| {
        let text = "an upload states its length in the header Content-Length";
        HttpError::new(StatusCode::LENGTH_REQUIRED, "no-length", text)
    })?;
    let mut pieces = body::pieces(body, UPLOAD_BYTES_PER_SECOND_MIN);
    let received = shared.core.gateway().receive(&mut pieces, stated, shared.core.clock().now_ms()).await;
    if !received.as_ref().is_ok_and(|upload| upload.fresh) {
        // It may have been answered before its last byte; a sender that still sends does not read the answer.
        body::discard(&mut pieces).await;
    }
    let stored = received?.stored;
    Ok(Json(receipt(&shared, &stored)))
}

/// The receipt of an upload, with what Turbo's clients demand of one: nothing was paid, and no other cache has it.
pub(super) fn receipt(shared: &Shared, stored: &Stored) -> Value {
    json!({
        "id": stored.id, "owner": stored.owner, "size": stored.data_length, "winc": "0", "dataCaches": [],
        "fastFinalityIndexes": [], "timestamp": shared.core.clock().now_ms(),
    })
}

/// Whether a body is a transaction as arweave-js posts it.
fn is_layer_one(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// `GET /{id}` and `/raw/{id}`: the data of an upload; with `?process-id=` a place of a schedule.
pub(crate) async fn data(
    State(shared): State<Shared>,
    method: Method,
    Path(text): Path<String>,
    QueryOf(query): QueryOf<ScheduleQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    // A text that is no id is nobody's data: whoever asked meant another address.
    let id: Id = text.parse().map_err(|_| nothing_at(&text))?;
    if let Some(process) = query.process(id)? {
        return scheduler_unit::schedule(&shared, id, process, query).await;
    }
    let Some(stored) = shared.blocking(move |core| core.gateway().find(&id)).await? else {
        return data_of_message(&shared, id).await;
    };
    let etag = format!("\"{id}\"");
    if headers.get(IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == etag.as_bytes()) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let total = stored.data_length;
    let (status, start, end) = match wanted(&headers, total, &etag) {
        Wanted::Whole => (StatusCode::OK, 0, total),
        Wanted::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Nothing => return Ok(not_satisfiable(total)),
    };
    // A HEAD gets the same header, and its length is that of the data which a GET would get.
    let body =
        if method == Method::HEAD { Body::empty() } else { stream(&shared, &stored, start, end - start).await? };
    let mut response = (status, body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut response, CONTENT_RANGE, &format!("bytes {start}-{}/{total}", end - 1));
    }
    for (name, value) in [
        (CONTENT_TYPE, stored.content_type()),
        (CONTENT_LENGTH, &(end - start).to_string()),
        (ACCEPT_RANGES, "bytes"),
        (ETAG, &etag),
        (CACHE_CONTROL, FOR_EVER),
        (CONTENT_SECURITY_POLICY, POLICY_OF_STRANGERS),
    ] {
        set(&mut response, name, value);
    }
    Ok(response)
}

/// `GET /tx/{id}`: an upload, or a signed message, without its data, in the words of an Arweave gateway.
pub(crate) async fn header(State(shared): State<Shared>, PathId(id): PathId) -> Result<Json<Value>, HttpError> {
    let read = move |core: &Core| {
        let found = transaction(core, id)?;
        let header = found.as_ref().and_then(|found| core.header_of(found));
        Ok::<_, GatewayError>(found.zip(header))
    };
    let (found, header) = shared.blocking(read).await?.ok_or_else(|| unknown(id))?;
    let kind = found.tags.get("Content-Type").unwrap_or(UNKNOWN_TYPE);
    Ok(Json(json!({
        "id": id,
        "owner": { "address": found.owner, "key": URL_SAFE_NO_PAD.encode(header.owner()) },
        "target": found.recipient,
        "anchor": header.anchor().map(|anchor| URL_SAFE_NO_PAD.encode(anchor)),
        "tags": found.tags,
        "signature": URL_SAFE_NO_PAD.encode(header.signature()),
        "signature_type": header.signature_type().code(),
        "data": { "size": found.size.to_string(), "type": kind },
    })))
}

/// `GET /tx/{id}/status`: when it came. Nothing here is ever taken back, so that each block since then confirms it.
pub(crate) async fn status(State(shared): State<Shared>, PathId(id): PathId) -> Result<Json<Value>, HttpError> {
    let found = shared.blocking(move |core| transaction(core, id)).await?.ok_or_else(|| unknown(id))?;
    let now = Clock::block_height_at(shared.core.clock().now_ms());
    Ok(Json(json!({
        "block_height": found.height, "block_indep_hash": block_id(found.height),
        "number_of_confirmations": now.saturating_sub(found.height) + 1,
    })))
}

/// What is known of an id: of an upload, a message or a module.
fn transaction(core: &Core, id: Id) -> Result<Option<Transaction>, GatewayError> {
    core.index_transactions(INDEX_WAIT);
    core.gateway().transactions().transaction(&id)
}

/// `GET /models`: the newest uploads that say they are models.
pub(crate) async fn models(State(shared): State<Shared>) -> Result<Json<Value>, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let models = shared.blocking(|core| core.gateway().of_type(MODEL_TYPE, PAGE_MAX)).await?;
    let entry = |model: &Stored| {
        let name = model.tags.get("Name").unwrap_or_default();
        json!({ "id": model.id, "owner": model.owner, "name": name, "bytes": model.data_length })
    };
    Ok(Json(json!({ "models": models.iter().map(entry).collect::<Vec<_>>() })))
}

/// The data of a message or of a process: on AO's network these are on Arweave too.
async fn data_of_message(shared: &Shared, id: Id) -> Result<Response, HttpError> {
    let message = shared.blocking(move |core| {
        core.index_transactions(INDEX_WAIT);
        Ok::<_, GatewayError>(core.message(&id))
    });
    let message = message.await?.ok_or_else(|| unknown(id))?;
    let kind = message.tag("Content-Type").unwrap_or("text/plain").to_owned();
    let mut response = message.data.into_response();
    for (name, value) in
        [(CONTENT_TYPE, kind.as_str()), (CACHE_CONTROL, FOR_EVER), (CONTENT_SECURITY_POLICY, POLICY_OF_STRANGERS)]
    {
        set(&mut response, name, value);
    }
    Ok(response)
}

fn unknown(id: Id) -> HttpError {
    HttpError::not_found(format!("there is no data {id} on this node"))
}

async fn stream(shared: &Shared, stored: &Stored, start: u64, length: u64) -> Result<Body, HttpError> {
    let download = one_more(&shared.downloads, "downloads")?;
    let failed = |error: std::io::Error| HttpError::internal(format!("the data could not be read: {error}"));
    let mut file = tokio::fs::File::open(&stored.data_path).await.map_err(failed)?;
    file.seek(SeekFrom::Start(stored.data_offset + start)).await.map_err(failed)?;
    let pieces = ReaderStream::with_capacity(file.take(length), FILE_PIECE_BYTES);
    // The download counts as long as its stream lives.
    let counted = pieces.map(move |piece| {
        let _ = &download;
        piece
    });
    Ok(Body::from_stream(counted))
}

fn not_satisfiable(total: u64) -> Response {
    let text = format!("the data has {total} bytes, and none in that range");
    let mut response = HttpError::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad-range", text).into_response();
    set(&mut response, CONTENT_RANGE, &format!("bytes */{total}"));
    response
}

/// Sets a header; a value that is none, such as a content type with a line break, is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
