//! The tables of one process, as its handlers see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use crate::{Fault, Memo};

/// Prepared statements that a process keeps: more than any native process has.
const STATEMENTS_CACHED_MAX: usize = 128;

/// SQL functions whose value is not a function of the tables and the message. A process that used one would not replay.
const FORBIDDEN_FUNCTIONS: &[&str] = &[
    "random",
    "randomblob",
    "date",
    "time",
    "datetime",
    "julianday",
    "unixepoch",
    "strftime",
    "timediff",
    "current_time",
    "current_date",
    "current_timestamp",
    "last_insert_rowid",
    "changes",
    "total_changes",
    "load_extension",
    "sqlite_version",
    "sqlite_source_id",
];

/// The tables of one process during one message.
///
/// SQL is always a literal of the program (`&'static str`) and values are always bound, so no text from outside can
/// become SQL.
#[derive(Debug)]
pub struct Store<'connection> {
    connection: &'connection Connection,
    memo: &'connection Memo,
}

/// The connection to the database of one process. While a handler runs, statements that could see the clock, randomness,
/// another file or the settings of the connection are denied.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    memo: Memo,
    handling: Arc<AtomicBool>,
}

impl Database {
    /// Takes over a connection, with a memory that may be shared with other databases.
    pub fn new(mut connection: Connection, memo: Memo) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
        let handling = Arc::new(AtomicBool::new(false));
        // One authorizer for good, with a switch: SQLite forgets every prepared statement when an authorizer is replaced.
        let switch = Arc::clone(&handling);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if switch.load(Ordering::Relaxed) { authorize(&context) } else { Authorization::Allow }
        }))?;
        Ok(Self { connection, memo, handling })
    }

    /// The connection, for the node's own tables and transactions.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Lets a handler work on the tables, with the denials in force.
    pub fn handle<T>(&self, work: impl FnOnce(&mut Store<'_>) -> T) -> T {
        let _handling = Handling::begin(&self.handling);
        work(&mut Store { connection: &self.connection, memo: &self.memo })
    }
}

/// The denials, in force until this is dropped: also when a handler panics, or the node could not even roll back.
struct Handling<'a>(&'a AtomicBool);

impl<'a> Handling<'a> {
    fn begin(switch: &'a AtomicBool) -> Self {
        switch.store(true, Ordering::Relaxed);
        Self(switch)
    }
}

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Denies what a handler must not do; everything else that SQLite asks about is allowed.
fn authorize(context: &AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Function { function_name }
            if FORBIDDEN_FUNCTIONS.iter().any(|name| name.eq_ignore_ascii_case(function_name)) =>
        {
            Authorization::Deny
        }
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Pragma { .. }
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

impl Store<'_> {
    /// What was worked out from tables before.
    pub(crate) fn memo(&self) -> &Memo {
        self.memo
    }

    /// Runs several statements without values: the making of tables.
    pub fn execute_batch(&mut self, sql: &'static str) -> Result<(), Fault> {
        Ok(self.connection.execute_batch(sql)?)
    }

    /// Runs one statement; how many rows it changed.
    pub fn execute(&mut self, sql: &'static str, values: impl Params) -> Result<usize, Fault> {
        Ok(self.connection.prepare_cached(sql)?.execute(values)?)
    }

    /// Inserts one row; its rowid.
    pub fn insert(&mut self, sql: &'static str, values: impl Params) -> Result<i64, Fault> {
        Ok(self.connection.prepare_cached(sql)?.insert(values)?)
    }

    /// The first row of a query, or nothing if it has none.
    pub fn first<T>(
        &self,
        sql: &'static str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Fault> {
        Ok(self.connection.prepare_cached(sql)?.query_row(values, read).optional()?)
    }

    /// The one value that a query is bound to give.
    pub fn value<T: FromSql>(&self, sql: &'static str, values: impl Params) -> Result<T, Fault> {
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// All rows of a query. The query says in which order.
    pub fn all<T>(
        &self,
        sql: &'static str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<T>>>()?;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_replay_is_denied_to_handlers() {
        let database = Database::new(Connection::open_in_memory().unwrap(), Memo::new(0)).unwrap();
        for sql in [
            "SELECT random()",
            "SELECT hex(randomblob(4))",
            "SELECT datetime('now')",
            "SELECT strftime('%s', 'now')",
            "SELECT CURRENT_TIMESTAMP",
            "PRAGMA user_version",
            "ATTACH ':memory:' AS other",
            "COMMIT",
        ] {
            assert!(database.handle(|store| store.execute_batch(sql)).is_err(), "{sql}");
        }
        assert!(
            database.handle(|store| store.execute_batch("CREATE TABLE numbers (n INTEGER); SELECT abs(-1)")).is_ok()
        );
        assert!(database.connection().execute_batch("BEGIN; COMMIT").is_ok());
    }
}
