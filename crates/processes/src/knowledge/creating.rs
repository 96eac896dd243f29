//! Datasets come and go. All documents of a message are kept or none, and the error names the document.

use std::fmt::Write as _;

use ao::hash_parts;
use rusqlite::Row;
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::limits::{
    BYTES_MAX, CONTENT_BYTES_MAX, DATASETS_MAX, DATASETS_PER_OWNER_MAX, DOCUMENTS_MAX, DOCUMENTS_PER_DATASET_MAX,
    META_BYTES_MAX,
};
use super::turn::Turn;
use super::{vectors, views};
use crate::payload::{json as data, quoted};
use crate::{Fault, Store};

/// Hexadecimal digits of a SHA-1.
const HASH_DIGITS: usize = 40;

/// The data of `Create-Dataset`.
#[derive(Debug, Deserialize)]
struct NewDataset {
    hash: String,
    list: Vec<Document>,
}

/// One document of a list.
#[derive(Debug, Deserialize)]
struct Document {
    /// What it is found by.
    content: String,
    /// Anything, given back with it.
    #[serde(default)]
    meta: Value,
}

/// The data of `Delete-Dataset`.
#[derive(Debug, Deserialize)]
struct Named {
    dataset_hash: String,
}

/// A dataset in the tables.
pub(super) struct Dataset {
    pub(super) id: i64,
    pub(super) hash: String,
    /// What the list is, which its name does not prove.
    pub(super) digest: String,
    pub(super) owner: String,
    pub(super) documents: u64,
}

/// The name of a list of documents: SHA-1 over all contents in their order, as UTF-8, with nothing before, between or
/// after them, in hexadecimal; `meta` is not part of it. This is the rule of the original: the hash printed in its
/// documentation, `673322f20121f3dc36538578295819386f1ef2b8`, is that of the four contents printed beside it.
///
/// It is a name and no proof: lists that are cut differently share it, and a SHA-1 can be forged. What is the same list
/// is decided by [`digest`].
pub fn name<'a>(contents: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha1::new();
    for content in contents {
        hash.update(content.as_bytes());
    }
    hash.finalize().iter().fold(String::with_capacity(HASH_DIGITS), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 over every content and meta with its length.
fn digest(list: &[Document], metas: &[String]) -> String {
    let texts = list.iter().zip(metas).flat_map(|(document, meta)| [document.content.as_bytes(), meta.as_bytes()]);
    let parts: Vec<&[u8]> = std::iter::once(&b"aobench knowledge dataset"[..]).chain(texts).collect();
    hash_parts(&parts).to_hex()
}

/// `Create-Dataset`: keeps a list of documents, whose vectors are then asked for. The same list again changes nothing,
/// except that its owner gives the documents that failed another chance.
pub(super) fn create_dataset(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let new: NewDataset = data(turn.message)?;
    let metas = check(&new.list)?;
    let hash = name(new.list.iter().map(|document| document.content.as_str()));
    if !new.hash.eq_ignore_ascii_case(&hash) {
        return Err(Fault::BadData(format!(
            "the hash of its contents is {hash}, and '{}' was given: it is the SHA-1 of all contents one after the other",
            quoted(&new.hash)
        )));
    }
    let digest = digest(&new.list, &metas);
    let dataset = match find(turn.store, &hash)? {
        Some(dataset) if dataset.digest == digest => again(turn, dataset)?,
        Some(_) => {
            let reason = format!(
                "there is a dataset {hash} with other documents: the same text, cut into other pieces or with other metas"
            );
            return Err(Fault::Refused(reason));
        }
        None => insert(turn, hash, digest, &new.list, &metas)?,
    };
    let answer = views::progress(turn.store, &dataset)?;
    turn.answer("Create-Dataset-Response", &answer);
    Ok(())
}

/// The metas as JSON, if the documents are ones that can be kept.
fn check(list: &[Document]) -> Result<Vec<String>, Fault> {
    if list.is_empty() {
        return Err(Fault::BadData("the list has no documents".to_owned()));
    }
    if list.len() > DOCUMENTS_PER_DATASET_MAX {
        let reason = format!("the list has {} documents, and {DOCUMENTS_PER_DATASET_MAX} are allowed", list.len());
        return Err(Fault::BadData(reason));
    }
    list.iter().zip(1_u64..).map(|(document, number)| check_one(document, number)).collect()
}

fn check_one(document: &Document, number: u64) -> Result<String, Fault> {
    let within = |what: &str, bytes: usize, limit: usize| {
        let reason = || format!("the {what} of document {number} has {bytes} bytes, and {limit} are allowed");
        if bytes > limit { Err(Fault::BadData(reason())) } else { Ok(()) }
    };
    if document.content.trim().is_empty() {
        return Err(Fault::BadData(format!("document {number} has no content")));
    }
    within("content", document.content.len(), CONTENT_BYTES_MAX)?;
    let meta = document.meta.to_string();
    within("meta", meta.len(), META_BYTES_MAX)?;
    Ok(meta)
}

/// The same list once more.
fn again(turn: &mut Turn<'_, '_>, dataset: Dataset) -> Result<Dataset, Fault> {
    if dataset.owner == turn.message.from.to_string() {
        turn.store.execute(
            "UPDATE documents SET status = 'waiting', attempts = 0, due_ms = ? WHERE dataset = ? AND status = 'failed'",
            (turn.now_ms(), dataset.id),
        )?;
    }
    Ok(dataset)
}

fn insert(
    turn: &mut Turn<'_, '_>,
    hash: String,
    digest: String,
    list: &[Document],
    metas: &[String],
) -> Result<Dataset, Fault> {
    let owner = turn.message.from.to_string();
    let documents = list.len() as u64;
    let contents: usize = list.iter().map(|document| document.content.len()).sum();
    let bytes = (contents + metas.iter().map(String::len).sum::<usize>()) as u64;
    check_room(turn, &owner, documents, bytes)?;
    let now_ms = turn.now_ms();
    let id = turn.store.insert(
        "INSERT INTO datasets (hash, digest, owner, documents, bytes, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (&hash, &digest, &owner, documents, bytes, now_ms),
    )?;
    for ((document, meta), number) in list.iter().zip(metas).zip(1_u64..) {
        turn.store.execute(
            "INSERT INTO documents (dataset, number, content, meta, status, attempts, due_ms, reason)
             VALUES (?, ?, ?, ?, 'waiting', 0, ?, '')",
            (id, number, &document.content, meta, now_ms),
        )?;
    }
    Ok(Dataset { id, hash, digest, owner, documents })
}

fn check_room(turn: &Turn<'_, '_>, owner: &str, documents: u64, bytes: u64) -> Result<(), Fault> {
    let own: u64 = turn.store.value("SELECT count(*) FROM datasets WHERE owner = ?", [owner])?;
    let sums = "SELECT count(*), coalesce(sum(documents), 0), coalesce(sum(bytes), 0) FROM datasets";
    let sums = turn.store.first(sums, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (all, all_documents, all_bytes): (u64, u64, u64) = sums.unwrap_or_default();
    let full = |reason: String| Err(Fault::Refused(format!("{reason}; delete one that is not needed")));
    if own >= DATASETS_PER_OWNER_MAX {
        full(format!("this owner has {own} datasets, which is the most"))
    } else if all >= DATASETS_MAX {
        full(format!("this process has {all} datasets, which is the most"))
    } else if all_documents + documents > DOCUMENTS_MAX {
        full(format!("this process has room for {DOCUMENTS_MAX} documents, and {all_documents} are there"))
    } else if all_bytes + bytes > BYTES_MAX {
        full(format!("this process has room for {BYTES_MAX} bytes of documents, and {all_bytes} are there"))
    } else {
        Ok(())
    }
}

/// `Delete-Dataset`: its owner takes a dataset away, with all documents and vectors. Searches that wait for the vector of
/// their prompt are told when it comes.
pub(super) fn delete_dataset(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let hash = match turn.message.tag("Dataset-Hash") {
        Some(hash) => hash.to_owned(),
        None => data::<Named>(turn.message)?.dataset_hash,
    };
    let dataset = named(turn.store, &hash)?;
    if dataset.owner != turn.message.from.to_string() {
        let (action, allowed) = ("Delete-Dataset", "who created the dataset");
        return Err(Fault::NotAllowed { action, allowed, from: turn.message.from });
    }
    turn.store.execute("DELETE FROM batches WHERE dataset = ?", [dataset.id])?;
    vectors::delete(turn.store, dataset.id)?;
    turn.store.execute("DELETE FROM documents WHERE dataset = ?", [dataset.id])?;
    turn.store.execute("DELETE FROM datasets WHERE id = ?", [dataset.id])?;
    let answer = json!({ "dataset_hash": dataset.hash, "deleted": dataset.documents });
    turn.answer("Delete-Dataset-Response", &answer);
    Ok(())
}

/// The dataset of that hash.
pub(super) fn named(store: &Store<'_>, hash: &str) -> Result<Dataset, Fault> {
    let hash = hash.to_ascii_lowercase();
    let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = if is_hash { find(store, &hash)? } else { None };
    found.ok_or_else(|| Fault::NotFound { what: "dataset", name: quoted(&hash) })
}

fn find(store: &Store<'_>, hash: &str) -> Result<Option<Dataset>, Fault> {
    store.first("SELECT id, hash, digest, owner, documents FROM datasets WHERE hash = ?", [hash], Dataset::read)
}

impl Dataset {
    /// Reads the first five columns of a row.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (id, hash, digest) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Self { id, hash, digest, owner: row.get(3)?, documents: row.get(4)? })
    }
}
