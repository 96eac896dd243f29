//! Which models are evaluated, and for whom. A model is known by the hash of its file: two uploads of one file, or one
//! model in two pools, share their predictions, because the same questions asked in the same way give the same answers.

use ao::{Id, Outgoing};
use rusqlite::Row;
use serde::Deserialize;

use super::turn::Turn;
use crate::herder::wire::is_hash;
use crate::limits::{INFERENCES_PER_TICK, MODEL_FILES_MAX};
use crate::payload::{json, parsed, quoted, required};
use crate::{Fault, Store, readable};

/// The state of a model's evaluation, as a table has it.
pub(super) const EVALUATING: &str = "evaluating";
/// Every question is answered.
pub(super) const COMPLETE: &str = "complete";
/// Given up, with a reason. It is incomplete, and no question counts as wrong for it.
pub(super) const FAILED: &str = "failed";

/// A model that is evaluated.
#[derive(Debug, Clone)]
pub(super) struct ModelFile {
    pub(super) id: i64,
    pub(super) file_hash: String,
    pub(super) model: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) budget: u64,
}

/// What is known about a model that is to be evaluated.
#[derive(Debug, Deserialize)]
struct Facts {
    content_hash: String,
    file_hash: String,
    #[serde(default)]
    name: String,
}

/// `Benchmark`: a model is to be evaluated. For a pool its benchmark process says so, with the hashes that the node
/// found; for the owner, who says so alone, the node is asked.
pub(super) fn benchmark(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let model = model_of(turn)?;
    if turn.settings.herder.is_none() {
        return Err(Fault::Refused("this dataset has no herder, so it cannot evaluate models".to_owned()));
    }
    if turn.is_from(turn.settings.benchmark) {
        let pool: Id = parsed(turn.message, "Pool")?;
        let content_hash = hash(turn, "Content-Hash")?;
        let name = turn.message.tag("Name").unwrap_or_default().to_owned();
        let facts = Facts { content_hash, file_hash: hash(turn, "File-Hash")?, name };
        let frozen: Option<u64> = turn.store.value("SELECT frozen_ms FROM dataset", [])?;
        if frozen.is_none() {
            return Err(Fault::Refused(
                "no pool was opened on this dataset yet, so no pool can have models".to_owned(),
            ));
        }
        return take(turn, &pool.to_string(), &model, &facts);
    }
    turn.only_owner("Benchmark")?;
    let waiting: u64 = turn.store.value("SELECT count(*) FROM inspections", [])?;
    if waiting >= MODEL_FILES_MAX {
        return Err(Fault::Refused("too many models are being looked at; try again later".to_owned()));
    }
    let sql = "INSERT INTO inspections (model, requested_ms) VALUES (?, ?) ON CONFLICT DO NOTHING";
    turn.store.execute(sql, (model.to_string(), turn.now_ms()))?;
    turn.send(Outgoing::new(turn.env.node, "Inspect-Model").tag("Model", model).tag("Reference", model));
    turn.say(format!("the node looks at the model {model}; then its evaluation begins"));
    Ok(())
}

/// `Model-Facts`: the node has looked at a model for the owner.
pub(super) fn model_facts(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_node("Model-Facts")?;
    let model: Id = parsed(turn.message, "Model")?;
    if turn.store.execute("DELETE FROM inspections WHERE model = ?", [model.to_string()])? == 0 {
        turn.say("nothing waits for that model");
        return Ok(());
    }
    if let Some(error) = turn.message.tag("Error") {
        let reason = format!("the model {model} cannot be evaluated: {}", readable::sentence(error));
        turn.say_error(reason.clone());
        turn.send(Outgoing::new(turn.env.owner, "Benchmark-Error").tag("Model", model).tag("Error", reason));
        return Ok(());
    }
    let facts: Facts = json(turn.message)?;
    take(turn, "", &model, &facts)
}

/// The model of a request: the tag `Model`, or the data as a plain id.
fn model_of(turn: &Turn<'_, '_>) -> Result<Id, Fault> {
    if turn.message.tag("Model").is_some() || !crate::payload::has_data(turn.message) {
        return parsed(turn.message, "Model");
    }
    let text = crate::payload::text(turn.message)?.trim();
    text.parse().map_err(|error| Fault::BadData(format!("'{}' is no model: {error}", quoted(text))))
}

fn hash(turn: &Turn<'_, '_>, name: &'static str) -> Result<String, Fault> {
    let value = required(turn.message, name)?;
    if is_hash(value) {
        return Ok(value.to_owned());
    }
    let reason = "a hash is 64 lower-case hexadecimal digits".to_owned();
    Err(Fault::BadTag { name, value: quoted(value), reason })
}

/// Notes who wants the score of a model, and begins its evaluation if nobody has. One that had failed begins again
/// where it stopped: it may be another upload of the same file that can be fetched.
fn take(turn: &mut Turn<'_, '_>, pool: &str, model: &Id, facts: &Facts) -> Result<(), Fault> {
    let (file, is_known) = match by_hash(turn.store, &facts.file_hash)? {
        Some(file) => {
            if file.status == FAILED {
                revive(turn.store, &file, &model.to_string())?;
            }
            (file.id, true)
        }
        None => (add(turn, model, facts)?, false),
    };
    // Of a model that others have, there may be something to tell at once.
    let report_due = is_known && !pool.is_empty();
    turn.store.execute(
        "INSERT INTO requests (pool, model, model_file, report_due) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (pool, model) DO UPDATE SET report_due = ?4",
        (pool, model.to_string(), file, report_due),
    )?;
    turn.wake_at_once();
    turn.say(format!("the model {model} is evaluated"));
    Ok(())
}

fn add(turn: &mut Turn<'_, '_>, model: &Id, facts: &Facts) -> Result<i64, Fault> {
    let files: u64 = turn.store.value("SELECT count(*) FROM model_files", [])?;
    if files >= MODEL_FILES_MAX {
        return Err(Fault::Refused(format!("a dataset evaluates at most {MODEL_FILES_MAX} models, and has as many")));
    }
    turn.store.insert(
        "INSERT INTO model_files (file_hash, model, name, content_hash, status, reason, budget, since_ms)
         VALUES (?, ?, ?, ?, ?, '', ?, ?)",
        (
            &facts.file_hash,
            model.to_string(),
            readable::title(&facts.name),
            &facts.content_hash,
            EVALUATING,
            INFERENCES_PER_TICK,
            turn.now_ms(),
        ),
    )
}

/// Begins a failed evaluation again where it stopped.
pub(super) fn revive(store: &mut Store<'_>, file: &ModelFile, model: &str) -> Result<(), Fault> {
    let sql = "UPDATE model_files SET status = ?, reason = '', budget = ?, model = ? WHERE id = ?";
    store.execute(sql, (EVALUATING, INFERENCES_PER_TICK, model, file.id))?;
    store.execute("UPDATE predictions SET attempts = 0 WHERE model_file = ? AND status = 'waiting'", [file.id])?;
    Ok(())
}

/// Gives an evaluation up, and lets the pools know.
pub(super) fn fail(store: &mut Store<'_>, file: &ModelFile, reason: &str) -> Result<(), Fault> {
    let reason = readable::sentence(reason);
    store
        .execute("UPDATE model_files SET status = ?, reason = ?, budget = 0 WHERE id = ?", (FAILED, reason, file.id))?;
    report_soon(store, file.id)
}

/// Every pool that has this model is to be told its score.
pub(super) fn report_soon(store: &mut Store<'_>, file: i64) -> Result<(), Fault> {
    store.execute("UPDATE requests SET report_due = 1 WHERE model_file = ? AND pool <> ''", [file])?;
    Ok(())
}

fn by_hash(store: &Store<'_>, file_hash: &str) -> Result<Option<ModelFile>, Fault> {
    store.first(
        "SELECT id, file_hash, model, status, reason, budget FROM model_files WHERE file_hash = ?",
        [file_hash],
        read,
    )
}

/// A model by its number in the table.
pub(super) fn by_id(store: &Store<'_>, id: i64) -> Result<ModelFile, Fault> {
    let sql = "SELECT id, file_hash, model, status, reason, budget FROM model_files WHERE id = ?";
    store.first(sql, [id], read)?.ok_or_else(|| Fault::NotFound { what: "model", name: id.to_string() })
}

/// All models of a state, in their order.
pub(super) fn all(store: &Store<'_>, status: &str) -> Result<Vec<ModelFile>, Fault> {
    let sql = "SELECT id, file_hash, model, status, reason, budget FROM model_files WHERE status = ? ORDER BY id";
    store.all(sql, [status], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ModelFile> {
    Ok(ModelFile {
        id: row.get(0)?,
        file_hash: row.get(1)?,
        model: row.get(2)?,
        status: row.get(3)?,
        reason: row.get(4)?,
        budget: row.get(5)?,
    })
}
