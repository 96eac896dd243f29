//! Asking: each tick, the questions of every model that are not answered go to the herder, up to a limit. What does not
//! fit into one message follows a millisecond later.

use ao::Outgoing;
use rusqlite::Row;
use serde::Serialize;
use tasks::PoolTask;

use super::models::{self, EVALUATING, FAILED, ModelFile};
use super::plan::{self, Room};
use super::turn::Turn;
use super::{score, settings};
use crate::Fault;
use crate::herder::wire::{InferenceRequest, Prompt, RequestKind};
use crate::limits::INFERENCES_PER_TICK;

/// `Evaluate`: the tick, or the owner, who also gives failed evaluations another chance.
pub(super) fn evaluate(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    if !turn.is_tick() {
        turn.only_owner("Evaluate")?;
        for file in models::all(turn.store, FAILED)? {
            models::revive(turn.store, &file, &file.model)?;
        }
    }
    // Questions may have been loaded since a model was complete.
    turn.store.execute(
        "UPDATE model_files SET status = ?1 WHERE status = ?2 AND (SELECT count(*) FROM questions) >
             (SELECT count(*) FROM predictions WHERE model_file = model_files.id)",
        (EVALUATING, models::COMPLETE),
    )?;
    turn.store.execute("UPDATE model_files SET budget = ? WHERE status = ?", (INFERENCES_PER_TICK, EVALUATING))?;
    turn.store.execute(
        "UPDATE requests SET report_due = 1
         WHERE pool <> '' AND model_file IN (SELECT id FROM model_files WHERE status = ?)",
        [EVALUATING],
    )?;
    carry_on(turn)
}

/// Reports what is to be reported and asks what is to be asked, as much as one message can send.
pub(super) fn carry_on(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let mut more = score::report_due(turn)?;
    let Some(herder) = turn.settings.herder else { return Ok(()) };
    let task = settings::task(turn.store)?;
    let sql = "SELECT id FROM model_files WHERE status = ? AND budget > 0 ORDER BY id";
    let files = turn.store.all(sql, [EVALUATING], |row| row.get::<_, i64>(0))?;
    let mut asked = 0;
    for id in files {
        let file = models::by_id(turn.store, id)?;
        let (count, finished) = ask(turn, herder, &task, &file)?;
        asked += count;
        if !finished {
            more = true;
            break;
        }
    }
    if more {
        turn.wake_at_once();
    }
    turn.say(format!("{asked} inferences were asked for"));
    Ok(())
}

/// Asks for a model what may be asked now. How many questions, and whether nothing is left for now.
fn ask(turn: &mut Turn<'_, '_>, herder: ao::Id, task: &PoolTask, file: &ModelFile) -> Result<(usize, bool), Fault> {
    let in_flight: u64 = turn.store.value(
        "SELECT coalesce(sum(questions), 0) FROM batches WHERE model_file = ? AND status = 'in-flight'",
        [file.id],
    )?;
    let allowed = file.budget.min(INFERENCES_PER_TICK.saturating_sub(in_flight));
    let prompts = waiting(turn, file, allowed)?;
    let sizes: Vec<usize> = prompts.iter().map(json_bytes).collect();
    let (messages, bytes) = turn.room();
    let planned = plan::batches(&sizes, Room { inferences: allowed as usize, messages, bytes });
    let count = planned.last().map_or(0, |last| last.end);
    let finished = count == prompts.len();
    // What fails now waits for the next tick, so that a herder without workers is not asked in a circle.
    let budget = if finished { 0 } else { file.budget - count as u64 };
    turn.store.execute("UPDATE model_files SET budget = ? WHERE id = ?", (budget, file.id))?;
    let mut prompts = prompts.into_iter();
    for range in planned {
        send(turn, herder, task, file, prompts.by_ref().take(range.len()).collect())?;
    }
    Ok((count, finished))
}

/// The questions that wait, those first that were asked before.
fn waiting(turn: &Turn<'_, '_>, file: &ModelFile, most: u64) -> Result<Vec<Prompt>, Fault> {
    let again =
        "SELECT id, prompt, continuations FROM predictions JOIN questions ON questions.id = predictions.question
                 WHERE model_file = ? AND status = 'waiting' ORDER BY question LIMIT ?";
    let mut prompts = turn.store.all(again, (file.id, most), read)?;
    let never = "SELECT id, prompt, continuations FROM questions
                 WHERE id > (SELECT coalesce(max(question), 0) FROM predictions WHERE model_file = ?)
                 ORDER BY id LIMIT ?";
    prompts.extend(turn.store.all(never, (file.id, most - prompts.len() as u64), read)?);
    Ok(prompts)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Prompt> {
    let continuations: String = row.get(2)?;
    // This list was written by this process, so it is one.
    Ok(prompt(row.get(0)?, row.get(1)?, serde_json::from_str(&continuations).unwrap_or_default()))
}

fn send(
    turn: &mut Turn<'_, '_>,
    herder: ao::Id,
    task: &PoolTask,
    file: &ModelFile,
    mut prompts: Vec<Prompt>,
) -> Result<(), Fault> {
    // In the order of the questions, so that the batch can be made again when its answers are checked.
    prompts.sort_by_key(|prompt| prompt.id);
    let batch = turn.store.insert(
        "INSERT INTO batches (model_file, questions, status, sent_ms) VALUES (?, ?, 'in-flight', ?)",
        (file.id, prompts.len(), turn.now_ms()),
    )?;
    for prompt in &prompts {
        turn.store.execute(
            "INSERT INTO predictions (model_file, question, batch, attempts, status) VALUES (?1, ?2, ?3, 1, 'in-flight')
             ON CONFLICT (model_file, question)
             DO UPDATE SET batch = ?3, attempts = attempts + 1, status = 'in-flight'",
            (file.id, prompt.id, batch),
        )?;
    }
    let worker_type = Outgoing::new(herder, "Inference").tag("WorkerType", "Llama");
    let inference = worker_type.tag("Model", &file.model).tag("File-Hash", &file.file_hash).tag("Reference", batch);
    let data = serde_json::to_vec(&request(task, prompts)).map_err(|error| Fault::BadData(error.to_string()))?;
    turn.send(inference.tag("Notify-Undeliverable", "true").data(data));
    Ok(())
}

/// The batch that was sent under a number, as it was sent: what its answers are checked against.
pub(super) fn sent(turn: &Turn<'_, '_>, task: &PoolTask, batch: i64) -> Result<InferenceRequest, Fault> {
    let sql = "SELECT id, prompt, continuations FROM predictions JOIN questions ON questions.id = predictions.question
               WHERE batch = ? ORDER BY question";
    Ok(request(task, turn.store.all(sql, [batch], read)?))
}

/// One prompt of a batch.
pub(super) fn prompt(id: u64, prompt: String, continuations: Vec<String>) -> Prompt {
    Prompt { id, prompt, continuations }
}

/// A batch as the task asks.
pub(super) fn request(task: &PoolTask, prompts: Vec<Prompt>) -> InferenceRequest {
    let (kind, max_tokens, stop) = match task.generation() {
        Some(generation) => (RequestKind::Generate, generation.max_gen_toks, generation.until.clone()),
        None => (RequestKind::Loglikelihood, 0, Vec::new()),
    };
    InferenceRequest { kind, system_prompt: None, max_tokens, stop, prompts }
}

/// Bytes of a value as JSON.
pub(super) fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}
