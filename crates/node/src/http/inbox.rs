//! `/inbox/{address}`: what processes sent to a wallet, as pages or as a stream of events.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use ao::Id;

use super::compute_unit::wait;
use super::error::HttpError;
use super::extract::{PathId, QueryOf};
use super::limits::{PAGE_DEFAULT, READ_STEP, RESPONSE_BYTES_MAX, RESULT_WAIT};
use super::state::{Shared, one_more};
use super::wire;
use crate::core::InboxPage;

/// The query of an inbox.
#[derive(Debug, Deserialize)]
pub(crate) struct InboxQuery {
    from: Option<u64>,
    limit: Option<usize>,
    wait: Option<u64>,
}

/// A page, waited for if it would be empty; with `Accept: text/event-stream` all messages from there on, as they come.
pub(crate) async fn inbox(
    State(shared): State<Shared>,
    PathId(address): PathId,
    QueryOf(query): QueryOf<InboxQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let from = query.from.unwrap_or(0);
    let waiting = one_more(&shared.waiting, "waiting requests")?;
    if headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream")) {
        return Ok(events(shared, address, from, waiting));
    }
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    let page = shared.unless_stopping(shared.core.inbox(&address, from, limit, wait(query.wait))).await;
    let page = page.unwrap_or_else(|| Ok(InboxPage { messages: Vec::new(), next: from }))?;
    Ok(Json(body(&page, from)).into_response())
}

/// A page as JSON, cut where it would be too large.
fn body(page: &InboxPage, from: u64) -> Value {
    let (mut messages, mut bytes, mut next) = (Vec::new(), 0, from);
    for message in &page.messages {
        bytes += message.data.len() + 256;
        if bytes > RESPONSE_BYTES_MAX && !messages.is_empty() {
            break;
        }
        next = message.slot + 1;
        messages.push(wire::inbox_message(message));
    }
    json!({ "messages": messages, "next": next })
}

/// One event for each message, its id the slot, so that a browser that reconnects says where it was.
fn events(shared: Shared, address: Id, from: u64, waiting: tokio::sync::OwnedSemaphorePermit) -> Response {
    let begin = (shared, from, Vec::<ao::Message>::new(), waiting);
    let events = stream::unfold(begin, move |(shared, mut from, mut ready, waiting)| async move {
        while ready.is_empty() {
            let page = shared.unless_stopping(shared.core.inbox(&address, from, READ_STEP, RESULT_WAIT)).await?.ok()?;
            from = page.next;
            ready = page.messages;
            ready.reverse();
        }
        let message = ready.pop()?;
        let event = Event::default().id(message.slot.to_string()).data(wire::inbox_message(&message).to_string());
        Some((Ok::<_, Infallible>(event), (shared, from, ready, waiting)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
