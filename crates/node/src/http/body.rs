//! Reading the body of a request: not too slow, not too much of it, and never more in memory than was set aside for it.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::Instant;

use super::error::{HttpError, item_too_large};
use super::limits::{BODY_BYTES_PER_SECOND_MIN, DISCARDED_BYTES_MAX, STANDSTILL};
use super::state::{Shared, one_more};

/// Bytes in which body memory is counted: a semaphore counts in u32.
const UNIT_BYTES: usize = 1024;

/// The pieces of a body, or the reason why they ended early: the connection broke, stood still, or was slower than is
/// waited for.
pub(crate) fn pieces(body: Body) -> impl Stream<Item = Result<Bytes, String>> + Unpin + Send {
    let begin = (body.into_data_stream(), Instant::now(), 0_u64);
    Box::pin(stream::try_unfold(begin, |(mut data, started, received)| async move {
        let piece = match tokio::time::timeout(STANDSTILL, data.next()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(format!("the connection failed: {error}")),
            Err(_) => return Err(format!("nothing came for {} s", STANDSTILL.as_secs())),
        };
        let received = received + piece.len() as u64;
        let seconds = started.elapsed().as_secs();
        if seconds > STANDSTILL.as_secs() && received < seconds * BODY_BYTES_PER_SECOND_MIN {
            return Err(format!("it came slower than {BODY_BYTES_PER_SECOND_MIN} bytes a second"));
        }
        Ok(Some((piece, (data, started, received))))
    }))
}

/// The whole body of a message, at most `bytes_max`.
pub(crate) async fn whole(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Vec<u8>, HttpError> {
    let stated = content_length(headers)?;
    let expected = stated.and_then(|stated| usize::try_from(stated).ok()).unwrap_or(bytes_max).min(bytes_max);
    let units = u32::try_from(expected / UNIT_BYTES + 1).unwrap_or(u32::MAX);
    let _memory = shared.bodies.try_acquire_many(units).map_err(|_| HttpError::busy("bodies in memory"))?;
    let mut pieces = pieces(body);
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(broken)?;
        if whole.len() + piece.len() > bytes_max {
            let received = whole.len() + piece.len();
            drop(whole);
            discard(&mut pieces).await;
            let bytes = stated.and_then(|stated| usize::try_from(stated).ok()).unwrap_or(received);
            return Err(item_too_large(bytes).into());
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The whole body of a request that is worked on while it is read, and then may have to wait.
pub(crate) async fn of_request(
    shared: &Shared,
    request: Request<Body>,
    bytes_max: usize,
) -> Result<Vec<u8>, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let (parts, body) = request.into_parts();
    whole(shared, &parts.headers, body, bytes_max).await
}

/// Reads on for a while without keeping anything: a sender that is still sending does not read the answer.
pub(crate) async fn discard(pieces: &mut (impl Stream<Item = Result<Bytes, String>> + Unpin)) {
    let mut discarded = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        discarded += piece.len();
        if discarded > DISCARDED_BYTES_MAX {
            return;
        }
    }
}

/// The stated length of the body, if one is stated.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, HttpError> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    match value.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(length) => Ok(Some(length)),
        None => Err(HttpError::bad_request("bad-length", "the header Content-Length is not a number")),
    }
}

fn broken(reason: String) -> HttpError {
    HttpError::new(StatusCode::REQUEST_TIMEOUT, "truncated", format!("the request broke off ({reason}); send it again"))
}
