//! What the log of a node does on this machine, beside the ceiling: the same records through bare SQLite with the same
//! group commit, and nothing else (no identities, no hash chain, no signatures, no checksums).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ao::{Id, MessageKind, sha256};
use rusqlite::Connection;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::config::ClockConfig;
use crate::error::{LogError, NodeError};
use crate::log::{Append, Body, Log, LogSettings, Pushed, SqliteLog, Stream};

/// Bytes of the data of each record: about what a signed message with its tags has.
const RECORD_BYTES: usize = 1024;
/// Senders at one time in the concurrent measurement.
const SENDERS: usize = 64;
/// Processes among which the senders' records are divided.
const STREAMS: u64 = 8;
/// Rounds, log and ceiling in turn; the median counts, because disks have moods.
const ROUNDS: usize = 3;
/// Records of one commit of the ceiling, as of the log.
const CEILING_BATCH_MAX: usize = crate::limits::LOG_BATCH_MAX;

/// Durable records per second.
#[derive(Debug, Clone, Serialize)]
pub struct LogBench {
    /// The log, one sender that waits for each record.
    pub log_1: f64,
    /// The ceiling, one sender.
    pub ceiling_1: f64,
    /// `log_1 / ceiling_1`.
    pub ratio_1: f64,
    /// The log, 64 senders.
    pub log_64: f64,
    /// The ceiling, 64 senders.
    pub ceiling_64: f64,
    /// `log_64 / ceiling_64`.
    pub ratio_64: f64,
    /// Bytes of a record's data.
    pub record_bytes: usize,
    /// How often each was measured.
    pub rounds: usize,
}

/// Measures for `duration` each, in `folder`, which should lie on the disk that the node would use.
pub fn bench_log(folder: &Path, duration: Duration) -> Result<LogBench, NodeError> {
    let mut rates: [Vec<f64>; 4] = Default::default();
    for round in 0..ROUNDS {
        for (place, senders) in [(0, 1), (2, SENDERS)] {
            rates[place].push(measure_log(&folder.join(format!("log-{senders}-{round}.sqlite")), senders, duration)?);
            let ceiling = folder.join(format!("ceiling-{senders}-{round}.sqlite"));
            rates[place + 1].push(measure_ceiling(&ceiling, senders, duration)?);
        }
    }
    let [log_1, ceiling_1, log_64, ceiling_64] = rates.map(median);
    Ok(LogBench {
        log_1,
        ceiling_1,
        ratio_1: log_1 / ceiling_1,
        log_64,
        ceiling_64,
        ratio_64: log_64 / ceiling_64,
        record_bytes: RECORD_BYTES,
        rounds: ROUNDS,
    })
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Records per second that `senders` get acknowledged, each waiting for one before it sends the next.
fn rate(senders: usize, duration: Duration, send: impl Fn(u64) -> bool + Sync) -> f64 {
    let (count, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..senders {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let number = count.fetch_add(1, Ordering::Relaxed);
                    if !send(number) {
                        over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        std::thread::sleep(duration);
        over.store(true, Ordering::Relaxed);
    });
    count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn identity(number: u64) -> Id {
    sha256(&number.to_le_bytes())
}

fn body(number: u64) -> Vec<u8> {
    Body::Pushed(Pushed {
        from: identity(0),
        slot: number,
        index: 0,
        pushed_for: identity(0),
        hops: 0,
        anchor: String::new(),
        tags: ao::Tags::new().with("Action", "Bench"),
        data: vec![0x5A; RECORD_BYTES],
    })
    .encode()
}

fn append(stream: Stream, number: u64, kind: MessageKind) -> Vec<Append> {
    vec![Append { stream, identity: identity(number), kind, body: body(number) }]
}

fn measure_log(path: &Path, senders: usize, duration: Duration) -> Result<f64, NodeError> {
    let clock = Arc::new(Clock::new(ClockConfig::Real, 0));
    let log = SqliteLog::open(LogSettings { path: path.to_owned(), clock, committed: Box::new(|_, _| ()) })?;
    let stream = |number: u64| Stream::process(Id::new([(number % STREAMS) as u8; 32]));
    let place = |appends: Vec<Append>| {
        let placed = log.append(appends).ok().and_then(|pending| pending.blocking_recv().ok());
        matches!(placed, Some(Ok(_)))
    };
    for number in 0..STREAMS {
        place(append(stream(number), u64::MAX - number, MessageKind::Spawn));
    }
    Ok(rate(senders, duration, |number| place(append(stream(number), number, MessageKind::Pushed))))
}

/// A record of the ceiling on its way, and who waits for it.
type CeilingRecord = (Vec<u8>, oneshot::Sender<()>);

/// Bare SQLite with the settings of the log.
fn open_ceiling(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; \
         PRAGMA cache_size = -65536; CREATE TABLE records (position INTEGER PRIMARY KEY, body BLOB NOT NULL);",
    )?;
    Ok(connection)
}

fn measure_ceiling(path: &Path, senders: usize, duration: Duration) -> Result<f64, NodeError> {
    let mut connection = open_ceiling(path).map_err(LogError::from)?;
    let (sender, mut receiver) = mpsc::channel::<CeilingRecord>(crate::limits::LOG_QUEUE_MAX);
    let writer = std::thread::spawn(move || -> rusqlite::Result<()> {
        let mut batch = Vec::new();
        while receiver.blocking_recv_many(&mut batch, CEILING_BATCH_MAX) > 0 {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached("INSERT INTO records (body) VALUES (?1)")?;
                for (body, _) in &batch {
                    insert.execute([body])?;
                }
            }
            transaction.commit()?;
            for (_, acknowledge) in batch.drain(..) {
                let _ = acknowledge.send(());
            }
        }
        Ok(())
    });
    let rate = rate(senders, duration, |number| {
        let (acknowledge, acknowledged) = oneshot::channel();
        sender.blocking_send((body(number), acknowledge)).is_ok() && acknowledged.blocking_recv().is_ok()
    });
    drop(sender);
    match writer.join() {
        Ok(outcome) => outcome.map_err(LogError::from)?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    Ok(rate)
}
