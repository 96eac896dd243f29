//! Uploads in parts over HTTP, in the words of Turbo: begun with a GET, parts posted by their offset, then finalized.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use serde_json::{Value, json};

use ao::Id;

use super::body;
use super::error::HttpError;
use super::extract::parse_id;
use super::gateway::receipt;
use super::limits::PART_BYTES_MAX;
use super::state::{Shared, one_more};
use crate::gateway::PartStatus;

/// What stands in the place of an id that there is none of yet.
const NONE_YET: &str = "-1";

/// Who pays with which token is of no concern here; then the id, and what is asked of it.
type Parts = Path<(String, String, String)>;

/// `GET /v1/chunks/{token}/-1/-1` begins an upload; `GET /v1/chunks/{token}/{id}/status` says how far it is.
pub(crate) async fn begin_or_status(
    State(shared): State<Shared>,
    Path((_token, id, asked)): Parts,
) -> Result<Json<Value>, HttpError> {
    if id == NONE_YET {
        let id = shared.blocking(|core| core.gateway().begin_parts()).await?;
        return Ok(Json(json!({ "id": id, "min": 1, "max": PART_BYTES_MAX, "chunkSize": PART_BYTES_MAX })));
    }
    let id = parse_id(&id)?;
    if asked != "status" {
        return Err(HttpError::not_found("of an upload in parts its status can be asked: …/status"));
    }
    let status = shared.blocking(move |core| core.gateway().part_status(&id)).await?;
    Ok(Json(match status {
        PartStatus::Open => json!({ "status": "ASSEMBLING" }),
        PartStatus::Finished(stored) => json!({ "status": "FINALIZED", "receipt": receipt(&shared, &stored) }),
    }))
}

/// `POST /v1/chunks/{token}/{id}/{offset}`: a part; `…/finalize`: all parts are there.
pub(crate) async fn put_or_finalize(
    State(shared): State<Shared>,
    Path((_token, id, asked)): Parts,
    request: Request<Body>,
) -> Result<Json<Value>, HttpError> {
    let id = parse_id(&id)?;
    if asked == "finalize" {
        return finalize(&shared, id).await;
    }
    let offset: u64 = asked
        .parse()
        .map_err(|_| HttpError::bad_request("bad-number", "the path of a part ends in its offset, or in 'finalize'"))?;
    let _upload = one_more(&shared.uploads, "uploads")?;
    let (parts, body) = request.into_parts();
    let bytes = body::whole(&shared, &parts.headers, body, PART_BYTES_MAX).await?;
    shared.blocking(move |core| core.gateway().put_part(&id, offset, &bytes)).await?;
    Ok(Json(json!({})))
}

async fn finalize(shared: &Shared, id: Id) -> Result<Json<Value>, HttpError> {
    let _upload = one_more(&shared.uploads, "uploads")?;
    let stored = shared.core.gateway().finish_parts(id, shared.core.clock().now_ms()).await?;
    Ok(Json(receipt(shared, &stored)))
}
