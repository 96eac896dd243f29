//! Pools and leaderboards as the benchmark process tells them, and how a page shows them. What a page does not show is
//! not read, so a process that says more is understood as well.

use ao::{Id, Quantity};
use serde::Deserialize;

use super::competitor::Competitor;
use super::format::{money, money_about, name, percent, reason, time};

/// A pool.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pool {
    pub(super) id: Id,
    #[serde(default)]
    title: String,
    pub(super) dataset: Id,
    pub(super) funder: Id,
    funds: Quantity,
    pub(super) allocation: String,
    pub(super) ties: String,
    pub(super) metric: String,
    start: u64,
    end: u64,
    pub(super) status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    pub(super) questions: u64,
    #[serde(default)]
    pub(super) protocol: String,
    #[serde(default)]
    pub(super) entries: u64,
    #[serde(default)]
    pub(super) synthetic: bool,
}

/// An entry in its place.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    pub(super) rank: Option<u64>,
    pub(super) model: Competitor,
    pub(super) participant: Id,
    #[serde(default)]
    name: String,
    pub(super) correct: u64,
    pub(super) answered: u64,
    pub(super) unparsed: u64,
    pub(super) total: u64,
    score: f64,
    interval: [f64; 2],
    pub(super) status: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    payout_if_ended: Quantity,
}

/// Money that goes, or went, to somebody: a payout, or a refund, which has no rank.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Payout {
    pub(super) rank: Option<u64>,
    pub(super) participant: Id,
    quantity: Quantity,
    pub(super) status: String,
}

/// A pool with its entries and payouts.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Leaderboard {
    pub(super) pool: Pool,
    updated_ms: u64,
    #[serde(rename = "leaderboard")]
    pub(super) lines: Vec<Line>,
    #[serde(default)]
    pub(super) payouts: Vec<Payout>,
}

/// Places of an interval on a bar of 100 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) low: u64,
    pub(super) width: u64,
    pub(super) score: u64,
}

impl Pool {
    /// Its title, or the beginning of its id.
    pub(super) fn title(&self) -> String {
        let title = name(&self.title);
        if title.trim().is_empty() { format!("Pool {}", self.id.short()) } else { title }
    }

    pub(super) fn funds(&self) -> String {
        money(self.funds)
    }

    pub(super) fn opens(&self) -> String {
        time(self.start)
    }

    pub(super) fn ends(&self) -> String {
        time(self.end)
    }

    pub(super) fn reason(&self) -> String {
        reason(&self.reason)
    }
}

impl Line {
    pub(super) fn name(&self) -> String {
        name(&self.name)
    }

    /// Whether a score can be shown: without answers there is none.
    pub(super) fn is_scored(&self) -> bool {
        self.answered > 0
    }

    /// Answers in which something could be read.
    pub(super) fn parsed(&self) -> u64 {
        self.answered.saturating_sub(self.unparsed)
    }

    pub(super) fn score(&self) -> String {
        percent(self.score)
    }

    pub(super) fn interval(&self) -> String {
        format!("{} to {}", percent(self.interval[0]), percent(self.interval[1]))
    }

    pub(super) fn bar(&self) -> Bar {
        let place = |share: f64| (share.clamp(0.0, 1.0) * 100.0).round() as u64;
        let (low, high) = (place(self.interval[0]), place(self.interval[1]));
        Bar { low, width: high.saturating_sub(low).max(1), score: place(self.score) }
    }

    pub(super) fn reason(&self) -> String {
        reason(self.reason.as_deref().unwrap_or_default())
    }

    pub(super) fn payout(&self) -> String {
        if self.rank.is_some() { money_about(self.payout_if_ended) } else { String::new() }
    }
}

impl Payout {
    pub(super) fn quantity(&self) -> String {
        money(self.quantity)
    }
}

impl Leaderboard {
    pub(super) fn updated(&self) -> String {
        time(self.updated_ms)
    }

    /// Whether payouts are still a forecast.
    pub(super) fn is_running(&self) -> bool {
        self.payouts.is_empty() && self.pool.status != "Refunded"
    }
}
