//! The tables of a dataset, and the views under the names and columns of the original.

use crate::{Fault, Store};

/// The tables are compact: one prediction is a narrow row, and everything that is the same for many stands elsewhere.
/// The views show them as the three tables `datasets`, `models` and `evaluations` that the original documents describe.
const TABLES: &str = "
CREATE TABLE dataset (
    only            INTEGER PRIMARY KEY CHECK (only = 1),
    task            TEXT NOT NULL,             -- the task file, YAML
    title           TEXT NOT NULL,
    license         TEXT NOT NULL,
    synthetic       INTEGER NOT NULL,          -- 1: made by a program
    herder          TEXT,                      -- the process that is asked for inference
    initialized_ms  INTEGER,                   -- when Init was asked for first
    frozen_ms       INTEGER,                   -- when the first pool was created on it
    content_hash    TEXT,                      -- of the questions, from then on
    protocol        TEXT NOT NULL              -- how they are asked and judged
);
CREATE TABLE questions (
    id             INTEGER PRIMARY KEY,        -- 1, 2, 3 ... without a gap
    row            TEXT NOT NULL,              -- as it was loaded, JSON
    prompt         TEXT NOT NULL,
    target         TEXT NOT NULL,              -- the right answer
    choices        TEXT NOT NULL,              -- JSON list; empty if any text may be an answer
    continuations  TEXT NOT NULL,              -- JSON list; empty if a text is generated
    longest        TEXT,                       -- the choice with the longest option
    shortest       TEXT                        -- the choice with the shortest option
);
CREATE TABLE loads (
    id            INTEGER PRIMARY KEY,
    data_tx       TEXT NOT NULL,
    requester     TEXT NOT NULL,
    requested_ms  INTEGER NOT NULL
);
CREATE TABLE model_files (
    id            INTEGER PRIMARY KEY,
    file_hash     TEXT NOT NULL UNIQUE,        -- SHA-256 of the file: pools share the predictions of one file
    model         TEXT NOT NULL,               -- the upload it is fetched from
    name          TEXT NOT NULL,
    content_hash  TEXT NOT NULL,
    status        TEXT NOT NULL,               -- evaluating, complete or failed
    reason        TEXT NOT NULL,               -- why it failed
    budget        INTEGER NOT NULL,            -- inferences that may still be asked for before the next tick
    since_ms      INTEGER NOT NULL,
    correct         INTEGER NOT NULL DEFAULT 0,   -- counted when answers come, so that showing many models reads no answers
    lenient_correct INTEGER NOT NULL DEFAULT 0,
    answered        INTEGER NOT NULL DEFAULT 0,
    unparsed        INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE requests (
    pool        TEXT NOT NULL,                 -- whose entry it is; empty: asked for by the owner
    model       TEXT NOT NULL,
    model_file  INTEGER NOT NULL REFERENCES model_files (id),
    report_due  INTEGER NOT NULL,              -- 1: the pool is to be told the score
    PRIMARY KEY (pool, model)
) WITHOUT ROWID;
CREATE INDEX requests_by_file ON requests (model_file);
CREATE INDEX reports_due ON requests (pool, model) WHERE report_due = 1;
CREATE TABLE inspections (
    model         TEXT PRIMARY KEY,            -- the owner wants it evaluated; the node is looking at it
    requested_ms  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE batches (
    id           INTEGER PRIMARY KEY,          -- the Reference of the message to the herder
    model_file   INTEGER NOT NULL REFERENCES model_files (id),
    questions    INTEGER NOT NULL,             -- how many
    status       TEXT NOT NULL,                -- in-flight, answered or failed
    sent_ms      INTEGER NOT NULL,
    ended_ms     INTEGER,
    worker       TEXT,
    receipt      TEXT,                         -- JSON: how the answers were made
    reason       TEXT                          -- why it failed
);
CREATE INDEX batches_in_flight ON batches (model_file) WHERE status = 'in-flight';
CREATE TABLE predictions (
    model_file       INTEGER NOT NULL REFERENCES model_files (id),
    question         INTEGER NOT NULL REFERENCES questions (id),
    batch            INTEGER NOT NULL REFERENCES batches (id),
    attempts         INTEGER NOT NULL,
    status           TEXT NOT NULL,            -- in-flight, answered or waiting (to be asked again)
    output           TEXT,                     -- what the model said
    strict           TEXT,                     -- the answer found in it; NULL: none
    lenient          TEXT,
    correct          INTEGER,                  -- 1 or 0, once answered
    lenient_correct  INTEGER,
    PRIMARY KEY (model_file, question)
) WITHOUT ROWID;
CREATE INDEX predictions_by_batch ON predictions (batch);
CREATE INDEX predictions_waiting ON predictions (model_file, question) WHERE status = 'waiting';
";

const VIEWS: &str = "
CREATE VIEW datasets AS
    SELECT id, row ->> 'context' AS context, row ->> 'question' AS question, row ->> 'answerA' AS answerA,
           row ->> 'answerB' AS answerB, row ->> 'answerC' AS answerC, row ->> 'result' AS result
    FROM questions;
CREATE VIEW models AS
    SELECT id, iif(name = '', model, name) AS name, (SELECT herder FROM dataset) AS inference_process, model AS data_tx
    FROM model_files;
CREATE VIEW evaluations AS
    SELECT model_files.id * 1000000 + questions.id AS id, questions.id AS dataset_id, model_files.id AS model_id,
           questions.prompt AS prompt, questions.target AS correct_answer, predictions.strict AS prediction,
           datetime(batches.sent_ms / 1000, 'unixepoch') AS inference_start_time,
           iif(predictions.status = 'answered', datetime(batches.ended_ms / 1000, 'unixepoch'), NULL)
               AS inference_end_time,
           predictions.batch AS inference_reference
    FROM model_files CROSS JOIN questions
    LEFT JOIN predictions ON predictions.model_file = model_files.id AND predictions.question = questions.id
    LEFT JOIN batches ON batches.id = predictions.batch;
";

/// Makes the tables and views of a new dataset.
pub(super) fn create(store: &mut Store<'_>) -> Result<(), Fault> {
    store.execute_batch(TABLES)?;
    store.execute_batch(VIEWS)
}
