//! Showing the questions: their owner can show them to everybody once no pool on them can take a set any more, so that each
//! judgement can be looked at. It is for good, and no further pool can be opened on them.

use ao::Id;
use serde_json::json;

use super::turn::Turn;
use crate::Fault;

/// `Show-Questions`: from now on the questions, the responses that were expected and the evidence stand in `Results`.
pub(super) fn show_questions(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_its_owner("Show-Questions")?;
    let last = turn.store.first("SELECT pool, end_ms FROM pools ORDER BY end_ms DESC, pool LIMIT 1", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))
    })?;
    let Some((pool, end_ms)) = last else {
        return Err(Fault::Refused("no pool was opened on these questions yet".to_owned()));
    };
    if turn.now_ms() < end_ms {
        let left_ms = end_ms - turn.now_ms();
        return Err(Fault::Refused(format!(
            "the pool {pool} goes on for {} minutes: whoever reads its questions could make a set for them",
            left_ms.div_ceil(60_000)
        )));
    }
    let now_ms = turn.now_ms();
    turn.store.execute("UPDATE dataset SET shown_ms = coalesce(shown_ms, ?)", [now_ms])?;
    turn.answer("Show-Questions-Response", &json!({ "shown": true }));
    Ok(())
}

/// Whether everybody may read the questions.
pub(super) fn are_shown(turn: &Turn<'_, '_>) -> Result<bool, Fault> {
    turn.store.value("SELECT shown_ms IS NOT NULL FROM dataset", [])
}

/// Keeps until when a pool takes sets, or waits for evaluations.
pub(super) fn keep_end(turn: &mut Turn<'_, '_>, pool: &Id, end_ms: u64) -> Result<(), Fault> {
    let sql =
        "INSERT INTO pools (pool, end_ms) VALUES (?, ?) ON CONFLICT (pool) DO UPDATE SET end_ms = excluded.end_ms";
    turn.store.execute(sql, (pool.to_string(), end_ms))?;
    Ok(())
}
