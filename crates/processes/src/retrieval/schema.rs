//! The tables of a retrieval process.

use crate::{Fault, Store};

/// Numbers of entries and inspections are never used again: an answer may come after its question is gone.
const TABLES: &str = "
CREATE TABLE dataset (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    content_hash  TEXT,                -- of all questions, from the first pool on
    frozen_ms     INTEGER,
    shown_ms      INTEGER              -- when its owner showed the questions to everybody
);
INSERT INTO dataset (only) VALUES (1);
CREATE TABLE pools (
    pool    TEXT PRIMARY KEY,
    end_ms  INTEGER NOT NULL           -- until when sets can compete in it, evaluations that are waited for included
) WITHOUT ROWID;
CREATE TABLE questions (
    id                 INTEGER PRIMARY KEY,   -- 1, 2, 3 ... in the order of loading
    question           TEXT NOT NULL,
    expected_response  TEXT NOT NULL,
    evidence           TEXT NOT NULL          -- JSON: texts that a right document holds
);
CREATE TABLE inspections (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    asker        TEXT NOT NULL,          -- the benchmark process
    reference    TEXT NOT NULL,          -- its own
    documents    TEXT NOT NULL,
    participant  TEXT NOT NULL
);
CREATE TABLE entries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    pool        TEXT NOT NULL,
    documents   TEXT NOT NULL,           -- name of the set at the knowledge process
    digest      TEXT NOT NULL,           -- what exactly it is
    status      TEXT NOT NULL,           -- evaluating, complete or failed
    reason      TEXT NOT NULL,
    report_due  INTEGER NOT NULL,
    since_ms    INTEGER NOT NULL,
    UNIQUE (pool, documents)
);
CREATE INDEX entries_report ON entries (id) WHERE report_due = 1;
CREATE TABLE judgements (
    entry     INTEGER NOT NULL REFERENCES entries (id),
    question  INTEGER NOT NULL REFERENCES questions (id),
    status    TEXT NOT NULL,             -- waiting, searching, judging or answered
    attempts  INTEGER NOT NULL,
    due_ms    INTEGER NOT NULL,          -- waiting: not tried before
    score     INTEGER,                   -- answered: the median of the votes, 0 to 10
    spread    INTEGER,
    scores    TEXT,                      -- JSON: of each judge
    found     TEXT,                      -- JSON: [number, similarity] of the documents that were found, the best first
    ranks     TEXT,                      -- JSON: of each piece of evidence the first document that holds it, or null
    PRIMARY KEY (entry, question)
) WITHOUT ROWID;
CREATE INDEX judgements_waiting ON judgements (due_ms, entry, question) WHERE status = 'waiting';
CREATE INDEX judgements_in_flight ON judgements (status) WHERE status IN ('searching', 'judging');
CREATE TABLE votes (
    entry     INTEGER NOT NULL,
    question  INTEGER NOT NULL,
    judge     INTEGER NOT NULL,
    score     INTEGER,                   -- NULL: asked and not answered
    PRIMARY KEY (entry, question, judge)
) WITHOUT ROWID;
";

/// Makes the tables of a new process.
pub(super) fn create(store: &mut Store<'_>) -> Result<(), Fault> {
    store.execute_batch(TABLES)
}
