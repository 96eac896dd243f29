//! What comes next: scores that are to be reported, and questions that are to be searched for. As much as one message can
//! send; the rest follows by alarm, or when an answer comes.

use std::fmt;
use std::str::FromStr;

use ao::Outgoing;
use rusqlite::Row;
use serde_json::json;

use super::limits::{
    ATTEMPTS_MAX, DOCUMENTS_FOUND, JUDGED_IN_FLIGHT_MAX, RETRY_MS, SEARCHES_IN_FLIGHT_MAX, TEXT_BYTES_MAX,
};
use super::turn::Turn;
use super::{entering, score};
use crate::payload::{only, required};
use crate::{Fault, readable};

/// Bytes of the data of a search, at most, beside the question as JSON.
const SEARCH_BYTES: usize = 6 * TEXT_BYTES_MAX + 200;

/// One question for one entry, at one attempt: how its answers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) entry: i64,
    pub(super) question: u64,
    pub(super) attempt: u64,
}

impl fmt::Display for Try {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.entry, self.question, self.attempt)
    }
}

impl FromStr for Try {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.splitn(3, '/');
        let mut next = || numbers.next().and_then(|number| number.parse::<u64>().ok()).ok_or(());
        let entry = i64::try_from(next()?).map_err(|_| ())?;
        Ok(Self { entry, question: next()?, attempt: next()? })
    }
}

/// Goes on with everything.
pub(super) fn carry_on(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let mut more = score::report_due(turn)?;
    let (searching, judging) = (in_flight(turn, "searching")?, in_flight(turn, "judging")?);
    let places = SEARCHES_IN_FLIGHT_MAX.min(JUDGED_IN_FLIGHT_MAX.saturating_sub(judging)).saturating_sub(searching);
    let sql = "SELECT entry, question, attempts, documents,
                      (SELECT question FROM questions WHERE questions.id = judgements.question)
               FROM judgements JOIN entries ON entries.id = entry
               WHERE judgements.status = 'waiting' AND due_ms <= ? AND entries.status = 'evaluating'
               ORDER BY due_ms, entry, question LIMIT ?";
    let due = turn.store.all(sql, (turn.now_ms(), places), |row: &Row<'_>| {
        let attempt = row.get::<_, u64>(2)? + 1;
        let next = Try { entry: row.get(0)?, question: row.get(1)?, attempt };
        Ok((next, row.get::<_, String>(3)?, row.get::<_, String>(4)?))
    })?;
    for (next, documents, question) in due {
        if !turn.has_room_for(1, SEARCH_BYTES) {
            more = true;
            break;
        }
        search(turn, next, &documents, &question)?;
    }
    // What waits for a place goes on when an answer comes, and what waits for its time then.
    let later: Option<u64> = turn.store.value(
        "SELECT min(due_ms) FROM judgements JOIN entries ON entries.id = entry
         WHERE judgements.status = 'waiting' AND entries.status = 'evaluating' AND due_ms > ?",
        [turn.now_ms()],
    )?;
    let soon = more.then(|| turn.now_ms() + 1);
    turn.effects.wake_at_ms = soon.into_iter().chain(later).min();
    Ok(())
}

fn in_flight(turn: &Turn<'_, '_>, status: &str) -> Result<u64, Fault> {
    turn.store
        .value("SELECT count(*) FROM judgements WHERE status = ? AND status IN ('searching', 'judging')", [status])
}

fn search(turn: &mut Turn<'_, '_>, next: Try, documents: &str, question: &str) -> Result<(), Fault> {
    let sql = "UPDATE judgements SET status = 'searching', attempts = ? WHERE entry = ? AND question = ?";
    turn.store.execute(sql, (next.attempt, next.entry, next.question))?;
    let data = json!({ "dataset_hash": documents, "prompt": question, "limit": DOCUMENTS_FOUND }).to_string();
    let asked = Outgoing::new(turn.settings.knowledge, "Search-Prompt").tag("Reference", format!("s/{next}"));
    turn.send(asked.tag("Notify-Undeliverable", "true").data(data));
    Ok(())
}

/// The try that an answer belongs to, if it is still awaited in that state.
pub(super) fn awaited(turn: &mut Turn<'_, '_>, found: Try, status: &str) -> Result<bool, Fault> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM judgements WHERE entry = ? AND question = ? AND attempts = ? AND status = ?)";
    let is_awaited: bool = turn.store.value(sql, (found.entry, found.question, found.attempt, status))?;
    if !is_awaited {
        turn.say(format!("no answer to {found} is awaited (any more)"));
    }
    Ok(is_awaited)
}

/// A try came to nothing: the question waits for the next one, or the evaluation is given up.
pub(super) fn give_back(turn: &mut Turn<'_, '_>, failed: Try, reason: &str) -> Result<(), Fault> {
    let doublings = failed.attempt.saturating_sub(1).min(20);
    put_off(turn, failed, turn.now_ms() + (RETRY_MS << doublings), failed.attempt)?;
    if failed.attempt >= ATTEMPTS_MAX {
        let question = failed.question;
        return entering::fail(turn, failed.entry, &format!("question {question} has no score: {reason}"));
    }
    turn.say_error(readable::sentence(reason));
    Ok(())
}

/// The question waits until `due_ms`, after so many attempts.
pub(super) fn put_off(turn: &mut Turn<'_, '_>, put_off: Try, due_ms: u64, attempts: u64) -> Result<(), Fault> {
    let place = (put_off.entry, put_off.question);
    turn.store.execute("DELETE FROM votes WHERE entry = ? AND question = ?", place)?;
    turn.store.execute(
        "UPDATE judgements SET status = 'waiting', due_ms = ?, attempts = ? WHERE entry = ? AND question = ?",
        (due_ms, attempts, put_off.entry, put_off.question),
    )?;
    Ok(())
}

/// `Undeliverable`: the knowledge process or the herder is none of this node, or refused.
pub(super) fn undeliverable(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.env.node, "the node of this process", "Undeliverable")?;
    let reference = required(turn.message, "Reference")?.to_owned();
    let reason = match turn.message.tag("Error") {
        Some(error) => readable::sentence(error),
        None => "there is no such process on this node".to_owned(),
    };
    if reference.starts_with("i/") {
        return entering::inspection_failed(turn, &reference, &format!("the knowledge process: {reason}"));
    }
    let (kind, rest) = reference.split_at(reference.len().min(2));
    let (status, who) = if kind == "s/" { ("searching", "the knowledge process") } else { ("judging", "the herder") };
    let Ok(failed) = rest.rsplit_once('#').map_or(rest, |(rest, _)| rest).parse::<Try>() else { return Ok(()) };
    if awaited(turn, failed, status)? {
        give_back(turn, failed, &format!("{who}: {reason}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_is_known_by_its_text_and_nothing_else_is_one() {
        let one = Try { entry: 3, question: 14, attempt: 2 };
        assert_eq!(one.to_string().parse(), Ok(one));
        for text in ["", "3/14", "3/14/x", "-3/14/2", "3/14/2/1", "99999999999999999999/1/1"] {
            assert_eq!(text.parse::<Try>(), Err(()), "{text}");
        }
    }
}
