//! The herder: it takes inference requests, free and paid, and gives them to workers.
//!
//! Workers are strangers with a wallet. Each assignment is a lease (job, attempt, worker, deadline): an answer counts only
//! from the holder of the lease, and a worker that is silent or wrong loses the job to another. What a worker does badly
//! is never the model's result.
//!
//! - [`wire`], [`embedding`]: the messages between requester, herder and worker, with their checks.
//! - `queue`, `dispatch`: which job is next, and who gets it; pure.
//! - `workers`, `instructions`, `requests`, `responses`, `leases`, `payments`, `statistics`: the actions, by what they are
//!   about.

mod dispatch;
pub mod embedding;
mod instructions;
mod leases;
pub mod limits;
mod payments;
mod queue;
mod requests;
mod responses;
mod schema;
mod settings;
mod statistics;
mod turn;
pub mod wire;
mod workers;

use ao::{Effects, Message};

use crate::payload::quoted;
use crate::{Env, Fault, Module, Publication, Store};

use limits::{SILENT_LEASE_TIMES_MAX, WAIT_MS_MAX};
use settings::Settings;
use turn::Turn;

/// The actions of a herder, for the error that names them.
const ACTIONS: &str = "Register-Worker, Heartbeat, Unregister-Worker, Inference, Inference-Response, Info, \
                       Worker-Statistic, Allow-Worker, Forbid-Worker, loadModel, setMaxTokens, setSystemPrompt, \
                       Retry-Payments, Credit-Notice, Debit-Notice, Transfer-Error";

/// The herder module.
#[derive(Debug, Clone, Copy)]
pub struct Herder;

impl Module for Herder {
    fn name(&self) -> &'static str {
        "herder"
    }

    fn spawn(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let workers = Settings::read(&env.tags)?.workers;
        schema::make(store)?;
        let mut turn = Turn::new(store, message, env, Settings::read(&env.tags)?);
        for worker in &workers {
            turn.set_permission(worker, true)?;
        }
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let mut turn = Turn::new(store, message, env, Settings::read(&env.tags)?);
        match message.action() {
            "Info" => turn.info().map(|()| turn.effects),
            "Worker-Statistic" => turn.worker_statistic().map(|()| turn.effects),
            action => {
                turn.act(action)?;
                turn.finish()
            }
        }
    }

    fn publications(&self) -> &'static [Publication] {
        &[
            Publication { path: &["workers"], action: "Worker-Statistic", argument: None, part: Some("workers") },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ]
    }
}

impl Turn<'_, '_> {
    fn act(&mut self, action: &str) -> Result<(), Fault> {
        match action {
            "Register-Worker" => self.register_worker(),
            "Heartbeat" => self.heartbeat(),
            "Unregister-Worker" => self.unregister_worker(),
            "Allow-Worker" => self.permit_worker(true),
            "Forbid-Worker" => self.permit_worker(false),
            "Inference" => self.inference(),
            "Inference-Response" => self.inference_response(),
            "loadModel" => self.instruct_workers("loadModel"),
            "setMaxTokens" => self.instruct_workers("setMaxTokens"),
            "setSystemPrompt" => self.instruct_workers("setSystemPrompt"),
            "Credit-Notice" => self.credit_notice(),
            "Debit-Notice" => self.debit_notice(),
            "Transfer-Error" => self.transfer_error(),
            "Undeliverable" => self.undeliverable(),
            "Retry-Payments" => self.retry_refused(),
            "Wake" if self.is_tick() => self.wake(),
            other => Err(Fault::UnknownAction { action: quoted(other), known: ACTIONS.to_owned() }),
        }
    }

    /// The alarm: what time alone brings about.
    fn wake(&mut self) -> Result<(), Fault> {
        self.drop_silent_workers()?;
        self.retry_payments()
    }

    /// After every action: what is over is ended, what can be given out is given out, and the alarm is set for what comes
    /// next.
    fn finish(mut self) -> Result<Effects, Fault> {
        if !self.message.read_only {
            self.end_what_is_over()?;
            let more = self.dispatch()?;
            self.effects.wake_at_ms = self.next_alarm(more)?;
        }
        Ok(self.effects)
    }

    /// When something happens by time alone: a lease ends, a worker was silent for too long or has rested, a job has
    /// waited too long, a payment is tried again.
    fn next_alarm(&self, more: bool) -> Result<Option<u64>, Fault> {
        let soon_ms = self.table_time_ms() + 1;
        if more {
            return Ok(Some(soon_ms as u64));
        }
        let sql = "SELECT min(at_ms) FROM (
                       SELECT min(deadline_ms) AS at_ms FROM leases
                       UNION ALL SELECT min(seen_ms) + ?1 FROM workers WHERE active = 1
                       UNION ALL SELECT min(resting_until_ms) FROM workers WHERE active = 1 AND resting_until_ms > ?3
                       UNION ALL SELECT min(waiting_since_ms) + ?2 FROM jobs WHERE leased = 0
                       UNION ALL SELECT min(retry_ms) FROM payments WHERE retry_ms IS NOT NULL)";
        let silent_ms = SILENT_LEASE_TIMES_MAX * self.settings.lease_ms;
        let next_ms: Option<i64> = self.store.value(sql, [silent_ms, WAIT_MS_MAX, self.table_time_ms()])?;
        Ok(next_ms.map(|next_ms| next_ms.max(soon_ms) as u64))
    }
}
