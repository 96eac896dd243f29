//! Answers of workers. Only the worker that holds the lease of a job may answer it, only for the attempt it was given,
//! and what it sends must be exactly the results that were asked. Anything else is a failed attempt and never a score.

use ao::{Id, Outgoing};
use rusqlite::params;

use crate::Fault;
use crate::payload::{parsed as parsed_tag, quoted};

use super::leases::{Failure, Job};
use super::limits::{ERROR_TEXT_BYTES_MAX, OUTPUT_BYTES_MAX};
use super::turn::Turn;
use super::wire::{Answer, InferenceResponse, Request};

/// The highest score that a worker of the kind `Evaluate` gives.
const EVALUATION_MAX: u8 = 10;

impl Turn<'_, '_> {
    /// `Inference-Response`: the answer of a worker.
    pub(super) fn inference_response(&mut self) -> Result<(), Fault> {
        let number: i64 = parsed_tag(self.message, "Job")?;
        let attempt: i64 = parsed_tag(self.message, "Attempt")?;
        let worker = self.message.from;
        let Some(leased_ms) = self.lease_of(number, attempt, &worker)? else {
            return self.refuse_answer(number, attempt);
        };
        let job = self.job(number)?;
        self.store.execute(
            "UPDATE workers SET seen_ms = ?2 WHERE address = ?1",
            params![worker.to_string(), self.table_time_ms()],
        )?;
        match self.read_answer(&job)? {
            Ok(tokens) => self.complete(&job, &worker, leased_ms, tokens),
            Err(failure) => {
                if let Failure::Worker(reason) | Failure::Model(reason) = &failure {
                    self.say_error(reason.clone());
                }
                self.fail_attempt(number, &worker, failure)
            }
        }
    }

    fn lease_of(&self, job: i64, attempt: i64, worker: &Id) -> Result<Option<i64>, Fault> {
        let sql = "SELECT leased_ms FROM leases WHERE job = ?1 AND attempt = ?2 AND worker = ?3";
        self.store.first(sql, params![job, attempt, worker.to_string()], |row| row.get(0))
    }

    /// An answer that nobody waits for: counted where the sender is a worker, refused where not.
    fn refuse_answer(&mut self, number: i64, attempt: i64) -> Result<(), Fault> {
        let sql = "UPDATE workers SET answers_refused = answers_refused + 1 WHERE address = ?1";
        if self.store.execute(sql, [self.message.from.to_string()])? == 0 {
            let allowed = "the worker that holds the lease of the job";
            return Err(Fault::NotAllowed { action: "Inference-Response", allowed, from: self.message.from });
        }
        self.say_error(format!(
            "attempt {attempt} of job {number} is not leased to this worker (any more); the answer was not used"
        ));
        Ok(())
    }

    /// How many tokens the message generated, if it is the result of the job; or how the attempt failed.
    fn read_answer(&self, job: &Job) -> Result<Result<u64, Failure>, Fault> {
        if let Some(error) = self.message.tag("Error") {
            let reason = error.chars().take(ERROR_TEXT_BYTES_MAX).collect();
            let is_model = self.message.tag("Fault").is_some_and(|fault| fault.eq_ignore_ascii_case("model"));
            return Ok(Err(if is_model { Failure::Model(reason) } else { Failure::Worker(reason) }));
        }
        let asked: Vec<u8> = self.store.value("SELECT data FROM jobs WHERE job = ?1", [job.number])?;
        let checked = match Request::read(&asked) {
            Ok(Request::Batch(request)) => InferenceResponse::read(&self.message.data)
                .and_then(|response| response.validate(&request).map(|()| response))
                .map_err(|error| error.to_string())
                .and_then(|response| right_model(job, &response)),
            _ => plain_answer(job, &self.message.data).map(|()| 0),
        };
        Ok(checked.map_err(|reason| Failure::Worker(format!("the worker's answer cannot be used: {reason}"))))
    }

    /// Passes the result on, pays for it, and writes it into the worker's record.
    fn complete(&mut self, job: &Job, worker: &Id, leased_ms: i64, tokens: u64) -> Result<(), Fault> {
        let response = job.reference.on(Outgoing::new(job.requester, "Inference-Response"));
        let response = response
            .tag("WorkerType", &job.worker_type)
            .tag("Model", &job.model)
            .tag("Worker", worker)
            .tag("Attempt", job.attempt);
        self.send(response.data(self.message.data.clone()));
        let sql = "UPDATE workers SET jobs_done = jobs_done + 1, prompts_done = prompts_done + ?2,
                       busy_ms = busy_ms + ?3, tokens_done = tokens_done + ?4, failures_in_row = 0, resting_until_ms = 0 WHERE address = ?1";
        let busy_ms = self.table_time_ms() - leased_ms;
        self.store.execute(sql, params![worker.to_string(), job.prompts, busy_ms, tokens])?;
        if let Some(notice) = job.notice {
            self.pay_worker(&notice, worker)?;
        }
        self.forget(job)?;
        self.say("done");
        Ok(())
    }
}

/// The results must come from the very file that the job names: what was hashed when the model was entered.
/// The tokens that they generated.
fn right_model(job: &Job, response: &InferenceResponse) -> Result<u64, String> {
    let used = &response.receipt.model_file_hash;
    if job.file_hash.is_empty() || job.file_hash == *used {
        let tokens = |answer: &Answer| match answer {
            Answer::Generated { tokens, .. } => u64::from(*tokens),
            Answer::Scored { .. } | Answer::Embedded { .. } => 0,
        };
        Ok(response.results.iter().map(|result| tokens(&result.answer)).sum())
    } else {
        Err(format!("it comes from the model file {used}, and {} was asked", job.file_hash))
    }
}

/// A plain answer: text, not too long, and for an evaluation a whole number from 0 to 10.
fn plain_answer(job: &Job, data: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(data).map_err(|_| "it is not UTF-8 text".to_owned())?;
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(format!("it has {} bytes, and {OUTPUT_BYTES_MAX} are allowed", text.len()));
    }
    let is_score = || text.len() <= 2 && text.parse::<u8>().is_ok_and(|score| score <= EVALUATION_MAX);
    if job.worker_type == "Evaluate" && !is_score() {
        return Err(format!("'{}' is no score from 0 to {EVALUATION_MAX}", quoted(text)));
    }
    Ok(())
}
