//! An entry beside its pool: a row wherever entries of several pools stand (of a model, of a set of documents, of an address,
//! of a dataset).

use ao::Id;
use serde::Deserialize;

use super::board::interval;
use super::competitor::Competitor;
use super::format::{address, name, percent, when};

/// An entry in whatever pool.
#[derive(Debug, Deserialize)]
pub(super) struct Placed {
    pub(super) pool: Id,
    pub(super) pool_title: String,
    pub(super) pool_status: String,
    pub(super) model: Competitor,
    pub(super) participant: Id,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) correct: u64,
    pub(super) answered: u64,
    pub(super) total: u64,
    pub(super) points: u64,
    pub(super) score: f64,
    pub(super) interval: [f64; 2],
    pub(super) rank: Option<u64>,
    pub(super) joined_ms: u64,
    pub(super) content_hash: String,
    pub(super) parameters: u64,
    pub(super) architecture: String,
}

impl Placed {
    pub(super) fn name(&self) -> String {
        self.model.called(&self.name)
    }

    pub(super) fn pool_title(&self) -> String {
        let title = name(&self.pool_title);
        if title.trim().is_empty() { self.pool.short() } else { title }
    }

    pub(super) fn participant(&self) -> String {
        address(self.participant)
    }

    pub(super) fn model(&self) -> String {
        self.model.link()
    }

    pub(super) fn achieved(&self) -> String {
        format!("{} of {}", self.correct, self.total * self.points)
    }

    pub(super) fn joined(&self) -> String {
        when(self.joined_ms)
    }

    pub(super) fn score(&self) -> String {
        if self.answered == 0 { String::new() } else { percent(self.score) }
    }

    pub(super) fn interval(&self) -> String {
        if self.answered == 0 { String::new() } else { interval(self.interval) }
    }
}
