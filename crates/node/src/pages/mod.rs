//! The pages of the node: documents made on the server, with nothing loaded from elsewhere and no script.

use askama::Template;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use ao::{Id, Message, MessageKind, Quantity, Tags};

use crate::http::error::HttpError;
use crate::http::extract::PathId;
use crate::http::state::Shared;

/// The one style sheet.
const STYLE: &str = include_str!("../../templates/style.css");
/// Decimals of wrapped AR, in which pools are funded.
const DENOMINATION: u32 = 12;

/// A pool as the benchmark process shows it.
#[derive(Debug, Clone, Deserialize)]
struct Pool {
    id: Id,
    #[serde(default)]
    title: String,
    dataset: Id,
    funder: Id,
    funds: Quantity,
    allocation: String,
    #[serde(default)]
    ties: String,
    #[serde(default)]
    metric: String,
    start: u64,
    end: u64,
    status: String,
    #[serde(default)]
    questions: u64,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    entries: u64,
    #[serde(default)]
    synthetic: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Line {
    rank: Option<u64>,
    model: Id,
    participant: Id,
    #[serde(default)]
    name: String,
    correct: u64,
    #[serde(default)]
    answered: u64,
    #[serde(default)]
    unparsed: u64,
    total: u64,
    score: f64,
    interval: [f64; 2],
    #[serde(default)]
    status: String,
    #[serde(default)]
    payout_if_ended: Option<Quantity>,
}

#[derive(Debug, Clone, Deserialize)]
struct Payout {
    rank: u64,
    participant: Id,
    quantity: Quantity,
    #[serde(default)]
    status: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Leaderboard {
    pool: Pool,
    leaderboard: Vec<Line>,
    #[serde(default)]
    payouts: Vec<Payout>,
}

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

impl Pool {
    fn funds(&self) -> String {
        money(self.funds)
    }

    fn opens(&self) -> String {
        time(self.start)
    }

    fn ends(&self) -> String {
        time(self.end)
    }
}

impl Line {
    fn score(&self) -> String {
        percent(self.score)
    }

    fn interval(&self) -> String {
        format!("{} to {}", percent(self.interval[0]), percent(self.interval[1]))
    }

    fn payout(&self) -> String {
        self.payout_if_ended.map_or_else(String::new, money)
    }
}

impl Payout {
    fn quantity(&self) -> String {
        money(self.quantity)
    }
}

fn money(quantity: Quantity) -> String {
    format!("{} wAR", quantity.to_decimal(DENOMINATION))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A time in UTC, to the minute, from the civil calendar (the algorithm of Howard Hinnant's `civil_from_days`).
fn time(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    let days = (minutes / 1440) as i64 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

/// The home page: the pools.
pub(crate) async fn home(shared: &Shared) -> Result<Response, HttpError> {
    let benchmark = shared.core.genesis().get("benchmark").copied();
    let pools = match benchmark {
        Some(benchmark) => ask(shared, benchmark, "Get-Pools", String::new()).await?,
        None => Vec::new(),
    };
    page(&HomePage { node: shared.core.address(), pools, benchmark })
}

/// `GET /pool/{pool}`: a pool with its leaderboard and payouts.
pub(crate) async fn pool(State(shared): State<Shared>, PathId(pool): PathId) -> Result<Response, HttpError> {
    let benchmark = shared.core.genesis().get("benchmark").copied();
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
    let message = Message {
        id: Id::default(),
        from: Id::default(),
        owner: Id::default(),
        target: process,
        kind: MessageKind::Item,
        slot: 0,
        timestamp_ms: 0,
        block_height: 0,
        pushed_for: Id::default(),
        anchor: String::new(),
        tags: Tags::new().with("Action", action),
        data: data.into_bytes(),
        read_only: true,
    };
    let effects = shared.core.dry_run(&process, message).await?.map_err(HttpError::not_found)?;
    if let Some(error) = effects.output.error {
        return Err(HttpError::not_found(error));
    }
    serde_json::from_str(&effects.output.data)
        .map_err(|error| HttpError::internal(format!("the process answered what the page cannot show: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (milliseconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_767_225_600_000, "2026-01-01 00:00 UTC"),
            (1_767_225_599_999, "2025-12-31 23:59 UTC"),
        ] {
            assert_eq!(time(milliseconds), text);
        }
    }
}
