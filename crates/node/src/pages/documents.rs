//! The page of a set of documents: what it is, whose, how far its vectors are, and where it competes; and the list of all sets,
//! on which a new one can be created.

use ao::Id;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use processes::knowledge::limits::{CONTENT_BYTES_MAX, DOCUMENTS_PER_DATASET_MAX, LIST_BYTES_MAX, META_BYTES_MAX};
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

/// What fits into a set, said before anything is sent.
pub(super) struct SetLimits {
    pub(super) documents: usize,
    pub(super) content_bytes: usize,
    pub(super) meta_bytes: usize,
    pub(super) list_bytes: usize,
}

impl SetLimits {
    pub(super) const ALL: Self = Self {
        documents: DOCUMENTS_PER_DATASET_MAX,
        content_bytes: CONTENT_BYTES_MAX,
        meta_bytes: META_BYTES_MAX,
        list_bytes: LIST_BYTES_MAX,
    };

    /// In words.
    pub(super) fn sentence(&self) -> String {
        let size = |count: usize| bytes(count as u64);
        let Self { documents, content_bytes, list_bytes, .. } = self;
        let (content, list) = (size(*content_bytes), size(*list_bytes));
        format!("At most {documents} documents of at most {content} each, and {list} in all.")
    }
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

    fn limits(&self) -> SetLimits {
        SetLimits::ALL
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
    let knowledge = knowledge(shared, query).await?;
    let asked = action("Get-Datasets").with("Dataset-Hash", &hash);
    let found = ask(shared, knowledge, asked, String::new()).await?;
    let about = ask(shared, knowledge, action("Info"), String::new()).await?;
    let entries = of_benchmark(shared, "Get-Entries", "Model", &hash).await;
    show::<DocumentsPage>(
        form,
        json!({ "set": found.data[0], "knowledge": knowledge, "about": *about.data, "entries": entries }),
    )
}

/// The process that is asked for. Whoever follows a link sends documents only to what is made for them.
async fn knowledge(shared: &Shared, query: &SetsQuery) -> Result<Id, HttpError> {
    let Some(process) = &query.knowledge else { return named(shared, "knowledge") };
    let id = parse_id(process)?;
    let found = shared.blocking(move |core| core.process(&id)).await?;
    if found.module == "knowledge" {
        return Ok(id);
    }
    Err(HttpError::not_found(format!("{id} keeps no documents: it runs the module '{}'", found.module)))
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
    let knowledge = knowledge(shared, query).await?;
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
