//! The page of a dataset in which documents compete: how its hidden questions are asked and judged, and the results of all
//! sets in all pools.

use ao::Id;
use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::ask::{action, ask};
use super::board::Pool;
use super::dataset::pools_on;
use super::face::{Form, show};
use super::format::{process, when};
use super::head::Head;
use super::placed::Placed;
use crate::http::error::HttpError;
use crate::http::state::Shared;

/// Entries on one page.
const ENTRIES_SHOWN: usize = 50;

#[derive(Debug, Deserialize, Template)]
#[template(path = "retrieval.html")]
struct RetrievalPage {
    id: Id,
    about: About,
    entries: Vec<Placed>,
    pools: Option<Vec<Pool>>,
    now_ms: u64,
    from: u64,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct About {
    #[serde(flatten)]
    head: Head,
    points: u64,
    entries: u64,
    shown: bool,
    judge_protocol: String,
    judges: u64,
    documents: u64,
    herder: Id,
    knowledge: Id,
}

impl RetrievalPage {
    fn counts(&self) -> String {
        let About { head, entries, shown, .. } = &self.about;
        let questions = if *shown { "questions" } else { "hidden questions" };
        let sets = if *entries == 1 { "set of documents" } else { "sets of documents" };
        format!("{} {questions} · {entries} {sets}", head.questions)
    }

    fn now(&self) -> String {
        when(self.now_ms)
    }

    fn process(&self) -> String {
        process(self.id)
    }

    fn herder(&self) -> String {
        process(self.about.herder)
    }
}

/// The page in one of its forms; entries before the one with the number `from`, if it is not 0.
pub(super) async fn page(shared: &Shared, id: Id, form: Form, from: u64) -> Result<Response, HttpError> {
    let about = ask(shared, id, action("Info"), String::new()).await?;
    let (mut entries, mut next) = (json!([]), None);
    if let Some(benchmark) = shared.core.genesis().get("benchmark") {
        let asked = action("Get-Entries").with("Dataset", id.to_string()).with("Limit", ENTRIES_SHOWN.to_string());
        let asked = if from > 0 { asked.with("Cursor", from.to_string()) } else { asked };
        let found = ask(shared, *benchmark, asked, String::new()).await?;
        (entries, next) = (found.data.as_ref().clone(), found.cursor);
    }
    let data = json!({
        "id": id, "about": *about.data, "entries": entries, "pools": pools_on(shared, id).await,
        "now_ms": shared.core.clock().now_ms(), "from": from, "next": next,
    });
    show::<RetrievalPage>(form, data)
}
