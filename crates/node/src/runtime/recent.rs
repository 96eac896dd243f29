//! The newest results of a process, in memory: who sent a message asks for its result at once, and opening a database for
//! each would cost as much as handling some messages.

use std::collections::VecDeque;

use crate::core::StoredResult;
use crate::limits::{RECENT_RESULT_BYTES_MAX, RECENT_RESULTS_MAX};

/// Results of committed messages, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<StoredResult>);

impl Recent {
    /// Keeps results that are committed, in the order of their slots. `bytes` is about how large each is.
    pub(super) fn add(&mut self, results: impl IntoIterator<Item = (StoredResult, usize)>) {
        for (result, bytes) in results {
            if self.0.len() >= RECENT_RESULTS_MAX {
                self.0.pop_front();
            }
            if bytes <= RECENT_RESULT_BYTES_MAX {
                self.0.push_back(result);
            }
        }
    }

    /// The result of a slot, if it is among them.
    pub(super) fn of(&self, slot: u64) -> Option<StoredResult> {
        let found = self.0.binary_search_by_key(&slot, |result| result.slot).ok()?;
        self.0.get(found).cloned()
    }

    /// Keeps none.
    pub(super) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use ao::{Effects, Id, MessageKind};

    use super::*;

    #[test]
    fn the_newest_results_are_kept_and_no_large_one() {
        let result = |slot: u64| StoredResult {
            slot,
            message: Id::new([7; 32]),
            timestamp_ms: slot,
            kind: MessageKind::Item,
            outcome: Ok(Effects::output(slot.to_string())),
        };
        let most = RECENT_RESULTS_MAX as u64;
        let mut recent = Recent::default();
        recent.add((0..most + 3).map(|slot| (result(slot), 10)));
        assert_eq!(recent.of(2), None);
        assert_eq!(recent.of(3), Some(result(3)));
        recent.add([(result(most + 3), RECENT_RESULT_BYTES_MAX + 1), (result(most + 4), 1)]);
        assert_eq!(recent.of(most + 3), None, "it is in the file of the process");
        assert_eq!(recent.of(most + 4), Some(result(most + 4)));
        recent.clear();
        assert_eq!(recent.of(most + 4), None);
    }
}
