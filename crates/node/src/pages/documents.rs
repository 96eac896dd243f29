//! The page of a set of documents: what it is, whose, how far its vectors are, and where it competes; and the list of all sets.

use ao::Id;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{action, ask, ask_if_it_can, named};
use super::competitor::Competitor;
use super::face::{Caller, Form, show};
use super::format::{address, bytes, model, percent, process, reason, when};
use super::people::of_benchmark;
use super::placed::Placed;
use crate::http::error::{HttpError, quoted};
use crate::http::extract::{QueryOf, parse_id};
use crate::http::state::{Shared, one_more};

/// Sets on one page.
const SETS_SHOWN: usize = 50;

/// At which knowledge process, and which part of its list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SetsQuery {
    /// The process; the one of the genesis if it is left out.
    knowledge: Option<String>,
    #[serde(default)]
    from: u64,
}

/// A set of documents as its knowledge process tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct DocumentSet {
    dataset_hash: String,
    digest: String,
    owner: Id,
    documents: u64,
    embedded: u64,
    pending: u64,
    failed: u64,
    bytes: u64,
    created_ms: u64,
    #[serde(default)]
    failures: Vec<Failure>,
}

/// A document that has no vector.
#[derive(Debug, Deserialize)]
struct Failure {
    number: u64,
    reason: String,
}

/// The knowledge process.
#[derive(Debug, Deserialize)]
struct About {
    title: String,
    model: Option<Id>,
    file_hash: Option<String>,
    dimensions: Option<u64>,
    documents: u64,
    pending: u64,
    datasets: u64,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "documents.html")]
struct DocumentsPage {
    set: DocumentSet,
    knowledge: Id,
    about: About,
    entries: Vec<Placed>,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "sets.html")]
struct SetsPage {
    knowledge: Id,
    about: About,
    sets: Vec<DocumentSet>,
    from: u64,
    next: Option<u64>,
}

impl DocumentSet {
    fn short(&self) -> String {
        self.dataset_hash.chars().take(8).collect()
    }

    fn owner(&self) -> String {
        address(self.owner)
    }

    fn size(&self) -> String {
        bytes(self.bytes)
    }

    fn created(&self) -> String {
        when(self.created_ms)
    }

    /// How far its vectors are, in words.
    pub(super) fn vectors(&self) -> String {
        let some = |count: u64, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
        let (pending, failed) = (some(self.pending, "wait for theirs"), some(self.failed, "failed"));
        format!("{} of {} documents have one{pending}{failed}", self.embedded, self.documents)
    }

    pub(super) fn count(&self) -> u64 {
        self.documents
    }

    /// Whether it is still the list that has this digest.
    pub(super) fn is_list(&self, digest: &str) -> bool {
        self.digest == digest
    }
}

impl Failure {
    fn reason(&self) -> String {
        reason(&self.reason)
    }
}

impl About {
    fn title(&self) -> String {
        super::format::name(&self.title)
    }

    fn model(&self) -> String {
        self.model.map(model).unwrap_or_default()
    }

    fn pending_share(&self) -> String {
        percent(self.pending as f64 / self.documents.max(1) as f64)
    }
}

impl DocumentsPage {
    fn process(&self) -> String {
        process(self.knowledge)
    }
}

impl SetsPage {
    fn process(&self) -> String {
        process(self.knowledge)
    }
}

/// A set by its name; null if there is none.
pub(super) async fn set(shared: &Shared, knowledge: Id, hash: &str) -> Value {
    let asked = action("Get-Datasets").with("Dataset-Hash", hash);
    let mut found = ask_if_it_can(shared, knowledge, asked, String::new()).await;
    found.get_mut(0).map(Value::take).unwrap_or_default()
}

/// `GET /documents/{hash}`, also as `.json`.
pub(crate) async fn documents(
    State(shared): State<Shared>,
    Path(asked): Path<String>,
    QueryOf(query): QueryOf<SetsQuery>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    caller.answer(one(&shared, &caller, &asked, &query).await)
}

async fn one(shared: &Shared, caller: &Caller, asked: &str, query: &SetsQuery) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let (hash, form) = caller.name_and_form(asked)?;
    let Competitor::Documents(hash) = hash.parse()? else {
        let text = format!("'{}' is no hash of a set of documents: 40 hexadecimal digits", quoted(hash));
        return Err(HttpError::bad_request("bad-hash", text));
    };
    let knowledge = knowledge(shared, query)?;
    let asked = action("Get-Datasets").with("Dataset-Hash", &hash);
    let found = ask(shared, knowledge, asked, String::new()).await?;
    let about = ask(shared, knowledge, action("Info"), String::new()).await?;
    let entries = of_benchmark(shared, "Get-Entries", "Model", &hash).await;
    show::<DocumentsPage>(
        form,
        json!({ "set": found.data[0], "knowledge": knowledge, "about": *about.data, "entries": entries }),
    )
}

fn knowledge(shared: &Shared, query: &SetsQuery) -> Result<Id, HttpError> {
    match &query.knowledge {
        Some(process) => parse_id(process),
        None => named(shared, "knowledge"),
    }
}

/// `GET /documents`.
pub(crate) async fn list(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<SetsQuery>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    let form = caller.form();
    caller.answer(all(&shared, form, &query).await)
}

/// `GET /documents.json`.
pub(crate) async fn list_as_json(State(shared): State<Shared>, QueryOf(query): QueryOf<SetsQuery>) -> Response {
    Caller::of(&HeaderMap::new()).answer(all(&shared, Form::Json, &query).await)
}

async fn all(shared: &Shared, form: Form, query: &SetsQuery) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let knowledge = knowledge(shared, query)?;
    let asked = action("Get-Datasets").with("From-Id", query.from.to_string()).with("Limit", SETS_SHOWN.to_string());
    let sets = ask(shared, knowledge, asked, String::new()).await?;
    let about = ask(shared, knowledge, action("Info"), String::new()).await?;
    let rows = sets.data.as_array().map(Vec::as_slice).unwrap_or_default();
    let next = rows.last().filter(|_| rows.len() == SETS_SHOWN).map(|last| last["id"].clone());
    show::<SetsPage>(
        form,
        json!({
            "knowledge": knowledge, "about": *about.data, "sets": *sets.data, "from": query.from, "next": next,
        }),
    )
}
