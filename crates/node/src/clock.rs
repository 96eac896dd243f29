//! The time of a node. Processes read time only from their messages, and the log takes it from here, so a clock that is
//! paused or warped is seen by nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::ClockConfig;
use crate::limits;

/// How far the machine's clock may be from where it should be by now for it to be followed, milliseconds: five minutes.
/// What a time server corrects is less. A clock that jumps further would end pools, and what they pay is paid for good.
const STEP_MS_MAX: u64 = 300_000;

/// The clock of a node: the machine's or a standing one, moved forward by warps.
#[derive(Debug)]
pub(crate) struct Clock {
    base: ClockConfig,
    machine: Mutex<Machine>,
    /// The sum of all warps, milliseconds. The log keeps them, so that a restart does not turn time back.
    warped_ms: AtomicU64,
}

impl Clock {
    /// A clock that has been warped by so many milliseconds before.
    pub(crate) fn new(base: ClockConfig, warped_ms: u64) -> Self {
        let machine = Mutex::new(Machine::at(machine_ms(), Instant::now()));
        Self { base, machine, warped_ms: AtomicU64::new(warped_ms) }
    }

    /// Now, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let base_ms = match self.base {
            ClockConfig::Real => {
                let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
                machine.follow(machine_ms(), Instant::now())
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

/// What the machine's clock says, milliseconds since 1970.
fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The machine's clock as it is believed: where it was when it was looked at last.
#[derive(Debug)]
struct Machine {
    ms: u64,
    seen: Instant,
    has_jumped: bool,
}

impl Machine {
    fn at(ms: u64, seen: Instant) -> Self {
        Self { ms, seen, has_jumped: false }
    }

    /// The time now. If the machine's clock says something else than time has passed, time that has passed counts, until
    /// the clock is right again or the node is started anew.
    fn follow(&mut self, says_ms: u64, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.seen);
        let expected_ms = self.ms.saturating_add(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
        let has_jumped = says_ms.abs_diff(expected_ms) > STEP_MS_MAX;
        if has_jumped && !self.has_jumped {
            tracing::error!(
                says_ms,
                expected_ms,
                "the clock of this machine has jumped and is not followed: set it right, or start the node anew to \
                 believe it"
            );
        }
        self.has_jumped = has_jumped;
        if has_jumped {
            return expected_ms;
        }
        (self.ms, self.seen) = (says_ms, now);
        says_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_is_not_followed_until_it_is_right_again() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut machine = Machine::at(1_000_000_000, begun);
        assert_eq!(machine.follow(1_000_010_000, at(10)), 1_000_010_000);
        // Time servers turn clocks a little, forward and back.
        assert_eq!(machine.follow(1_000_000_000, at(20)), 1_000_000_000);
        assert_eq!(machine.follow(1_000_200_000, at(30)), 1_000_200_000);
        let (year_ms, hour_ms) = (365 * 86_400_000, 3_600_000);
        for (says_ms, seconds) in
            [(1_000_210_000 + year_ms, 40), (0, 50), (1_000_220_000 - hour_ms, 60), (u64::MAX, 70)]
        {
            assert_eq!(machine.follow(says_ms, at(seconds)), 1_000_200_000 + (seconds - 30) * 1_000);
        }
        assert_eq!(machine.follow(1_000_250_500, at(80)), 1_000_250_500);
        // A node that nobody asks for an hour is not surprised by it.
        assert_eq!(machine.follow(1_000_250_500 + hour_ms, at(80 + 3_600)), 1_000_250_500 + hour_ms);
    }

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
