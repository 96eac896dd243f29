//! The tables of a benchmark process. Ids and quantities are the texts that people see; times are milliseconds since 1970.

use crate::{Fault, Store};

const TABLES: &str = "
CREATE TABLE pools (
    id            TEXT PRIMARY KEY,   -- id of the Credit-Notice that funded it
    title         TEXT NOT NULL,
    dataset       TEXT NOT NULL,
    funder        TEXT NOT NULL,
    funds         TEXT NOT NULL,      -- all that came in, top-ups as well
    allocation    TEXT NOT NULL,
    weights       TEXT,               -- of a FixedTable
    ties          TEXT NOT NULL,
    metric        TEXT NOT NULL,
    start_ms      INTEGER NOT NULL,
    end_ms        INTEGER NOT NULL,
    grace_end_ms  INTEGER NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('Opening', 'Open', 'Closed', 'Settling', 'Settled', 'Refunded')),
    reason        TEXT NOT NULL DEFAULT '',   -- why it was refunded
    questions     INTEGER NOT NULL DEFAULT 0,
    content_hash  TEXT NOT NULL DEFAULT '',
    protocol      TEXT NOT NULL DEFAULT '',
    dataset_title TEXT NOT NULL DEFAULT '',
    synthetic     INTEGER NOT NULL DEFAULT 0,
    due_ms        INTEGER,            -- when the clock has something to do for it
    created_slot  INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL
);
CREATE INDEX pools_due ON pools (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX pools_dataset ON pools (dataset);
CREATE INDEX pools_funder ON pools (funder);
CREATE INDEX pools_created ON pools (created_slot);

CREATE TABLE pool_funding (
    notice    TEXT PRIMARY KEY,       -- id of the Credit-Notice
    pool      TEXT NOT NULL,
    funder    TEXT NOT NULL,
    quantity  TEXT NOT NULL,
    funded_ms INTEGER NOT NULL
);
CREATE INDEX pool_funding_pool ON pool_funding (pool);

CREATE TABLE entries (
    id               INTEGER PRIMARY KEY,
    pool             TEXT NOT NULL,
    model            TEXT NOT NULL,
    participant      TEXT NOT NULL,
    position         INTEGER NOT NULL,   -- how many-th to join the pool
    joined_slot      INTEGER NOT NULL,
    joined_ms        INTEGER NOT NULL,
    status           TEXT NOT NULL CHECK (status IN ('Checking', 'Evaluating', 'Complete', 'Failed', 'Refused')),
    reason           TEXT NOT NULL DEFAULT '',
    name             TEXT NOT NULL DEFAULT '',
    architecture     TEXT NOT NULL DEFAULT '',
    parameters       INTEGER NOT NULL DEFAULT 0,
    bytes            INTEGER NOT NULL DEFAULT 0,
    content_hash     TEXT,
    file_hash        TEXT,
    correct          INTEGER NOT NULL DEFAULT 0,
    lenient_correct  INTEGER NOT NULL DEFAULT 0,
    answered         INTEGER NOT NULL DEFAULT 0,
    unparsed         INTEGER NOT NULL DEFAULT 0,
    total            INTEGER NOT NULL DEFAULT 0,
    outcomes         BLOB,               -- one bit for each question: answered correctly
    lenient_outcomes BLOB,
    updated_ms       INTEGER NOT NULL DEFAULT 0,
    asked_ms         INTEGER NOT NULL DEFAULT 0,
    rank             INTEGER,            -- frozen when the pool settles
    tie_group        INTEGER
);
CREATE UNIQUE INDEX entries_model ON entries (pool, model) WHERE status <> 'Refused';
CREATE UNIQUE INDEX entries_content ON entries (pool, content_hash) WHERE status <> 'Refused';
CREATE INDEX entries_position ON entries (pool, position, status);   -- status: so that counting reads no row
CREATE INDEX entries_participant ON entries (pool, participant);
CREATE INDEX entries_of_participant ON entries (participant);
CREATE INDEX entries_of_model ON entries (model);
CREATE INDEX entries_of_content ON entries (content_hash);
CREATE INDEX entries_leading ON entries (pool, correct, joined_slot) WHERE status = 'Complete';
CREATE INDEX entries_leading_leniently ON entries (pool, lenient_correct, joined_slot) WHERE status = 'Complete';
CREATE INDEX entries_unfinished ON entries (pool) WHERE status IN ('Checking', 'Evaluating');
CREATE INDEX entries_open ON entries (asked_ms) WHERE status = 'Evaluating';

CREATE TABLE leaderboards (
    day         INTEGER NOT NULL,        -- days since 1970: date(day * 86400, 'unixepoch')
    pool        TEXT NOT NULL,
    place       INTEGER NOT NULL,        -- the row of the board
    rank        INTEGER,                 -- of complete entries only
    model       TEXT NOT NULL,
    participant TEXT NOT NULL,
    correct     INTEGER NOT NULL,
    answered    INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    taken_ms    INTEGER NOT NULL,
    PRIMARY KEY (day, pool, place)
) WITHOUT ROWID;
CREATE INDEX leaderboards_of_pool ON leaderboards (pool, day, place);

CREATE TABLE payouts (
    id          TEXT PRIMARY KEY,        -- <pool>:<rank> of a payout, the id of the notice of a refund
    kind        TEXT NOT NULL CHECK (kind IN ('payout', 'refund')),
    pool        TEXT,
    rank        INTEGER,
    model       TEXT,
    participant TEXT NOT NULL,           -- who is paid
    quantity    TEXT NOT NULL,
    token       TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('intent', 'sent', 'paid', 'failed')),
    reason      TEXT NOT NULL DEFAULT '',   -- of a refund
    message     TEXT,                    -- id of the newest Transfer
    attempts    INTEGER NOT NULL DEFAULT 0,
    error       TEXT NOT NULL DEFAULT '',   -- of the newest Transfer
    decided_ms  INTEGER NOT NULL,
    paid_ms     INTEGER
);
CREATE INDEX payouts_pool ON payouts (pool, rank);
CREATE INDEX payouts_of_participant ON payouts (participant, decided_ms);
CREATE INDEX payouts_message ON payouts (message);
CREATE INDEX payouts_intent ON payouts (decided_ms) WHERE status = 'intent';
CREATE INDEX payouts_failed ON payouts (decided_ms) WHERE status = 'failed';
CREATE INDEX payouts_unpaid ON payouts (pool) WHERE status <> 'paid';

-- Money that came back from somebody to whom this process had not sent it: sending it on could go round for ever.
CREATE TABLE held (
    notice   TEXT PRIMARY KEY,
    token    TEXT NOT NULL,
    sender   TEXT NOT NULL,
    quantity TEXT NOT NULL,
    reason   TEXT NOT NULL,
    held_ms  INTEGER NOT NULL
);

-- What may never change, whatever the code above believes.
CREATE TRIGGER entries_keep_their_owner BEFORE UPDATE OF pool, model, participant, position, joined_slot ON entries
BEGIN SELECT RAISE(ABORT, 'an entry belongs to its first joiner for ever'); END;
CREATE TRIGGER pools_keep_their_rules BEFORE UPDATE OF
    id, dataset, funder, allocation, weights, ties, metric, start_ms, end_ms, grace_end_ms ON pools
BEGIN SELECT RAISE(ABORT, 'the rules of a pool are fixed when it is funded'); END;
CREATE TRIGGER payouts_keep_their_amount BEFORE UPDATE OF id, kind, pool, rank, participant, quantity, token ON payouts
BEGIN SELECT RAISE(ABORT, 'what is paid to whom is fixed when it is decided'); END;
CREATE TRIGGER payouts_stay_paid BEFORE UPDATE OF status ON payouts WHEN old.status = 'paid'
BEGIN SELECT RAISE(ABORT, 'what is paid is paid'); END;
";

/// Makes the tables of a new process.
pub(super) fn create(store: &mut Store<'_>) -> Result<(), Fault> {
    store.execute_batch(TABLES)
}
