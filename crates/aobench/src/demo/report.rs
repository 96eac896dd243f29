//! What the demo shows at its end: payouts beside balances, and the proof that no money was made or lost.

use std::time::Instant;

use anyhow::bail;
use ao::{Id, Quantity};
use serde::Serialize;

use crate::commands::money::Money;
use crate::commands::pool::paid;
use crate::contest::Leaderboard;
use crate::development::DevelopmentWallet;
use crate::output::{Column, table};

/// The one object that `aobench demo --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pool: PoolPart,
    leaderboard: Vec<LinePart>,
    payouts: Vec<PayoutPart>,
    supply: Supply,
    seconds: Seconds,
}

#[derive(Debug, Serialize)]
struct PoolPart {
    id: Id,
    dataset: Id,
    funds: Quantity,
    status: String,
}

#[derive(Debug, Serialize)]
struct LinePart {
    rank: Option<u64>,
    model: Id,
    participant: Id,
    correct: u64,
    total: u64,
    score: f64,
    interval: [f64; 2],
}

#[derive(Debug, Serialize)]
struct PayoutPart {
    rank: Option<u64>,
    participant: Id,
    quantity: Quantity,
}

/// The token's supply before the pool was funded, and after it was paid out.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Supply {
    pub(super) before: Quantity,
    pub(super) after: Quantity,
}

/// How long each part of the demo took.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Seconds {
    pub(super) start: f64,
    pub(super) fund: f64,
    pub(super) join: f64,
    pub(super) evaluate: f64,
    pub(super) settle: f64,
    total: f64,
    #[serde(skip)]
    began: Instant,
    #[serde(skip)]
    last: Instant,
}

impl Seconds {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { start: 0.0, fund: 0.0, join: 0.0, evaluate: 0.0, settle: 0.0, total: 0.0, began: now, last: now }
    }

    /// Seconds since the last lap.
    pub(super) fn lap(&mut self) -> f64 {
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        seconds
    }

    pub(super) fn finish(&mut self) {
        self.total = self.began.elapsed().as_secs_f64();
    }
}

impl Report {
    pub(super) fn new(board: &Leaderboard, supply: Supply, seconds: Seconds) -> Self {
        let pool = &board.pool;
        Self {
            pool: PoolPart { id: pool.id, dataset: pool.dataset, funds: pool.funds, status: pool.status.clone() },
            leaderboard: board
                .leaderboard
                .iter()
                .map(|line| LinePart {
                    rank: line.rank,
                    model: line.model,
                    participant: line.participant,
                    correct: line.correct,
                    total: line.total,
                    score: line.score,
                    interval: line.interval,
                })
                .collect(),
            payouts: board
                .payouts
                .iter()
                .map(|payout| PayoutPart {
                    rank: payout.rank,
                    participant: payout.participant,
                    quantity: payout.quantity,
                })
                .collect(),
            supply,
            seconds,
        }
    }

    fn paid(&self) -> Option<Quantity> {
        Quantity::checked_sum(self.payouts.iter().map(|payout| payout.quantity))
    }

    /// The last line: what was true before is true after.
    pub(super) fn proof(&self, money: &Money) -> String {
        let paid = self.paid().map_or_else(|| "?".to_owned(), |paid| money.show(paid));
        format!(
            "supply {} before = {} after; payouts {paid} = escrow {}; {:.1} s",
            money.show(self.supply.before),
            money.show(self.supply.after),
            money.show(self.pool.funds),
            self.seconds.total
        )
    }

    /// The demo fails if money was made or lost.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.supply.before != self.supply.after {
            bail!("the supply was {} and is {}: money was made or lost", self.supply.before, self.supply.after);
        }
        if self.paid() != Some(self.pool.funds) {
            bail!("payouts and escrow differ: {:?} was paid of {}", self.paid(), self.pool.funds);
        }
        if self.pool.status != "Settled" {
            bail!("the pool is {}", self.pool.status);
        }
        Ok(())
    }
}

/// Payouts beside the balance of each wallet.
pub(super) fn payouts(
    board: &Leaderboard,
    wallets: &[DevelopmentWallet],
    balances: &[Quantity],
    money: &Money,
) -> String {
    let columns = [
        Column::Text("wallet"),
        Column::Text("address"),
        Column::Number("rank"),
        Column::Number("payout"),
        Column::Number("balance before"),
        Column::Number("balance after"),
    ];
    let rows = wallets.iter().zip(balances).map(|(wallet, balance)| {
        let address = wallet.wallet.address();
        let payout = board.payouts.iter().find(|payout| payout.participant == address);
        vec![
            wallet.name.clone(),
            address.short(),
            payout.and_then(|payout| payout.rank).map_or_else(String::new, |rank| rank.to_string()),
            payout.map_or_else(String::new, |payout| money.show(payout.quantity)),
            money.show(wallet.funds),
            money.show(*balance),
        ]
    });
    let total = paid(board).map_or_else(|| "?".to_owned(), |paid| money.show(paid));
    format!("{}\n{} payouts, {total} in all", table(&columns, rows), board.payouts.len())
}
