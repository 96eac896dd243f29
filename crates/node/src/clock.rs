//! The time of a node. Processes read time only from their messages, and the log takes it from here, so a clock that is
//! paused or warped is seen by nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::ClockConfig;
use crate::limits;

/// The clock of a node: the machine's or a standing one, moved forward by warps.
#[derive(Debug)]
pub(crate) struct Clock {
    base: ClockConfig,
    /// The sum of all warps, milliseconds. The log keeps them, so that a restart does not turn time back.
    warped_ms: AtomicU64,
}

impl Clock {
    /// A clock that has been warped by so many milliseconds before.
    pub(crate) fn new(base: ClockConfig, warped_ms: u64) -> Self {
        Self { base, warped_ms: AtomicU64::new(warped_ms) }
    }

    /// Now, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let base_ms = match self.base {
            ClockConfig::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            ClockConfig::Paused(at_ms) => at_ms,
        };
        base_ms.saturating_add(self.warped_ms.load(Ordering::Acquire))
    }

    /// The block height at a time: blocks of [`limits::BLOCK_MS`] since 1970, for there is no chain to ask.
    pub(crate) const fn block_height_at(now_ms: u64) -> u64 {
        now_ms / limits::BLOCK_MS
    }

    /// How long to sleep until a time comes: nothing if it came; never for a clock that stands.
    pub(crate) fn until(&self, due_ms: u64) -> Option<Duration> {
        let left_ms = due_ms.saturating_sub(self.now_ms());
        match self.base {
            _ if left_ms == 0 => Some(Duration::ZERO),
            ClockConfig::Real => Some(Duration::from_millis(left_ms)),
            ClockConfig::Paused(_) => None,
        }
    }

    /// Moves the clock forward. The caller has made the warp durable.
    pub(crate) fn warp(&self, by_ms: u64) {
        self.warped_ms.fetch_add(by_ms, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_moves_only_by_warps() {
        let clock = Clock::new(ClockConfig::Paused(1_000), 500);
        assert_eq!(clock.now_ms(), 1_500);
        assert_eq!(clock.until(1_501), None);
        clock.warp(240_000);
        assert_eq!(clock.now_ms(), 241_500);
        assert_eq!(Clock::block_height_at(clock.now_ms()), 2);
        assert_eq!(clock.until(241_500), Some(Duration::ZERO));
    }
}
