//! Answers as they come back. What a model said is kept and judged, whatever it is; what a worker did wrong is not the
//! model's answer, and the question is asked again.

use ao::Id;
use tasks::{Extracted, Extraction, PoolTask, Question};

use super::models::{self, COMPLETE, EVALUATING, ModelFile};
use super::turn::Turn;
use super::{asking, loading, score, settings};
use crate::herder::wire::{Answer, InferenceResponse, PromptResult};
use crate::limits::QUESTION_ATTEMPTS_MAX;
use crate::payload::{optional, parsed};
use crate::{Fault, readable};

/// The profile under which scores are comparable: the one of the protocol id.
const PROFILE: &str = "exact";

/// A batch whose answer is awaited.
struct Batch {
    id: i64,
    file: ModelFile,
}

/// Why a batch brought no answers.
struct Failure {
    /// Whose fault it was.
    blame: Blame,
    reason: String,
}

/// Whose fault it was that a batch brought no answers.
#[derive(PartialEq, Eq)]
enum Blame {
    /// Nobody's: there was no room. It does not count as an attempt.
    Busy,
    /// The worker's, or the herder's: another attempt may succeed.
    Worker,
    /// The model's: no attempt will succeed.
    Model,
}

/// `Inference-Response`: the herder has the answers to a batch, or says why it has not.
pub(super) fn inference_response(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    if !turn.is_from(turn.settings.herder) {
        let (action, allowed) = ("Inference-Response", "the herder of the dataset");
        return Err(Fault::NotAllowed { action, allowed, from: turn.message.from });
    }
    let Some(batch) = awaited(turn)? else { return Ok(()) };
    let task = settings::task(turn.store)?;
    match read(turn, &task, &batch)? {
        Ok(response) => keep(turn, &task, &batch, &response)?,
        Err(failure) => give_back(turn, &batch, &failure)?,
    }
    if score::report_due(turn)? {
        turn.wake_at_once();
    }
    Ok(())
}

/// `Undeliverable`: the herder is no process of this node, or refused.
pub(super) fn undeliverable(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_node("Undeliverable")?;
    let Some(batch) = awaited(turn)? else { return Ok(()) };
    let reason = match turn.message.tag("Error") {
        Some(error) => format!("the herder refused: {}", readable::sentence(error)),
        None => "there is no process on this node that could be the herder".to_owned(),
    };
    give_back(turn, &batch, &Failure { blame: Blame::Worker, reason })?;
    if score::report_due(turn)? {
        turn.wake_at_once();
    }
    Ok(())
}

/// The batch of the message, if its answer is still awaited: the first answer is final.
fn awaited(turn: &mut Turn<'_, '_>) -> Result<Option<Batch>, Fault> {
    let id: i64 = parsed(turn.message, "Reference")?;
    let sql = "SELECT model_file, status FROM batches WHERE id = ?";
    let found = turn.store.first(sql, [id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let (file, status) = found.ok_or_else(|| Fault::NotFound { what: "batch", name: id.to_string() })?;
    if status != "in-flight" {
        turn.say(format!("the batch {id} is {status} already"));
        return Ok(None);
    }
    Ok(Some(Batch { id, file: models::by_id(turn.store, file)? }))
}

/// The answers of the message, if they are those that were asked for.
fn read(turn: &Turn<'_, '_>, task: &PoolTask, batch: &Batch) -> Result<Result<InferenceResponse, Failure>, Fault> {
    if let Some(error) = turn.message.tag("Error") {
        let blame = match turn.message.tag("Fault") {
            Some("model") => Blame::Model,
            Some("busy") => Blame::Busy,
            _ => Blame::Worker,
        };
        return Ok(Err(Failure { blame, reason: readable::sentence(error) }));
    }
    let request = asking::sent(turn, task, batch.id)?;
    let response = InferenceResponse::read(&turn.message.data)
        .and_then(|response| response.validate(&request).map(|()| response))
        .map_err(|error| error.to_string());
    let response = response.and_then(|response| {
        let receipt = &response.receipt;
        if receipt.model_file_hash != batch.file.file_hash {
            Err(format!("the worker ran another model file, {}", receipt.model_file_hash))
        } else if receipt.profile != PROFILE {
            Err(format!("the worker ran the profile '{}' and not '{PROFILE}'", readable::title(&receipt.profile)))
        } else {
            Ok(response)
        }
    });
    Ok(response.map_err(|reason| Failure { blame: Blame::Worker, reason }))
}

/// Keeps the answers of a batch, judged.
fn keep(turn: &mut Turn<'_, '_>, task: &PoolTask, batch: &Batch, response: &InferenceResponse) -> Result<(), Fault> {
    for result in &response.results {
        keep_one(turn, task, batch, result)?;
    }
    let receipt = serde_json::to_string(&response.receipt).map_err(|error| Fault::BadData(error.to_string()))?;
    let worker: Option<Id> = optional(turn.message, "Worker")?;
    let worker = worker.map(|worker| worker.to_string());
    turn.store.execute(
        "UPDATE batches SET status = 'answered', ended_ms = ?, worker = ?, receipt = ? WHERE id = ?",
        (turn.now_ms(), worker, receipt, batch.id),
    )?;
    turn.say(format!("{} answers are kept", response.results.len()));
    score::count_again(turn.store, batch.file.id)?;
    let counts = score::counts(turn.store, batch.file.id, loading::count(turn)?)?;
    if counts.answered == counts.total {
        let sql = "UPDATE model_files SET status = ?, reason = '', budget = 0 WHERE id = ?";
        turn.store.execute(sql, (COMPLETE, batch.file.id))?;
        models::report_soon(turn.store, batch.file.id)?;
    }
    Ok(())
}

fn keep_one(turn: &mut Turn<'_, '_>, task: &PoolTask, batch: &Batch, result: &PromptResult) -> Result<(), Fault> {
    let question = "SELECT target, choices, row FROM questions WHERE id = ?";
    let texts =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
    let Some((target, choices, row)) = turn.store.first(question, [result.id], texts)? else { return Ok(()) };
    let choices: Vec<String> = serde_json::from_str(&choices).unwrap_or_default();
    let question = Question::from_json(&row).map_err(settings::refused)?;
    let (output, strict, lenient) = judge(task, &result.answer, &question, &choices);
    turn.store.execute(
        "UPDATE predictions SET status = 'answered', output = ?, strict = ?, lenient = ?, correct = ?,
                lenient_correct = ?
         WHERE model_file = ? AND question = ? AND batch = ?",
        (
            output,
            strict.answer(),
            lenient.answer(),
            task.is_correct(&strict, &target),
            task.is_correct(&lenient, &target),
            batch.file.id,
            result.id,
            batch.id,
        ),
    )?;
    Ok(())
}

/// What a model said as text, and the answers found in it, strictly and leniently.
fn judge(task: &PoolTask, answer: &Answer, question: &Question, choices: &[String]) -> (String, Extracted, Extracted) {
    match answer {
        Answer::Generated { output, .. } => {
            let found = |extraction| task.extract(extraction, output, question, choices);
            (output.clone(), found(Extraction::Strict), found(Extraction::Lenient))
        }
        Answer::Scored { loglikelihoods } => {
            let values: Vec<f64> = loglikelihoods.iter().map(|(value, _)| *value).collect();
            let chosen = task.choose(&values, choices);
            (serde_json::json!(values).to_string(), chosen.clone(), chosen)
        }
        // No task asks for vectors, and an answer of another kind than was asked for is refused before it comes here.
        Answer::Embedded { .. } => (String::new(), Extracted::Unparsed, Extracted::Unparsed),
    }
}

/// Ends a batch without answers: its questions wait for the next tick, or the evaluation has failed.
fn give_back(turn: &mut Turn<'_, '_>, batch: &Batch, failure: &Failure) -> Result<(), Fault> {
    turn.store.execute(
        "UPDATE batches SET status = 'failed', ended_ms = ?, reason = ? WHERE id = ?",
        (turn.now_ms(), &failure.reason, batch.id),
    )?;
    let counted = failure.blame != Blame::Busy;
    turn.store.execute(
        "UPDATE predictions SET status = 'waiting', attempts = attempts - ? WHERE batch = ? AND status = 'in-flight'",
        (!counted, batch.id),
    )?;
    turn.say_error(failure.reason.clone());
    let sql = "SELECT coalesce(max(attempts), 0) FROM predictions WHERE batch = ?";
    let attempts: u64 = turn.store.value(sql, [batch.id])?;
    if batch.file.status != EVALUATING {
        return Ok(());
    }
    if failure.blame == Blame::Model {
        models::fail(turn.store, &batch.file, &failure.reason)
    } else if attempts >= QUESTION_ATTEMPTS_MAX {
        let reason = format!("asked {attempts} times without an answer; the last time: {}", failure.reason);
        models::fail(turn.store, &batch.file, &reason)
    } else {
        Ok(())
    }
}
