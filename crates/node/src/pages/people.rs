//! The pages of a model (everywhere it ran) and of an address (what it has, entered, funded and was paid).

use ao::{Id, Quantity};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{action, ask_if_it_can, named};
use super::board::{Payout, Pool};
use super::face::{Caller, show};
use super::format::{address, bytes, money, name, parameters};
use super::placed::Placed;
use crate::gateway::GatewayError;
use crate::http::error::HttpError;
use crate::http::state::{Shared, one_more};

#[derive(Debug, Deserialize, Template)]
#[template(path = "model.html")]
struct ModelPage {
    id: Id,
    upload: Option<Upload>,
    entries: Vec<Placed>,
}

/// The file that was uploaded.
#[derive(Debug, Deserialize)]
struct Upload {
    owner: Id,
    name: String,
    bytes: u64,
    kind: String,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "address.html")]
struct AddressPage {
    id: Id,
    process: Option<Named>,
    balance: Option<Quantity>,
    entries: Vec<Placed>,
    payouts: Vec<Payout>,
    pools: Vec<Pool>,
    now_ms: u64,
}

/// A process of this node.
#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    module: String,
}

impl Named {
    fn name(&self) -> String {
        name(&self.name)
    }

    fn module(&self) -> String {
        name(&self.module)
    }
}

impl Upload {
    fn name(&self) -> String {
        name(&self.name)
    }

    fn owner(&self) -> String {
        address(self.owner)
    }

    fn size(&self) -> String {
        bytes(self.bytes)
    }

    fn kind(&self) -> String {
        name(&self.kind)
    }
}

impl ModelPage {
    fn title(&self) -> String {
        let uploaded = self.upload.as_ref().map(Upload::name);
        let entered = self.entries.first().map(Placed::name);
        let title = uploaded.filter(|name| !name.trim().is_empty()).or(entered);
        title.unwrap_or_else(|| format!("Model {}", self.id.short()))
    }

    /// What its file holds, as the node found it when it was entered.
    fn file(&self) -> Option<(String, String, &str)> {
        let entry = self.entries.iter().find(|entry| !entry.content_hash.is_empty())?;
        Some((name(&entry.architecture), parameters(entry.parameters), entry.content_hash.as_str()))
    }
}

impl AddressPage {
    fn title(&self) -> String {
        match &self.process {
            Some(process) => format!("Process {}", process.name()),
            None => format!("Address {}", self.id.short()),
        }
    }

    fn balance(&self) -> String {
        self.balance.map(money).unwrap_or_default()
    }
}

impl Payout {
    /// Where its pool is.
    fn of_pool(&self) -> String {
        let link = |pool: Id| format!("<a class=\"id\" href=\"/pool/{pool}\" title=\"{pool}\">{}</a>", pool.short());
        self.pool.map(link).unwrap_or_default()
    }
}

/// `GET /model/{model}`, also as `.json`.
pub(crate) async fn model_page(
    State(shared): State<Shared>,
    Path(asked): Path<String>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    let page = async {
        let _request = one_more(&shared.requests, "requests")?;
        let (id, form) = caller.id_and_form(&asked)?;
        let entries = of_benchmark(&shared, "Get-Entries", "Model", &id.to_string()).await;
        let upload = shared.blocking::<_, GatewayError>(move |core| core.gateway().find(&id)).await?;
        if upload.is_none() && entries.as_array().is_none_or(Vec::is_empty) {
            return Err(HttpError::not_found(format!("there is no model {id} on this node")));
        }
        let upload = upload.map(|upload| {
            json!({
                "owner": upload.owner, "name": upload.tags.get("Name").unwrap_or_default(),
                "bytes": upload.data_length, "kind": upload.content_type(),
            })
        });
        show::<ModelPage>(form, json!({ "id": id, "upload": upload, "entries": entries }))
    };
    let page = page.await;
    caller.answer(page)
}

/// `GET /address/{address}`, also as `.json`.
pub(crate) async fn address_page(
    State(shared): State<Shared>,
    Path(asked): Path<String>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    let page = async {
        let _request = one_more(&shared.requests, "requests")?;
        let (id, form) = caller.id_and_form(&asked)?;
        let process = shared.blocking(move |core| core.process(&id)).await.ok();
        let process =
            process.map(|process| json!({ "name": process.name.unwrap_or_default(), "module": process.module }));
        let balance = match named(&shared, "token") {
            Ok(token) => {
                let tags = action("Balance").with("Recipient", id.to_string());
                // A balance of few digits reads like a number, and is a text.
                json!(super::dataset::quantity(&ask_if_it_can(&shared, token, tags, String::new()).await))
            }
            Err(_) => Value::Null,
        };
        let text = id.to_string();
        let data = json!({
            "id": id, "process": process, "balance": balance,
            "entries": of_benchmark(&shared, "Get-Entries", "Participant", &text).await,
            "payouts": of_benchmark(&shared, "Get-Payouts", "Participant", &text).await,
            "pools": of_benchmark(&shared, "Get-Pools", "Funder", &text).await,
            "now_ms": shared.core.clock().now_ms(),
        });
        show::<AddressPage>(form, data)
    };
    let page = page.await;
    caller.answer(page)
}

/// What the benchmark process has of somebody; an empty list where there is no such process.
pub(super) async fn of_benchmark(shared: &Shared, asked: &str, name: &str, value: &str) -> Value {
    let Ok(benchmark) = named(shared, "benchmark") else { return json!([]) };
    let found = ask_if_it_can(shared, benchmark, action(asked).with(name, value), String::new()).await;
    if found.is_array() { found } else { json!([]) }
}
