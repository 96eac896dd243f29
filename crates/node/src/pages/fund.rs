//! The page on which a pool is funded: what a funder decides, as a form, and the datasets that there are to choose from.

use ao::Id;
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::ask::{action, ask_or_last_if_it_can, named};
use super::face::{Caller, html};
use super::format::name;
use crate::core::{Core, ProcessSummary};
use crate::http::error::HttpError;
use crate::http::extract::{QueryOf, parse_id};
use crate::http::state::{Shared, one_more};

/// Datasets to choose from; one that a link names is always there.
const DATASETS_SHOWN: usize = 100;

/// Where a funder comes from.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct FundQuery {
    dataset: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "fund.html")]
struct FundPage {
    token: Id,
    benchmark: Id,
    datasets: Vec<Offered>,
}

/// A dataset that a pool can be funded on.
#[derive(Debug)]
struct Offered {
    id: Id,
    /// Nothing if it cannot say; it is offered all the same.
    about: Option<About>,
    is_chosen: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    title: String,
    questions: u64,
    competitors: String,
    /// Whether everybody knows the questions of a contest of documents.
    shown: bool,
}

impl Offered {
    fn title(&self) -> String {
        let title = name(self.about.as_ref().map_or("", |about| &about.title));
        if title.trim().is_empty() { "Dataset".to_owned() } else { title }
    }

    /// What there is to it, in a few words.
    fn description(&self) -> String {
        let Some(About { questions, competitors, shown, .. }) = &self.about else { return "not known now".to_owned() };
        let many = if *questions == 1 { "question" } else { "questions" };
        match (questions, competitors.as_str()) {
            (0, _) => "no questions yet".to_owned(),
            _ if *shown => "its questions were shown to everybody".to_owned(),
            (_, "documents") => format!("{questions} {many} for sets of documents"),
            _ => format!("{questions} {many}"),
        }
    }

    /// Whether a pool on it would not be refused at once.
    fn is_open(&self) -> bool {
        self.about.as_ref().is_none_or(|about| about.questions > 0 && !about.shown)
    }
}

/// `GET /fund`.
pub(crate) async fn fund(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<FundQuery>,
    headers: HeaderMap,
) -> Response {
    let page = page(&shared, &query).await;
    Caller::of(&headers).answer(page)
}

async fn page(shared: &Shared, query: &FundQuery) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let (token, benchmark) = (named(shared, "token")?, named(shared, "benchmark")?);
    let chosen = query.dataset.as_deref().map(parse_id).transpose()?;
    let processes = shared.blocking(Core::processes).await?;
    let is_dataset = |process: &ProcessSummary| ["dataset", "retrieval"].contains(&process.module.as_str());
    let mut ids: Vec<Id> = processes.iter().filter(|process| is_dataset(process)).map(|process| process.id).collect();
    ids.sort_by_key(|id| Some(*id) != chosen);
    ids.truncate(DATASETS_SHOWN);
    let offered = ids.into_iter().map(async |id| {
        let about = ask_or_last_if_it_can(shared, id, action("Info"), String::new()).await;
        Offered { id, about: serde_json::from_value(about).ok(), is_chosen: Some(id) == chosen }
    });
    html(&FundPage { token, benchmark, datasets: futures_util::future::join_all(offered).await })
}
