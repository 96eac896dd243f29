//! The scheduler unit of AO: time, processes, schedules with their signed assignments.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::HttpError;
use super::extract::{OfProcess, PathId, QueryOf};
use super::limits::{PAGE_DEFAULT, RESPONSE_BYTES_MAX};
use super::state::{Shared, one_more};
use super::wire;
use crate::clock::Clock;
use crate::error::ReadError;

/// `GET /timestamp?process-id=`: the time of the node.
pub(crate) async fn timestamp(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<OfProcess>,
) -> Result<Json<Value>, HttpError> {
    if let Some(process) = query.optional_id()? {
        shared.core.process(&process)?;
    }
    let now_ms = shared.core.clock().now_ms();
    let height = Clock::block_height_at(now_ms);
    Ok(Json(json!({ "timestamp": now_ms.to_string(), "block_height": format!("{height:012}") })))
}

/// `GET /processes/{process}`: the item that spawned it.
pub(crate) async fn process(State(shared): State<Shared>, PathId(process): PathId) -> Result<Json<Value>, HttpError> {
    let record = shared.blocking(move |core| core.records(&process, 0, 1)).await?.into_iter().next();
    let record = record.ok_or(ReadError::UnknownProcess(process))?;
    let message = record.message;
    Ok(Json(json!({
        "process_id": process, "block": format!("{:012}", message.block_height), "owner": { "address": message.owner },
        "tags": message.tags, "timestamp": message.timestamp_ms, "data": wire::data(&message.data),
        "anchor": message.anchor,
    })))
}

/// `GET /{process}/latest`: the last record of its schedule.
pub(crate) async fn latest(State(shared): State<Shared>, PathId(process): PathId) -> Result<Json<Value>, HttpError> {
    let head = shared.core.process(&process)?.head;
    let record = shared.blocking(move |core| core.records(&process, head, 1)).await?.into_iter().next();
    let record = record.ok_or(ReadError::UnknownProcess(process))?;
    Ok(Json(wire::scheduled(&record)))
}

/// The query of a schedule. AO's scheduler unit pages by time (`from`, `to`) or by slot (`from-nonce`, `to-nonce`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ScheduleQuery {
    from: Option<u64>,
    to: Option<u64>,
    from_nonce: Option<u64>,
    to_nonce: Option<u64>,
    limit: Option<usize>,
}

/// `GET /{id}?process-id=`: of a message its place; of a process its schedule.
pub(crate) async fn schedule(
    shared: &Shared,
    id: ao::Id,
    process: ao::Id,
    query: ScheduleQuery,
) -> Result<Json<Value>, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    if id != process {
        let unknown = ReadError::UnknownMessage { process, message: id };
        shared.core.process(&process)?;
        let found = shared
            .blocking(move |core| match core.slot_of(&process, &id)? {
                Some(slot) => Ok::<_, ReadError>(core.records(&process, slot, 1)?.into_iter().next()),
                None => Ok(None),
            })
            .await?;
        return Ok(Json(wire::scheduled(&found.ok_or(unknown)?)));
    }
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, crate::limits::PAGE_MAX);
    let by_nonce = query.from_nonce.is_some() || query.to_nonce.is_some();
    let first = match (query.from_nonce, query.from) {
        (Some(nonce), _) => nonce,
        (None, Some(from_ms)) => shared.blocking(move |core| core.slot_at(&process, from_ms)).await?,
        (None, None) => 0,
    };
    let records = shared.blocking(move |core| core.records(&process, first, limit + 1)).await?;
    let mut has_next_page = records.len() > limit;
    let (mut edges, mut bytes) = (Vec::new(), 0);
    for record in records.iter().take(limit) {
        let place = &record.assignment;
        let over =
            query.to_nonce.is_some_and(|to| place.slot > to) || query.to.is_some_and(|to| place.timestamp_ms > to);
        let cursor = if by_nonce { place.slot } else { place.timestamp_ms };
        let edge = json!({ "node": wire::scheduled(record), "cursor": cursor.to_string() });
        bytes += edge.to_string().len();
        if over {
            has_next_page = false;
            break;
        }
        if bytes > RESPONSE_BYTES_MAX && !edges.is_empty() {
            has_next_page = true;
            break;
        }
        edges.push(edge);
    }
    Ok(Json(json!({ "page_info": { "has_next_page": has_next_page }, "edges": edges })))
}
