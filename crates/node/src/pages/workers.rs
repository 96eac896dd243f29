//! The page of the herd: who works, how much, how fast, and what failed.

use ao::{Id, Quantity};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{action, ask, named};
use super::face::{Caller, Form, show};
use super::format::{address, money, name, reason, span, when};
use crate::http::error::HttpError;
use crate::http::state::{Shared, one_more};

#[derive(Debug, Deserialize, Template)]
#[template(path = "workers.html")]
struct WorkersPage {
    herder: Id,
    now_ms: u64,
    about: About,
    workers: Vec<Worker>,
}

#[derive(Debug, Deserialize)]
struct About {
    fee_per_token: Option<Quantity>,
    lease_seconds: u64,
    workers_open: bool,
    workers: u64,
    capacity: u64,
    prompts_in_flight: u64,
    jobs_waiting: u64,
    prompts_waiting: u64,
    fees_held: Option<Quantity>,
    #[serde(default)]
    failed_jobs: Vec<FailedJob>,
}

#[derive(Debug, Deserialize)]
struct FailedJob {
    job: u64,
    requester: Id,
    model: String,
    attempts: u64,
    reason: String,
    failed_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Worker {
    address: Id,
    active: bool,
    #[serde(default)]
    types: Vec<String>,
    capacity: u64,
    workload: u64,
    seen_ms: u64,
    resting_until_ms: u64,
    jobs_done: u64,
    jobs_failed: u64,
    leases_expired: u64,
    answers_refused: u64,
    prompts_done: u64,
    #[serde(default)]
    tokens_done: u64,
    busy_ms: u64,
    earned: Quantity,
}

impl WorkersPage {
    fn now(&self) -> String {
        when(self.now_ms)
    }
}

impl About {
    fn fee(&self) -> String {
        self.fee_per_token.map_or_else(|| "none".to_owned(), money)
    }

    fn held(&self) -> String {
        self.fees_held.map(money).unwrap_or_default()
    }
}

impl FailedJob {
    fn requester(&self) -> String {
        address(self.requester)
    }

    fn model(&self) -> String {
        self.model.parse::<Id>().map_or_else(|_| name(&self.model), Id::short)
    }

    fn reason(&self) -> String {
        reason(&self.reason)
    }

    fn failed(&self) -> String {
        when(self.failed_ms)
    }
}

impl Worker {
    fn address(&self) -> String {
        address(self.address)
    }

    fn types(&self) -> String {
        name(&self.types.join(", "))
    }

    fn seen(&self, now_ms: u64) -> String {
        format!("{} ago", span(now_ms.saturating_sub(self.seen_ms)))
    }

    fn stands(&self, now_ms: u64) -> &'static str {
        match (self.active, self.resting_until_ms > now_ms) {
            (false, _) => "away",
            (true, true) => "resting after failures",
            (true, false) if self.workload > 0 => "at work",
            (true, false) => "ready",
        }
    }

    /// So many a second of the time for which it had a lease.
    fn rate(&self, count: u64) -> String {
        if self.busy_ms == 0 || count == 0 {
            return String::new();
        }
        format!("{:.1}", count as f64 * 1000.0 / self.busy_ms as f64)
    }

    fn prompts_a_second(&self) -> String {
        self.rate(self.prompts_done)
    }

    fn tokens_a_second(&self) -> String {
        self.rate(self.tokens_done)
    }

    fn earned(&self) -> String {
        money(self.earned)
    }
}

/// `GET /workers`.
pub(crate) async fn workers(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let caller = Caller::of(&headers);
    let form = caller.form();
    caller.answer(page(&shared, form).await)
}

/// `GET /workers.json`.
pub(crate) async fn as_json(State(shared): State<Shared>) -> Response {
    Caller::of(&HeaderMap::new()).answer(page(&shared, Form::Json).await)
}

async fn page(shared: &Shared, form: Form) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let herder = named(shared, "herder")?;
    let about = ask(shared, herder, action("Info"), String::new()).await?;
    let workers = ask(shared, herder, action("Worker-Statistic"), String::new()).await?;
    let data = json!({
        "herder": herder, "now_ms": shared.core.clock().now_ms(), "about": *about.data,
        "workers": workers.data.get("workers").cloned().unwrap_or(Value::Array(Vec::new())),
    });
    show::<WorkersPage>(form, data)
}
