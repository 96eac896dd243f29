//! The scheduler unit of AO: time, processes, schedules with their signed assignments.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use ao::Id;

use super::error::HttpError;
use super::extract::{OfProcess, PathId, QueryOf, parse_id};
use super::limits::{PAGE_DEFAULT, READ_STEP, RESPONSE_BYTES_MAX};
use super::state::{Shared, one_more};
use super::wire::{RecordAnswer, ScheduleAnswer, ScheduleEdge, SchedulePageInfo, ScheduledProcess, block_height};
use crate::clock::Clock;
use crate::core::{Core, Record};
use crate::error::ReadError;
use crate::limits::PAGE_MAX;

/// Which part of a schedule: AO's scheduler unit pages by time in milliseconds since 1970 (`from`, `to`) or by slot
/// (`from-nonce`, `to-nonce`). The part begins after `from` and ends with `to`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ScheduleQuery {
    process_id: Option<String>,
    from: Option<u64>,
    to: Option<u64>,
    from_nonce: Option<u64>,
    to_nonce: Option<u64>,
    limit: Option<usize>,
}

impl ScheduleQuery {
    /// The process whose schedule is asked for at the path `/{id}`, if one is: named, or by a part that is asked for, as
    /// aoconnect's `getMessages` does.
    pub(crate) fn process(&self, id: Id) -> Result<Option<Id>, HttpError> {
        let of_part = self.from.is_some() || self.to.is_some() || self.from_nonce.is_some() || self.to_nonce.is_some();
        let named = self.process_id.as_deref().map(parse_id).transpose()?;
        Ok(named.or(of_part.then_some(id)))
    }

    /// The first slot of the part.
    fn first_slot(&self, core: &Core, process: &Id) -> Result<u64, ReadError> {
        match (self.from_nonce, self.from) {
            (Some(nonce), _) => Ok(nonce.saturating_add(1)),
            (None, Some(from_ms)) => core.slot_at(process, from_ms.saturating_add(1)),
            (None, None) => Ok(0),
        }
    }

    /// Whether the part has ended before this record.
    fn ends_before(&self, record: &Record) -> bool {
        let place = &record.assignment;
        self.to_nonce.is_some_and(|to| place.slot > to) || self.to.is_some_and(|to| place.timestamp_ms > to)
    }

    /// Where to go on after a record, in the words in which the part was asked for.
    fn cursor(&self, record: &Record) -> String {
        let by_nonce = self.from_nonce.is_some() || self.to_nonce.is_some();
        let place = &record.assignment;
        if by_nonce { place.slot.to_string() } else { place.timestamp_ms.to_string() }
    }
}

/// `GET /timestamp?process-id=`: the time of the node.
pub(crate) async fn timestamp(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<OfProcess>,
) -> Result<Json<Value>, HttpError> {
    if let Some(process) = query.optional_id()? {
        shared.blocking(move |core| core.process(&process)).await?;
    }
    let now_ms = shared.core.clock().now_ms();
    let height = block_height(Clock::block_height_at(now_ms));
    Ok(Json(json!({ "timestamp": now_ms.to_string(), "block_height": height })))
}

/// `GET /processes/{process}`: the item that spawned it.
pub(crate) async fn process(
    State(shared): State<Shared>,
    PathId(process): PathId,
) -> Result<Json<ScheduledProcess>, HttpError> {
    let record = shared.blocking(move |core| record(core, &process, 0)).await?;
    Ok(Json(ScheduledProcess::of(record)))
}

/// `GET /{process}/latest`: the last record of its schedule.
pub(crate) async fn latest(
    State(shared): State<Shared>,
    PathId(process): PathId,
) -> Result<Json<RecordAnswer>, HttpError> {
    let latest = move |core: &Core| record(core, &process, core.process(&process)?.head);
    shared.blocking(latest).await.map(|record| Json(RecordAnswer::of(record)))
}

/// `GET /{id}?process-id=`: of a message its place; of a process its schedule.
pub(crate) async fn schedule(
    shared: &Shared,
    id: Id,
    process: Id,
    query: ScheduleQuery,
) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    if id == process {
        let page = shared.blocking(move |core| page(core, &process, &query)).await?;
        return Ok(Json(page).into_response());
    }
    let place = move |core: &Core| {
        core.process(&process)?;
        let unknown = ReadError::UnknownMessage { process, message: id };
        record(core, &process, core.slot_of(&process, &id)?.ok_or(unknown)?)
    };
    let record = shared.blocking(place).await?;
    Ok(Json(RecordAnswer::of(record)).into_response())
}

/// Reads until the page is full, by number or by bytes.
fn page(core: &Core, process: &Id, query: &ScheduleQuery) -> Result<ScheduleAnswer, ReadError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let mut slot = query.first_slot(core, process)?;
    let (mut edges, mut bytes) = (Vec::new(), 0);
    loop {
        // A step may have fewer records than asked for because they are large; only an empty one is the end.
        let step = core.records(process, slot, READ_STEP)?;
        if step.is_empty() {
            return Ok(answer(edges, false));
        }
        for record in step {
            if query.ends_before(&record) {
                return Ok(answer(edges, false));
            }
            if edges.len() >= limit || bytes > RESPONSE_BYTES_MAX {
                return Ok(answer(edges, true));
            }
            slot = record.assignment.slot + 1;
            let cursor = query.cursor(&record);
            let node = RecordAnswer::of(record);
            bytes += node.bytes();
            edges.push(ScheduleEdge { node, cursor });
        }
    }
}

fn answer(edges: Vec<ScheduleEdge>, has_next_page: bool) -> ScheduleAnswer {
    ScheduleAnswer { page_info: SchedulePageInfo { has_next_page }, edges }
}

fn record(core: &Core, process: &Id, slot: u64) -> Result<Record, ReadError> {
    core.records(process, slot, 1)?.into_iter().next().ok_or(ReadError::UnknownProcess(*process))
}
