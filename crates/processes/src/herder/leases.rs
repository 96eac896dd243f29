//! Leases: who works on which job until when, and what becomes of a job whose lease ends without an answer.
//!
//! An absent answer is never an answer: a job whose worker is silent goes to another one, and after three failures its
//! requester is told why.

use ao::{Id, Outgoing};
use rusqlite::{Row, params};

use crate::Fault;

use super::limits::{
    ATTEMPTS_MAX, ENDINGS_PER_MESSAGE_MAX, FAILED_JOBS_KEPT_MAX, FAILURES_IN_ROW_MAX, FAILURES_MAX, LEASE_TIMES_MAX,
    WAIT_MS_MAX,
};
use super::schema::{parsed, parsed_if_any};
use super::turn::{Reference, Turn, refusal};

/// A job, as far as its end depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) number: i64,
    pub(super) requester: Id,
    pub(super) reference: Reference,
    pub(super) worker_type: String,
    pub(super) model: String,
    pub(super) file_hash: String,
    pub(super) prompts: i64,
    pub(super) tokens: Option<i64>,
    /// The credit notice that paid for it.
    pub(super) notice: Option<Id>,
    pub(super) queued_ms: i64,
    pub(super) attempt: i64,
    pub(super) failures: i64,
    pub(super) last_worker: Option<Id>,
    pub(super) last_error: Option<String>,
}

/// How an attempt ended without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The deadline passed.
    Expired,
    /// The worker gave it back: it was shut down, or its owner forbade it. Nobody's fault.
    Returned,
    /// The worker said that it could not, or its answer was none.
    Worker(String),
    /// The worker said that the model cannot answer.
    Model(String),
}

impl Job {
    const COLUMNS_READ: &'static str =
        "SELECT job, requester, reference, awaited, worker_type, model, file_hash, prompts, tokens,
        notice, queued_ms, attempt, failures, last_worker, last_error FROM jobs WHERE job = ?1";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get("job")?,
            requester: parsed(row, "requester")?,
            reference: Reference { own: row.get("reference")?, awaited: row.get("awaited")? },
            worker_type: row.get("worker_type")?,
            model: row.get("model")?,
            file_hash: row.get("file_hash")?,
            prompts: row.get("prompts")?,
            tokens: row.get("tokens")?,
            notice: parsed_if_any(row, "notice")?,
            queued_ms: row.get("queued_ms")?,
            attempt: row.get("attempt")?,
            failures: row.get("failures")?,
            last_worker: parsed_if_any(row, "last_worker")?,
            last_error: row.get("last_error")?,
        })
    }
}

impl Turn<'_, '_> {
    /// A job that waits or runs.
    pub(super) fn job(&self, number: i64) -> Result<Job, Fault> {
        let job = self.store.first(Job::COLUMNS_READ, [number], Job::read)?;
        job.ok_or_else(|| Fault::NotFound { what: "job", name: number.to_string() })
    }

    /// Gives a job to a worker: from now on only this worker may answer this attempt, until the deadline.
    pub(super) fn lease(&mut self, number: i64, worker: Id) -> Result<(), Fault> {
        self.store.execute("UPDATE jobs SET leased = 1, attempt = attempt + 1 WHERE job = ?1", [number])?;
        let job = self.job(number)?;
        let deadline_ms = self.table_time_ms() + self.settings.lease_ms;
        let sql = "INSERT INTO leases (job, attempt, worker, prompts, paid, leased_ms, deadline_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let paid = job.notice.is_some();
        let values =
            params![number, job.attempt, worker.to_string(), job.prompts, paid, self.table_time_ms(), deadline_ms];
        self.store.execute(sql, values)?;
        let sql = "UPDATE workers SET last_assigned = (SELECT max(last_assigned) + 1 FROM workers) WHERE address = ?1";
        self.store.execute(sql, [worker.to_string()])?;
        if !paid {
            let sql = "UPDATE shares SET served = served + ?2 WHERE requester = ?1";
            self.store.execute(sql, params![job.requester.to_string(), job.prompts])?;
        }
        self.store.execute("UPDATE turns SET last_was_paid = ?1", [paid])?;
        let data: Vec<u8> = self.store.value("SELECT data FROM jobs WHERE job = ?1", [number])?;
        self.send(assignment(&job, worker, deadline_ms).data(data));
        Ok(())
    }

    /// Keeps the leases that a worker names as `job/attempt`, up to twenty lease times each: a slow worker is not a dead
    /// one, and still cannot hold a job for ever.
    pub(super) fn extend_leases(&mut self, working: &str) -> Result<(), Fault> {
        let sql = "UPDATE leases SET deadline_ms = max(deadline_ms, min(?4, leased_ms + ?5))
                   WHERE job = ?1 AND attempt = ?2 AND worker = ?3 AND ending = 'expired'";
        let deadline_ms = self.table_time_ms() + self.settings.lease_ms;
        let longest_ms = LEASE_TIMES_MAX * self.settings.lease_ms;
        let worker = self.message.from.to_string();
        for lease in working.split(',') {
            let numbers = lease.split_once('/').and_then(|(job, attempt)| {
                Some((job.trim().parse::<i64>().ok()?, attempt.trim().parse::<i64>().ok()?))
            });
            if let Some((job, attempt)) = numbers {
                self.store.execute(sql, params![job, attempt, worker, deadline_ms, longest_ms])?;
            }
        }
        Ok(())
    }

    /// A worker gives back all that it holds; it goes to others with the next endings.
    pub(super) fn give_back(&mut self, worker: &Id) -> Result<(), Fault> {
        let sql = "UPDATE leases SET deadline_ms = min(deadline_ms, ?2), ending = 'returned' WHERE worker = ?1";
        self.store.execute(sql, params![worker.to_string(), self.table_time_ms()])?;
        Ok(())
    }

    /// Ends the leases that are over, and gives up the jobs for which no worker came in a day. More than fit into one
    /// message are left for the next, which the alarm brings at once.
    pub(super) fn end_what_is_over(&mut self) -> Result<(), Fault> {
        let sql = "SELECT job, worker, ending FROM leases WHERE deadline_ms <= ?1 ORDER BY deadline_ms, job LIMIT ?2";
        let over = self.store.all(sql, [self.table_time_ms(), ENDINGS_PER_MESSAGE_MAX], |row| {
            Ok((row.get::<_, i64>("job")?, parsed::<Id>(row, "worker")?, row.get::<_, String>("ending")?))
        })?;
        for (number, worker, ending) in &over {
            let failure = if ending == "returned" { Failure::Returned } else { Failure::Expired };
            self.fail_attempt(*number, worker, failure)?;
        }
        let rest = ENDINGS_PER_MESSAGE_MAX - over.len() as i64;
        let sql = "SELECT job FROM jobs WHERE leased = 0 AND waiting_since_ms <= ?1 ORDER BY job LIMIT ?2";
        let stale = self.store.all(sql, [self.table_time_ms() - WAIT_MS_MAX, rest], |row| row.get::<_, i64>(0))?;
        for number in stale {
            let job = self.job(number)?;
            let last = job.last_error.as_ref().map_or(String::new(), |error| format!("; the last attempt: {error}"));
            let reason = format!("no worker for {} took the job within 24 hours{last}", describe(&job));
            self.give_up(&job, "worker", &reason)?;
        }
        Ok(())
    }

    /// An attempt ended without a result: the job goes back into the queue, or is given up.
    pub(super) fn fail_attempt(&mut self, number: i64, worker: &Id, failure: Failure) -> Result<(), Fault> {
        let job = self.job(number)?;
        self.end_lease(&job, worker, &failure)?;
        let failures = job.failures + i64::from(failure != Failure::Returned);
        let (reason, is_model) = match failure {
            Failure::Returned => ("the worker gave the job back".to_owned(), false),
            Failure::Expired => ("the worker did not answer within its lease".to_owned(), false),
            Failure::Worker(reason) => (reason, false),
            Failure::Model(reason) => (reason, true),
        };
        if is_model && !self.has_second_opinion(&job, worker)? {
            return self.give_up(&job, "model", &reason);
        }
        if failures >= FAILURES_MAX || job.attempt >= ATTEMPTS_MAX {
            let text = format!("given up after {} attempts; the last one: {reason}", job.attempt);
            return self.give_up(&job, if is_model { "model" } else { "worker" }, &text);
        }
        let blamed = if is_model { format!("model: {reason}") } else { reason };
        let sql = "UPDATE jobs SET leased = 0, failures = ?2, last_worker = ?3, last_error = ?4,
                       waiting_since_ms = ?5 WHERE job = ?1";
        self.store.execute(sql, params![number, failures, worker.to_string(), blamed, self.table_time_ms()])?;
        Ok(())
    }

    /// Deletes the lease and writes the outcome into the worker's record.
    fn end_lease(&mut self, job: &Job, worker: &Id, failure: &Failure) -> Result<(), Fault> {
        self.store.execute("DELETE FROM leases WHERE job = ?1", [job.number])?;
        let (expired, failed) = match failure {
            Failure::Returned => return Ok(()),
            Failure::Expired => (1, 0),
            Failure::Worker(_) => (0, 1),
            // What a model cannot do is not held against the worker that says so.
            Failure::Model(_) => (0, 0),
        };
        let sql = "UPDATE workers SET leases_expired = leases_expired + ?2, jobs_failed = jobs_failed + ?3,
                       failures_in_row = failures_in_row + ?2 + ?3,
                       resting_until_ms = iif(failures_in_row + ?2 + ?3 >= ?4, ?5, resting_until_ms)
                   WHERE address = ?1";
        let rested_ms = self.table_time_ms() + self.settings.lease_ms;
        self.store.execute(sql, params![worker.to_string(), expired, failed, FAILURES_IN_ROW_MAX, rested_ms])?;
        Ok(())
    }

    /// Whether another worker can be asked before a model is condemned on the word of one. Two that say the same are
    /// believed.
    fn has_second_opinion(&self, job: &Job, worker: &Id) -> Result<bool, Fault> {
        let said_before = job.last_error.as_ref().is_some_and(|error| error.starts_with("model: "));
        if said_before && job.last_worker != Some(*worker) {
            return Ok(false);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM workers WHERE active = 1 AND address <> ?1
                       AND instr(types, ',' || ?2 || ',') > 0
                       AND (models = 'any' OR ?3 = '' OR instr(models, ',' || ?3 || ',') > 0))";
        self.store.value(sql, params![worker.to_string(), job.worker_type, job.model])
    }

    /// Ends a job without a result: its requester is told why, a fee goes back to its payer, the owner finds it among
    /// the failed ones.
    fn give_up(&mut self, job: &Job, fault: &str, reason: &str) -> Result<(), Fault> {
        self.send(refusal(job.requester, &job.reference, fault, reason).tag("Model", &job.model));
        if let Some(notice) = job.notice {
            self.refund_held(&notice, reason)?;
        }
        let sql = "INSERT INTO failed_jobs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let requester = job.requester.to_string();
        let values =
            params![job.number, requester, job.reference.own, job.model, job.attempt, reason, self.table_time_ms()];
        self.store.execute(sql, values)?;
        let sql =
            "DELETE FROM failed_jobs WHERE job <= (SELECT job FROM failed_jobs ORDER BY job DESC LIMIT 1 OFFSET ?1)";
        self.store.execute(sql, [FAILED_JOBS_KEPT_MAX])?;
        self.forget(job)
    }

    /// Deletes a job that ended, and the share of a requester that has none left.
    pub(super) fn forget(&mut self, job: &Job) -> Result<(), Fault> {
        self.store.execute("DELETE FROM leases WHERE job = ?1", [job.number])?;
        self.store.execute("DELETE FROM jobs WHERE job = ?1", [job.number])?;
        let sql = "DELETE FROM shares WHERE requester = ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE requester = ?1)";
        self.store.execute(sql, [job.requester.to_string()])?;
        Ok(())
    }
}

fn describe(job: &Job) -> String {
    if job.model.is_empty() { job.worker_type.clone() } else { format!("{} with model {}", job.worker_type, job.model) }
}

/// The message that gives a job to a worker.
fn assignment(job: &Job, worker: Id, deadline_ms: i64) -> Outgoing {
    let mut message = Outgoing::new(worker, "Inference")
        .tag("Job", job.number)
        .tag("Attempt", job.attempt)
        .tag("Deadline", deadline_ms)
        .tag("WorkerType", &job.worker_type);
    for (name, value) in [("Model", &job.model), ("File-Hash", &job.file_hash)] {
        if !value.is_empty() {
            message = message.tag(name, value);
        }
    }
    match job.tokens {
        None => message,
        Some(tokens) => message.tag("Tokens", tokens),
    }
}
