//! Judges: each gets the question, the response that was expected, and the documents that were found; the median of their
//! scores counts. A judge that gives no score is asked again, and is never a zero.

use ao::Outgoing;
use serde_json::json;
use tasks::judge::{CONTEXT_BYTES_MAX, JudgeRequest, SCORE_MAX, protocol, verdict};

use super::asking::{self, Try};
use super::turn::Turn;
use crate::Fault;
use crate::payload::{only, required, text};

/// Asks all judges about the documents that were found. Nothing found is nothing to judge: no point.
pub(super) fn ask(turn: &mut Turn<'_, '_>, searched: Try, contents: &[String]) -> Result<(), Fault> {
    let mut context = contents.iter().take(turn.settings.documents).cloned().collect::<Vec<_>>().join("\n\n");
    context.truncate(context.floor_char_boundary(CONTEXT_BYTES_MAX));
    if context.trim().is_empty() {
        return answered(turn, searched, &[], 0, 0);
    }
    let sql = "SELECT question, expected_response FROM questions WHERE id = ?";
    let texts = turn.store.first(sql, [searched.question], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((question, expected_response)) = texts else { return Ok(()) };
    let request =
        JudgeRequest { question, expected_response, context: Some(context), judge: 0, protocol: Some(protocol()) };
    let mut sent = Vec::new();
    for judge in 0..turn.settings.judges {
        let request = JudgeRequest { judge, ..request.clone() };
        sent.push(serde_json::to_string(&request).map_err(|error| Fault::BadData(error.to_string()))?);
    }
    if !turn.has_room_for(sent.len(), sent.iter().map(String::len).sum()) {
        let due_ms = turn.now_ms() + 1;
        return asking::put_off(turn, searched, due_ms, searched.attempt - 1);
    }
    for (judge, data) in (0_u32..).zip(sent) {
        let sql = "INSERT INTO votes (entry, question, judge) VALUES (?, ?, ?)";
        turn.store.execute(sql, (searched.entry, searched.question, judge))?;
        let asked = Outgoing::new(turn.settings.herder, "Inference").tag("WorkerType", "Evaluate");
        let asked = asked.tag("Reference", format!("j/{searched}#{judge}")).tag("Notify-Undeliverable", "true");
        turn.send(asked.data(data));
    }
    let sql = "UPDATE judgements SET status = 'judging' WHERE entry = ? AND question = ?";
    turn.store.execute(sql, (searched.entry, searched.question))?;
    Ok(())
}

/// `Inference-Response`: what one judge said.
pub(super) fn judged(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.settings.herder, "the herder of this dataset", "Inference-Response")?;
    let reference = required(turn.message, "Reference")?;
    let parts = reference.strip_prefix("j/").and_then(|rest| rest.rsplit_once('#'));
    let read = parts.and_then(|(judged, judge)| Some((judged.parse::<Try>().ok()?, judge.parse::<u32>().ok()?)));
    let Some((judged, judge)) = read else {
        turn.say("nothing waits for that answer");
        return Ok(());
    };
    if !asking::awaited(turn, judged, "judging")? {
        return Ok(());
    }
    if let Some(error) = turn.message.tag("Error") {
        let reason = format!("a judge gave no score: {error}");
        return asking::give_back(turn, judged, &reason);
    }
    let said = text(turn.message).unwrap_or_default();
    let Some(score) = said.parse::<u8>().ok().filter(|score| *score <= SCORE_MAX) else {
        return asking::give_back(turn, judged, &format!("a judge gave no score from 0 to {SCORE_MAX}"));
    };
    let sql = "UPDATE votes SET score = ? WHERE entry = ? AND question = ? AND judge = ? AND score IS NULL";
    turn.store.execute(sql, (score, judged.entry, judged.question, judge))?;
    let sql = "SELECT score FROM votes WHERE entry = ? AND question = ? ORDER BY judge";
    let votes = turn.store.all(sql, (judged.entry, judged.question), |row| row.get::<_, Option<u8>>(0))?;
    let scores: Option<Vec<u8>> = votes.into_iter().collect();
    let Some(scores) = scores else { return Ok(()) };
    match verdict(&scores) {
        Some(verdict) => answered(turn, judged, &scores, verdict.score, verdict.spread),
        None => Ok(()),
    }
}

/// A question has its score. With the last one the evaluation is complete, and the pool is told.
fn answered(turn: &mut Turn<'_, '_>, judged: Try, scores: &[u8], score: u8, spread: u8) -> Result<(), Fault> {
    turn.store.execute(
        "UPDATE judgements SET status = 'answered', score = ?, spread = ?, scores = ? WHERE entry = ? AND question = ?",
        (score, spread, json!(scores).to_string(), judged.entry, judged.question),
    )?;
    turn.store.execute("DELETE FROM votes WHERE entry = ? AND question = ?", (judged.entry, judged.question))?;
    turn.store.execute(
        "UPDATE entries SET status = 'complete', report_due = 1 WHERE id = ?1 AND status <> 'complete'
             AND NOT EXISTS (SELECT 1 FROM judgements WHERE entry = ?1 AND status <> 'answered')",
        [judged.entry],
    )?;
    turn.say(format!("question {} of entry {} has {score} points", judged.question, judged.entry));
    Ok(())
}
