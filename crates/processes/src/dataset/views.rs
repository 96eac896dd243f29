//! What a dataset shows: itself, its models, and every answer.

use rusqlite::Row;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tasks::Balance;
use tasks::statistics::{minimum_detectable_difference, share};

use super::models::{self, EVALUATING};
use super::turn::Turn;
use super::{loading, score, settings};
use crate::Fault;
use crate::limits::{MODELS_PAGE_MAX, RESULTS_BYTES_MAX, RESULTS_PAGE_MAX};
use crate::turn::fitting;

/// The shares of questions (per mille) on which two models are taken to differ, for the smallest difference that can be
/// seen.
const DISCORDANT_PER_MILLE: [u64; 2] = [100, 200];

/// What the one row of a dataset says.
pub(super) struct About {
    pub(super) title: String,
    pub(super) license: String,
    pub(super) synthetic: bool,
    pub(super) protocol: String,
    pub(super) frozen_ms: Option<u64>,
    pub(super) content_hash: Option<String>,
}

/// Which part of a long answer is wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    /// Only what comes after this number.
    #[serde(default)]
    pub(super) from: u64,
    pub(super) limit: Option<u64>,
}

/// Reads the one row of the dataset.
pub(super) fn about(turn: &Turn<'_, '_>) -> Result<About, Fault> {
    let sql = "SELECT title, license, synthetic, protocol, frozen_ms, content_hash FROM dataset";
    let found = turn.store.first(sql, [], |row| {
        Ok(About {
            title: row.get(0)?,
            license: row.get(1)?,
            synthetic: row.get(2)?,
            protocol: row.get(3)?,
            frozen_ms: row.get(4)?,
            content_hash: row.get(5)?,
        })
    })?;
    found.ok_or_else(|| Fault::NotFound { what: "dataset", name: turn.env.process.to_string() })
}

/// How far one comes without reading the questions.
pub(super) fn balance(turn: &Turn<'_, '_>) -> Result<Balance, Fault> {
    let mut balance = Balance::default();
    let sql = "SELECT target, longest, shortest FROM questions ORDER BY id";
    let texts = |row: &Row<'_>| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
    };
    for (target, longest, shortest) in turn.store.all(sql, [], texts)? {
        balance.add(&target, longest.as_deref(), shortest.as_deref());
    }
    Ok(balance)
}

/// `Info`: what this dataset is.
pub(super) fn info(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let about = about(turn)?;
    let task = settings::task(turn.store)?;
    let balance = balance(turn)?;
    let baseline = |correct: u64| json!({ "correct": correct, "score": share(correct, balance.total) });
    let example = turn.store.first("SELECT prompt FROM questions WHERE id = 1", [], |row| row.get::<_, String>(0))?;
    let models: u64 = turn.store.value("SELECT count(*) FROM model_files", [])?;
    let mut differences = Map::new();
    for discordant in DISCORDANT_PER_MILLE {
        let difference = minimum_detectable_difference(balance.total, discordant);
        differences.insert(format!("{}%", discordant / 10), difference.into());
    }
    let info = json!({
        "name": about.title,
        "title": about.title,
        "task": task.name(),
        "output_type": task.output().name(),
        "license": about.license,
        "synthetic": about.synthetic,
        "questions": balance.total,
        "models": models,
        "frozen": about.frozen_ms.is_some(),
        "content_hash": about.content_hash,
        "protocol": about.protocol,
        "label_balance": balance.labels,
        "baselines": {
            "always_one_answer": baseline(balance.always_one()),
            "longest_option": baseline(balance.longest),
            "shortest_option": baseline(balance.shortest),
        },
        "minimum_detectable_difference": differences,
        "example_prompt": example,
        "herder": turn.settings.herder,
        "benchmark": turn.settings.benchmark,
        "owner": turn.env.owner,
    });
    turn.answer("Info-Response", &info);
    Ok(())
}

/// `Get-Models`: the models with their scores, a page at a time, in the order in which they came; with the tag `By` = `score`
/// the best of those that are complete first, `From-Id` then being how many of them come before the page.
pub(super) fn models(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let page = page(turn);
    let limit = page.limit.unwrap_or(MODELS_PAGE_MAX).clamp(1, MODELS_PAGE_MAX);
    let by_number = "SELECT id, iif(name = '', model, name), content_hash FROM model_files
                     WHERE id > ? ORDER BY id LIMIT ?";
    let by_score = "SELECT id, iif(name = '', model, name), content_hash FROM model_files
                    ORDER BY status = 'complete' DESC, correct DESC, id LIMIT ?2 OFFSET ?1";
    let sql = if turn.message.tag("By") == Some("score") { by_score } else { by_number };
    let total = loading::count(turn)?;
    let texts = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
    let mut models = Vec::new();
    for (id, name, content_hash) in turn.store.all(sql, (page.from, limit), texts)? {
        let file = models::by_id(turn.store, id)?;
        let counts = score::counts(turn.store, id, total)?;
        let pools = "SELECT pool FROM requests WHERE model_file = ? AND pool <> '' ORDER BY pool LIMIT 10";
        let pools = turn.store.all(pools, [id], |row| row.get::<_, String>(0))?;
        models.push(json!({
            "id": id,
            "name": name,
            "inference_process": turn.settings.herder,
            "data_tx": file.model,
            "file_hash": file.file_hash,
            "content_hash": content_hash,
            "status": file.status,
            "reason": file.reason,
            "pools": pools,
            "correct": counts.correct,
            "lenient_correct": counts.lenient_correct,
            "answered": counts.answered,
            "unparsed": counts.unparsed,
            "in_flight": counts.in_flight,
            "total": counts.total,
            "waits": file.status == EVALUATING && counts.in_flight == 0,
        }));
    }
    turn.answer("Get-Models-Response", &Value::Array(models));
    Ok(())
}

/// `Results`: every answer of a model, with what was made of it, a page at a time. With the tag `Show` only those that are
/// `wrong`, `right`, `unparsed` or not yet answered (`waiting`).
pub(super) fn results(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let page = page(turn);
    let limit = page.limit.unwrap_or(RESULTS_PAGE_MAX).clamp(1, RESULTS_PAGE_MAX);
    let (pool, model, file) = score::asked(turn)?;
    let file = models::by_id(turn.store, file)?;
    let sql = "SELECT question, prompt, target, output, strict, lenient, correct, lenient_correct, predictions.status,
                      attempts, batch, worker
               FROM predictions JOIN questions ON questions.id = question JOIN batches ON batches.id = batch
               WHERE predictions.model_file = ?1 AND question > ?2 AND CASE ?4
                         WHEN 'wrong' THEN correct = 0 WHEN 'right' THEN correct = 1
                         WHEN 'unparsed' THEN predictions.status = 'answered' AND strict IS NULL
                         WHEN 'waiting' THEN predictions.status <> 'answered' ELSE TRUE END
               ORDER BY question LIMIT ?3";
    let shown = turn.message.tag("Show").unwrap_or_default();
    let rows = turn.store.all(sql, (file.id, page.from, limit, shown), result)?;
    let full = rows.len() as u64 == limit;
    let found = rows.len();
    let kept = fitting(rows.into_iter().map(Ok), RESULTS_BYTES_MAX)?;
    let next = if full || kept.len() < found { kept.last().map(|row| row["id"].clone()) } else { None };
    let receipts = receipts(turn, &kept)?;
    let answer = json!({
        "model": model,
        "pool": pool,
        "file_hash": file.file_hash,
        "status": file.status,
        "reason": file.reason,
        "questions": loading::count(turn)?,
        "results": kept,
        "receipts": receipts,
        "next": next,
    });
    turn.answer("Results-Response", &answer);
    Ok(())
}

/// How the batches were made in which these answers came, by their numbers.
fn receipts(turn: &Turn<'_, '_>, results: &[Value]) -> Result<Map<String, Value>, Fault> {
    let mut receipts = Map::new();
    for batch in results.iter().filter_map(|result| result["reference"].as_i64()) {
        if receipts.contains_key(&batch.to_string()) {
            continue;
        }
        let sql = "SELECT receipt, worker, sent_ms, ended_ms FROM batches WHERE id = ? AND receipt IS NOT NULL";
        let found = turn.store.first(sql, [batch], |row| {
            let receipt: String = row.get(0)?;
            Ok(json!({
                "worker": row.get::<_, Option<String>>(1)?,
                "sent_ms": row.get::<_, u64>(2)?,
                "ended_ms": row.get::<_, Option<u64>>(3)?,
                "receipt": serde_json::from_str::<Value>(&receipt).unwrap_or_default(),
            }))
        })?;
        receipts.extend(found.map(|receipt| (batch.to_string(), receipt)));
    }
    Ok(receipts)
}

fn result(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(json!({
        "id": row.get::<_, u64>(0)?,
        "prompt": row.get::<_, String>(1)?,
        "correct_answer": row.get::<_, String>(2)?,
        "output": row.get::<_, Option<String>>(3)?,
        "prediction": row.get::<_, Option<String>>(4)?,
        "lenient_prediction": row.get::<_, Option<String>>(5)?,
        "correct": row.get::<_, Option<bool>>(6)?,
        "lenient_correct": row.get::<_, Option<bool>>(7)?,
        "status": row.get::<_, String>(8)?,
        "attempts": row.get::<_, u64>(9)?,
        "reference": row.get::<_, i64>(10)?,
        "worker": row.get::<_, Option<String>>(11)?,
    }))
}

/// The page that is asked for, in the data (as JSON) or in tags; the first one if nothing is said.
pub(super) fn page(turn: &Turn<'_, '_>) -> Page {
    let tag = |name: &str| turn.message.tag(name).and_then(|text| text.parse().ok());
    let mut page: Page = serde_json::from_slice(&turn.message.data).unwrap_or_default();
    page.from = tag("From-Id").unwrap_or(page.from);
    page.limit = tag("Limit").or(page.limit);
    page
}
