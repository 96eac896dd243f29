//! The dataset's part in a new pool: it freezes itself and says what it is, and the pool opens on that.

use ao::{Id, Outgoing};
use serde::Deserialize;

use super::competitor::Competitors;
use super::pool::{self, FrozenDataset, Pool, Status};
use super::turn::Turn;
use super::{payments, settlement, views};
use crate::limits::{QUESTION_POINTS_MAX, QUESTIONS_MAX, SIGNIFICANCE_QUESTIONS_MAX};
use crate::payload::{json, only, parsed};
use crate::{Fault, readable};

/// The data of a Dataset-Frozen message.
#[derive(Debug, Deserialize)]
struct Frozen {
    questions: u64,
    content_hash: String,
    protocol: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    synthetic: bool,
    /// What can be entered: `models` if it says nothing, or `documents`.
    entries: Option<String>,
    /// The most that one question can bring; 1 if it says nothing.
    points: Option<u32>,
}

/// The dataset is frozen: the pool opens, if it can be scored on.
pub(super) fn dataset_frozen(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let Some(pool) = awaiting(turn, "Dataset-Frozen")? else { return Ok(()) };
    let frozen = match json::<Frozen>(turn.message).and_then(|frozen| check(frozen, &pool)) {
        Ok(frozen) => frozen,
        Err(fault) => {
            let reason = format!("the dataset cannot be used: {fault}");
            return settlement::refund(turn, &pool, &reason);
        }
    };
    pool::open(turn.store, &pool, &frozen)?;
    let pool = pool::get(turn.store, &pool.id)?;
    let data = views::pool(turn.store, &pool)?.to_string();
    let created = Outgoing::new(pool.funder, "Pool-Created")
        .tag("Pool", pool.id)
        .tag("Dataset", pool.rules.dataset)
        .tag("Start", pool.rules.start_ms)
        .tag("End", pool.rules.end_ms);
    turn.send(created.data(data));
    turn.say(format!("the pool {} is open", pool.id));
    Ok(())
}

/// The dataset says that it cannot be used.
pub(super) fn dataset_error(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let Some(pool) = awaiting(turn, "Dataset-Error")? else { return Ok(()) };
    let error = readable::sentence(turn.message.tag("Error").unwrap_or("it gave no reason"));
    settlement::refund(turn, &pool, &format!("the dataset refused: {error}"))
}

/// The node says that there is no such process, or that it does not know what it is asked: a dataset, or a token.
pub(super) fn undeliverable(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.env.node, "the node of this process", "Undeliverable")?;
    if turn.message.tag("Original-Action") == Some("Transfer") {
        return payments::transfer_undeliverable(turn);
    }
    let id: Id = parsed(turn.message, "Reference")?;
    let pool = pool::get(turn.store, &id)?;
    if pool.status != Status::Opening || turn.message.tag("Original-Action") != Some("Freeze-Dataset") {
        turn.say(format!("nothing waits for that answer: the pool {id} is {}", pool.status));
        return Ok(());
    }
    let dataset = pool.rules.dataset;
    let reason = match turn.message.tag("Error") {
        Some(error) => format!("the process {dataset} is no dataset: {}", readable::sentence(error)),
        None => format!("there is no process {dataset} on this node that could be the dataset"),
    };
    settlement::refund(turn, &pool, &reason)
}

/// The pool that waits for this answer of its dataset, if it still does.
fn awaiting(turn: &mut Turn<'_, '_>, action: &'static str) -> Result<Option<Pool>, Fault> {
    let id: Id = parsed(turn.message, "Pool")?;
    let pool = pool::get(turn.store, &id)?;
    only(turn.message, &pool.rules.dataset, "the dataset of the pool", action)?;
    if pool.status == Status::Opening {
        return Ok(Some(pool));
    }
    turn.say(format!("nothing waits for that answer: the pool {id} is {}", pool.status));
    Ok(None)
}

fn check(frozen: Frozen, pool: &Pool) -> Result<FrozenDataset, Fault> {
    let most = if pool.tests_ties() { SIGNIFICANCE_QUESTIONS_MAX } else { QUESTIONS_MAX };
    if frozen.questions == 0 {
        return Err(Fault::Refused("it has no questions".to_owned()));
    }
    let questions = u32::try_from(frozen.questions).ok().filter(|questions| *questions <= most).ok_or_else(|| {
        let asked = if pool.tests_ties() { " with X-Ties=significance" } else { "" };
        Fault::Refused(format!("it has {} questions, and a pool{asked} has at most {most}", frozen.questions))
    })?;
    let competitors: Competitors = match frozen.entries.as_deref().map(str::parse) {
        None => Competitors::Models,
        Some(Ok(competitors)) => competitors,
        Some(Err(_)) => return Err(Fault::Refused("it does not say whether models or documents compete".to_owned())),
    };
    let points = frozen.points.unwrap_or(1);
    if !(1..=QUESTION_POINTS_MAX).contains(&points) {
        return Err(Fault::Refused(format!("a question brings 1 to {QUESTION_POINTS_MAX} points, and there {points}")));
    }
    if points > 1 && pool.tests_ties() {
        let reason = "its questions bring points, and X-Ties=significance compares right and wrong answers only";
        return Err(Fault::Refused(reason.to_owned()));
    }
    Ok(FrozenDataset {
        questions,
        content_hash: readable::title(&frozen.content_hash),
        protocol: readable::title(&frozen.protocol),
        title: readable::title(&frozen.title),
        synthetic: frozen.synthetic,
        competitors,
        points,
    })
}
