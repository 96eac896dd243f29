//! What clients of Arweave ask a gateway or an upload service beside data: its state, and prices, which are nothing here.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::error::HttpError;
use super::extract::PathId;
use super::limits::BLOCKS_BACK_MAX;
use super::state::Shared;
use crate::clock::Clock;
use crate::gateway::block_id;
use crate::limits::BLOCK_MS;

/// `GET /info`: the state of the network, which is this node alone. A block is a height and a time.
pub(crate) async fn information(State(shared): State<Shared>) -> Json<Value> {
    let height = Clock::block_height_at(shared.core.clock().now_ms());
    Json(json!({
        "network": "aobench", "version": 1, "release": 1, "height": height, "current": block_id(height),
        "blocks": height + 1, "peers": 0, "queue_length": 0, "node_state_latency": 0,
        "addresses": [shared.core.address()], "freeUploadLimitBytes": shared.core.gateway().item_bytes_max(),
    }))
}

/// `GET /block/current`: the block of now.
pub(crate) async fn current_block(State(shared): State<Shared>) -> Json<Value> {
    Json(block(height_now(&shared)))
}

/// `GET /block/height/{height}`: a block that has come.
pub(crate) async fn block_at(
    State(shared): State<Shared>,
    Path(height): Path<String>,
) -> Result<Json<Value>, HttpError> {
    let now = height_now(&shared);
    let height = height.parse().ok().filter(|height| *height <= now);
    let text = format!("there is no such block: the path ends in a height from 0 to {now}, which is that of now");
    height.map(|height| Json(block(height))).ok_or_else(|| HttpError::not_found(text))
}

/// `GET /block/hash/{id}`: a block of the last weeks by its id.
pub(crate) async fn block_of(State(shared): State<Shared>, PathId(id): PathId) -> Result<Json<Value>, HttpError> {
    let now = height_now(&shared);
    let found = (0..=now).rev().take(BLOCKS_BACK_MAX as usize).find(|height| block_id(*height) == id);
    let text = format!("the last {BLOCKS_BACK_MAX} blocks of this node have no {id}");
    found.map(|height| Json(block(height))).ok_or_else(|| HttpError::not_found(text))
}

fn height_now(shared: &Shared) -> u64 {
    Clock::block_height_at(shared.core.clock().now_ms())
}

/// A block as Arweave's nodes show it. There is no chain: it is a height and a time, and holds no transactions.
fn block(height: u64) -> Value {
    json!({
        "indep_hash": block_id(height), "previous_block": block_id(height.saturating_sub(1)), "height": height,
        "timestamp": height * BLOCK_MS / 1000, "txs": [], "tags": [], "block_size": 0, "weave_size": 0,
    })
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
