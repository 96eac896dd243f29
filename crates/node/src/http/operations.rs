//! For those who run the node: health, figures, processes, names.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, header::ACCEPT};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::HttpError;
use super::extract::QueryOf;
use super::state::Shared;
use crate::core::Core;
use crate::pages;

/// `GET /healthz`.
pub(crate) async fn health(State(shared): State<Shared>) -> Response {
    match shared.core.health() {
        Ok(()) => Json(json!({ "status": "ok", "address": shared.core.address() })).into_response(),
        Err(reason) => HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "unhealthy", reason).into_response(),
    }
}

/// `GET /metrics`, as Prometheus reads it.
pub(crate) async fn metrics(State(shared): State<Shared>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], shared.core.metrics().render()).into_response()
}

/// `GET /processes`.
pub(crate) async fn processes(State(shared): State<Shared>) -> Result<Json<Value>, HttpError> {
    let processes = shared.blocking(Core::processes).await?;
    let processes: Vec<Value> = processes
        .iter()
        .map(|process| {
            json!({
                "id": process.id, "name": process.name.as_deref().unwrap_or_default(), "module": process.module,
                "owner": process.owner, "head": process.head, "applied": process.applied.unwrap_or(0),
                "stopped": process.stopped,
            })
        })
        .collect();
    Ok(Json(json!({ "processes": processes })))
}

/// `GET /genesis`: the processes that the node began with, by name.
pub(crate) async fn genesis(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.core.genesis()))
}

/// `GET /~meta@1.0/info/address`: the address of the node's key, as plain text.
pub(crate) async fn address(State(shared): State<Shared>) -> String {
    shared.core.address().to_string()
}

/// `GET /`: the home page for a browser; for a program what AO's scheduler unit says of itself.
pub(crate) async fn home(
    state: State<Shared>,
    headers: HeaderMap,
    query: QueryOf<pages::PoolsQuery>,
) -> Result<Response, HttpError> {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return Ok(pages::home(state, headers, query).await);
    }
    let State(shared) = state;
    let now_ms = shared.core.clock().now_ms();
    Ok(Json(json!({ "timestamp": now_ms, "address": shared.core.address() })).into_response())
}
