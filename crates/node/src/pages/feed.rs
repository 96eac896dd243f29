//! What other programs follow: a feed of new pools and results, and the description of the JSON.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::board::Pool;
use super::face::{Caller, rendered, text};
use super::format::time_of_feeds;
use super::home;
use crate::http::error::HttpError;
use crate::http::state::{Shared, one_more};

/// The description of every page's JSON, OpenAPI 3.1.
const OPENAPI: &str = include_str!("../../templates/openapi.json");

/// Items of the feed.
const ITEMS_MAX: usize = 30;

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    origin: String,
    items: Vec<Item>,
}

struct Item {
    title: String,
    text: String,
    pool: ao::Id,
    /// What makes an item of its own of one event of one pool.
    event: &'static str,
    time_ms: u64,
}

impl Item {
    fn date(&self) -> String {
        time_of_feeds(self.time_ms)
    }
}

/// `GET /feed.rss`.
pub(crate) async fn feed(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let caller = Caller::of(&headers);
    let feed = rss(&shared, &caller.origin).await;
    caller.answer(feed)
}

async fn rss(shared: &Shared, origin: &str) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let mut items: Vec<Item> = home::newest(shared, "").await?.iter().map(opened).collect();
    items.extend(home::newest(shared, "Settled,Refunded").await?.iter().map(ended));
    items.sort_by_key(|item| std::cmp::Reverse(item.time_ms));
    items.truncate(ITEMS_MAX);
    let feed = Feed { origin: origin.to_owned(), items };
    Ok(text("application/rss+xml; charset=utf-8", "max-age=60", rendered(&feed)?))
}

fn opened(pool: &Pool) -> Item {
    let text = format!("{} on {}, {} questions.", pool.funds(), pool.dataset_title(), pool.questions);
    Item { title: format!("New pool: {}", pool.title()), text, pool: pool.id, event: "opened", time_ms: pool.created }
}

fn ended(pool: &Pool) -> Item {
    let text = match &pool.leader {
        _ if pool.status == "Refunded" => format!("{} went back to the funder. {}", pool.funds(), pool.reason()),
        Some(leader) => format!("{} leads with {}, {}.", leader.name(), leader.score(), leader.interval()),
        None => "No entry was complete.".to_owned(),
    };
    Item { title: format!("Result: {}", pool.title()), text, pool: pool.id, event: "ended", time_ms: pool.end }
}

/// `GET /openapi.json`.
pub(crate) async fn openapi() -> Response {
    text("application/json", "max-age=3600", OPENAPI)
}
