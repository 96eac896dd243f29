//! Reads of what a process publishes, as HyperBEAM answers `now/<path>` and `compute/<path>`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use ao::Id;

use super::error::{HttpError, quoted};
use super::state::Shared;

/// What a path ends in when the answer is to be JSON.
const AS_JSON: &str = "serialize~json@1.0";

/// Keys between `now` and a value, at most.
pub(super) const KEYS_MAX: usize = 16;

/// The value at a path: a text as it is, anything else as JSON.
pub(super) async fn read(shared: &Shared, process: Id, keys: &[String]) -> Result<Response, HttpError> {
    let (keys, as_json) = match keys.split_last() {
        Some((last, keys)) if last == AS_JSON => (keys, true),
        _ => (keys, false),
    };
    let found = shared.core.published(&process, keys).await?;
    let path = quoted(&keys.join("/"));
    let nothing = || HttpError::not_found(format!("the process {process} publishes nothing at '{path}'"));
    Ok(match found.ok_or_else(nothing)? {
        Value::String(text) if !as_json => text.into_response(),
        value => Json(value).into_response(),
    })
}
