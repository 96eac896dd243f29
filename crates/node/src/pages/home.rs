//! The home page: the pools that are open, that are being settled, and that have ended; the money in all of them; a
//! search.

use ao::{Id, Quantity};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{action, ask, named};
use super::board::Pool;
use super::face::{Caller, Form, show};
use super::format::{column, money, when};
use crate::http::error::HttpError;
use crate::http::extract::QueryOf;
use crate::http::state::{Shared, one_more};

/// Pools of a section on the home page, and of a section alone.
const POOLS_SHOWN: usize = 25;
const POOLS_SHOWN_ALONE: usize = 100;

/// Characters of a search.
const SEARCH_CHARS_MAX: usize = 64;

/// The sections: name, title, the statuses in it.
const SECTIONS: [(&str, &str, &str); 3] = [
    ("open", "Open", "Opening,Open"),
    ("closing", "Being settled", "Closed,Settling"),
    ("ended", "Ended", "Settled,Refunded"),
];

/// What can be asked of the list of pools.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PoolsQuery {
    #[serde(default)]
    search: String,
    section: Option<String>,
    before: Option<u32>,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "home.html")]
pub(super) struct HomePage {
    node: Id,
    benchmark: Option<Id>,
    now_ms: u64,
    search: String,
    overview: Option<Overview>,
    sections: Vec<Section>,
}

#[derive(Debug, Deserialize)]
struct Overview {
    entries: u64,
    in_escrow: Quantity,
    paid: Quantity,
}

#[derive(Debug, Deserialize)]
struct Section {
    name: String,
    title: String,
    pools: Vec<Pool>,
    next: Option<String>,
}

impl Overview {
    fn in_escrow(&self) -> String {
        money(self.in_escrow)
    }

    fn paid(&self) -> String {
        money(self.paid)
    }
}

impl HomePage {
    fn search_encoded(&self) -> String {
        percent_encoding::utf8_percent_encode(&self.search, percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    fn now(&self) -> String {
        when(self.now_ms)
    }

    fn is_empty(&self) -> bool {
        self.sections.iter().all(|section| section.pools.is_empty())
    }
}

impl Section {
    /// Its pools, each with its prize.
    fn rows(&self) -> Vec<(&Pool, String)> {
        let prizes: Vec<Quantity> = self.pools.iter().map(|pool| pool.funds).collect();
        self.pools.iter().zip(column(&prizes, false)).collect()
    }

    /// Whether its pools go on, so that the time that is left is of interest.
    fn is_open(&self) -> bool {
        self.name == "open"
    }
}

/// `GET /`, for a browser, and `GET /pools`.
pub(crate) async fn home(
    State(shared): State<Shared>,
    headers: HeaderMap,
    QueryOf(query): QueryOf<PoolsQuery>,
) -> Response {
    let caller = Caller::of(&headers);
    let form = caller.form();
    caller.answer(page(&shared, form, query).await)
}

/// `GET /pools.json`.
pub(crate) async fn as_json(State(shared): State<Shared>, QueryOf(query): QueryOf<PoolsQuery>) -> Response {
    Caller::of(&HeaderMap::new()).answer(page(&shared, Form::Json, query).await)
}

async fn page(shared: &Shared, form: Form, query: PoolsQuery) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    show::<HomePage>(form, data(shared, query).await?)
}

async fn data(shared: &Shared, query: PoolsQuery) -> Result<Value, HttpError> {
    let benchmark = shared.core.genesis().get("benchmark").copied();
    let search: String = query.search.trim().chars().take(SEARCH_CHARS_MAX).collect();
    let mut overview = Value::Null;
    let mut sections = Vec::new();
    if let Some(benchmark) = benchmark {
        let asked =
            SECTIONS.iter().filter(|(name, ..)| query.section.as_deref().is_none_or(|section| section == *name));
        let asked = asked.map(|section| pools_of(shared, benchmark, *section, &search, &query));
        // At once: a process that is at work lets each question wait, and all of them no longer than one.
        let (of_all, of_each) = tokio::join!(
            ask(shared, benchmark, action("Get-Overview"), String::new()),
            futures_util::future::try_join_all(asked),
        );
        overview = Value::clone(&of_all?.data);
        sections = of_each?;
    }
    Ok(json!({
        "node": shared.core.address(), "benchmark": benchmark, "now_ms": shared.core.clock().now_ms(),
        "search": search, "overview": overview, "sections": sections,
    }))
}

/// The pools of a section.
async fn pools_of(
    shared: &Shared,
    benchmark: Id,
    (name, title, statuses): (&str, &str, &str),
    search: &str,
    query: &PoolsQuery,
) -> Result<Value, HttpError> {
    let is_alone = query.section.is_some();
    let limit = if is_alone { POOLS_SHOWN_ALONE } else { POOLS_SHOWN };
    let mut tags = action("Get-Pools").with("Status", statuses).with("Limit", limit.to_string());
    if !search.is_empty() {
        tags.push("Search", search);
    }
    if let Some(before) = query.before.filter(|_| is_alone) {
        tags.push("Cursor", before.to_string());
    }
    let answer = ask(shared, benchmark, tags, String::new()).await?;
    Ok(json!({ "name": name, "title": title, "pools": *answer.data, "next": answer.cursor }))
}

/// The newest pools, for the feed.
pub(super) async fn newest(shared: &Shared, statuses: &str) -> Result<Vec<Pool>, HttpError> {
    let benchmark = named(shared, "benchmark")?;
    let tags = action("Get-Pools").with("Status", statuses).with("Limit", POOLS_SHOWN.to_string());
    let answer = ask(shared, benchmark, tags, String::new()).await?;
    super::face::read(Value::clone(&answer.data))
}
