//! Reading the body of a request: not too slow, not too much of it, and never more in memory than was set aside for it.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::SemaphorePermit;
use tokio::time::{Duration, Instant};

use super::error::{HttpError, item_too_large};
use super::limits::{BODY_BYTES_PER_SECOND_MIN, BODY_WAIT, DISCARDED_BYTES_MAX, STANDSTILL};
use super::state::{Shared, one_more};

/// Bytes in which body memory is counted: a semaphore counts in u32.
const UNIT_BYTES: usize = 1024;

/// The pieces of a body, or the reason why they ended early: the connection broke, stood still, or brought less than
/// `bytes_per_second_min` over a while. Only the time counts in which the sender is waited for.
pub(crate) fn pieces(
    body: Body,
    bytes_per_second_min: u64,
) -> impl Stream<Item = Result<Bytes, String>> + Unpin + Send {
    let begin = (body.into_data_stream(), Duration::ZERO, 0_u64);
    Box::pin(stream::try_unfold(begin, move |(mut data, waited, received)| async move {
        let asked = Instant::now();
        let piece = match tokio::time::timeout(STANDSTILL, data.next()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(format!("the connection failed: {error}")),
            Err(_) => return Err(format!("nothing came for {} s", STANDSTILL.as_secs())),
        };
        let (waited, received) = (waited + asked.elapsed(), received + piece.len() as u64);
        if waited < STANDSTILL {
            return Ok(Some((piece, (data, waited, received))));
        }
        // Anew for each while: what came fast at first must not pay for hours of nearly nothing.
        if received < waited.as_secs() * bytes_per_second_min {
            return Err(format!("it came slower than {bytes_per_second_min} bytes a second"));
        }
        Ok(Some((piece, (data, Duration::ZERO, 0))))
    }))
}

/// Memory for a body, set aside as its bytes come: what is only announced takes nothing from others.
struct Memory<'a> {
    shared: &'a Shared,
    held: Option<SemaphorePermit<'a>>,
    units: usize,
}

impl Memory<'_> {
    /// Sets aside what so many bytes in all need.
    fn cover(&mut self, bytes: usize) -> Result<(), HttpError> {
        let units = bytes / UNIT_BYTES + 1;
        let more = u32::try_from(units.saturating_sub(self.units)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let permit = self.shared.bodies.try_acquire_many(more).map_err(|_| HttpError::busy("bodies in memory"))?;
        match &mut self.held {
            Some(held) => held.merge(permit),
            held => *held = Some(permit),
        }
        self.units = units;
        Ok(())
    }
}

/// The whole body of a message, at most `bytes_max`.
pub(crate) async fn whole(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Vec<u8>, HttpError> {
    let stated = content_length(headers)?;
    let mut memory = Memory { shared, held: None, units: 0 };
    let end = Instant::now() + BODY_WAIT;
    let mut pieces = pieces(body, BODY_BYTES_PER_SECOND_MIN);
    let mut whole = Vec::new();
    loop {
        let piece = match tokio::time::timeout_at(end, pieces.next()).await {
            Ok(Some(piece)) => piece.map_err(broken)?,
            Ok(None) => return Ok(whole),
            Err(_) => return Err(broken(format!("it was not whole after {} s", BODY_WAIT.as_secs()))),
        };
        if whole.len() + piece.len() > bytes_max {
            let received = whole.len() + piece.len();
            drop((whole, memory));
            discard(&mut pieces).await;
            let bytes = stated.and_then(|stated| usize::try_from(stated).ok()).unwrap_or(received);
            return Err(item_too_large(bytes).into());
        }
        memory.cover(whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
    }
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
