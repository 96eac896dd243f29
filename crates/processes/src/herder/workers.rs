//! Who works here: registration, signs of life, and whom the owner allows.

use std::collections::BTreeSet;

use ao::{Id, Outgoing};
use rusqlite::params;

use crate::Fault;
use crate::payload::{optional, required};

use super::limits::{
    CAPACITY_DEFAULT, CAPACITY_MAX, MODELS_LISTED_MAX, PERMISSIONS_MAX, SILENT_LEASE_TIMES_MAX, WORKERS_MAX,
};
use super::settings::{bad_tag, read_id, read_ids};
use super::turn::Turn;

/// The kinds of work there are.
pub(super) const WORKER_TYPES: [&str; 4] = ["Chat", "Embed", "Evaluate", "Llama"];

/// What a worker says about itself.
struct Registration {
    types: String,
    capacity: u64,
    models: String,
}

/// A list as it stands in a column: `,a,b,`, so that a member is found by `,a,`.
fn listed(members: impl IntoIterator<Item = String>) -> String {
    members.into_iter().fold(",".to_owned(), |list, member| list + &member + ",")
}

/// The members of such a column.
pub(super) fn members(list: &str) -> BTreeSet<String> {
    list.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect()
}

/// Reads the name of a kind of work.
pub(super) fn worker_type(name: &'static str, text: &str) -> Result<&'static str, Fault> {
    let known = WORKER_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(text));
    known.ok_or_else(|| bad_tag(name, text, &format!("the kinds of work are {}", WORKER_TYPES.join(", "))))
}

/// The ids of models in a tag.
fn model_ids(name: &'static str, list: &str) -> Result<Vec<String>, Fault> {
    let models = read_ids(name, list)?;
    if models.len() > MODELS_LISTED_MAX {
        let most = format!("a worker lists at most {MODELS_LISTED_MAX} models; 'any' stands for all");
        return Err(bad_tag(name, list, &most));
    }
    Ok(models.iter().map(ToString::to_string).collect())
}

impl Turn<'_, '_> {
    /// `Allow-Worker` and `Forbid-Worker`: the owner says who may work.
    pub(super) fn permit_worker(&mut self, allowed: bool) -> Result<(), Fault> {
        self.only_owner(if allowed { "Allow-Worker" } else { "Forbid-Worker" })?;
        let worker = read_id("Worker", required(self.message, "Worker")?)?;
        self.set_permission(&worker, allowed)?;
        if !allowed {
            self.retire(&worker)?;
        }
        self.say(format!("{worker} is {}", if allowed { "allowed" } else { "forbidden" }));
        Ok(())
    }

    /// Writes down whether an address may work.
    pub(super) fn set_permission(&mut self, worker: &Id, allowed: bool) -> Result<(), Fault> {
        let rows: i64 = self.store.value("SELECT count(*) FROM permissions", [])?;
        if rows >= PERMISSIONS_MAX {
            let text = format!("{PERMISSIONS_MAX} addresses are allowed or forbidden already, which is the most");
            return Err(Fault::Refused(text));
        }
        let sql =
            "INSERT INTO permissions VALUES (?1, ?2) ON CONFLICT (address) DO UPDATE SET allowed = excluded.allowed";
        self.store.execute(sql, params![worker.to_string(), allowed])?;
        Ok(())
    }

    fn may_work(&self, worker: &Id) -> Result<bool, Fault> {
        let sql = "SELECT allowed FROM permissions WHERE address = ?1";
        let said = self.store.first(sql, [worker.to_string()], |row| row.get::<_, bool>(0))?;
        Ok(said.unwrap_or(self.settings.open))
    }

    fn only_allowed(&self, action: &'static str) -> Result<(), Fault> {
        if self.may_work(&self.message.from)? {
            return Ok(());
        }
        let allowed = "workers that the owner of the herder allowed (Allow-Worker)";
        Err(Fault::NotAllowed { action, allowed, from: self.message.from })
    }

    /// `Register-Worker`: a worker says what it can do. Registering again changes what it said before.
    pub(super) fn register_worker(&mut self) -> Result<(), Fault> {
        self.only_allowed("Register-Worker")?;
        self.enroll(&self.registration()?)?;
        if self.message.tag("Fresh") == Some("true") {
            // It remembers nothing: what it held would only wait for its deadline.
            self.give_back(&self.message.from)?;
        }
        let lease_seconds = self.settings.lease_ms / 1_000;
        let reply = Outgoing::new(self.message.from, "Worker-Registered").tag("Lease-Seconds", lease_seconds);
        self.send(reply);
        self.instruct_newcomer(self.message.from)?;
        self.say("registered");
        Ok(())
    }

    /// `Heartbeat`: a sign of life. It brings back a worker that was dropped, says which models are in memory (`Loaded`),
    /// and with `Working` (`job/attempt,…`) it keeps the leases of long jobs.
    pub(super) fn heartbeat(&mut self) -> Result<(), Fault> {
        self.only_allowed("Heartbeat")?;
        let address = self.message.from.to_string();
        let sql = "UPDATE workers SET active = 1, seen_ms = ?2 WHERE address = ?1";
        let known = self.store.execute(sql, params![address, self.table_time_ms()])? > 0;
        if !known || self.message.tag("WorkerType").is_some() {
            self.enroll(&self.registration()?)?;
        }
        if let Some(loaded) = self.message.tag("Loaded") {
            let loaded = listed(model_ids("Loaded", loaded)?);
            self.store.execute("UPDATE workers SET loaded = ?2 WHERE address = ?1", params![address, loaded])?;
        }
        if let Some(working) = self.message.tag("Working") {
            self.extend_leases(working)?;
        }
        self.say("alive");
        Ok(())
    }

    /// `Unregister-Worker`: the worker itself, or the owner for it. What it held goes to others at once.
    pub(super) fn unregister_worker(&mut self) -> Result<(), Fault> {
        let worker = match self.message.tag("Worker") {
            None => self.message.from,
            Some(text) => read_id("Worker", text)?,
        };
        if worker != self.message.from {
            self.only_owner("Unregister-Worker of another")?;
        }
        if !self.retire(&worker)? {
            return Err(Fault::NotFound { what: "registered worker", name: worker.to_string() });
        }
        self.say("unregistered");
        Ok(())
    }

    /// Drops the workers that gave no sign of life for three lease times, all of them in one pass.
    pub(super) fn drop_silent_workers(&mut self) -> Result<(), Fault> {
        let since_ms = self.table_time_ms() - SILENT_LEASE_TIMES_MAX * self.settings.lease_ms;
        let sql = "UPDATE leases SET deadline_ms = min(deadline_ms, ?2)
                   WHERE worker IN (SELECT address FROM workers WHERE active = 1 AND seen_ms <= ?1)";
        self.store.execute(sql, params![since_ms, self.table_time_ms()])?;
        self.store.execute("UPDATE workers SET active = 0 WHERE active = 1 AND seen_ms <= ?1", [since_ms])?;
        Ok(())
    }

    /// Ends the registration of a worker. Whether it was registered.
    fn retire(&mut self, worker: &Id) -> Result<bool, Fault> {
        self.give_back(worker)?;
        let sql = "UPDATE workers SET active = 0 WHERE address = ?1 AND active = 1";
        Ok(self.store.execute(sql, [worker.to_string()])? > 0)
    }

    fn registration(&self) -> Result<Registration, Fault> {
        let types = self.message.tag("WorkerType").unwrap_or("Llama");
        let types = types.split(',').map(|text| worker_type("WorkerType", text.trim()).map(str::to_owned));
        let types = types.collect::<Result<BTreeSet<_>, _>>()?;
        let capacity = optional(self.message, "Capacity")?.unwrap_or(CAPACITY_DEFAULT);
        if !(1..=CAPACITY_MAX).contains(&capacity) {
            let range = format!("a worker has room for 1 to {CAPACITY_MAX} prompts at a time");
            return Err(bad_tag("Capacity", &capacity.to_string(), &range));
        }
        let models = match self.message.tag("Models").unwrap_or("any") {
            any if any.eq_ignore_ascii_case("any") => "any".to_owned(),
            list => listed(model_ids("Models", list)?),
        };
        Ok(Registration { types: listed(types), capacity, models })
    }

    fn enroll(&mut self, registration: &Registration) -> Result<(), Fault> {
        let address = self.message.from.to_string();
        let known: bool = self.store.value("SELECT EXISTS (SELECT 1 FROM workers WHERE address = ?1)", [&address])?;
        if !known {
            self.make_room()?;
        }
        let sql = "INSERT INTO workers (address, types, capacity, models, loaded, active, registered_ms, seen_ms)
                   VALUES (?1, ?2, ?3, ?4, ',', 1, ?5, ?5)
                   ON CONFLICT (address) DO UPDATE SET types = excluded.types, capacity = excluded.capacity,
                       models = excluded.models, active = 1, seen_ms = excluded.seen_ms";
        let Registration { types, capacity, models } = registration;
        self.store.execute(sql, params![address, types, *capacity as i64, models, self.table_time_ms()])?;
        Ok(())
    }

    /// Forgets the worker that is gone for longest if there are too many.
    fn make_room(&mut self) -> Result<(), Fault> {
        let rows: i64 = self.store.value("SELECT count(*) FROM workers", [])?;
        if rows < WORKERS_MAX {
            return Ok(());
        }
        let sql = "DELETE FROM workers WHERE address = (SELECT address FROM workers
                   WHERE active = 0 AND address NOT IN (SELECT worker FROM leases) ORDER BY seen_ms, address LIMIT 1)";
        if self.store.execute(sql, [])? == 0 {
            return Err(Fault::Refused(format!("{WORKERS_MAX} workers are registered, which is the most")));
        }
        Ok(())
    }
}
