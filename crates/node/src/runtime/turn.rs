//! A turn of one process on a thread: what is waiting is handled piece by piece. Each piece is committed and can be seen at
//! once, and while the log writes what it has sent, the next piece is handled.

use std::time::{Duration, Instant};
use std::vec::IntoIter;

use super::Shared;
use super::apply::{self, Applied};
use super::entry::{Entry, Information};
use crate::error::ReadError;
use crate::limits;
use crate::log::{Logged, Stream};
use crate::outbox::Delivery;

/// Work after which what was sent meanwhile is delivered.
const DELIVERY_WORK: Duration = Duration::from_millis(limits::DELIVERY_WORK_MS);

/// What a process has sent, on its way into the log.
struct UnderWay {
    delivery: Delivery,
    /// The last slot of which everything is delivered then.
    mark: u64,
}

impl Shared {
    /// Lets a process handle what is waiting for it, up to [`limits::RUNTIME_BATCH_MAX`] messages, and delivers what it
    /// has sent.
    pub(super) fn turn(&self, entry: &Entry) -> Result<(), String> {
        let parts = &self.parts;
        let text = |error: ReadError| error.to_string();
        let information = entry.information(&*parts.log, &parts.programs, parts.node).map_err(text)?;
        let mut left = limits::RUNTIME_BATCH_MAX;
        let (mut under_way, mut begun) = (None, Instant::now());
        while left > 0 {
            let mut records = self.waiting(entry, left)?.into_iter();
            if records.len() == 0 {
                break;
            }
            left -= records.len();
            while records.len() > 0 && self.handle_some(entry, &information, &mut records)? {
                if under_way.is_none() || begun.elapsed() >= DELIVERY_WORK {
                    self.finish(entry, under_way.take())?;
                    (under_way, begun) = (self.begin(entry, &information)?, Instant::now());
                }
            }
        }
        self.finish(entry, under_way)?;
        // What an earlier run has left, or what was too much for one go.
        while let Some(more) = self.begin(entry, &information)? {
            self.finish(entry, Some(more))?;
        }
        self.make_room();
        self.close_one(entry);
        Ok(())
    }

    /// The next records that a process has to handle, at most so many.
    fn waiting(&self, entry: &Entry, most: usize) -> Result<Vec<Logged>, String> {
        let head = entry.view().head;
        let progress = entry.with_file(&self.parts.files, head, super::ProcessFile::progress);
        let progress = progress.and_then(|progress| progress).map_err(|error| error.to_string())?;
        let next = progress.applied.map_or(0, |slot| slot + 1);
        if entry.set_progress(progress) {
            self.clocks_changed();
        }
        if next > head {
            return Ok(Vec::new());
        }
        self.parts.log.read(&Stream::process(entry.process()), next, most).map_err(|error| error.to_string())
    }

    /// Handles and commits some of these records; false if the file of the process is not where they begin any more.
    fn handle_some(
        &self,
        entry: &Entry,
        information: &Information,
        records: &mut IntoIter<Logged>,
    ) -> Result<bool, String> {
        let began = Instant::now();
        let first = records.as_slice().first().map(|record| record.slot);
        let handled = entry.with_file(&self.parts.files, entry.view().head, |file| {
            let text = |error: rusqlite::Error| error.to_string();
            let before = file.progress().map_err(text)?;
            if first != Some(before.applied.map_or(0, |slot| slot + 1)) {
                return Ok(None);
            }
            self.wake(entry.process(), &information.identity, file)?;
            let applied = apply::apply(file, &information.identity, records)?;
            Ok(Some((applied, file.progress().map_err(text)?)))
        });
        let handled: Result<_, String> = handled.map_err(|error| error.to_string())?;
        let Some((applied, progress)) = handled? else { return Ok(false) };
        let (messages, faults) = (applied.results.len(), applied.faults());
        self.parts.metrics.batch_applied(messages, faults, began.elapsed().as_secs_f64());
        let Applied { results } = applied;
        entry.remember(results);
        if entry.set_progress(progress) {
            self.clocks_changed();
        }
        self.has_progress();
        Ok(true)
    }

    /// Hands what a process has sent to the log; nothing if all of it is delivered.
    fn begin(&self, entry: &Entry, information: &Information) -> Result<Option<UnderWay>, String> {
        let text = |error: rusqlite::Error| error.to_string();
        let progress = entry.view().progress;
        let Some(applied) = progress.applied.filter(|applied| progress.delivered != Some(*applied)) else {
            return Ok(None);
        };
        let sendings =
            entry.with_file(&self.parts.files, entry.view().head, |file| file.outbox(limits::RUNTIME_BATCH_MAX));
        let sendings = sendings.and_then(|sendings| sendings).map_err(text)?;
        let whole = sendings.len() < limits::RUNTIME_BATCH_MAX;
        let mark = sendings.last().filter(|_| !whole).map_or(applied, |sending| sending.slot);
        let module = information.identity.program.module_of_ao();
        let delivery = self.parts.outbox.begin(&entry.process(), module, &sendings);
        let delivery = delivery.map_err(|error| error.to_string())?;
        Ok(Some(UnderWay { delivery, mark }))
    }

    /// Waits until the log has what was handed to it, and marks it as delivered.
    fn finish(&self, entry: &Entry, under_way: Option<UnderWay>) -> Result<(), String> {
        let Some(UnderWay { delivery, mark }) = under_way else { return Ok(()) };
        self.parts.metrics.messages_delivered(delivery.finish().map_err(|error| error.to_string())?);
        let marked = entry.with_file(&self.parts.files, entry.view().head, |file| {
            file.set_delivered(mark)?;
            file.progress()
        });
        let progress = marked.and_then(|progress| progress).map_err(|error: rusqlite::Error| error.to_string())?;
        entry.set_progress(progress);
        Ok(())
    }
}
