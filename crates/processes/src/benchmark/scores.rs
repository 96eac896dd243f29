//! Scores as the datasets report them. A score is counts of questions, never a fraction, and is checked before it is kept:
//! what is absent is not wrong, and what is complete is final.

use ao::Id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::competitor::Competitor;
use super::entry::{self, Entry, Score, Standing};
use super::pool::{self, Pool, Status};
use super::settlement;
use super::turn::Turn;
use crate::payload::{json, only, parsed};
use crate::{Fault, readable};

/// The data of a Score-Response.
#[derive(Debug, Deserialize)]
struct Report {
    correct: u32,
    answered: u32,
    unparsed: u32,
    unevaluated: u32,
    total: u32,
    complete: bool,
    lenient_correct: u32,
    /// One bit for each question, base64: answered correctly. With complete reports.
    outcomes: Option<String>,
    /// The same by the lenient metric.
    lenient_outcomes: Option<String>,
    /// Why the dataset gave the model up, if it did.
    failed: Option<String>,
}

/// A report that was found in order.
struct Checked {
    score: Score,
    standing: Standing,
    reason: String,
    outcomes: Option<Vec<u8>>,
    lenient_outcomes: Option<Vec<u8>>,
}

/// The dataset of a pool says how far one of its models is.
pub(super) fn score_response(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let id: Id = parsed(turn.message, "Pool")?;
    let model: Competitor = parsed(turn.message, "Model")?;
    let pool = pool::get(turn.store, &id)?;
    only(turn.message, &pool.rules.dataset, "the dataset of the pool", "Score-Response")?;
    let entry = entry::find(turn.store, &id, &model)?;
    let entry = entry.ok_or_else(|| Fault::NotFound { what: "entry", name: format!("{model} in the pool {id}") })?;
    if !matches!(pool.status, Status::Open | Status::Closed) {
        return Err(Fault::Refused(format!("the pool {id} is {}: its ranking is final", pool.status)));
    }
    let report = check(json(turn.message)?, &pool)?;
    if entry.standing == Standing::Checking {
        return Err(Fault::Refused(format!("the model {model} is not evaluated for the pool {id} yet")));
    }
    if entry.standing == Standing::Complete {
        return unchanged(turn, &entry, &report);
    }
    if report.score.answered < entry.score.answered {
        turn.say(format!("a newer report says that {} questions are answered", entry.score.answered));
        return Ok(());
    }
    keep(turn, &entry, &report)?;
    settlement::check_complete(turn, &pool)
}

/// A complete score is final: the same again is nothing new, and another one is refused.
fn unchanged(turn: &mut Turn<'_, '_>, entry: &Entry, report: &Checked) -> Result<(), Fault> {
    if report.score != entry.score && report.standing == Standing::Complete {
        return Err(Fault::Refused(format!("the score of the model {} is complete and stays as it is", entry.model)));
    }
    turn.say(format!("the score of the model {} is complete", entry.model));
    Ok(())
}

fn keep(turn: &mut Turn<'_, '_>, entry: &Entry, report: &Checked) -> Result<(), Fault> {
    let score = report.score;
    turn.store.execute(
        "UPDATE entries SET status = ?, reason = ?, correct = ?, lenient_correct = ?, answered = ?, unparsed = ?,
                            outcomes = ?, lenient_outcomes = ?, updated_ms = ?
         WHERE id = ?",
        (
            report.standing.to_string(),
            &report.reason,
            score.correct,
            score.lenient_correct,
            score.answered,
            score.unparsed,
            &report.outcomes,
            &report.lenient_outcomes,
            turn.message.timestamp_ms,
            entry.id,
        ),
    )?;
    turn.say(format!("{} of {} questions are answered, {} correctly", score.answered, score.total, score.correct));
    Ok(())
}

/// The counts must add up, and be about the questions that were frozen.
fn check(report: Report, pool: &Pool) -> Result<Checked, Fault> {
    let Report { correct, lenient_correct, answered, unparsed, unevaluated, total, .. } = report;
    let bad = |reason: String| Fault::BadData(reason);
    if total != pool.questions {
        return Err(bad(format!("the score is of {total} questions, and the pool was opened on {}", pool.questions)));
    }
    // An unparsed answer brings no point.
    let possible = u64::from(answered.saturating_sub(unparsed)) * u64::from(pool.points);
    let most = u64::from(answered) * u64::from(pool.points);
    let within = unparsed <= answered && answered <= total && u64::from(lenient_correct) <= most;
    if !within || u64::from(correct) > possible {
        return Err(bad(format!(
            "the counts do not add up: {correct} ({lenient_correct}) correct and {unparsed} unparsed of {answered} answered \
             of {total}"
        )));
    }
    if u64::from(answered) + u64::from(unevaluated) > u64::from(total) || (report.complete && answered != total) {
        return Err(bad(format!("{answered} answered and {unevaluated} unevaluated questions are not {total}")));
    }
    let standing = match (&report.failed, report.complete) {
        (_, true) => Standing::Complete,
        (Some(_), false) => Standing::Failed,
        (None, false) => Standing::Evaluating,
    };
    let kept = |text: Option<String>, count| text.filter(|_| report.complete).map(|text| bitmap(&text, total, count));
    Ok(Checked {
        score: Score { correct, lenient_correct, answered, unparsed, total },
        standing,
        reason: report.failed.filter(|_| !report.complete).map(|text| readable::sentence(&text)).unwrap_or_default(),
        outcomes: kept(report.outcomes, correct).transpose()?,
        lenient_outcomes: kept(report.lenient_outcomes, lenient_correct).transpose()?,
    })
}

/// Reads one bit for each of `total` questions, `correct` of them set.
fn bitmap(text: &str, total: u32, correct: u32) -> Result<Vec<u8>, Fault> {
    let bytes = STANDARD.decode(text).map_err(|error| Fault::BadData(format!("outcomes are no base64: {error}")))?;
    let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
    if bytes.len() != total.div_ceil(8) as usize || ones != correct {
        let (bits, most) = (bytes.len() * 8, total);
        return Err(Fault::BadData(format!(
            "outcomes have {ones} of {bits} bits set, for {correct} correct of {most}"
        )));
    }
    Ok(bytes)
}
