//! Scores: counts of what is in the tables, and nothing else. A question without an answer counts neither for nor
//! against a model.

use ao::{Id, Outgoing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tasks::statistics::{share, wilson};

use super::loading;
use super::models::{self, FAILED, ModelFile};
use super::turn::Turn;
use crate::limits::REPORTS_PER_MESSAGE;
use crate::payload::quoted;
use crate::{Fault, Store};

/// How far a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Answers that the strict extraction found and that are right.
    pub(super) correct: u64,
    /// The same by the lenient extraction.
    pub(super) lenient_correct: u64,
    /// Questions that the model has answered, in whatever way.
    pub(super) answered: u64,
    /// Those among them in which the strict extraction found no answer.
    pub(super) unparsed: u64,
    /// Questions that are with the herder.
    pub(super) in_flight: u64,
    /// All questions.
    pub(super) total: u64,
}

/// Whose score is asked for.
#[derive(Debug, Deserialize)]
struct Asked {
    model: String,
    pool: Option<String>,
}

/// Counts the answers of a model anew, after some have come: everything that is said of how far it is, rests on this.
pub(super) fn count_again(store: &mut Store<'_>, file: i64) -> Result<(), Fault> {
    let sql = "UPDATE model_files SET (correct, lenient_correct, answered, unparsed) =
                   (SELECT coalesce(sum(correct), 0), coalesce(sum(lenient_correct), 0), count(*),
                           coalesce(sum(strict IS NULL), 0)
                    FROM predictions WHERE model_file = ?1 AND predictions.status = 'answered')
               WHERE id = ?1";
    store.execute(sql, [file])?;
    Ok(())
}

/// How far a model is, out of `total` questions. No answer is read for it, so that many models can be shown.
pub(super) fn counts(store: &Store<'_>, file: i64, total: u64) -> Result<Counts, Fault> {
    let sql = "SELECT correct, lenient_correct, answered, unparsed,
                      (SELECT coalesce(sum(questions), 0) FROM batches
                       WHERE model_file = ?1 AND batches.status = 'in-flight')
               FROM model_files WHERE id = ?1";
    let found = store.first(sql, [file], |row| {
        Ok(Counts {
            correct: row.get(0)?,
            lenient_correct: row.get(1)?,
            answered: row.get(2)?,
            unparsed: row.get(3)?,
            in_flight: row.get(4)?,
            total,
        })
    })?;
    found.ok_or_else(|| Fault::NotFound { what: "model", name: file.to_string() })
}

/// `Score`: how far a model is, for anybody who asks.
pub(super) fn answer(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let (pool, model, file) = asked(turn)?;
    let file = models::by_id(turn.store, file)?;
    let response = response(turn, turn.message.from, &pool, &model, &file)?;
    turn.say(String::from_utf8_lossy(&response.data));
    turn.send(response);
    Ok(())
}

/// The evaluation that a message asks about: by the tags `Model` and `Pool`, by the same as JSON, or by a plain model
/// id.
pub(super) fn asked(turn: &Turn<'_, '_>) -> Result<(String, String, i64), Fault> {
    let asked = if let Some(model) = turn.message.tag("Model") {
        Asked { model: model.to_owned(), pool: turn.message.tag("Pool").map(str::to_owned) }
    } else {
        let text = crate::payload::text(turn.message)?.trim();
        serde_json::from_str(text).unwrap_or_else(|_| Asked { model: text.to_owned(), pool: None })
    };
    if asked.model.is_empty() {
        return Err(Fault::MissingTag("Model"));
    }
    let sql = "SELECT pool, model, model_file FROM requests WHERE model = ?1 AND (?2 IS NULL OR pool = ?2)
               ORDER BY pool LIMIT 1";
    let found =
        turn.store.first(sql, (&asked.model, &asked.pool), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    found.ok_or_else(|| Fault::NotFound { what: "evaluation of the model", name: quoted(&asked.model) })
}

/// Tells pools the scores that are due, as many as fit. Whether some are left.
pub(super) fn report_due(turn: &mut Turn<'_, '_>) -> Result<bool, Fault> {
    let Some(benchmark) = turn.settings.benchmark else { return Ok(false) };
    let sql = "SELECT pool, model, model_file FROM requests WHERE report_due = 1 ORDER BY pool, model LIMIT ?";
    let texts =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?));
    let due = turn.store.all(sql, [REPORTS_PER_MESSAGE + 1], texts)?;
    for (reported, (pool, model, file)) in due.iter().enumerate() {
        let file = models::by_id(turn.store, *file)?;
        let response = response(turn, benchmark, pool, model, &file)?;
        let (messages, bytes) = turn.room();
        if reported == REPORTS_PER_MESSAGE || messages == 0 || response.data.len() > bytes {
            return Ok(true);
        }
        turn.send(response);
        turn.store.execute("UPDATE requests SET report_due = 0 WHERE pool = ? AND model = ?", [pool, model])?;
    }
    Ok(false)
}

fn response(turn: &Turn<'_, '_>, target: Id, pool: &str, model: &str, file: &ModelFile) -> Result<Outgoing, Fault> {
    let response = Outgoing::new(target, "Score-Response");
    let response = if pool.is_empty() { response } else { response.tag("Pool", pool) };
    let data = json(turn, file)?.to_string();
    Ok(response.tag("Model", model).data(data))
}

/// The score of a model as JSON; see the Score-Response of the documents.
fn json(turn: &Turn<'_, '_>, file: &ModelFile) -> Result<Value, Fault> {
    let counts = counts(turn.store, file.id, loading::count(turn)?)?;
    let complete = counts.total > 0 && counts.answered == counts.total;
    let (low, high) = wilson(counts.correct, counts.answered);
    let mut score = json!({
        "correct": counts.correct,
        "lenient_correct": counts.lenient_correct,
        "answered": counts.answered,
        "unparsed": counts.unparsed,
        "in_flight": counts.in_flight,
        "unevaluated": counts.total - counts.answered,
        "total": counts.total,
        "complete": complete,
        "score": share(counts.correct, counts.answered),
        "interval": [low, high],
        "progress": share(counts.answered, counts.total),
    });
    if complete {
        let (strict, lenient) = outcomes(turn.store, file.id, counts.total)?;
        score["outcomes"] = STANDARD.encode(strict).into();
        score["lenient_outcomes"] = STANDARD.encode(lenient).into();
    } else if file.status == FAILED {
        score["failed"] = file.reason.clone().into();
    }
    Ok(score)
}

/// One bit for each question, whether it was answered correctly: question `n` (from 1) is bit `(n - 1) % 8`, counted
/// from the lowest, of byte `(n - 1) / 8`. Strict, and lenient.
fn outcomes(store: &Store<'_>, file: i64, total: u64) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let length = total.div_ceil(8) as usize;
    let (mut strict, mut lenient) = (vec![0_u8; length], vec![0_u8; length]);
    let sql = "SELECT question, correct, lenient_correct FROM predictions
               WHERE model_file = ? AND (correct = 1 OR lenient_correct = 1)";
    for (question, correct, lenient_correct) in
        store.all(sql, [file], |row| Ok((row.get::<_, usize>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?)))?
    {
        let (byte, bit) = ((question - 1) / 8, (question - 1) % 8);
        strict[byte] |= u8::from(correct) << bit;
        lenient[byte] |= u8::from(lenient_correct) << bit;
    }
    Ok((strict, lenient))
}
