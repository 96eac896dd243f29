//! The money of a stopped node: the supply of each token, and for each benchmark process the books of its pools, what backs
//! them, and whether each pool paid by its rule.

use std::path::Path;

use ao::{Id, Quantity};
use processes::benchmark::Books;
use processes::{Database, Memo};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::AuditReport;
use crate::error::LogError;
use crate::log::{Body, Log, Stream};
use crate::runtime;

/// The file of one process, opened to be read.
pub(super) struct Ledger {
    process: Id,
    connection: Connection,
}

impl Ledger {
    pub(super) fn open(folder: &Path, process: Id) -> Result<Self, LogError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { process, connection: Connection::open_with_flags(runtime::path(folder, &process), flags)? })
    }

    fn has_tables(&self, first: &str, second: &str) -> Result<bool, LogError> {
        let sql = "SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN (?, ?)";
        Ok(self.connection.query_row(sql, [first, second], |row| row.get(0))?)
    }

    pub(super) fn is_token(&self) -> Result<bool, LogError> {
        self.has_tables("token", "balances")
    }

    pub(super) fn is_benchmark(&self) -> Result<bool, LogError> {
        self.has_tables("pools", "pool_funding")
    }

    /// Whether the process has handled everything in its log and everything it sent is delivered.
    fn is_at_rest(&self, log: &dyn Log) -> Result<bool, LogError> {
        let head = log.head(&Stream::process(self.process))?;
        let sql = "SELECT applied = ?1 AND NOT EXISTS
                   (SELECT 1 FROM node_results WHERE sends > 0 AND slot > ifnull(delivered, -1)) FROM node_state";
        let at_rest: Option<bool> = self.connection.query_row(sql, [head.unwrap_or(0) as i64], |row| row.get(0))?;
        Ok(at_rest == Some(true))
    }

    fn balance(&self, account: &Id) -> Result<Quantity, LogError> {
        let sql = "SELECT quantity FROM balances WHERE account = ?";
        let text: Option<String> =
            self.connection.query_row(sql, [account.to_string()], |row| row.get(0)).optional()?;
        match text {
            None => Ok(Quantity::ZERO),
            Some(text) => {
                text.parse().map_err(|_| LogError::Database(format!("'{text}' in a table of balances is no quantity")))
            }
        }
    }
}

/// I1: the balances of a token are its supply.
pub(super) fn supply(report: &mut AuditReport, ledger: &Ledger) -> Result<(), LogError> {
    let supply: String = ledger.connection.query_row("SELECT supply FROM token", (), |row| row.get(0))?;
    let mut statement = ledger.connection.prepare("SELECT quantity FROM balances")?;
    let rows = statement.query_map((), |row| row.get::<_, String>(0))?;
    let quantities = rows.collect::<rusqlite::Result<Vec<String>>>()?;
    let parsed: Option<Vec<Quantity>> = quantities.iter().map(|text| text.parse().ok()).collect();
    let sum = parsed.and_then(Quantity::checked_sum);
    report.tokens += 1;
    if sum.map(|sum| sum.to_string()).as_ref() != Some(&supply) {
        report.find("I1", ledger.process, format!("the balances are {sum:?} and the supply is {supply}"));
    }
    Ok(())
}

/// I2, I3 and I4 of a benchmark process.
pub(super) fn escrow(report: &mut AuditReport, log: &dyn Log, folder: &Path, ledger: &Ledger) -> Result<(), LogError> {
    let Some(token) = configured_token(log, ledger.process)? else { return Ok(()) };
    let database = Database::new(Connection::open(runtime::path(folder, &ledger.process))?, Memo::new(0))?;
    let books = database.handle(|store| processes::benchmark::audit(store, &token));
    let books = books.map_err(|fault| LogError::Database(fault.to_string()))?;
    for pool in &books.pools {
        report.pools += 1;
        if !pool.balance() {
            report.find("I3", pool.pool, format!("the books of the pool do not balance: {pool:?}"));
        }
        if pool.paid_by_rule == Some(false) {
            let text = "its payouts are not what its rule gives for its ranking".to_owned();
            report.find("I4", pool.pool, text);
        }
    }
    if runtime::path(folder, &token).exists() {
        backing(report, log, ledger, &Ledger::open(folder, token)?, &books)?;
    }
    Ok(())
}

/// I2: the token has what the pools believe to hold. Money that was sent without a word (`Cast`) may lie there beside it.
/// While messages are on their way the two sides differ by them, so it is checked of processes at rest only.
fn backing(
    report: &mut AuditReport,
    log: &dyn Log,
    benchmark: &Ledger,
    token: &Ledger,
    books: &Books,
) -> Result<(), LogError> {
    if !token.is_token()? || !benchmark.is_at_rest(log)? || !token.is_at_rest(log)? {
        return Ok(());
    }
    report.backings += 1;
    let balance = token.balance(&benchmark.process)?;
    if books.backing().is_none_or(|backing| balance < backing) {
        let text = format!("the pools hold {:?} and the token has {balance} for them", books.backing());
        report.find("I2", benchmark.process, text);
    }
    Ok(())
}

/// The token that a benchmark process was spawned with.
fn configured_token(log: &dyn Log, process: Id) -> Result<Option<Id>, LogError> {
    let Some(spawn) = log.read(&Stream::process(process), 0, 1)?.pop() else { return Ok(None) };
    let damaged = |reason: String| LogError::Damaged { position: spawn.position, reason };
    let message = Body::decode(&spawn.body).and_then(|body| body.into_message(&spawn)).map_err(damaged)?;
    Ok(message.tag("Token").and_then(|token| token.parse().ok()))
}
