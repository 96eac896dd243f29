//! The compute unit of AO: results and dry-runs. Every answer is JSON, errors too.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Value, json};

use ao::limits::ITEM_BYTES_MAX;

use super::body;
use super::error::HttpError;
use super::extract::{OfProcess, PathId, QueryOf};
use super::limits::{RESPONSE_BYTES_MAX, RESULT_WAIT, RESULTS_DEFAULT};
use super::state::{Shared, one_more};
use super::wire::{self, Cursor, DryRun};
use crate::core::ResultRange;

/// `GET /result/{message}?process-id=`: the result of a message, waited for until it is carried out.
pub(crate) async fn result(
    State(shared): State<Shared>,
    PathId(message): PathId,
    QueryOf(query): QueryOf<OfProcess>,
) -> Result<Json<Value>, HttpError> {
    let process = query.id()?;
    let _waiting = one_more(&shared.waiting, "waiting requests")?;
    let result = shared.unless_stopping(shared.core.result(&process, &message, RESULT_WAIT)).await;
    match result {
        Some(result) => Ok(Json(wire::result(&result?.outcome))),
        None => Err(HttpError::busy("requests, because it stops,")),
    }
}

/// The query of `/results`.
#[derive(Debug, Deserialize)]
pub(crate) struct ResultsQuery {
    from: Option<String>,
    to: Option<String>,
    sort: Option<String>,
    limit: Option<usize>,
}

/// `GET /results/{process}?from&to&sort&limit`: results in order. Messages that were not carried out are left out, as in
/// AO; they are found by their id.
pub(crate) async fn results(
    State(shared): State<Shared>,
    PathId(process): PathId,
    QueryOf(query): QueryOf<ResultsQuery>,
) -> Result<Json<Value>, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let descending = query.sort.as_deref().is_some_and(|sort| sort.eq_ignore_ascii_case("DESC"));
    let limit = query.limit.unwrap_or(RESULTS_DEFAULT).clamp(1, crate::limits::PAGE_MAX);
    let range = ResultRange {
        from_slot_exclusive: cursor(query.from.as_deref())?,
        to_slot: cursor(query.to.as_deref())?,
        // One more tells whether there is a next page.
        limit: limit + 1,
        descending,
    };
    let mut results = shared.blocking(move |core| core.results(&process, range)).await?;
    let mut has_next_page = results.len() > limit;
    results.truncate(limit);
    let (mut edges, mut bytes) = (Vec::new(), 0);
    for result in results.iter().filter(|result| result.outcome.is_ok()) {
        let edge = json!({ "cursor": Cursor::of(result, descending).encode(), "node": wire::result(&result.outcome) });
        bytes += edge.to_string().len();
        if bytes > RESPONSE_BYTES_MAX && !edges.is_empty() {
            has_next_page = true;
            break;
        }
        edges.push(edge);
    }
    Ok(Json(json!({ "pageInfo": { "hasNextPage": has_next_page }, "edges": edges })))
}

/// The slot of a cursor; an empty one, which AO's clients send, is none.
fn cursor(text: Option<&str>) -> Result<Option<u64>, HttpError> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => match Cursor::slot(text) {
            Some(slot) => Ok(Some(slot)),
            None => Err(HttpError::bad_request("bad-cursor", "a cursor is what an earlier answer gave as 'cursor'")),
        },
    }
}

/// `POST /dry-run?process-id=`: what a process would answer to a message now, without any effect.
pub(crate) async fn dry_run(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<OfProcess>,
    request: Request<Body>,
) -> Result<Json<Value>, HttpError> {
    let process = query.id()?;
    let _request = one_more(&shared.requests, "requests")?;
    let (parts, body) = request.into_parts();
    let bytes = body::whole(&shared, &parts.headers, body, ITEM_BYTES_MAX).await?;
    let question: DryRun = serde_json::from_slice(&bytes)
        .map_err(|error| HttpError::bad_request("bad-dry-run", format!("the body is no dry-run in JSON: {error}")))?;
    let outcome = tokio::time::timeout(RESULT_WAIT, shared.core.dry_run(&process, question.message(process))).await;
    let outcome = outcome.map_err(|_| HttpError::busy("dry-runs"))??;
    Ok(Json(wire::result(&outcome)))
}

/// How long a page of an inbox may be waited for.
pub(crate) fn wait(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or(0)).min(RESULT_WAIT)
}
