//! What processes work out from their tables and would work out again, kept in memory within a bound. It is never state:
//! whether something is still here changes how long a message takes and nothing else. So whoever keeps something here keeps
//! with it what it was worked out from, and asks the tables whether that still holds: a message that is rolled back, a
//! dry-run and a rebuilt file leave here what their tables no longer have.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ao::Id;

/// Whose it is, and which of its things.
pub(crate) type MemoKey = (Id, i64);

/// The memory that all processes of a node share. A clone is the same memory.
#[derive(Debug, Clone)]
pub struct Memo {
    bytes_max: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    uses: u64,
    values: BTreeMap<MemoKey, Value>,
    /// The keys by the time of their last use.
    order: BTreeMap<u64, MemoKey>,
}

#[derive(Debug)]
struct Value {
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
    used: u64,
}

impl Memo {
    /// A memory of so many bytes. With none, processes read their tables each time.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Arc::default() }
    }

    /// Bytes that are kept now.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether so many bytes can be kept at all.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.bytes_max
    }

    /// What was kept under a key, if it is still here.
    pub(crate) fn get<T: Any + Send + Sync>(&self, key: MemoKey) -> Option<Arc<T>> {
        let mut kept = self.lock();
        kept.uses += 1;
        let now = kept.uses;
        let value = kept.values.get_mut(&key)?;
        let before = std::mem::replace(&mut value.used, now);
        let found = Arc::clone(&value.value).downcast().ok();
        kept.order.remove(&before);
        kept.order.insert(now, key);
        found
    }

    /// Keeps something under a key in the place of what was there. What was not used for longest goes if there is no room.
    pub(crate) fn keep<T: Any + Send + Sync>(&self, key: MemoKey, value: Arc<T>, bytes: usize) {
        let mut kept = self.lock();
        kept.take(key);
        if !self.has_room(bytes) {
            return;
        }
        while kept.bytes + bytes > self.bytes_max {
            let Some((_, oldest)) = kept.order.first_key_value() else { break };
            let oldest = *oldest;
            kept.take(oldest);
        }
        kept.uses += 1;
        let used = kept.uses;
        kept.bytes += bytes;
        kept.order.insert(used, key);
        kept.values.insert(key, Value { value, bytes, used });
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, key: MemoKey) {
        if let Some(value) = self.values.remove(&key) {
            self.order.remove(&value.used);
            self.bytes -= value.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: i64) -> MemoKey {
        (Id::new([1; 32]), number)
    }

    #[test]
    fn what_was_not_used_for_longest_goes_and_the_bound_holds() {
        let memo = Memo::new(100);
        for number in 1..=3 {
            memo.keep(key(number), Arc::new(number), 30);
        }
        assert_eq!(memo.get::<i64>(key(1)).as_deref(), Some(&1), "now it was used after 2");
        memo.keep(key(4), Arc::new(4_i64), 40);
        let here: Vec<i64> = (1..=4).filter_map(|number| memo.get(key(number)).map(|value| *value)).collect();
        assert_eq!((here, memo.bytes()), (vec![1, 3, 4], 100));
        memo.keep(key(3), Arc::new(33_i64), 10);
        assert_eq!((memo.get(key(3)).as_deref(), memo.bytes()), (Some(&33_i64), 80));
    }

    #[test]
    fn what_is_larger_than_the_memory_is_not_kept_and_leaves_nothing_old_in_its_place() {
        let memo = Memo::new(100);
        memo.keep(key(1), Arc::new("old"), 10);
        memo.keep(key(1), Arc::new("new"), 101);
        assert_eq!((memo.get::<&str>(key(1)), memo.bytes()), (None, 0));
    }
}
