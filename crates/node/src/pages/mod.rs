//! The pages of the node: documents made on the server from what processes answer, with nothing loaded from elsewhere,
//! and readable without script. Each page has its data as JSON at the same path.

mod ask;
mod assets;
mod board;
mod card;
mod competitor;
mod dataset;
mod documents;
mod entry;
mod explorer;
mod face;
mod feed;
mod format;
mod fund;
mod head;
mod home;
mod judge;
mod judged;
mod people;
mod picture;
mod placed;
mod pool;
mod retrieval;
mod rules;
#[cfg(test)]
mod tests;
mod whole_board;
mod workers;

use axum::Router;
use axum::routing::get;

pub(crate) use ask::Answers;
pub(crate) use home::{PoolsQuery, home};

use crate::http::state::Shared;

/// The addresses of the pages. `/` is not among them: programs find AO's scheduler unit there.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/pools", get(home::home))
        .route("/pools.json", get(home::as_json))
        .route("/index.json", get(home::as_json))
        .route("/fund", get(fund::fund))
        .route("/pool/{pool}", get(pool::pool))
        .route("/pool/{pool}/join", get(pool::join))
        .route("/pool/{pool}/events", get(pool::events))
        .route("/pool/{pool}/badge.svg", get(pool::badge))
        .route("/pool/{pool}/card.png", get(pool::card))
        .route("/pool/{pool}/entry/{model}", get(entry::entry))
        .route("/dataset/{dataset}", get(dataset::dataset))
        .route("/documents", get(documents::list))
        .route("/documents.json", get(documents::list_as_json))
        .route("/documents/{hash}", get(documents::documents))
        .route("/judge", get(judge::judge))
        .route("/judge.json", get(judge::as_json))
        .route("/model/{model}", get(people::model_page))
        .route("/address/{address}", get(people::address_page))
        .route("/workers", get(workers::workers))
        .route("/workers.json", get(workers::as_json))
        .route("/explorer", get(explorer::processes))
        .route("/explorer.json", get(explorer::as_json))
        .route("/explorer/{process}", get(explorer::slots))
        .route("/explorer/{process}/{slot}", get(explorer::message))
        .route("/message/{id}", get(explorer::find))
        .route("/feed.rss", get(feed::feed))
        .route("/openapi.json", get(feed::openapi))
        .route("/style.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .route("/script/{name}", get(assets::script))
}
