//! The gateway: uploads of any size, and their data with ranges.

use std::io::SeekFrom;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::body;
use super::error::HttpError;
use super::extract::{OfProcess, PathId, QueryOf};
use super::limits::FILE_PIECE_BYTES;
use super::scheduler_unit::{self, ScheduleQuery};
use super::state::{Shared, one_more};
use crate::gateway::Stored;

/// `POST /tx`: an ANS-104 item of any size, streamed to disk while its signature is verified.
pub(crate) async fn upload(State(shared): State<Shared>, request: Request<Body>) -> Result<Json<Value>, HttpError> {
    let _upload = one_more(&shared.uploads, "uploads")?;
    let (parts, body) = request.into_parts();
    let stated = body::content_length(&parts.headers)?.ok_or_else(|| {
        HttpError::new(
            StatusCode::LENGTH_REQUIRED,
            "no-length",
            "an upload states its length in the header Content-Length",
        )
    })?;
    let now_ms = shared.core.clock().now_ms();
    let mut pieces = body::pieces(body);
    let received = shared.core.gateway().receive(&mut pieces, stated, now_ms).await;
    if received.is_err() {
        body::discard(&mut pieces).await;
    }
    let stored = received?.stored;
    Ok(Json(json!({ "id": stored.id, "owner": stored.owner, "size": stored.data_length, "timestamp": now_ms })))
}

/// `GET /{id}` and `/raw/{id}`: the data of an upload; with `?process-id=` a place of a schedule.
pub(crate) async fn data(
    State(shared): State<Shared>,
    method: Method,
    PathId(id): PathId,
    QueryOf(of): QueryOf<OfProcess>,
    QueryOf(query): QueryOf<ScheduleQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    if let Some(process) = of.optional_id()? {
        return Ok(scheduler_unit::schedule(&shared, id, process, query).await?.into_response());
    }
    let stored = find(&shared, id).await?;
    let etag = format!("\"{id}\"");
    if headers.get(IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == etag.as_bytes()) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let total = stored.data_length;
    let (status, start, end) = match headers.get(RANGE).map(|value| range(value, total)) {
        None | Some(Wanted::Whole) => (StatusCode::OK, 0, total),
        Some(Wanted::Part(start, end)) => (StatusCode::PARTIAL_CONTENT, start, end),
        Some(Wanted::Nothing) => {
            let error =
                HttpError::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad-range", format!("the data has {total} bytes"));
            let mut response = error.into_response();
            set(&mut response, CONTENT_RANGE, &format!("bytes */{total}"));
            return Ok(response);
        }
    };
    let mut response = if method == Method::HEAD {
        StatusCode::OK.into_response()
    } else {
        stream(&shared, &stored, start, end - start).await?
    };
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, stored.content_type());
    set(&mut response, CONTENT_LENGTH, &(end - start).to_string());
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, ETAG, &etag);
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut response, CONTENT_RANGE, &format!("bytes {start}-{}/{total}", end - 1));
    }
    Ok(response)
}

/// `GET /tx/{id}`: what an upload says of itself.
pub(crate) async fn header(State(shared): State<Shared>, PathId(id): PathId) -> Result<Json<Value>, HttpError> {
    let stored = find(&shared, id).await?;
    let header = shared.blocking({
        let stored = stored.clone();
        move |_| stored.header()
    });
    let header = header.await?;
    Ok(Json(json!({
        "id": id, "signature": URL_SAFE_NO_PAD.encode(header.signature()),
        "owner": { "address": stored.owner, "key": URL_SAFE_NO_PAD.encode(header.owner()) }, "target": stored.target, "tags": stored.tags,
        "data": { "size": stored.data_length.to_string(), "type": stored.content_type() },
    })))
}

/// `GET /models`: the uploads that say they are models.
pub(crate) async fn models(State(shared): State<Shared>) -> Result<Json<Value>, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let models = shared.blocking(|core| core.gateway().of_type("application/x-gguf", crate::limits::PAGE_MAX)).await?;
    let models: Vec<Value> = models
        .iter()
        .map(|model| {
            let name = model.tags.get("Name").unwrap_or_default();
            json!({ "id": model.id, "owner": model.owner, "name": name, "bytes": model.data_length })
        })
        .collect();
    Ok(Json(json!({ "models": models })))
}

async fn find(shared: &Shared, id: ao::Id) -> Result<Stored, HttpError> {
    let stored = shared.blocking(move |core| core.gateway().find(&id)).await?;
    stored.ok_or_else(|| HttpError::not_found(format!("there is no data {id} on this node")))
}

async fn stream(shared: &Shared, stored: &Stored, start: u64, length: u64) -> Result<Response, HttpError> {
    let download = one_more(&shared.downloads, "downloads")?;
    let failed = |error: std::io::Error| HttpError::internal(format!("the data could not be read: {error}"));
    let mut file = tokio::fs::File::open(&stored.data_path).await.map_err(failed)?;
    file.seek(SeekFrom::Start(stored.data_offset + start)).await.map_err(failed)?;
    let pieces = ReaderStream::with_capacity(file.take(length), FILE_PIECE_BYTES);
    // The permit lives as long as the stream that holds it.
    let held = futures_util::StreamExt::map(pieces, move |piece| {
        let _ = &download;
        piece
    });
    Ok(Body::from_stream(held).into_response())
}

fn set(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What a range asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    /// From the first byte up to, and not with, the second.
    Part(u64, u64),
    /// A part that is not there.
    Nothing,
}

/// Reads a header `Range`. Several ranges at once, and other units, are answered with the whole, as HTTP allows.
fn range(value: &HeaderValue, total: u64) -> Wanted {
    let Some(text) = value.to_str().ok().and_then(|text| text.strip_prefix("bytes=")) else { return Wanted::Whole };
    let Some((first, last)) = text.split_once('-').filter(|_| !text.contains(',')) else { return Wanted::Whole };
    let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(start), Ok(last)) if start <= last => (start, last.saturating_add(1).min(total)),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, total),
        (Err(_), Ok(suffix)) if first.trim().is_empty() && suffix > 0 => (total.saturating_sub(suffix), total),
        (Err(_), Ok(0)) if first.trim().is_empty() => return Wanted::Nothing,
        _ => return Wanted::Whole,
    };
    if start >= total { Wanted::Nothing } else { Wanted::Part(start, end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_at_their_edges() {
        for (text, total, wanted) in [
            ("bytes=0-0", 10, Wanted::Part(0, 1)),
            ("bytes=0-", 10, Wanted::Part(0, 10)),
            ("bytes=9-9", 10, Wanted::Part(9, 10)),
            ("bytes=5-99", 10, Wanted::Part(5, 10)),
            ("bytes=-3", 10, Wanted::Part(7, 10)),
            ("bytes=-99", 10, Wanted::Part(0, 10)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=18446744073709551615-", 10, Wanted::Nothing),
            ("bytes=5-2", 10, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
        ] {
            assert_eq!(range(&HeaderValue::from_static(text), total), wanted, "{text}");
        }
    }
}
