//! What clients of Arweave ask a gateway or an upload service beside data: its state, and prices, which are nothing here.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::error::HttpError;
use super::state::Shared;
use crate::clock::Clock;
use crate::gateway::block_id;

/// `GET /info`: the state of the network, which is this node alone. A block is a height and a time.
pub(crate) async fn information(State(shared): State<Shared>) -> Json<Value> {
    let height = Clock::block_height_at(shared.core.clock().now_ms());
    Json(json!({
        "network": "aobench", "version": 1, "release": 1, "height": height, "current": block_id(height),
        "blocks": height + 1, "peers": 0, "queue_length": 0, "node_state_latency": 0,
        "addresses": [shared.core.address()], "freeUploadLimitBytes": shared.core.gateway().item_bytes_max(),
    }))
}

/// `GET /tx_anchor`: a text that a layer-1 transaction would be anchored to.
pub(crate) async fn anchor(State(shared): State<Shared>) -> String {
    block_id(Clock::block_height_at(shared.core.clock().now_ms())).to_string()
}

/// `GET /price/{bytes}`: what storing costs, in winston: nothing.
pub(crate) async fn price(Path(bytes): Path<String>) -> Result<&'static str, HttpError> {
    number(&bytes).map(|_| "0")
}

/// `GET /price/{bytes}/{target}`: the same.
pub(crate) async fn price_to(Path((bytes, _target)): Path<(String, String)>) -> Result<&'static str, HttpError> {
    number(&bytes).map(|_| "0")
}

/// `GET /v1/price/bytes/{bytes}`: the same in the words of Turbo.
pub(crate) async fn turbo_price(Path(bytes): Path<String>) -> Result<Json<Value>, HttpError> {
    number(&bytes).map(|_| Json(json!({ "winc": "0", "adjustments": [], "fees": [] })))
}

fn number(text: &str) -> Result<u64, HttpError> {
    text.parse().map_err(|_| HttpError::bad_request("bad-number", "the path ends in a number of bytes"))
}
