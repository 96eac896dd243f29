//! How the owner sets up workers: `loadModel`, `setMaxTokens`, `setSystemPrompt`. What is said to all is remembered, so that
//! a worker which comes later works as the others do.

use ao::{Id, Outgoing, Tags};
use rusqlite::params;

use crate::Fault;
use crate::payload::{quoted, text};

use super::limits::PROMPT_BYTES_MAX;
use super::schema::parsed;
use super::turn::Turn;

/// The tags of an instruction that a worker may know.
const TAGS: [&str; 4] = ["Model", "File-Hash", "Max-Tokens", "System-Prompt"];

impl Turn<'_, '_> {
    /// Passes an instruction of the owner on: to the worker that the tag `Worker` names, or to all.
    pub(super) fn instruct_workers(&mut self, action: &'static str) -> Result<(), Fault> {
        self.only_owner(action)?;
        let known = self.message.tags.iter().filter(|tag| TAGS.iter().any(|name| tag.is_named(name)));
        let tags: Tags = known.cloned().collect();
        let data = text(self.message)?.to_owned();
        if data.len() > PROMPT_BYTES_MAX {
            let reason = format!("it has {} bytes, and {PROMPT_BYTES_MAX} are allowed", data.len());
            return Err(Fault::BadData(reason));
        }
        let workers = self.addressed_workers()?;
        for worker in &workers {
            self.send(instruction(*worker, action, &tags, &data));
        }
        if self.message.tag("Worker").is_none() {
            let json = serde_json::to_string(&tags).map_err(|error| Fault::BadData(error.to_string()))?;
            let sql = "INSERT INTO instructions VALUES (?1, ?2, ?3)
                       ON CONFLICT (action) DO UPDATE SET tags = excluded.tags, data = excluded.data";
            self.store.execute(sql, params![action, json, data])?;
        }
        self.say(format!("sent to {} workers", workers.len()));
        Ok(())
    }

    /// Tells a worker that registers what all are told.
    pub(super) fn instruct_newcomer(&mut self, worker: Id) -> Result<(), Fault> {
        let sql = "SELECT action, tags, data FROM instructions ORDER BY action";
        let rows = self
            .store
            .all(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
        for (action, tags, data) in rows {
            // This process wrote it as JSON.
            let tags: Tags = serde_json::from_str(&tags).unwrap_or_default();
            self.send(instruction(worker, &action, &tags, &data));
        }
        Ok(())
    }

    /// The addresses of the workers that a message of the owner is for.
    fn addressed_workers(&self) -> Result<Vec<Id>, Fault> {
        let named = self.message.tag("Worker").unwrap_or_default();
        let sql =
            "SELECT address FROM workers WHERE active = 1 AND (?1 = '' OR address = ?1) ORDER BY address LIMIT 64";
        let workers = self.store.all(sql, [named], |row| parsed::<Id>(row, "address"))?;
        if workers.is_empty() && !named.is_empty() {
            return Err(Fault::NotFound { what: "registered worker", name: quoted(named) });
        }
        Ok(workers)
    }
}

fn instruction(worker: Id, action: &str, tags: &Tags, data: &str) -> Outgoing {
    let mut message = Outgoing::new(worker, action).data(data);
    message.tags.extend(tags.iter().cloned());
    message
}
