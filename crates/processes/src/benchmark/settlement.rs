//! The end of a pool, driven by the clock: Open -> Closed at its end, Closed -> Settling once every entry is evaluated or
//! the grace is over, Settling -> Settled when everything is paid. A message of anybody can only ask for the check.

use ao::{Id, Outgoing, Quantity};

use super::funding::pool_error;
use super::payments::{self, Payout, Refund};
use super::pool::{self, Pool, Status, select_pools};
use super::ranking;
use super::turn::Turn;
use super::{duration, leaderboard};
use crate::limits::{DUE_POOLS_PER_MESSAGE, POOL_OPENING_MS};
use crate::{Fault, column};

/// Carries on with the pools whose time has come.
pub(super) fn run_due(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = select_pools!("WHERE due_ms <= ? ORDER BY due_ms, created_slot LIMIT ?");
    let due = turn.store.all(sql, (turn.now_ms(), DUE_POOLS_PER_MESSAGE), pool::read)?;
    for pool in due {
        match pool.status {
            Status::Opening => {
                let waited = duration::text(POOL_OPENING_MS);
                refund(turn, &pool, &format!("the dataset did not answer within {waited}"))?;
            }
            Status::Open => {
                pool::set_status(turn.store, &pool.id, Status::Closed, Some(pool.grace_end_ms))?;
                settle_if_ready(turn, &pool)?;
            }
            Status::Closed => settle_if_ready(turn, &pool)?,
            Status::Settling | Status::Settled | Status::Refunded => {
                pool::set_status(turn.store, &pool.id, pool.status, None)?;
            }
        }
    }
    Ok(())
}

/// When the clock is wanted next: at the earliest time of any pool, or at once where transfers wait.
pub(super) fn next_wake_ms(turn: &Turn<'_, '_>) -> Result<Option<u64>, Fault> {
    let soonest = turn.now_ms() + 1;
    if payments::are_waiting(turn)? {
        return Ok(Some(soonest));
    }
    let due: Option<u64> = turn.store.value("SELECT min(due_ms) FROM pools WHERE due_ms IS NOT NULL", ())?;
    Ok(due.map(|due_ms| due_ms.max(soonest)))
}

/// An entry of this pool has come to an end: if the pool has, too, and it was the last, it is settled in this message.
pub(super) fn check_complete(turn: &mut Turn<'_, '_>, pool: &Pool) -> Result<(), Fault> {
    if pool.status == Status::Closed && unfinished(turn, &pool.id)? == 0 {
        pool::set_status(turn.store, &pool.id, Status::Closed, Some(turn.message.timestamp_ms))?;
    }
    Ok(())
}

/// Entries of which a score may still come.
fn unfinished(turn: &Turn<'_, '_>, pool: &Id) -> Result<u32, Fault> {
    let sql = "SELECT count(*) FROM entries WHERE pool = ? AND status IN ('Checking', 'Evaluating')";
    turn.store.value(sql, [pool.to_string()])
}

fn settle_if_ready(turn: &mut Turn<'_, '_>, pool: &Pool) -> Result<(), Fault> {
    let waiting = unfinished(turn, &pool.id)?;
    if waiting > 0 && turn.now_ms() < pool.grace_end_ms {
        return pool::set_status(turn.store, &pool.id, Status::Closed, Some(pool.grace_end_ms));
    }
    settle(turn, pool)
}

/// Freezes the ranking and decides every payout in one message. The sum of the payouts is the funds of the pool.
fn settle(turn: &mut Turn<'_, '_>, pool: &Pool) -> Result<(), Fault> {
    let ranking = ranking::ranking(turn.store, pool)?;
    leaderboard::snapshot(turn, pool)?;
    if ranking.is_empty() {
        return refund(turn, pool, "no entry was completely evaluated with a correct answer");
    }
    debug_assert_eq!(
        Quantity::checked_sum(ranking.iter().map(|ranked| ranked.payout)),
        Some(pool.funds),
        "payouts are the escrow"
    );
    ranking::freeze(turn.store, &ranking)?;
    for ranked in ranking.into_iter().filter(|ranked| !ranked.payout.is_zero()) {
        let payout = Payout {
            pool: pool.id,
            rank: ranked.rank,
            model: ranked.entry.model.clone(),
            participant: ranked.entry.participant,
            quantity: ranked.payout,
        };
        payments::decide_payout(turn, &payout)?;
    }
    pool::set_status(turn.store, &pool.id, Status::Settling, None)
}

/// Sends everybody who funded a pool his part back.
pub(super) fn refund(turn: &mut Turn<'_, '_>, pool: &Pool, reason: &str) -> Result<(), Fault> {
    let sql = "SELECT notice, funder, quantity FROM pool_funding WHERE pool = ? ORDER BY rowid";
    let fundings = turn.store.all(sql, [pool.id.to_string()], |row| {
        Ok(Refund {
            notice: column::parsed(row, 0)?,
            pool: Some(pool.id),
            payer: column::parsed(row, 1)?,
            quantity: column::parsed(row, 2)?,
        })
    })?;
    let token = turn.settings.token;
    for funding in &fundings {
        payments::decide_refund(turn, &token, funding, reason)?;
    }
    pool::set_status(turn.store, &pool.id, Status::Refunded, None)?;
    turn.store.execute("UPDATE pools SET reason = ? WHERE id = ?", (reason, pool.id.to_string()))?;
    let error: Outgoing = pool_error(&pool.funder, &pool.id, reason);
    turn.send(error);
    turn.say(format!("the pool {} is refunded: {reason}", pool.id));
    Ok(())
}
