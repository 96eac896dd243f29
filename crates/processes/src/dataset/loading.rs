//! Loading questions: from the data of a message, or from an upload that the node reads. All rows of a message are
//! loaded or none, and the error names the row.

use ao::{Id, Outgoing};
use serde_json::json;
use tasks::{PoolTask, Prepared, Question};

use super::turn::Turn;
use super::{asking, settings};
use crate::limits::{DATASET_QUESTIONS_MAX, LOADS_PENDING_MAX};
use crate::payload::{optional, parsed, quoted};
use crate::{Fault, readable};

/// `Init`: the tables are made when the process is spawned, so this only says that they are there. It may come any
/// number of times.
pub(super) fn init(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_owner("Init")?;
    turn.store.execute("UPDATE dataset SET initialized_ms = coalesce(initialized_ms, ?)", [turn.now_ms()])?;
    turn.say("the tables datasets, models and evaluations are there");
    Ok(())
}

/// `Load-Data`: appends questions, from the data of the message or from an upload.
pub(super) fn load_data(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_owner("Load-Data")?;
    let upload: Option<Id> = optional(turn.message, "Data-Tx")?;
    if let Some(upload) = upload {
        return ask_for_upload(turn, &upload);
    }
    let loaded = append(turn, &turn.message.data)?;
    let questions = count(turn)?;
    turn.answer("Load-Data-Response", &json!({ "loaded": loaded, "questions": questions }));
    Ok(())
}

fn ask_for_upload(turn: &mut Turn<'_, '_>, upload: &Id) -> Result<(), Fault> {
    refuse_frozen(turn)?;
    let pending: u64 = turn.store.value("SELECT count(*) FROM loads", [])?;
    if pending >= LOADS_PENDING_MAX {
        return Err(Fault::Refused(format!(
            "{pending} uploads are being read already; try again when they are loaded"
        )));
    }
    let load = turn.store.insert(
        "INSERT INTO loads (data_tx, requester, requested_ms) VALUES (?, ?, ?)",
        (upload.to_string(), turn.message.from.to_string(), turn.now_ms()),
    )?;
    turn.send(Outgoing::new(turn.env.node, "Read-Data").tag("Data-Tx", upload).tag("Reference", load));
    turn.say(format!("the upload {upload} is being read"));
    Ok(())
}

/// `Data-Content`: the node has read an upload, or says why it cannot.
pub(super) fn data_content(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_node("Data-Content")?;
    let load: i64 = parsed(turn.message, "Reference")?;
    let requester =
        turn.store.first("SELECT requester FROM loads WHERE id = ?", [load], |row| row.get::<_, String>(0))?;
    let Some(requester) = requester else {
        turn.say("nothing waits for that upload");
        return Ok(());
    };
    turn.store.execute("DELETE FROM loads WHERE id = ?", [load])?;
    let loaded = match turn.message.tag("Error") {
        Some(error) => Err(Fault::Refused(format!("the upload cannot be read: {}", readable::sentence(error)))),
        None => append(turn, &turn.message.data),
    };
    let requester: Id = requester.parse().map_err(|_| Fault::BadData("the requester is no address".to_owned()))?;
    let response = Outgoing::new(requester, "Load-Data-Response");
    let response = response.tag("Data-Tx", turn.message.tag("Data-Tx").unwrap_or_default());
    match loaded {
        Ok(loaded) => {
            let data = json!({ "loaded": loaded, "questions": count(turn)? }).to_string();
            turn.say(data.clone());
            turn.send(response.data(data));
            Ok(())
        }
        // Fault of the machine must stay one; what is wrong with the rows, the owner must be told.
        Err(fault) if fault.is_of_the_machine() => Err(fault),
        Err(fault) => {
            turn.say_error(fault.to_string());
            turn.send(response.tag("Error", readable::sentence(&fault.to_string())));
            Ok(())
        }
    }
}

/// Appends all rows or none; how many.
fn append(turn: &mut Turn<'_, '_>, data: &[u8]) -> Result<usize, Fault> {
    refuse_frozen(turn)?;
    let questions = Question::all_from(data).map_err(settings::refused)?;
    if questions.is_empty() {
        return Err(Fault::BadData("it has no rows: a JSON array of questions or JSON lines is expected".to_owned()));
    }
    let before = count(turn)?;
    if before + questions.len() as u64 > DATASET_QUESTIONS_MAX {
        return Err(Fault::Refused(format!("a dataset has at most {DATASET_QUESTIONS_MAX} questions")));
    }
    let task = settings::task(turn.store)?;
    let mut rows = Vec::with_capacity(questions.len());
    for (question, number) in questions.iter().zip(1_u64..) {
        let named = |reason: String| Fault::BadData(format!("row {number}: {reason}"));
        let prepared = task.prepare(question).map_err(|error| named(error.to_string()))?;
        check_askable(&task, &prepared).map_err(named)?;
        rows.push((before + number, question, prepared));
    }
    for (id, question, prepared) in &rows {
        insert(turn, *id, question, prepared)?;
    }
    Ok(rows.len())
}

fn insert(turn: &mut Turn<'_, '_>, id: u64, question: &Question, prepared: &Prepared) -> Result<(), Fault> {
    turn.store.execute(
        "INSERT INTO questions (id, row, prompt, target, choices, continuations, longest, shortest)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id,
            question.to_json(),
            &prepared.prompt,
            &prepared.target,
            json!(prepared.choices).to_string(),
            json!(prepared.continuations).to_string(),
            prepared.longest(),
            prepared.shortest(),
        ),
    )?;
    Ok(())
}

/// Whether a herder would take the question: better to hear it now than when a pool depends on it.
fn check_askable(task: &PoolTask, prepared: &Prepared) -> Result<(), String> {
    let prompt = asking::prompt(1, prepared.prompt.clone(), prepared.continuations.clone());
    let bytes = asking::json_bytes(&prompt);
    if bytes > crate::limits::BATCH_BYTES_MAX {
        return Err(format!("the prompt with its choices has {bytes} bytes as JSON, which no worker takes"));
    }
    asking::request(task, vec![prompt]).validate().map_err(|error| quoted(&error.to_string()))
}

fn refuse_frozen(turn: &Turn<'_, '_>) -> Result<(), Fault> {
    let frozen: Option<u64> = turn.store.value("SELECT frozen_ms FROM dataset", [])?;
    if frozen.is_some() {
        let reason = "the questions are frozen, because a pool was created on them; new questions need a new dataset";
        return Err(Fault::Refused(reason.to_owned()));
    }
    Ok(())
}

/// How many questions there are.
pub(super) fn count(turn: &Turn<'_, '_>) -> Result<u64, Fault> {
    turn.store.value("SELECT count(*) FROM questions", [])
}
