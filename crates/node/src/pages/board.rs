//! Pools, entries and money as the benchmark process tells them, and how a page shows them. What a page does not show is
//! not read, so a process that says more is understood as well.

use ao::{Id, Quantity};
use serde::Deserialize;

use super::competitor::Competitor;
use super::format::{self, address, day, message, money, money_about, name, percent, reason, span, when};

/// A pool.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pool {
    pub(super) id: Id,
    #[serde(default)]
    title: String,
    #[serde(default)]
    dataset_title: String,
    pub(super) dataset: Id,
    pub(super) funder: Id,
    pub(super) funds: Quantity,
    pub(super) allocation: String,
    #[serde(default)]
    pub(super) weights: Option<String>,
    pub(super) ties: String,
    pub(super) metric: String,
    pub(super) start: u64,
    pub(super) end: u64,
    #[serde(default)]
    pub(super) grace_end: u64,
    #[serde(default)]
    pub(super) created: u64,
    pub(super) status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    pub(super) questions: u64,
    /// The least difference of two scores that so many questions show, where there is one.
    #[serde(default)]
    minimum_detectable_difference: Option<f64>,
    #[serde(default)]
    pub(super) protocol: String,
    #[serde(default)]
    pub(super) content_hash: String,
    #[serde(default)]
    pub(super) entries: u64,
    #[serde(default)]
    pub(super) synthetic: bool,
    #[serde(default)]
    pub(super) leader: Option<Leader>,
    /// `models` or `documents`.
    #[serde(default)]
    competitors: String,
    /// The most that one question can bring.
    #[serde(default = "one")]
    pub(super) points: u64,
}

fn one() -> u64 {
    1
}

/// The best entry of a pool.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Leader {
    model: Competitor,
    #[serde(default)]
    name: String,
    score: f64,
    interval: [f64; 2],
}

/// An entry in its place.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    pub(super) rank: Option<u64>,
    /// The ranks that it may have, as far as the questions tell the entries apart.
    #[serde(default)]
    rank_range: Option<[u64; 2]>,
    #[serde(default)]
    pub(super) group: Option<u64>,
    pub(super) model: Competitor,
    pub(super) participant: Id,
    #[serde(default)]
    name: String,
    pub(super) correct: u64,
    #[serde(default)]
    pub(super) correct_strict: u64,
    #[serde(default)]
    pub(super) correct_lenient: u64,
    pub(super) answered: u64,
    pub(super) unparsed: u64,
    pub(super) total: u64,
    /// The most that one question can bring.
    #[serde(default = "one")]
    pub(super) points: u64,
    pub(super) score: f64,
    pub(super) interval: [f64; 2],
    pub(super) status: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    pub(super) payout_if_ended: Quantity,
    #[serde(default)]
    pub(super) content_hash: String,
}

/// Money that goes, or went, to somebody: a payout, or a refund, which has no rank.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Payout {
    pub(super) rank: Option<u64>,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) pool: Option<Id>,
    pub(super) participant: Id,
    quantity: Quantity,
    pub(super) status: String,
    #[serde(default)]
    message: Option<Id>,
    #[serde(default)]
    paid_ms: Option<u64>,
}

/// Money that came into a pool.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Funding {
    message: Id,
    funder: Id,
    quantity: Quantity,
    funded_ms: u64,
}

impl Pool {
    /// Its title, or the beginning of its id.
    pub(super) fn title(&self) -> String {
        let title = name(&self.title);
        if title.trim().is_empty() { format!("Pool {}", self.id.short()) } else { title }
    }

    pub(super) fn dataset_title(&self) -> String {
        let title = name(&self.dataset_title);
        if title.trim().is_empty() { self.dataset.short() } else { title }
    }

    pub(super) fn funds(&self) -> String {
        money(self.funds)
    }

    pub(super) fn opens(&self) -> String {
        when(self.start)
    }

    pub(super) fn ends(&self) -> String {
        when(self.end)
    }

    /// Its status in words.
    pub(super) fn stands(&self) -> &str {
        match self.status.as_str() {
            "Opening" => "waiting for its dataset",
            "Open" => "open",
            "Closed" => "ended, last evaluations are waited for",
            "Settling" => "paying out",
            "Settled" => "settled",
            "Refunded" => "refunded",
            other => other,
        }
    }

    /// How much time is left, or when it ended.
    pub(super) fn time_left(&self, now_ms: u64) -> String {
        if now_ms < self.start {
            format!("begins in {}", span(self.start - now_ms))
        } else if now_ms < self.end {
            format!("{} left", span(self.end - now_ms))
        } else {
            format!("ended {}", day(self.end))
        }
    }

    /// Whether sets of documents compete, and not models.
    pub(super) fn is_of_documents(&self) -> bool {
        self.competitors == "documents"
    }

    /// Whether something can be entered.
    pub(super) fn takes_entries(&self, now_ms: u64) -> bool {
        self.status == "Open" && (self.start..self.end).contains(&now_ms)
    }

    pub(super) fn reason(&self) -> String {
        reason(&self.reason)
    }

    /// The least difference of two models that its questions show, in percentage points.
    pub(super) fn detectable(&self) -> Option<String> {
        let known = self.minimum_detectable_difference.filter(|difference| *difference < 1.0);
        known.filter(|_| !self.is_of_documents()).map(|difference| format!("{:.1}", difference * 100.0))
    }
}

impl Leader {
    pub(super) fn name(&self) -> String {
        self.model.called(&self.name)
    }

    pub(super) fn score(&self) -> String {
        percent(self.score)
    }

    pub(super) fn interval(&self) -> String {
        interval(self.interval)
    }
}

/// An interval of shares.
pub(super) fn interval([low, high]: [f64; 2]) -> String {
    format!("{:.1} to {}", low * 100.0, percent(high))
}

impl Line {
    /// The ranks that it may have, if they are several.
    pub(super) fn ranks(&self) -> Option<String> {
        let [best, worst] = self.rank_range?;
        (best < worst).then(|| format!("{best}–{worst}"))
    }

    pub(super) fn name(&self) -> String {
        self.model.called(&self.name)
    }

    /// Whether a score can be shown: without answers there is none.
    pub(super) fn is_scored(&self) -> bool {
        self.answered > 0
    }

    /// Whether its evaluation goes on.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.status.as_str(), "Checking" | "Evaluating")
    }

    /// What it has of what it could have: correct answers, or points where a question brings several.
    pub(super) fn achieved(&self) -> String {
        format!("{} of {}", self.correct, self.total * self.points)
    }

    /// What the two ways of reading an answer make of it, where they differ.
    pub(super) fn readings_differ(&self) -> bool {
        self.correct_strict != self.correct_lenient
    }

    pub(super) fn score(&self) -> String {
        percent(self.score)
    }

    pub(super) fn interval(&self) -> String {
        interval(self.interval)
    }

    /// Its status in words.
    pub(super) fn stands(&self) -> String {
        match self.status.as_str() {
            "Checking" => "is being checked".to_owned(),
            "Evaluating" => format!("{} of {} answered", self.answered, self.total),
            "Complete" if self.rank.is_none() && self.points > 1 => "no point".to_owned(),
            "Complete" if self.rank.is_none() => "no correct answer".to_owned(),
            other => other.to_lowercase(),
        }
    }

    pub(super) fn reason(&self) -> String {
        reason(self.reason.as_deref().unwrap_or_default())
    }

    pub(super) fn payout(&self) -> String {
        if self.rank.is_some() { money_about(self.payout_if_ended) } else { String::new() }
    }

    pub(super) fn participant(&self) -> String {
        address(self.participant)
    }
}

impl Payout {
    pub(super) fn quantity(&self) -> String {
        money(self.quantity)
    }

    pub(super) fn participant(&self) -> String {
        address(self.participant)
    }

    pub(super) fn message(&self) -> String {
        self.message.map(message).unwrap_or_default()
    }

    pub(super) fn paid(&self) -> String {
        self.paid_ms.map(when).unwrap_or_default()
    }

    /// What it is for.
    pub(super) fn place(&self) -> String {
        match self.rank {
            Some(rank) => rank.to_string(),
            None if self.kind.is_empty() => "refund".to_owned(),
            None => format::name(&self.kind),
        }
    }
}

impl Funding {
    pub(super) fn quantity(&self) -> String {
        money(self.quantity)
    }

    pub(super) fn funder(&self) -> String {
        address(self.funder)
    }

    pub(super) fn message(&self) -> String {
        message(self.message)
    }

    pub(super) fn funded(&self) -> String {
        when(self.funded_ms)
    }
}
