//! The tables of a knowledge process.

use crate::{Fault, Store};

/// Numbers of datasets, searches and batches are never used again: an answer may come after its question is gone.
const TABLES: &str = "
CREATE TABLE model (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    dimensions  INTEGER NOT NULL               -- numbers of the first vector that came
);
CREATE TABLE named_model (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    upload      TEXT NOT NULL,
    file_hash   TEXT NOT NULL,
    dimensions  INTEGER
);
CREATE TABLE datasets (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    hash        TEXT NOT NULL UNIQUE,          -- SHA-1 of all contents: its name
    digest      TEXT NOT NULL,                 -- SHA-256 of contents and metas with their borders
    owner       TEXT NOT NULL,                 -- who created it
    documents   INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,              -- of contents and metas
    created_ms  INTEGER NOT NULL
);
CREATE INDEX datasets_by_owner ON datasets (owner);
CREATE TABLE documents (
    dataset   INTEGER NOT NULL REFERENCES datasets (id),
    number    INTEGER NOT NULL,                -- 1, 2, 3 ... in the order of the list
    status    TEXT NOT NULL,                   -- waiting, in-flight, embedded or failed
    attempts  INTEGER NOT NULL,
    due_ms    INTEGER NOT NULL,                -- waiting: not asked for before
    batch     INTEGER,                         -- in-flight: where
    reason    TEXT NOT NULL,                   -- of the last failure
    content   TEXT NOT NULL,                   -- long, so last: what comes before is read without it
    meta      TEXT NOT NULL,                   -- JSON
    PRIMARY KEY (dataset, number)
) WITHOUT ROWID;
CREATE INDEX documents_waiting ON documents (due_ms, dataset, number) WHERE status = 'waiting';
CREATE INDEX documents_by_status ON documents (dataset, status);
CREATE INDEX documents_by_batch ON documents (batch) WHERE batch IS NOT NULL;
CREATE TABLE vectors (
    dataset  INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    vector   BLOB NOT NULL,                    -- 32-bit floats, little-endian, of length 1
    PRIMARY KEY (dataset, number)
) WITHOUT ROWID;
CREATE TABLE sketches (
    dataset  INTEGER NOT NULL,
    block    INTEGER NOT NULL,                 -- 1, 2, 3 ... as the vectors came
    records  INTEGER NOT NULL,
    digest   BLOB NOT NULL,                    -- SHA-256 of the digest before and the record, since the first record
    bytes    BLOB NOT NULL,                    -- see sketch.rs
    PRIMARY KEY (dataset, block)
);
CREATE TABLE searches (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    asker         TEXT NOT NULL,
    reference     TEXT NOT NULL,
    dataset_hash  TEXT NOT NULL,
    prompt        TEXT NOT NULL,
    most          INTEGER NOT NULL,            -- documents wanted
    attempts      INTEGER NOT NULL,
    due_ms        INTEGER,                     -- not asked for before; NULL: in flight
    asked_ms      INTEGER NOT NULL
);
CREATE INDEX searches_waiting ON searches (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX searches_by_asker ON searches (asker);
CREATE TABLE batches (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- the Reference of the message to the herder
    dataset  INTEGER,                           -- whose documents
    search   INTEGER,                           -- or whose prompt
    sent_ms  INTEGER NOT NULL
);
CREATE INDEX batches_by_dataset ON batches (dataset) WHERE dataset IS NOT NULL;
";

/// Makes the tables of a new process.
pub(super) fn create(store: &mut Store<'_>) -> Result<(), Fault> {
    store.execute_batch(TABLES)
}
