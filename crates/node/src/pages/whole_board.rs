//! The whole leaderboard of a pool as comma-separated values: who takes a file of it wants all of it.

use std::collections::BTreeSet;

use ao::Id;
use serde_json::Value;

use super::ask::{action, ask_afresh, named};
use super::board::Line;
use super::face::{field, read};
use super::pool::follow;
use crate::http::error::HttpError;
use crate::http::state::Shared;

/// Rows that are asked for at one time: with names of any length they stay under what a process may answer.
const STEP: usize = 500;

/// Rows of the file: as many entries as a pool can have.
const ROWS_MAX: usize = 10_000;

/// How often it is read anew because the benchmark process came further meanwhile, so that it is the board of one moment.
/// A pool in which scores come in all the time is then given as it was read, each entry once.
const READINGS_MAX: usize = 3;

const HEADER: &str = "rank,group,model,name,participant,status,correct,answered,unparsed,total,score,low,high,\
                      payout_if_ended_wAR,points_per_question\r\n";

/// All rows of a board.
pub(super) async fn csv(shared: &Shared, pool: Id) -> Result<String, HttpError> {
    let benchmark = named(shared, "benchmark")?;
    let mut rows = Vec::new();
    for _ in 0..READINGS_MAX {
        let before = shared.core.applied_slot(&benchmark);
        rows = read_all(shared, benchmark, pool).await?;
        if shared.core.applied_slot(&benchmark) == before {
            break;
        }
    }
    let mut seen = BTreeSet::new();
    let mut csv = HEADER.to_owned();
    for value in rows {
        let line: Line = read(value)?;
        if seen.insert(line.model.to_string()) {
            csv.push_str(&row(&line));
        }
    }
    Ok(csv)
}

async fn read_all(shared: &Shared, benchmark: Id, pool: Id) -> Result<Vec<Value>, HttpError> {
    let (mut rows, mut from) = (Vec::new(), Some("0".to_owned()));
    while let Some(cursor) = from.filter(|_| rows.len() < ROWS_MAX) {
        let tags = action("Leaderboard").with("Limit", STEP.to_string()).with("Cursor", cursor);
        // Nothing of it is kept: it may be large, and is read once.
        let board = ask_afresh(shared, benchmark, tags, pool.to_string()).await?;
        let mut some = board.data["leaderboard"].as_array().cloned().unwrap_or_default();
        follow(shared, pool, &board.data["pool"]["dataset"], &mut some).await;
        rows.append(&mut some);
        from = board.cursor;
    }
    Ok(rows)
}

fn row(line: &Line) -> String {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let fields = [
        number(line.rank),
        number(line.group),
        field(&line.model.to_string()),
        field(&line.name()),
        field(&line.participant.to_string()),
        field(&line.status),
        line.correct.to_string(),
        line.answered.to_string(),
        line.unparsed.to_string(),
        line.total.to_string(),
        line.score.to_string(),
        line.interval[0].to_string(),
        line.interval[1].to_string(),
        line.payout().trim_end_matches(" wAR").to_owned(),
        line.points.to_string(),
    ];
    fields.join(",") + "\r\n"
}
