//! The ticks of processes: the clocks of their modules and their alarms. A tick is a record in the log, so a replay has it
//! too. Ticks that were missed, while the node was down or its clock was warped, come as one that says how many it stands
//! for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ao::{Id, Message, MessageKind};

use crate::clock::Clock;
use crate::error::{LogError, NodeError};
use crate::limits;
use crate::log::{Append, Body, Log, Stream, Tick};
use crate::metrics::Metrics;
use crate::runtime::{ALARM, Entry, Runtime};

/// How long the thread sleeps at most: a clock of the machine that jumps is noticed after this.
const SLEEP_MAX: Duration = Duration::from_mins(1);
/// How long it sleeps after the log refused a tick.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What the ticks are made with.
pub(crate) struct Parts {
    /// Where ticks go.
    pub log: Arc<dyn Log>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Which processes there are.
    pub runtime: Arc<Runtime>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The thread that writes ticks.
pub(crate) struct Cron {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    parts: Parts,
    /// Ticks that are in the log and perhaps not yet handled: for each process and clock the time when it was due.
    written: Mutex<BTreeMap<(Id, String), u64>>,
    news: Mutex<bool>,
    arrived: Condvar,
    stopping: AtomicBool,
}

/// A tick whose time has come, or will.
struct Due {
    process: Id,
    tick: Tick,
}

impl Cron {
    /// Starts the thread.
    pub(crate) fn start(parts: Parts) -> Result<Self, NodeError> {
        let shared = Arc::new(Shared {
            parts,
            written: Mutex::default(),
            news: Mutex::new(true),
            arrived: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        let work = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("cron".to_owned()).spawn(move || work.run());
        Ok(Self { shared, thread: Mutex::new(Some(thread.map_err(NodeError::Thread)?)) })
    }

    /// The clock was warped, or a process has a new alarm.
    pub(crate) fn wake(&self) {
        *self.shared.news.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.arrived.notify_one();
    }

    /// Whether no tick is due.
    pub(crate) fn is_idle(&self) -> bool {
        let now_ms = self.shared.parts.clock.now_ms();
        self.shared.all_due().iter().all(|due| due.tick.due_ms > now_ms)
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the clocks panicked");
        }
    }
}

impl Shared {
    fn run(&self) {
        while !self.stopping.load(Ordering::Acquire) {
            let pause = match self.write_due() {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "ticks could not be written");
                    RETRY_PAUSE
                }
            };
            let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
            if !*news {
                news = self.arrived.wait_timeout(news, pause).unwrap_or_else(PoisonError::into_inner).0;
            }
            *news = false;
        }
    }

    /// Writes the ticks whose time has come; how long to sleep then.
    fn write_due(&self) -> Result<Duration, LogError> {
        let now_ms = self.parts.clock.now_ms();
        let (come, to_come): (Vec<Due>, Vec<Due>) =
            self.all_due().into_iter().partition(|due| due.tick.due_ms <= now_ms);
        if !come.is_empty() {
            let appends = come.iter().map(Due::append).collect();
            let answer = self.parts.log.append(appends)?.blocking_recv();
            answer.map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
            self.parts.metrics.ticks_written(come.len());
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            for due in come {
                written.insert((due.process, due.tick.name), due.tick.due_ms);
            }
            return Ok(Duration::ZERO);
        }
        let next_ms = to_come.iter().map(|due| due.tick.due_ms).min();
        let pause = next_ms.and_then(|next_ms| self.parts.clock.until(next_ms));
        Ok(pause.unwrap_or(SLEEP_MAX).clamp(Duration::from_millis(1), SLEEP_MAX))
    }

    /// The next tick of every clock of every process.
    fn all_due(&self) -> Vec<Due> {
        self.parts.runtime.entries().iter().flat_map(|entry| self.due_of(entry)).collect()
    }

    fn due_of(&self, entry: &Entry) -> Vec<Due> {
        let view = entry.view();
        // A process that has not handled its spawn has no clocks yet, and one that stopped has none any more.
        if view.progress.applied.is_none() || view.stopped.is_some() {
            return Vec::new();
        }
        let Ok(information) = self.parts.runtime.information(entry) else { return Vec::new() };
        let now_ms = self.parts.clock.now_ms();
        let spawned_ms = information.identity.spawned_ms;
        let process = entry.process();
        let handled =
            |name: &str| view.progress.ticked_ms.iter().find(|(clock, _)| clock == name).map(|(_, due_ms)| *due_ms);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |name: &str| handled(name).max(written.get(&(process, name.to_owned())).copied());
        let mut due = Vec::new();
        for clock in information.identity.program.clocks() {
            let last_ms = known(clock.name).unwrap_or(spawned_ms);
            let tick = tick(clock.name, last_ms, spawned_ms, clock.every_ms, now_ms);
            due.push(Due { process, tick });
        }
        if let Some(wake_at_ms) = view.progress.wake_at_ms {
            // An alarm that a handler sets again and again must not make the node do nothing else.
            let last_ms = known(ALARM).unwrap_or(0);
            let due_ms = if wake_at_ms <= last_ms { last_ms + 1 } else { wake_at_ms };
            let is_written =
                written.get(&(process, ALARM.to_owned())).is_some_and(|written_ms| *written_ms >= wake_at_ms);
            if !is_written || handled(ALARM) >= written.get(&(process, ALARM.to_owned())).copied() {
                due.push(Due {
                    process,
                    tick: Tick { name: ALARM.to_owned(), action: ALARM.to_owned(), due_ms, count: 1 },
                });
            }
        }
        due
    }
}

/// The next tick of a clock after the one due at `last_ms`: the last that was missed, or the first to come.
fn tick(name: &str, last_ms: u64, spawned_ms: u64, every_ms: u64, now_ms: u64) -> Tick {
    let every_ms = every_ms.max(limits::CRON_PERIOD_MS_MIN);
    let passed = last_ms.saturating_sub(spawned_ms) / every_ms;
    let missed = (now_ms.saturating_sub(spawned_ms) / every_ms).saturating_sub(passed).max(1);
    let due_ms = spawned_ms + (passed + missed) * every_ms;
    Tick { name: name.to_owned(), action: name.to_owned(), due_ms, count: missed }
}

impl Due {
    fn append(&self) -> Append {
        Append {
            stream: Stream::process(self.process),
            identity: Message::cron_id(&self.process, &self.tick.name, self.tick.due_ms),
            kind: MessageKind::Cron,
            body: Body::Tick(self.tick.clone()).encode(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_ticks_come_as_one() {
        let hour = 3_600_000;
        let at = |last_ms, now_ms| {
            let tick = tick("Evaluate", last_ms, 1_000, hour, now_ms);
            (tick.due_ms, tick.count)
        };
        assert_eq!(at(1_000, 1_000), (1_000 + hour, 1));
        assert_eq!(at(1_000, 1_000 + hour), (1_000 + hour, 1));
        assert_eq!(at(1_000 + hour, 1_000 + hour), (1_000 + 2 * hour, 1));
        // A year later: one tick for all of them, and the next comes an hour after it.
        let year = 365 * 24 * hour;
        assert_eq!(at(1_000 + hour, 1_000 + year + 5), (1_000 + year, 365 * 24 - 1));
        assert_eq!(at(1_000 + year, 1_000 + year + 5), (1_000 + year + hour, 1));
    }
}
