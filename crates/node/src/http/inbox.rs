//! `/inbox/{address}`: what processes sent to a wallet, as pages or as a stream of events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use ao::Id;

use super::error::HttpError;
use super::extract::{PathId, QueryOf};
use super::limits::{PAGE_DEFAULT, READ_STEP, RESPONSE_BYTES_MAX, RESULT_WAIT};
use super::state::{Shared, one_more};
use super::wire::{InboxAnswer, InboxEntry};
use crate::core::InboxPage;
use crate::limits::PAGE_MAX;

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
    if wants_events(&headers) {
        let from = last_event(&headers).map_or(from, |slot| slot.saturating_add(1));
        return Ok(events(shared, address, from, waiting));
    }
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let wait = Duration::from_secs(query.wait.unwrap_or(0)).min(RESULT_WAIT);
    let page = shared.unless_stopping(shared.core.inbox(&address, from, limit, wait)).await;
    // A node that stops answers that nothing came; the next question finds nobody, and is asked again.
    let page = page.unwrap_or_else(|| Ok(InboxPage { messages: Vec::new(), next: from, end: from }))?;
    Ok(Json(answer(page)).into_response())
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The slot of the last event that a listener had before it lost the connection.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// A page, cut where it would be too large.
fn answer(page: InboxPage) -> InboxAnswer {
    let InboxPage { messages, mut next, end } = page;
    let (mut entries, mut bytes) = (Vec::with_capacity(messages.len()), 0);
    for message in messages {
        if bytes > RESPONSE_BYTES_MAX {
            next = message.slot;
            break;
        }
        bytes += message.data.len() + 1024;
        entries.push(InboxEntry::from(message));
    }
    InboxAnswer { messages: entries, next, end }
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
        let event = event(ready.pop()?.into());
        Some((Ok::<_, Infallible>(event), (shared, from, ready, waiting)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn event(entry: InboxEntry) -> Event {
    let event = Event::default().id(entry.slot.to_string());
    // These entries always become JSON; if one did not, its listener would see an event without data.
    match serde_json::to_string(&entry) {
        Ok(json) => event.data(json),
        Err(_) => event,
    }
}
