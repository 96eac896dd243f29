//! The page of a dataset in which documents compete: how its hidden questions are asked and judged, and the results of all
//! sets in all pools.

use ao::Id;
use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::ask::{action, ask, ask_if_it_can};
use super::board::Pool;
use super::face::{Form, show};
use super::format::{address, name, process, when};
use super::placed::Placed;
use crate::http::error::HttpError;
use crate::http::state::Shared;

/// Entries and pools on one page.
const ENTRIES_SHOWN: usize = 50;
const POOLS_SHOWN: usize = 20;

#[derive(Debug, Deserialize, Template)]
#[template(path = "retrieval.html")]
struct RetrievalPage {
    id: Id,
    about: About,
    entries: Vec<Placed>,
    pools: Vec<Pool>,
    now_ms: u64,
    from: u64,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct About {
    title: String,
    license: String,
    synthetic: bool,
    questions: u64,
    points: u64,
    entries: u64,
    frozen: bool,
    shown: bool,
    content_hash: Option<String>,
    protocol: String,
    judge_protocol: String,
    judges: u64,
    documents: u64,
    herder: Id,
    knowledge: Id,
    owner: Id,
}

impl RetrievalPage {
    fn title(&self) -> String {
        let title = name(&self.about.title);
        if title.trim().is_empty() { format!("Questions {}", self.id.short()) } else { title }
    }

    fn now(&self) -> String {
        when(self.now_ms)
    }

    fn license(&self) -> String {
        let license = name(&self.about.license);
        if license.trim().is_empty() { "not stated".to_owned() } else { license }
    }

    fn owner(&self) -> String {
        address(self.about.owner)
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
    let (mut entries, mut pools, mut next) = (json!([]), json!([]), None);
    if let Some(benchmark) = shared.core.genesis().get("benchmark") {
        let of_dataset = |asked: &str| action(asked).with("Dataset", id.to_string());
        let mut asked = of_dataset("Get-Entries").with("Limit", ENTRIES_SHOWN.to_string());
        if from > 0 {
            asked.push("Cursor", from.to_string());
        }
        let found = ask(shared, *benchmark, asked, String::new()).await?;
        (entries, next) = (found.data.as_ref().clone(), found.cursor);
        let asked = of_dataset("Get-Pools").with("Limit", POOLS_SHOWN.to_string());
        pools = ask_if_it_can(shared, *benchmark, asked, String::new()).await;
    }
    let data = json!({
        "id": id, "about": *about.data, "entries": entries, "pools": pools,
        "now_ms": shared.core.clock().now_ms(), "from": from, "next": next,
    });
    show::<RetrievalPage>(form, data)
}
