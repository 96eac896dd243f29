//! The leaderboard of each pool by day, and the questions to the datasets for scores that are not complete.

use ao::{Id, MessageKind, Outgoing};

use super::competitor::Competitor;
use super::pool::{self, Pool, select_pools};
use super::turn::Turn;
use super::{entry, ranking};
use crate::limits::{SCORES_ASKED_PER_TICK, SNAPSHOT_ROWS_MAX};
use crate::{Fault, column};

const DAY_MS: u64 = 86_400_000;

/// The daily tick: a snapshot of each pool that runs, and a question for each score that is missing. A message from
/// anybody else changes nothing: the board that Leaderboard shows is always the newest.
pub(super) fn update(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    if turn.message.kind != MessageKind::Cron {
        turn.say("leaderboards are updated by the clock, every 24 hours");
        return Ok(());
    }
    let running =
        turn.store.all(select_pools!("WHERE status IN ('Open', 'Closed') ORDER BY created_slot"), (), pool::read)?;
    for pool in &running {
        snapshot(turn, pool)?;
    }
    ask_for_scores(turn)?;
    turn.say(format!("{} leaderboards are updated", running.len()));
    Ok(())
}

/// Keeps the board of a pool as it stands, one for each day.
pub(super) fn snapshot(turn: &mut Turn<'_, '_>, pool: &Pool) -> Result<(), Fault> {
    let (taken_ms, day) = (turn.now_ms(), turn.now_ms() / DAY_MS);
    turn.store.execute("DELETE FROM leaderboards WHERE day = ? AND pool = ?", (day, pool.id.to_string()))?;
    let ranked = ranking::ranking(turn.store, pool)?.into_iter().map(|ranked| (Some(ranked.rank), ranked.entry));
    let others = entry::all(turn.store, &pool.id)?.into_iter().filter(|entry| !entry.is_eligible(pool));
    let board = ranked.chain(others.map(|entry| (None, entry))).take(SNAPSHOT_ROWS_MAX);
    for (place, (rank, entry)) in (1_u32..).zip(board) {
        turn.store.execute(
            "INSERT INTO leaderboards (day, pool, place, rank, model, participant, correct, answered, total, taken_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                day,
                pool.id.to_string(),
                place,
                rank,
                entry.model.to_string(),
                entry.participant.to_string(),
                entry.correct(pool),
                entry.score.answered,
                entry.score.total,
                taken_ms,
            ),
        )?;
    }
    Ok(())
}

/// Asks for the scores that were asked for longest ago.
fn ask_for_scores(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql =
        "SELECT entries.id, pools.dataset, pools.id, entries.model FROM entries JOIN pools ON pools.id = entries.pool
               WHERE entries.status = 'Evaluating' AND pools.status IN ('Open', 'Closed')
               ORDER BY entries.asked_ms, entries.id LIMIT ?";
    let most = SCORES_ASKED_PER_TICK.min(turn.room()) as u64;
    let unfinished: Vec<(i64, Id, Id, Competitor)> = turn.store.all(sql, [most], |row| {
        Ok((row.get(0)?, column::parsed(row, 1)?, column::parsed(row, 2)?, column::parsed(row, 3)?))
    })?;
    for (entry, dataset, pool, model) in unfinished {
        turn.send(Outgoing::new(dataset, "Score").tag("Pool", pool).tag("Model", model));
        let now_ms = turn.now_ms();
        turn.store.execute("UPDATE entries SET asked_ms = ? WHERE id = ?", (now_ms, entry))?;
    }
    Ok(())
}
