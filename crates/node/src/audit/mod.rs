//! Checks a node's data from outside: what must always hold, read from the log and the files of the processes while the
//! node is stopped.

mod money;

use std::path::Path;
use std::sync::Arc;

use ao::{Id, Message};
use serde::Serialize;

use crate::clock::Clock;
use crate::config::ClockConfig;
use crate::core::ResultRange;
use crate::error::{LogError, NodeError};
use crate::keys::DataDirectory;
use crate::limits::PAGE_MAX;
use crate::log::{Log, LogSettings, SqliteLog, Stream, StreamKind, verify_all};
use crate::runtime::{self, ResultReader};

use self::money::Ledger;

/// Something that should hold and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which invariant: I1 supply, I2 escrow backing, I3 books of a pool, I4 payouts by rule, I5 delivery, I6 log.
    pub invariant: &'static str,
    /// The process or stream.
    pub subject: Id,
    /// Both sides of what should be equal.
    pub text: String,
}

/// What an audit has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Records of the log whose checksum and hash chain were verified.
    pub records: u64,
    /// Messages of processes whose delivery was checked.
    pub messages: u64,
    /// Token processes whose supply was checked.
    pub tokens: u64,
    /// Pools whose books and payouts were checked.
    pub pools: u64,
    /// Benchmark processes whose escrow was compared with what their token has for them.
    pub backings: u64,
    /// What does not hold.
    pub findings: Vec<Finding>,
}

/// Audits the data directory of a node that is stopped.
pub fn audit(data: &Path) -> Result<AuditReport, NodeError> {
    if !data.join("log.sqlite").exists() {
        let reason = "there is no log in it; name the data directory of a node".to_owned();
        return Err(NodeError::Data { path: data.to_owned(), reason });
    }
    let _directory = DataDirectory::take(data)?;
    let settings = LogSettings {
        path: data.join("log.sqlite"),
        clock: Arc::new(Clock::new(ClockConfig::Real, 0)),
        committed: Box::new(|_, _| ()),
    };
    let log = SqliteLog::open(settings)?;
    let mut report = AuditReport::default();
    for kind in [StreamKind::Process, StreamKind::Inbox, StreamKind::Clock, StreamKind::Delivered] {
        for (id, head) in log.streams(kind)? {
            let stream = Stream { kind, id };
            match verify_all(&log, &stream, 0) {
                Ok(records) if records == head + 1 => report.records += records,
                Ok(records) => {
                    report.find("I6", id, format!("the stream ends at slot {head} and has {records} records"));
                }
                Err(error @ LogError::Damaged { .. }) => report.find("I6", id, error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    for (process, _) in log.streams(StreamKind::Process)? {
        let folder = data.join("processes");
        if runtime::path(&folder, &process).exists() {
            deliveries(&mut report, &log, &folder, process)?;
            let ledger = Ledger::open(&folder, process)?;
            if ledger.is_token()? {
                money::supply(&mut report, &ledger)?;
            }
            if ledger.is_benchmark()? {
                money::escrow(&mut report, &log, &folder, &ledger)?;
            }
        }
    }
    Ok(report)
}

impl AuditReport {
    fn find(&mut self, invariant: &'static str, subject: Id, text: String) {
        self.findings.push(Finding { invariant, subject, text });
    }
}

/// I5: every message that a process sent has exactly one place in the log.
fn deliveries(report: &mut AuditReport, log: &SqliteLog, folder: &Path, process: Id) -> Result<(), NodeError> {
    let reader = ResultReader::open(folder, &process).map_err(LogError::from)?;
    let mut from = None;
    loop {
        let range = ResultRange { from_slot_exclusive: from, to_slot: None, limit: PAGE_MAX, descending: false };
        let results = reader.results(&range).map_err(LogError::from)?;
        let Some(last) = results.last() else { return Ok(()) };
        from = Some(last.slot);
        for result in &results {
            let Ok(effects) = &result.outcome else { continue };
            for (index, message) in effects.messages.iter().enumerate() {
                let identity = Message::pushed_id(&process, result.slot, index as u32);
                let places = [Stream::process(message.target), Stream::inbox(message.target)];
                let mut found = 0;
                for place in &places {
                    found += usize::from(log.slot_of(place, &identity)?.is_some());
                }
                report.messages += 1;
                if found != 1 {
                    let text = format!("message {index} of slot {} has {found} places in the log", result.slot);
                    report.find("I5", process, text);
                }
            }
        }
    }
}
