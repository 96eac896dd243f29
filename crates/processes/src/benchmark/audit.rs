//! The books of a benchmark process, added up from its tables: for every pool, what came in is what is held, was paid, was
//! refunded, or is on its way.

use ao::{Id, Quantity};

use super::pool::{self, Status, select_pools};
use super::ranking;
use crate::{Fault, Store, column};

/// The books of one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolBooks {
    /// The pool.
    pub pool: Id,
    /// Whether the pool has come to its end: nothing may be held or on its way any more.
    pub settled: bool,
    /// All that was credited to it.
    pub credited: Quantity,
    /// Held for a ranking that is not decided.
    pub escrow: Quantity,
    /// Payouts that the token has made.
    pub paid: Quantity,
    /// Refunds that the token has made.
    pub refunded: Quantity,
    /// Payouts and refunds that are decided and not made.
    pub open: Quantity,
    /// Whether the decided payouts are those of the pool's rule, ranked and divided anew from its entries; nothing if
    /// none were decided.
    pub paid_by_rule: Option<bool>,
}

/// The books of a benchmark process for one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Each pool.
    pub pools: Vec<PoolBooks>,
    /// Refunds, decided and not made, of money that never was part of a pool.
    pub returning: Quantity,
    /// Refunds of others that are kept here.
    pub held: Quantity,
}

impl PoolBooks {
    /// Whether the pool's money adds up to the last unit.
    pub fn balance(&self) -> bool {
        let sum = Quantity::checked_sum([self.escrow, self.paid, self.refunded, self.open]);
        let empty = !self.settled || (self.escrow.is_zero() && self.open.is_zero());
        sum == Some(self.credited) && empty
    }
}

impl Books {
    /// What the token must say that this process has, when no message is on its way. Nothing if it does not fit.
    pub fn backing(&self) -> Option<Quantity> {
        let pools = self.pools.iter().flat_map(|pool| [pool.escrow, pool.open]);
        Quantity::checked_sum(pools.chain([self.returning, self.held]))
    }
}

/// Adds up the books for the token `token`.
pub fn audit(store: &Store<'_>, token: &Id) -> Result<Books, Fault> {
    let pools = store.all(select_pools!("ORDER BY created_slot"), (), pool::read)?;
    let pools = pools.into_iter().map(|pool| books(store, &pool)).collect::<Result<_, _>>()?;
    let sql = "SELECT quantity FROM payouts WHERE pool IS NULL AND status <> 'paid' AND token = ?";
    let returning = sum(&store.all(sql, [token.to_string()], |row| column::parsed(row, 0))?)?;
    let sql = "SELECT quantity FROM held WHERE token = ?";
    let held = sum(&store.all(sql, [token.to_string()], |row| column::parsed(row, 0))?)?;
    Ok(Books { pools, returning, held })
}

fn books(store: &Store<'_>, pool: &pool::Pool) -> Result<PoolBooks, Fault> {
    let id = pool.id.to_string();
    let sql = "SELECT quantity FROM pool_funding WHERE pool = ?";
    let credited = sum(&store.all(sql, [&id], |row| column::parsed(row, 0))?)?;
    let sql = "SELECT quantity FROM payouts WHERE pool = ? AND kind = ? AND (status = 'paid') = ?";
    let quantities = |kind: &str, made: bool| {
        store.all(sql, (&id, kind, made), |row| column::parsed(row, 0)).and_then(|quantities| sum(&quantities))
    };
    let undecided = matches!(pool.status, Status::Opening | Status::Open | Status::Closed);
    Ok(PoolBooks {
        pool: pool.id,
        settled: pool.status == Status::Settled,
        credited,
        escrow: if undecided { pool.funds } else { Quantity::ZERO },
        paid: quantities("payout", true)?,
        refunded: quantities("refund", true)?,
        open: sum(&[quantities("payout", false)?, quantities("refund", false)?])?,
        paid_by_rule: paid_by_rule(store, pool)?,
    })
}

fn paid_by_rule(store: &Store<'_>, pool: &pool::Pool) -> Result<Option<bool>, Fault> {
    if !matches!(pool.status, Status::Settling | Status::Settled) {
        return Ok(None);
    }
    let sql = "SELECT rank, participant, quantity FROM payouts WHERE pool = ? AND kind = 'payout' ORDER BY rank";
    let decided: Vec<(u32, Id, Quantity)> = store
        .all(sql, [pool.id.to_string()], |row| Ok((row.get(0)?, column::parsed(row, 1)?, column::parsed(row, 2)?)))?;
    let ranking = ranking::ranking(store, pool)?.into_iter().filter(|ranked| !ranked.payout.is_zero());
    let anew = ranking.map(|ranked| (ranked.rank, ranked.entry.participant, ranked.payout));
    Ok(Some(decided.into_iter().eq(anew)))
}

fn sum(quantities: &[Quantity]) -> Result<Quantity, Fault> {
    let sum = Quantity::checked_sum(quantities.iter().copied());
    sum.ok_or_else(|| Fault::Refused("the books add up to more than 2^128 - 1".to_owned()))
}
