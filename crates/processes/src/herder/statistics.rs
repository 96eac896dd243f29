//! What anybody may read: settings and fees, the load, the workers with their records, and the jobs that failed.

use ao::{Outgoing, Quantity};
use rusqlite::Row;
use serde_json::{Value, json};

use crate::Fault;

use super::limits::TOKENS_MAX;
use super::schema::parsed;
use super::turn::Turn;
use super::workers::{WORKER_TYPES, members};

/// Failed jobs that `Info` shows.
const FAILED_JOBS_SHOWN: i64 = 20;

/// Workers that `Worker-Statistic` shows: those seen last.
const WORKERS_SHOWN: i64 = 256;

impl Turn<'_, '_> {
    /// `Info`: fees, settings, load, and the last failures.
    pub(super) fn info(&mut self) -> Result<(), Fault> {
        let settings = &self.settings;
        let sql = "SELECT job, requester, reference, model, attempts, reason, failed_ms FROM failed_jobs
                   ORDER BY job DESC LIMIT ?1";
        let failed = self.store.all(sql, [FAILED_JOBS_SHOWN], failed_job)?;
        let count = |sql: &'static str| self.store.value::<i64>(sql, []);
        let held = self
            .store
            .all("SELECT quantity FROM payments WHERE state = 'held'", [], |row| parsed::<Quantity>(row, "quantity"))?;
        let info = json!({
            "name": self.env.tags.get("Name").unwrap_or("Herder"),
            "token": settings.token,
            "fee_per_token": settings.fee_per_token,
            "fee_per_prompt": settings.fee_per_prompt,
            "tokens_max": TOKENS_MAX,
            "lease_seconds": settings.lease_ms / 1_000,
            "workers_open": settings.open,
            "worker_types": WORKER_TYPES,
            "workers": count("SELECT count(*) FROM workers WHERE active = 1")?,
            "capacity": count("SELECT coalesce(sum(capacity), 0) FROM workers WHERE active = 1")?,
            "prompts_in_flight": count("SELECT coalesce(sum(prompts), 0) FROM leases")?,
            "jobs_waiting": count("SELECT count(*) FROM jobs WHERE leased = 0")?,
            "prompts_waiting": count("SELECT coalesce(sum(prompts), 0) FROM jobs WHERE leased = 0")?,
            "fees_held": Quantity::checked_sum(held),
            "payments_failed": count("SELECT count(*) FROM payments WHERE state = 'failed'")?,
            "failed_jobs": failed,
        });
        // The original's package reads these tags, and takes a base fee of 0 for one that it was not told yet.
        let base_fee = settings.fee_per_prompt.units().max(1);
        let response = Outgoing::new(self.message.from, "Info-Response")
            .tag("Name", self.env.tags.get("Name").unwrap_or("Herder"))
            .tag("Base-Fee", base_fee)
            .tag("Token-Fee", settings.fee_per_token)
            .tag("Last-Multiplier", 1)
            .tag("Queue-Length", &info["jobs_waiting"]);
        self.answer_with(response, &info);
        Ok(())
    }

    /// `Worker-Statistic`: every worker with its load and its record.
    pub(super) fn worker_statistic(&mut self) -> Result<(), Fault> {
        let sql = "SELECT *, (SELECT coalesce(sum(prompts), 0) FROM leases WHERE worker = address) AS workload
                   FROM workers ORDER BY active DESC, seen_ms DESC, address LIMIT ?1";
        let workers = self.store.all(sql, [WORKERS_SHOWN], worker)?;
        self.answer("Worker-Statistic-Response", &json!({ "workers": workers }));
        Ok(())
    }
}

fn failed_job(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(json!({
        "job": row.get::<_, i64>("job")?,
        "requester": row.get::<_, String>("requester")?,
        "reference": row.get::<_, String>("reference")?,
        "model": row.get::<_, String>("model")?,
        "attempts": row.get::<_, i64>("attempts")?,
        "reason": row.get::<_, String>("reason")?,
        "failed_ms": row.get::<_, i64>("failed_ms")?,
    }))
}

fn worker(row: &Row<'_>) -> rusqlite::Result<Value> {
    let number = |column: &str| row.get::<_, i64>(column);
    let models: String = row.get("models")?;
    let models = if models == "any" { json!("any") } else { json!(members(&models)) };
    Ok(json!({
        "address": row.get::<_, String>("address")?,
        "active": row.get::<_, bool>("active")?,
        "types": members(&row.get::<_, String>("types")?),
        "models": models,
        "loaded": members(&row.get::<_, String>("loaded")?),
        "capacity": number("capacity")?,
        "workload": number("workload")?,
        "seen_ms": number("seen_ms")?,
        "resting_until_ms": number("resting_until_ms")?,
        "jobs_done": number("jobs_done")?,
        "jobs_failed": number("jobs_failed")?,
        "leases_expired": number("leases_expired")?,
        "answers_refused": number("answers_refused")?,
        "prompts_done": number("prompts_done")?,
        "tokens_done": number("tokens_done")?,
        "busy_ms": number("busy_ms")?,
        "earned": row.get::<_, String>("earned")?,
    }))
}
