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
    /// When this clock was made, and how long the machine had been up by then.
    made: (Instant, Option<Duration>),
    /// The sum of all warps, milliseconds. The log keeps them, so that a restart does not turn time back.
    warped_ms: AtomicU64,
}

impl Clock {
    /// A clock that has been warped by so many milliseconds before.
    pub(crate) fn new(base: ClockConfig, warped_ms: u64) -> Self {
        let machine = Mutex::new(Machine::at(machine_ms(), Instant::now()));
        Self { base, machine, made: (Instant::now(), up()), warped_ms: AtomicU64::new(warped_ms) }
    }

    /// How long the machine has slept since this clock was made.
    fn asleep(&self) -> Duration {
        let (made, up_then) = self.made;
        let up = up_then.and_then(|then| up()?.checked_sub(then)).unwrap_or_default();
        up.saturating_sub(made.elapsed())
    }

    /// Now, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let base_ms = match self.base {
            ClockConfig::Real => {
                let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
                machine.follow(machine_ms(), Instant::now(), || self.asleep())
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

/// How long the machine has been up, the time in which it slept included. Only Linux says.
fn up() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
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
    /// How long it has slept, as far as that was asked for.
    asleep: Duration,
    has_jumped: bool,
}

impl Machine {
    fn at(ms: u64, seen: Instant) -> Self {
        Self { ms, seen, asleep: Duration::ZERO, has_jumped: false }
    }

    /// The time now. If the machine's clock says something else than time has passed, time that has passed counts, until
    /// the clock is right again or the node is started anew. `asleep` says how long the machine has slept since the clock was
    /// made, which is time that has passed, and which an [`Instant`] does not count.
    fn follow(&mut self, says_ms: u64, now: Instant, asleep: impl FnOnce() -> Duration) -> u64 {
        let passed = now.saturating_duration_since(self.seen);
        let mut expected_ms = self.ms.saturating_add(milliseconds(passed));
        let mut has_jumped = says_ms.abs_diff(expected_ms) > STEP_MS_MAX;
        if has_jumped {
            let asleep = asleep();
            expected_ms = expected_ms.saturating_add(milliseconds(asleep.saturating_sub(self.asleep)));
            has_jumped = says_ms.abs_diff(expected_ms) > STEP_MS_MAX;
            if !has_jumped {
                self.asleep = asleep;
            }
        }
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

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_is_not_followed_until_it_is_right_again() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let none = || Duration::ZERO;
        let mut machine = Machine::at(1_000_000_000, begun);
        assert_eq!(machine.follow(1_000_010_000, at(10), none), 1_000_010_000);
        // Time servers turn clocks a little, forward and back.
        assert_eq!(machine.follow(1_000_000_000, at(20), none), 1_000_000_000);
        assert_eq!(machine.follow(1_000_200_000, at(30), none), 1_000_200_000);
        let (year_ms, hour_ms) = (365 * 86_400_000, 3_600_000);
        for (says_ms, seconds) in
            [(1_000_210_000 + year_ms, 40), (0, 50), (1_000_220_000 - hour_ms, 60), (u64::MAX, 70)]
        {
            assert_eq!(machine.follow(says_ms, at(seconds), none), 1_000_200_000 + (seconds - 30) * 1_000);
        }
        assert_eq!(machine.follow(1_000_250_500, at(80), none), 1_000_250_500);
        // A node that nobody asks for an hour is not surprised by it.
        assert_eq!(machine.follow(1_000_250_500 + hour_ms, at(80 + 3_600), none), 1_000_250_500 + hour_ms);
    }

    #[test]
    fn a_machine_that_slept_wakes_up_at_the_right_time() {
        let begun = Instant::now();
        let (hour, hour_ms) = (Duration::from_hours(1), 3_600_000);
        let mut machine = Machine::at(1_000_000_000, begun);
        assert_eq!(machine.follow(1_000_000_000 + hour_ms, begun, || hour), 1_000_000_000 + hour_ms);
        assert_eq!(machine.follow(1_000_000_000 + 3 * hour_ms, begun, || 3 * hour), 1_000_000_000 + 3 * hour_ms);
        // What it slept before does not explain another jump.
        assert_eq!(machine.follow(1_000_000_000 + 5 * hour_ms, begun, || 3 * hour), 1_000_000_000 + 3 * hour_ms);
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
