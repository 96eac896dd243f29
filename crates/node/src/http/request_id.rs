//! A number for each request, in the log of the node and in its answer, so that the two can be put side by side.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument as _;

/// The header of the number.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The next number; it begins anew with each start of the program.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Numbers a request and writes it into the log with its outcome.
pub(super) async fn number(request: Request, next: Next) -> Response {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let span = tracing::debug_span!("request", id, method = %request.method(), path = %request.uri().path());
    let started = Instant::now();
    let answered = async {
        let response = next.run(request).await;
        let milliseconds = started.elapsed().as_millis() as u64;
        tracing::debug!(status = response.status().as_u16(), milliseconds, "answered");
        response
    };
    let mut response = answered.instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, HeaderValue::from(id));
    response
}
