//! How far one comes without reading the questions: by always giving the same answer, or always the longest or the
//! shortest option. A score means what it is above these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{CHOICES_MAX, LABEL_BYTES_MAX};

/// Counts over a set of questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// How many questions there are.
    pub total: u64,
    /// How often each answer is the right one. Of free answers only the first few short ones are kept.
    pub labels: BTreeMap<String, u64>,
    /// How often the longest option is the right one.
    pub longest: u64,
    /// How often the shortest option is the right one.
    pub shortest: u64,
}

impl Balance {
    /// Takes a question in: its right answer, and which choices are its longest and shortest option, if it has options.
    pub fn add(&mut self, target: &str, longest: Option<&str>, shortest: Option<&str>) {
        self.total += 1;
        self.longest += u64::from(longest == Some(target));
        self.shortest += u64::from(shortest == Some(target));
        if let Some(count) = self.labels.get_mut(target) {
            *count += 1;
        } else if self.labels.len() < CHOICES_MAX && target.len() <= LABEL_BYTES_MAX {
            self.labels.insert(target.to_owned(), 1);
        }
    }

    /// How many questions somebody answers rightly who always gives the commonest answer.
    pub fn always_one(&self) -> u64 {
        self.labels.values().copied().max().unwrap_or_default()
    }
}
