//! Checks a node's data from outside: what must always hold, read from the log and the files of the processes while the
//! node is stopped.

use std::path::Path;
use std::sync::Arc;

use ao::{Id, Message, Quantity};
use rusqlite::Connection;
use serde::Serialize;

use crate::clock::Clock;
use crate::config::ClockConfig;
use crate::core::ResultRange;
use crate::error::{LogError, NodeError};
use crate::limits::PAGE_MAX;
use crate::log::{Log, LogSettings, SqliteLog, Stream, StreamKind, verify_all};
use crate::runtime::{self, ResultReader};

/// Something that should hold and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which invariant: I1 supply, I5 delivery, I6 log.
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
    /// What does not hold.
    pub findings: Vec<Finding>,
}

/// Audits the data directory of a node that is stopped.
pub fn audit(data: &Path) -> Result<AuditReport, NodeError> {
    let settings = LogSettings {
        path: data.join("log.sqlite"),
        clock: Arc::new(Clock::new(ClockConfig::Real, 0)),
        committed: Box::new(|_, _| ()),
    };
    let log = SqliteLog::open(settings)?;
    let mut report = AuditReport::default();
    for kind in [StreamKind::Process, StreamKind::Inbox, StreamKind::Clock] {
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
            supply(&mut report, &folder, process)?;
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

/// I1: the balances of a token are its supply.
fn supply(report: &mut AuditReport, folder: &Path, process: Id) -> Result<(), NodeError> {
    let connection = Connection::open(runtime::path(folder, &process)).map_err(LogError::from)?;
    let is_token = "SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN ('token', 'balances')";
    if !connection.query_row(is_token, (), |row| row.get::<_, bool>(0)).map_err(LogError::from)? {
        return Ok(());
    }
    let supply: String =
        connection.query_row("SELECT supply FROM token", (), |row| row.get(0)).map_err(LogError::from)?;
    let mut statement = connection.prepare("SELECT quantity FROM balances").map_err(LogError::from)?;
    let rows = statement.query_map((), |row| row.get::<_, String>(0)).map_err(LogError::from)?;
    let quantities = rows.collect::<rusqlite::Result<Vec<String>>>().map_err(LogError::from)?;
    let parsed: Option<Vec<Quantity>> = quantities.iter().map(|text| text.parse().ok()).collect();
    let sum = parsed.and_then(Quantity::checked_sum);
    report.tokens += 1;
    if sum.map(|sum| sum.to_string()).as_ref() != Some(&supply) {
        report.find("I1", process, format!("the balances are {sum:?} and the supply is {supply}"));
    }
    Ok(())
}
