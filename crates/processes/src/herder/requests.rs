//! Requests for inference as they come, and the giving out of those that wait.

use std::collections::BTreeMap;

use ao::{Id, Quantity};
use rusqlite::{Row, params};

use crate::Fault;

use super::dispatch::{Candidate, Waiting, plan};
use super::limits::{
    DISPATCHES_PER_MESSAGE_MAX, JOB_BYTES_MAX, JOB_BYTES_PER_REQUESTER_MAX, JOBS_MAX, JOBS_PER_REQUESTER_MAX,
    REFERENCE_BYTES_MAX, SENT_BYTES_PER_MESSAGE_MAX,
};
use super::queue::{QueuedJob, order_free, order_paid};
use super::settings::{bad_tag, read_id};
use super::turn::{Reference, Turn, refusal};
use super::wire::{Request, is_hash};
use super::workers::{members, worker_type};

/// A request that was read and checked.
pub(super) struct NewJob {
    pub(super) requester: Id,
    pub(super) reference: Reference,
    pub(super) worker_type: &'static str,
    pub(super) model: String,
    pub(super) file_hash: String,
    pub(super) prompts: usize,
    pub(super) data: Vec<u8>,
    /// Paid: the credit notice, the tokens it paid for, the fee for each of them.
    pub(super) paid: Option<(Id, u32, Quantity)>,
}

impl Turn<'_, '_> {
    /// `Inference`: a free job. One that cannot be taken is answered with the reason, because a requester that is a
    /// process sees only messages.
    pub(super) fn inference(&mut self) -> Result<(), Fault> {
        let reference = self.reference("Reference");
        let taken = match self.read_request() {
            Ok(job) => self.enqueue(job)?.map_err(|reason| ("busy", reason)),
            Err(fault) => Err(("request", fault.to_string())),
        };
        match taken {
            Ok(number) => self.say(format!("job {number}")),
            Err((fault, reason)) => {
                self.send(refusal(self.message.from, &reference, fault, &reason));
                self.say_error(reason);
            }
        }
        Ok(())
    }

    fn read_request(&self) -> Result<NewJob, Fault> {
        if !self.settings.is_free() {
            let (each, prompt) = (self.settings.fee_per_token, self.settings.fee_per_prompt);
            return Err(Fault::Refused(format!(
                "inference has a fee here, {each} for each token and {prompt} for the prompt: send it to the token with \
                 X-Prompt and X-Tokens"
            )));
        }
        let request = Request::read(&self.message.data).map_err(|error| Fault::BadData(error.to_string()))?;
        let prompts = request.prompts();
        self.new_job(["WorkerType", "Model", "File-Hash", "Reference"], prompts, self.message.data.clone())
    }

    /// The parts that free and paid requests have in common, each under the name that its tag has there.
    pub(super) fn new_job(&self, names: [&'static str; 4], prompts: usize, data: Vec<u8>) -> Result<NewJob, Fault> {
        let [type_name, model_name, hash_name, reference_name] = names;
        let text = |name| self.message.tag(name).unwrap_or_default();
        let worker_type = worker_type(type_name, self.message.tag(type_name).unwrap_or("Llama"))?;
        if !text(model_name).is_empty() {
            read_id(model_name, text(model_name))?;
        }
        if !text(hash_name).is_empty() && !is_hash(text(hash_name)) {
            let reason = "a file hash is the SHA-256 of the model file, 64 lower-case hexadecimal digits";
            return Err(bad_tag(hash_name, text(hash_name), &reason));
        }
        if let Some(long) = self.message.tags.all(reference_name).find(|text| text.len() > REFERENCE_BYTES_MAX) {
            let most = format!("a reference has at most {REFERENCE_BYTES_MAX} bytes");
            return Err(bad_tag(reference_name, long, &most));
        }
        let (model, file_hash) = (text(model_name).to_owned(), text(hash_name).to_owned());
        let (requester, reference) = (self.message.from, self.reference(reference_name));
        Ok(NewJob { requester, reference, worker_type, model, file_hash, prompts, data, paid: None })
    }

    /// Puts a job into the queue, or says why there is no room.
    pub(super) fn enqueue(&mut self, job: NewJob) -> Result<Result<i64, String>, Fault> {
        let requester = job.requester.to_string();
        let bytes = job.data.len() as i64;
        if let Some(reason) = self.no_room(&requester, bytes)? {
            return Ok(Err(reason));
        }
        // Who comes anew starts where the least served of the others stands: neither ahead of them nor behind.
        let sql = "INSERT INTO shares VALUES (?1, (SELECT coalesce(min(served), 0) FROM shares))
                   ON CONFLICT (requester) DO NOTHING";
        self.store.execute(sql, [&requester])?;
        let sql = "INSERT INTO jobs (requester, reference, worker_type, model, file_hash, prompts, tokens, notice,
                       fee_per_token, data, bytes, queued_ms, waiting_since_ms, awaited)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)";
        let tokens = job.paid.map(|(_, tokens, _)| tokens);
        let notice = job.paid.map(|(notice, ..)| notice.to_string());
        let fee = job.paid.map(|(.., fee)| fee.to_string());
        let prompts = job.prompts as i64;
        let NewJob { reference, worker_type, model, file_hash, data, .. } = job;
        let values = params![
            requester,
            reference.own,
            worker_type,
            model,
            file_hash,
            prompts,
            tokens,
            notice,
            fee,
            data,
            bytes,
            self.table_time_ms(),
            reference.awaited
        ];
        Ok(Ok(self.store.insert(sql, values)?))
    }

    fn no_room(&self, requester: &str, bytes: i64) -> Result<Option<String>, Fault> {
        let sizes = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM jobs WHERE requester = ?1";
        let (own_jobs, own_bytes) = self.store.first(sql, [requester], sizes)?.unwrap_or_default();
        let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM jobs";
        let (all_jobs, all_bytes) = self.store.first(sql, [], sizes)?.unwrap_or_default();
        let full = |what: &str, limit: i64, unit: &str| {
            Some(format!("{what} already {limit} {unit} waiting, which is the most; try again when some are answered"))
        };
        Ok(if own_jobs >= JOBS_PER_REQUESTER_MAX {
            full("this requester has", JOBS_PER_REQUESTER_MAX, "jobs")
        } else if own_bytes + bytes > JOB_BYTES_PER_REQUESTER_MAX {
            full("this requester has nearly", JOB_BYTES_PER_REQUESTER_MAX, "bytes of jobs")
        } else if all_jobs >= JOBS_MAX {
            full("the herder has", JOBS_MAX, "jobs")
        } else if all_bytes + bytes > JOB_BYTES_MAX {
            full("the herder has nearly", JOB_BYTES_MAX, "bytes of jobs")
        } else {
            None
        })
    }

    /// Gives out what can be given out. Whether more could have been than fits into one message.
    pub(super) fn dispatch(&mut self) -> Result<bool, Fault> {
        let workers = self.candidates()?;
        if workers.iter().all(|worker| worker.workload >= worker.capacity) {
            return Ok(false);
        }
        let waiting = self.waiting()?;
        if waiting.free.is_empty() && waiting.paid.is_empty() {
            return Ok(false);
        }
        // One more than is given out, to know whether there would have been more.
        for (given, placement) in plan(workers, waiting, DISPATCHES_PER_MESSAGE_MAX + 1).into_iter().enumerate() {
            let too_large = self.sent_bytes + placement.job.bytes > SENT_BYTES_PER_MESSAGE_MAX;
            if given == DISPATCHES_PER_MESSAGE_MAX || too_large {
                return Ok(true);
            }
            self.lease(placement.job.job, read_id("worker", &placement.worker)?)?;
        }
        Ok(false)
    }

    fn candidates(&self) -> Result<Vec<Candidate>, Fault> {
        let sql = "SELECT address, types, capacity, models, loaded, last_assigned,
                       (SELECT coalesce(sum(prompts), 0) FROM leases WHERE worker = address) AS workload
                   FROM workers WHERE active = 1 AND resting_until_ms <= ?1 ORDER BY address";
        self.store.all(sql, [self.table_time_ms()], |row| {
            let models: String = row.get("models")?;
            Ok(Candidate {
                address: row.get("address")?,
                types: members(&row.get::<_, String>("types")?),
                models: (models != "any").then(|| members(&models)),
                loaded: members(&row.get::<_, String>("loaded")?),
                capacity: row.get::<_, i64>("capacity")? as u64,
                workload: row.get::<_, i64>("workload")? as u64,
                last_assigned: row.get::<_, i64>("last_assigned")? as u64,
            })
        })
    }

    fn waiting(&self) -> Result<Waiting, Fault> {
        let now_ms = self.table_time_ms() as u64;
        // Of each requester's jobs for one model only the first can be given out now; the others stand behind them.
        let sql =
            "SELECT job, requester, worker_type, model, prompts, bytes, queued_ms, fee_per_token, last_worker FROM (
                       SELECT *, row_number() OVER (PARTITION BY requester, worker_type, model ORDER BY job) AS place
                       FROM jobs WHERE leased = 0 AND notice IS NULL)
                   WHERE place <= ?1 ORDER BY job";
        let free = self.store.all(sql, [DISPATCHES_PER_MESSAGE_MAX as i64 + 1], queued_job)?;
        let sql = "SELECT job, requester, worker_type, model, prompts, bytes, queued_ms, fee_per_token, last_worker
                   FROM jobs WHERE leased = 0 AND notice IS NOT NULL ORDER BY job";
        let paid = self.store.all(sql, [], queued_job)?;
        let sql = "SELECT requester, served FROM shares";
        let served = self.store.all(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        let served: BTreeMap<String, u64> = served.into_iter().collect();
        let in_flight = |paid: bool| {
            let sql = "SELECT coalesce(sum(prompts), 0) FROM leases WHERE paid = ?1";
            self.store.value::<i64>(sql, [paid]).map(|prompts| prompts as u64)
        };
        Ok(Waiting {
            free: order_free(free, &served, now_ms),
            paid: order_paid(paid, now_ms),
            free_in_flight: in_flight(false)?,
            paid_in_flight: in_flight(true)?,
            last_was_paid: self.store.value("SELECT last_was_paid FROM turns", [])?,
        })
    }
}

fn queued_job(row: &Row<'_>) -> rusqlite::Result<QueuedJob> {
    let fee: Option<Quantity> = super::schema::parsed_if_any(row, "fee_per_token")?;
    Ok(QueuedJob {
        job: row.get("job")?,
        requester: row.get("requester")?,
        worker_type: row.get("worker_type")?,
        model: row.get("model")?,
        prompts: row.get::<_, i64>("prompts")? as u64,
        bytes: row.get::<_, i64>("bytes")? as usize,
        queued_ms: row.get::<_, i64>("queued_ms")? as u64,
        fee_per_token: fee.map(Quantity::units),
        last_worker: row.get("last_worker")?,
    })
}
