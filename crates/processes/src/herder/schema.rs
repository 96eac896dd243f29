//! The tables of a herder, and how ids and quantities stand in them: as the text that a person reads.

use std::str::FromStr;

use rusqlite::Row;

use crate::{Fault, Store, column};

/// Times are milliseconds since 1970, ids and quantities are text.
const TABLES: &str = "
    -- Every worker that registered. One that is not active is kept for its statistics, and comes back by a heartbeat.
    CREATE TABLE workers (
        address TEXT PRIMARY KEY,
        types TEXT NOT NULL,                  -- ',Chat,Llama,'
        capacity INTEGER NOT NULL,            -- prompts in flight
        models TEXT NOT NULL,                 -- 'any' or ',id,id,'
        loaded TEXT NOT NULL,                 -- ',id,id,': those it holds in memory
        active INTEGER NOT NULL,
        registered_ms INTEGER NOT NULL,
        seen_ms INTEGER NOT NULL,
        failures_in_row INTEGER NOT NULL DEFAULT 0,
        resting_until_ms INTEGER NOT NULL DEFAULT 0,
        last_assigned INTEGER NOT NULL DEFAULT 0, -- slot
        jobs_done INTEGER NOT NULL DEFAULT 0,
        jobs_failed INTEGER NOT NULL DEFAULT 0,
        leases_expired INTEGER NOT NULL DEFAULT 0,
        answers_refused INTEGER NOT NULL DEFAULT 0,
        prompts_done INTEGER NOT NULL DEFAULT 0,
        tokens_done INTEGER NOT NULL DEFAULT 0,   -- generated in batches; a worker states them
        busy_ms INTEGER NOT NULL DEFAULT 0,
        earned TEXT NOT NULL DEFAULT '0'
    ) STRICT, WITHOUT ROWID;

    -- Whom the owner allows (1) or forbids (0) to work.
    CREATE TABLE permissions (address TEXT PRIMARY KEY, allowed INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    -- What the owner tells all workers, those too that come later; the tags as JSON.
    CREATE TABLE instructions (action TEXT PRIMARY KEY, tags TEXT NOT NULL, data TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- Jobs that wait or run; one that ends is deleted. Numbers are never used again.
    CREATE TABLE jobs (
        job INTEGER PRIMARY KEY AUTOINCREMENT,
        requester TEXT NOT NULL,
        reference TEXT NOT NULL,
        awaited TEXT NOT NULL,                -- what a caller in aos that waits for its answer knows it by
        worker_type TEXT NOT NULL,
        model TEXT NOT NULL,                  -- '' where the worker's own is wanted
        file_hash TEXT NOT NULL,              -- '' where any is right
        prompts INTEGER NOT NULL,
        tokens INTEGER,                       -- paid: how many were paid for
        notice TEXT,                          -- paid: the credit notice
        fee_per_token TEXT,                   -- paid
        data BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        queued_ms INTEGER NOT NULL,
        waiting_since_ms INTEGER NOT NULL,    -- the last time it came into the queue
        leased INTEGER NOT NULL DEFAULT 0,
        attempt INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        last_worker TEXT,
        last_error TEXT
    ) STRICT;
    CREATE INDEX jobs_by_requester ON jobs (requester, bytes);
    CREATE INDEX jobs_waiting ON jobs (requester, worker_type, model, job) WHERE leased = 0;

    -- Who works on what until when.
    CREATE TABLE leases (
        job INTEGER PRIMARY KEY REFERENCES jobs (job),
        attempt INTEGER NOT NULL,
        worker TEXT NOT NULL,
        prompts INTEGER NOT NULL,
        paid INTEGER NOT NULL,
        leased_ms INTEGER NOT NULL,
        deadline_ms INTEGER NOT NULL,
        ending TEXT NOT NULL DEFAULT 'expired' -- 'returned' where the worker gave it back
    ) STRICT;
    CREATE INDEX leases_by_worker ON leases (worker, prompts);
    CREATE INDEX leases_by_deadline ON leases (deadline_ms);

    -- Prompts given out for each requester with jobs here, on a common scale.
    CREATE TABLE shares (requester TEXT PRIMARY KEY, served INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    -- Every fee that came, and where it went.
    CREATE TABLE payments (
        notice TEXT PRIMARY KEY,
        payer TEXT NOT NULL,
        quantity TEXT NOT NULL,
        state TEXT NOT NULL,                  -- held, sent, settled, failed
        recipient TEXT,
        reason TEXT,
        transfer TEXT,                        -- id of the message that sends it on
        attempts INTEGER NOT NULL DEFAULT 0,
        retry_ms INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX payments_by_transfer ON payments (transfer);
    CREATE INDEX payments_by_retry ON payments (retry_ms) WHERE retry_ms IS NOT NULL;

    -- The last jobs that were given up, for the owner to read.
    CREATE TABLE failed_jobs (
        job INTEGER PRIMARY KEY,
        requester TEXT NOT NULL,
        reference TEXT NOT NULL,
        model TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL,
        failed_ms INTEGER NOT NULL
    ) STRICT;

    -- Whether the last job given out was a paid one.
    CREATE TABLE turns (one INTEGER PRIMARY KEY CHECK (one = 1), last_was_paid INTEGER NOT NULL) STRICT;
    INSERT INTO turns VALUES (1, 1);
";

/// Makes the tables of a new herder.
pub(super) fn make(store: &mut Store<'_>) -> Result<(), Fault> {
    store.execute_batch(TABLES)
}

/// A column that holds the text of an id or a quantity.
pub(super) fn parsed<T>(row: &Row<'_>, name: &str) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    column::parsed(row, row.as_ref().column_index(name)?)
}

/// The same where the column may be NULL.
pub(super) fn parsed_if_any<T>(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<T>>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    column::optional(row, row.as_ref().column_index(name)?)
}
