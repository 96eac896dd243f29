//! The tables of a registry.

use crate::{Fault, Store};

const TABLES: &str = "
CREATE TABLE vendors (
    name   TEXT PRIMARY KEY,               -- '@sam'
    owner  TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX vendors_by_owner ON vendors (owner);
CREATE TABLE packages (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    vendor    TEXT NOT NULL,
    name      TEXT NOT NULL,
    owner     TEXT NOT NULL,               -- its first publisher, or who it was given to
    installs  INTEGER NOT NULL,            -- downloads of all versions
    newest    INTEGER NOT NULL DEFAULT 0,  -- the version with the highest number
    UNIQUE (vendor, name)
);
CREATE INDEX packages_by_owner ON packages (owner);
CREATE INDEX packages_by_installs ON packages (installs DESC, id);
CREATE TABLE versions (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    package       INTEGER NOT NULL REFERENCES packages (id),
    major         INTEGER NOT NULL,
    minor         INTEGER NOT NULL,
    patch         INTEGER NOT NULL,
    message       TEXT NOT NULL UNIQUE,    -- the message that published it: its id
    publisher     TEXT NOT NULL,
    published_ms  INTEGER NOT NULL,
    installs      INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    description   TEXT NOT NULL,
    keywords      TEXT NOT NULL,           -- JSON
    authors       TEXT NOT NULL,           -- JSON
    dependencies  TEXT NOT NULL,           -- JSON
    warnings      TEXT NOT NULL,           -- JSON
    repository    TEXT NOT NULL,
    license       TEXT NOT NULL,
    readme        TEXT NOT NULL,
    source        TEXT NOT NULL,           -- long, so last: what comes before is read without it
    UNIQUE (package, major, minor, patch)
);
CREATE INDEX versions_by_publisher ON versions (publisher, bytes);
CREATE TABLE totals (only INTEGER PRIMARY KEY CHECK (only = 1), bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (1, 0);
";

/// Makes the tables of a new process.
pub(super) fn create(store: &mut Store<'_>) -> Result<(), Fault> {
    store.execute_batch(TABLES)
}
