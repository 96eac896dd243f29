//! AO's hash chain: each assignment of a process carries a hash over the signed assignment before it. A link costs a
//! signature (25 µs), and no append waits for it: Ed25519 signatures are deterministic, so the chain is a function of the
//! log. It follows the log while nobody writes, and catches up when it is asked for. Every 64th link is kept in a file that
//! may be deleted.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ao::{Assignment, DataItem, HashChain, Id, Wallet};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::watch;

use super::{Log, Logged, Stream, StreamKind};
use crate::error::{LogError, NodeError};
use crate::limits;

/// Links between two that are kept.
const KEPT_EVERY: u64 = 64;
/// How often the follower looks for new records.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// A link counts only as long as the log's own chain is what it was when the link was made: a log that was restored from
/// a backup and went on differently has other links.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS links (
        process BLOB NOT NULL, slot INTEGER NOT NULL, record BLOB NOT NULL, chain BLOB NOT NULL,
        PRIMARY KEY (process, slot)) WITHOUT ROWID;";

/// The assignments of a node's processes, signed by its key.
pub(crate) struct AoChain {
    log: Arc<dyn Log>,
    scheduler: Wallet,
    kept: Mutex<Connection>,
}

/// The thread that lets the chain follow the log. Dropping it ends it.
pub(crate) struct Follower {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The place of a record with the chain that AO writes into it.
pub(crate) fn assignment(logged: &Logged, hash_chain: HashChain) -> Assignment {
    Assignment {
        process: logged.stream.id,
        slot: logged.slot,
        message: logged.identity,
        timestamp_ms: logged.timestamp_ms,
        block_height: logged.block_height,
        hash_chain,
    }
}

impl AoChain {
    /// The chain over a log. `scheduler` is an Ed25519 wallet.
    pub(crate) fn open(path: &Path, log: Arc<dyn Log>, scheduler: Wallet) -> Result<Self, LogError> {
        let kept = Connection::open(path)?;
        kept.pragma_update(None, "journal_mode", "WAL")?;
        kept.pragma_update(None, "synchronous", "OFF")?;
        kept.execute_batch(TABLES)?;
        Ok(Self { log, scheduler, kept: Mutex::new(kept) })
    }

    /// The signed assignments of records of one process that follow each other.
    pub(crate) fn assignments(&self, records: &[Logged]) -> Result<Vec<(Assignment, DataItem)>, LogError> {
        let Some(first) = records.first() else { return Ok(Vec::new()) };
        let mut chain = self.chain_at(&first.stream, first.slot)?;
        let mut assignments = Vec::with_capacity(records.len());
        for record in records {
            let assignment = assignment(record, chain);
            let item = self.sign(&assignment)?;
            chain = chain.next(&item.id());
            assignments.push((assignment, item));
        }
        Ok(assignments)
    }

    /// The chain that the record in a slot carries.
    fn chain_at(&self, stream: &Stream, slot: u64) -> Result<HashChain, LogError> {
        let (mut next, mut chain) = self.nearest(stream, slot)?;
        while next < slot {
            (next, chain) = self.go_on(stream, next, chain, slot)?;
        }
        Ok(chain)
    }

    /// Goes from the chain of one slot some records further, at most to `to`.
    fn go_on(&self, stream: &Stream, from: u64, chain: HashChain, to: u64) -> Result<(u64, HashChain), LogError> {
        let limit = usize::try_from(to - from).unwrap_or(usize::MAX).min(limits::PAGE_MAX);
        let records = self.log.read(stream, from, limit)?;
        if records.is_empty() {
            return Err(LogError::NoSuchStream(stream.id));
        }
        let mut chain = chain;
        for record in &records {
            if record.slot.is_multiple_of(KEPT_EVERY) && record.slot > 0 {
                self.keep(record, chain)?;
            }
            chain = chain.next(&self.sign(&assignment(record, chain))?.id());
        }
        Ok((from + records.len() as u64, chain))
    }

    fn sign(&self, assignment: &Assignment) -> Result<DataItem, LogError> {
        let signed = assignment.to_item(&self.scheduler);
        signed.map_err(|error| LogError::Stopped(format!("an assignment could not be signed: {error}")))
    }

    /// The last slot up to `slot` whose chain is known.
    fn nearest(&self, stream: &Stream, slot: u64) -> Result<(u64, HashChain), LogError> {
        let mut below = slot;
        loop {
            let Some((found, record, chain)) = self.kept_at_or_below(stream, below)? else {
                return Ok((0, HashChain::seed(&stream.id)));
            };
            let logged = self.log.read(stream, found, 1)?;
            if logged.first().is_some_and(|logged| logged.link == record) {
                return Ok((found, HashChain(chain)));
            }
            tracing::warn!(process = %stream.id, slot = found, "a kept link is of another log and is not used");
            below = found.saturating_sub(1);
        }
    }

    fn kept_at_or_below(&self, stream: &Stream, slot: u64) -> Result<Option<(u64, Id, Id)>, LogError> {
        let kept = self.kept();
        let mut statement = kept.prepare_cached(
            "SELECT slot, record, chain FROM links WHERE process = ?1 AND slot <= ?2 ORDER BY slot DESC LIMIT 1",
        )?;
        let slot = i64::try_from(slot).unwrap_or(i64::MAX);
        let found = statement.query_row((stream.id.as_bytes(), slot), |row| {
            Ok((row.get(0)?, Id::new(row.get(1)?), Id::new(row.get(2)?)))
        });
        Ok(found.optional()?)
    }

    fn keep(&self, record: &Logged, chain: HashChain) -> Result<(), LogError> {
        let kept = self.kept();
        let mut statement = kept.prepare_cached("INSERT OR REPLACE INTO links VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute((
            record.stream.id.as_bytes(),
            record.slot as i64,
            record.link.as_bytes(),
            chain.0.as_bytes(),
        ))?;
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked with the connection has not changed what is on the disk.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the links that are missing, process by process, until `go_on` says no; whether none is missing now.
    fn catch_up(&self, go_on: impl Fn() -> bool) -> Result<bool, LogError> {
        for (process, head) in self.log.streams(StreamKind::Process)? {
            let stream = Stream::process(process);
            let last = head - head % KEPT_EVERY;
            let (mut next, mut chain) = self.nearest(&stream, last)?;
            while next < last {
                if !go_on() {
                    return Ok(false);
                }
                // One further than the last to keep, for a link is kept when its record is passed.
                (next, chain) = self.go_on(&stream, next, chain, last + 1)?;
            }
        }
        Ok(true)
    }
}

impl Follower {
    /// Starts to follow.
    pub(crate) fn start(chain: Arc<AoChain>, commits: watch::Receiver<u64>) -> Result<Self, NodeError> {
        let (stop, stopped) = mpsc::channel::<()>();
        let follow = move || {
            let mut followed = None;
            while stopped.recv_timeout(FOLLOW_EVERY) == Err(RecvTimeoutError::Timeout) {
                let commit = *commits.borrow();
                if followed == Some(commit) || chain.log.pending() > 0 {
                    continue;
                }
                let idle = || chain.log.pending() == 0 && stopped.try_recv() == Err(mpsc::TryRecvError::Empty);
                match chain.catch_up(idle) {
                    Ok(true) => followed = Some(commit),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "AO's hash chain could not be continued; it will be on demand");
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("ao-chain".to_owned()).spawn(follow);
        Ok(Self { stop: Some(stop), thread: Some(thread.map_err(NodeError::Thread)?) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of AO's hash chain panicked");
        }
    }
}
