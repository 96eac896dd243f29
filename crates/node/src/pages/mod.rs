//! The pages of the node: documents made on the server, with nothing loaded from elsewhere and no script.

mod board;
mod competitor;
mod format;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use serde::de::DeserializeOwned;

use ao::{Id, Message, Tags};

use self::board::{Leaderboard, Pool};
use crate::http::error::HttpError;
use crate::http::extract::PathId;
use crate::http::state::Shared;

/// The one style sheet.
const STYLE: &str = include_str!("../../templates/style.css");

/// The process of the genesis that keeps the pools.
const BENCHMARK: &str = "benchmark";

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    node: Id,
    pools: Vec<Pool>,
    benchmark: Option<Id>,
}

#[derive(Template)]
#[template(path = "pool.html")]
struct PoolPage {
    board: Leaderboard,
}

/// The home page: the pools.
pub(crate) async fn home(shared: &Shared) -> Result<Response, HttpError> {
    let benchmark = shared.core.genesis().get(BENCHMARK).copied();
    let pools = match benchmark {
        Some(benchmark) => ask(shared, benchmark, "Get-Pools", String::new()).await?,
        None => Vec::new(),
    };
    page(&HomePage { node: shared.core.address(), pools, benchmark })
}

/// `GET /pool/{pool}`: a pool with its leaderboard and payouts.
pub(crate) async fn pool(State(shared): State<Shared>, PathId(pool): PathId) -> Result<Response, HttpError> {
    let benchmark = shared.core.genesis().get(BENCHMARK).copied();
    let benchmark = benchmark.ok_or_else(|| HttpError::not_found("this node has no benchmark process"))?;
    let board = ask(&shared, benchmark, "Leaderboard", pool.to_string()).await?;
    page(&PoolPage { board })
}

/// `GET /style.css`.
pub(crate) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")], STYLE).into_response()
}

fn page(template: &impl Template) -> Result<Response, HttpError> {
    match template.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => Err(HttpError::internal(format!("the page could not be made: {error}"))),
    }
}

/// What a process answers to a reading action.
async fn ask<T: DeserializeOwned>(shared: &Shared, process: Id, action: &str, data: String) -> Result<T, HttpError> {
    let tags = Tags::new().with("Action", action);
    let message = Message::dry_run(Id::default(), process, tags, data);
    let effects = shared.dry_run(&process, message).await?.map_err(HttpError::not_found)?;
    if let Some(error) = effects.output.error {
        return Err(HttpError::not_found(error));
    }
    serde_json::from_str(&effects.output.data)
        .map_err(|error| HttpError::internal(format!("the process answered what the page cannot show: {error}")))
}
