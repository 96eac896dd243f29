//! What a knowledge process shows: itself, and its datasets with how far their vectors are.

use ao::Outgoing;
use rusqlite::Row;
use serde::Deserialize;
use serde_json::{Value, json};

use super::creating::Dataset;
use super::limits::{DATASETS_PAGE_MAX, FAILURES_SHOWN, REFERENCE_BYTES_MAX, RESULTS_BYTES_MAX, RESULTS_MAX};
use super::settings::bad;
use super::turn::Turn;
use super::{answers, creating, vectors};
use crate::payload::{quoted, required};
use crate::turn::fitting;
use crate::{Fault, Store};

/// Which part of a long answer is wanted.
#[derive(Debug, Default, Deserialize)]
struct Page {
    /// Only what comes after this number.
    #[serde(default)]
    from: u64,
    limit: Option<u64>,
    /// Only this dataset.
    dataset_hash: Option<String>,
}

/// How many documents of a dataset there are, have their vector, wait for it, and have none.
pub(super) fn progress(store: &Store<'_>, dataset: &Dataset) -> Result<Value, Fault> {
    let Dataset { id, hash, documents, .. } = dataset;
    let embedded = vectors::count(store, *id)?;
    let failed: u64 = store.value("SELECT count(*) FROM documents WHERE dataset = ? AND status = 'failed'", [id])?;
    let pending = documents - embedded - failed;
    Ok(json!({
        "dataset_hash": hash, "documents": documents, "embedded": embedded, "pending": pending, "failed": failed,
    }))
}

/// `Info`: what this process is.
pub(super) fn info(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = "SELECT count(*), coalesce(sum(status = 'embedded'), 0), coalesce(sum(status = 'failed'), 0)
               FROM documents";
    let counts = turn.store.first(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (documents, embedded, failed): (u64, u64, u64) = counts.unwrap_or_default();
    let datasets: u64 = turn.store.value("SELECT count(*) FROM datasets", [])?;
    let searches: u64 = turn.store.value("SELECT count(*) FROM searches", [])?;
    let info = json!({
        "name": turn.settings.title,
        "title": turn.settings.title,
        "herder": turn.settings.herder,
        "model": turn.settings.model.as_ref().map(|model| model.upload),
        "file_hash": turn.settings.model.as_ref().map(|model| &model.file_hash),
        "dimensions": answers::dimensions(turn)?,
        "datasets": datasets,
        "documents": documents,
        "embedded": embedded,
        "pending": documents - embedded - failed,
        "failed": failed,
        "searches": searches,
        "owner": turn.env.owner,
    });
    turn.answer("Info-Response", &info);
    Ok(())
}

/// `Get-Datasets`: the datasets, a page at a time, or the one that is named.
pub(super) fn datasets(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let page = page(turn);
    let (from, limit) = match &page.dataset_hash {
        Some(hash) => (creating::named(turn.store, hash)?.id - 1, 1),
        None => (i64::try_from(page.from).unwrap_or(i64::MAX), page.limit.unwrap_or(DATASETS_PAGE_MAX)),
    };
    let sql = "SELECT id, hash, digest, owner, documents, bytes, created_ms FROM datasets
               WHERE id > ? ORDER BY id LIMIT ?";
    let read = |row: &Row<'_>| Ok((Dataset::read(row)?, row.get::<_, u64>(5)?, row.get::<_, u64>(6)?));
    let mut datasets = Vec::new();
    for (known, bytes, created_ms) in turn.store.all(sql, (from, limit.clamp(1, DATASETS_PAGE_MAX)), read)? {
        let mut dataset = progress(turn.store, &known)?;
        dataset["id"] = known.id.into();
        dataset["digest"] = known.digest.into();
        dataset["owner"] = known.owner.into();
        dataset["bytes"] = bytes.into();
        dataset["created_ms"] = created_ms.into();
        dataset["failures"] = failures(turn, known.id)?;
        datasets.push(dataset);
    }
    turn.answer("Get-Datasets-Response", &Value::Array(datasets));
    Ok(())
}

/// `Get-Documents`: the documents of the dataset in the tag `Dataset-Hash` whose numbers stand in the tag `Numbers`, with commas
/// between, in that order; a number of which there is none is left out.
pub(super) fn documents(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let dataset = creating::named(turn.store, required(turn.message, "Dataset-Hash")?)?;
    let asked = required(turn.message, "Numbers")?;
    let numbers: Option<Vec<u64>> = asked.split(',').map(|number| number.trim().parse().ok()).collect();
    let few = numbers.filter(|numbers| numbers.len() as u64 <= RESULTS_MAX);
    let numbers = few.ok_or_else(|| {
        bad("Numbers", asked, &format!("it is up to {RESULTS_MAX} whole numbers with commas between"))
    })?;
    let documents = numbers.into_iter().filter_map(|number| document(turn.store, dataset.id, number).transpose());
    let found = fitting(documents, RESULTS_BYTES_MAX)?;
    turn.answer("Get-Documents-Response", &Value::Array(found));
    Ok(())
}

/// A document of a dataset as it is shown, if there is one of this number.
pub(super) fn document(store: &Store<'_>, dataset: i64, number: u64) -> Result<Option<Value>, Fault> {
    let sql = "SELECT content, meta FROM documents WHERE dataset = ? AND number = ?";
    store.first(sql, (dataset, number), |row| {
        // This process wrote it as JSON.
        let meta: Value = serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default();
        Ok(json!({ "number": number, "content": row.get::<_, String>(0)?, "meta": meta }))
    })
}

/// `Inspect-Dataset`: facts about one dataset, for a process, which sees only messages: whose it is, what it is, and how
/// far. The answer is `Dataset-Facts` with the Reference of the question, and an Error if there is no such dataset.
pub(super) fn inspect(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let hash = required(turn.message, "Dataset-Hash")?;
    let reference = turn.message.tag("Reference").unwrap_or_default();
    let facts = Outgoing::new(turn.message.from, "Dataset-Facts").tag("Dataset-Hash", quoted(hash));
    let facts = facts.tag("Reference", &reference[..reference.floor_char_boundary(REFERENCE_BYTES_MAX)]);
    match creating::named(turn.store, hash) {
        Ok(dataset) => {
            let mut data = progress(turn.store, &dataset)?;
            data["digest"] = dataset.digest.into();
            data["owner"] = dataset.owner.into();
            data["model_file_hash"] = turn.settings.model.as_ref().map(|model| model.file_hash.clone()).into();
            turn.say(data.to_string());
            turn.send(facts.data(data.to_string()));
        }
        Err(fault @ Fault::Store(_)) => return Err(fault),
        Err(fault) => {
            turn.say_error(fault.to_string());
            turn.send(facts.tag("Error", fault.to_string()));
        }
    }
    Ok(())
}

/// The first documents that have failed, with the reason.
fn failures(turn: &Turn<'_, '_>, dataset: i64) -> Result<Value, Fault> {
    let sql = "SELECT number, reason FROM documents WHERE dataset = ? AND status = 'failed' ORDER BY number LIMIT ?";
    let failure = |row: &Row<'_>| Ok(json!({ "number": row.get::<_, u64>(0)?, "reason": row.get::<_, String>(1)? }));
    Ok(Value::Array(turn.store.all(sql, (dataset, FAILURES_SHOWN), failure)?))
}

/// The page that is asked for, in the data (as JSON) or in tags; the first one if nothing is said.
fn page(turn: &Turn<'_, '_>) -> Page {
    let tag = |name: &str| turn.message.tag(name).and_then(|text| text.parse().ok());
    let mut page: Page = serde_json::from_slice(&turn.message.data).unwrap_or_default();
    page.from = tag("From-Id").unwrap_or(page.from);
    page.limit = tag("Limit").or(page.limit);
    page.dataset_hash = turn.message.tag("Dataset-Hash").map(str::to_owned).or(page.dataset_hash);
    page
}
