//! A contest as the commands see it: pools, their leaderboards and payouts, read from the benchmark process.

use ao::{Id, Quantity};
use serde::{Deserialize, Serialize};

use crate::commands::money::Money;
use crate::output::{Column, table};
use crate::session::{Session, action};

/// A pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) id: Id,
    #[serde(default)]
    pub(crate) title: String,
    pub(crate) dataset: Id,
    pub(crate) funder: Id,
    pub(crate) funds: Quantity,
    pub(crate) allocation: String,
    #[serde(default)]
    pub(crate) ties: String,
    #[serde(default)]
    pub(crate) metric: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) questions: u64,
    #[serde(default)]
    pub(crate) protocol: String,
    #[serde(default)]
    pub(crate) entries: u64,
    /// The smallest difference of two scores that so many questions show, as a share.
    #[serde(default)]
    pub(crate) minimum_detectable_difference: Option<f64>,
    #[serde(default)]
    pub(crate) synthetic: bool,
}

/// A line of a leaderboard. Entries without a complete evaluation have no rank.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) rank: Option<u64>,
    /// The best and the worst rank that it may have: it is behind those only that are significantly better.
    #[serde(default)]
    pub(crate) rank_range: Option<[u64; 2]>,
    pub(crate) model: Id,
    pub(crate) participant: Id,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) correct: u64,
    #[serde(default)]
    pub(crate) answered: u64,
    #[serde(default)]
    pub(crate) unparsed: u64,
    pub(crate) total: u64,
    pub(crate) score: f64,
    pub(crate) interval: [f64; 2],
    #[serde(default)]
    pub(crate) progress: f64,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) payout_if_ended: Option<Quantity>,
}

/// A payout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payout {
    /// Nothing where the money goes back to its payer.
    pub(crate) rank: Option<u64>,
    pub(crate) participant: Id,
    pub(crate) quantity: Quantity,
    #[serde(default)]
    pub(crate) status: String,
}

/// A leaderboard with its pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Leaderboard {
    pub(crate) pool: Pool,
    #[serde(default)]
    pub(crate) updated_ms: Option<u64>,
    pub(crate) leaderboard: Vec<Line>,
    #[serde(default)]
    pub(crate) payouts: Vec<Payout>,
}

impl Pool {
    /// Whether nothing more will happen to it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "Settled" | "Refunded")
    }
}

impl Leaderboard {
    /// The leaderboard of a pool.
    pub(crate) async fn read(session: &Session, benchmark: &Id, pool: &str) -> anyhow::Result<Self> {
        session.read(benchmark, action("Leaderboard"), pool).await
    }

    /// The leaderboard as a table, with 95 % intervals.
    pub(crate) fn table(&self, money: &Money) -> String {
        let columns = [
            Column::Number("rank"),
            Column::Text("may be"),
            Column::Text("model"),
            Column::Text("name"),
            Column::Text("participant"),
            Column::Number("correct"),
            Column::Number("no answer"),
            Column::Number("score"),
            Column::Text("95 % interval"),
            Column::Number("if it ended now"),
        ];
        let rows = self.leaderboard.iter().map(|line| {
            vec![
                line.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
                line.rank_range.map_or_else(String::new, |[best, worst]| format!("{best} to {worst}")),
                line.model.short(),
                line.name.clone(),
                line.participant.short(),
                format!("{}/{}", line.correct, line.total),
                line.unparsed.to_string(),
                percent(line.score),
                format!("{} to {}", percent(line.interval[0]), percent(line.interval[1])),
                line.payout_if_ended.map_or_else(String::new, |quantity| money.show(quantity)),
            ]
        });
        let shown = table(&columns, rows);
        match self.pool.minimum_detectable_difference {
            Some(difference) if difference < 1.0 => format!(
                "{shown}\nso many questions show differences of about {:.1} points and more; what is closer may be chance",
                difference * 100.0
            ),
            _ => shown,
        }
    }
}

/// A share as a percentage with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
