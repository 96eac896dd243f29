//! Trainers enter models. The claim to an entry is made by the Join-Pool message, so it goes by the order of the log; the
//! node then looks at the file, and what it finds decides whether the claim holds.

use ao::{Id, Outgoing};
use serde::Deserialize;

use super::competitor::{Competitor, Competitors};
use super::entry::{self, Entry, Standing, select_entries};
use super::pool::{self, Pool, Status};
use super::turn::Turn;
use crate::limits::{ENTRIES_PER_PARTICIPANT_MAX, ENTRIES_PER_POOL_MAX};
use crate::payload::{json, only, parsed, quoted};
use crate::{Fault, readable};

/// The data of a Join-Pool message. `model` is the upload of a model, or the hash of a set of documents; `dataset` is the
/// id of a pool, or of a dataset that has one open pool.
#[derive(Debug, Deserialize)]
struct Join {
    dataset: String,
    #[serde(alias = "documents")]
    model: String,
}

/// What the node found in a model file.
#[derive(Debug, Deserialize)]
struct Facts {
    content_hash: String,
    file_hash: String,
    bytes: u64,
    architecture: String,
    name: String,
    parameters: u64,
}

/// Somebody enters a model.
pub(super) fn join_pool(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    match claim(turn) {
        Ok(()) => Ok(()),
        Err(fault @ Fault::Store(_)) => Err(fault),
        Err(fault) => {
            let error = fault.to_string();
            turn.send(Outgoing::new(turn.message.from, "Join-Error").tag("Error", &error).data(error.clone()));
            turn.say_error(error);
            Ok(())
        }
    }
}

fn claim(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let join: Join = json(turn.message)?;
    let model: Competitor = join.model.parse().map_err(|error: ao::IdError| {
        Fault::BadData(format!("the model '{}' is no id of an upload: {error}", quoted(&join.model)))
    })?;
    let pool = pool::named(turn.store, &join.dataset)?;
    check_open(&pool, turn.now_ms())?;
    if model.kind() != pool.competitors {
        let (id, competitors) = (pool.id, pool.competitors);
        return Err(Fault::Refused(format!(
            "in the pool {id} {competitors} compete, and {model} are {}",
            model.kind()
        )));
    }
    if let Some(entry) = entry::find(turn.store, &pool.id, &model)? {
        let whose = if entry.participant == turn.message.from { "you" } else { "another participant" };
        let participant = entry.participant;
        return Err(Fault::Refused(format!("the model {model} was entered into this pool by {whose} ({participant})")));
    }
    check_room(turn, &pool)?;
    let (from, slot, now_ms) = (turn.message.from, turn.message.slot, turn.now_ms());
    let id = turn.store.insert(
        "INSERT INTO entries (pool, model, participant, position, joined_slot, joined_ms, status, total)
         SELECT ?1, ?2, ?3, (SELECT coalesce(max(position), 0) + 1 FROM entries WHERE pool = ?1), ?4, ?5, 'Checking', ?6",
        (pool.id.to_string(), model.to_string(), from.to_string(), slot, now_ms, pool.questions),
    )?;
    let inspect = Outgoing::new(inspector(turn, &pool).0, "Inspect-Model").tag("Model", &model).tag("Reference", id);
    turn.send(inspect.tag("Participant", from));
    turn.say(format!("the model {model} is being checked for the pool {}", pool.id));
    Ok(())
}

/// Who looks at what is entered, and what it is: the node at files, the dataset at documents.
fn inspector(turn: &Turn<'_, '_>, pool: &Pool) -> (Id, &'static str) {
    match pool.competitors {
        Competitors::Models => (turn.env.node, "the node of this process"),
        Competitors::Documents => (pool.rules.dataset, "the dataset of the pool"),
    }
}

/// Joining is possible from the start to just before the end, in the time of the log.
fn check_open(pool: &Pool, now_ms: u64) -> Result<(), Fault> {
    let id = pool.id;
    let (start_ms, end_ms) = (pool.rules.start_ms, pool.rules.end_ms);
    if pool.status == Status::Opening {
        return Err(Fault::Refused(format!("the pool {id} still waits for its dataset; try again in a minute")));
    }
    if pool.status != Status::Open || now_ms >= end_ms {
        return Err(Fault::Refused(format!("the pool {id} has ended (at {end_ms}; now is {now_ms})")));
    }
    if now_ms < start_ms {
        return Err(Fault::Refused(format!(
            "the pool {id} has not started (it starts at {start_ms}; now is {now_ms})"
        )));
    }
    Ok(())
}

fn check_room(turn: &Turn<'_, '_>, pool: &Pool) -> Result<(), Fault> {
    // Refused entries keep their positions, so the last position is never less than the count, and quicker to find.
    let sql = "SELECT coalesce(max(position), 0) FROM entries WHERE pool = ?";
    let joined: u32 = turn.store.value(sql, [pool.id.to_string()])?;
    if joined >= ENTRIES_PER_POOL_MAX && entry::count(turn.store, &pool.id)? >= ENTRIES_PER_POOL_MAX {
        return Err(Fault::Refused(format!("the pool has {ENTRIES_PER_POOL_MAX} entries, the most there can be")));
    }
    let sql = "SELECT count(*) FROM entries WHERE pool = ? AND participant = ? AND status <> 'Refused'";
    let own: u32 = turn.store.value(sql, [pool.id.to_string(), turn.message.from.to_string()])?;
    if own >= ENTRIES_PER_PARTICIPANT_MAX {
        return Err(Fault::Refused(format!(
            "you have {ENTRIES_PER_PARTICIPANT_MAX} entries here, the most one can have"
        )));
    }
    Ok(())
}

/// The node has looked at the file of a claimed entry.
pub(super) fn model_facts(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let id: i64 = parsed(turn.message, "Reference")?;
    let sql = "SELECT pool FROM entries WHERE id = ? AND status = 'Checking' AND model = ?";
    let model: Competitor = parsed(turn.message, "Model")?;
    let pool = turn.store.first(sql, (id, model.to_string()), |row| crate::column::parsed(row, 0))?;
    let pool = pool.map(|id| pool::get(turn.store, &id)).transpose()?;
    let (from, who) = pool.as_ref().map_or((turn.env.node, "the node of this process"), |pool| inspector(turn, pool));
    only(turn.message, &from, who, "Model-Facts")?;
    let (Some(pool), Some(entry)) = (pool, turn.store.first(select_entries!("WHERE id = ?"), [id], entry::read)?)
    else {
        turn.say(format!("no entry {id} waits for facts about the model {model}"));
        return Ok(());
    };
    if !matches!(pool.status, Status::Open | Status::Closed) {
        return turn_away(turn, &pool, &entry, &format!("the pool was {} before the model was checked", pool.status));
    }
    let facts = match turn.message.tag("Error") {
        Some(error) => Err(format!("the model {model} cannot be used: {}", readable::sentence(error))),
        None => json::<Facts>(turn.message).map_err(|fault| fault.to_string()),
    };
    match facts {
        Ok(facts) => admit(turn, &pool, &entry, &facts),
        Err(reason) => turn_away(turn, &pool, &entry, &reason),
    }
}

/// The same tensors are the same model, under whatever id they were uploaded. Of two claims to it the earlier one holds,
/// whichever file the node looked at first.
fn admit(turn: &mut Turn<'_, '_>, pool: &Pool, entry: &Entry, facts: &Facts) -> Result<(), Fault> {
    let sql = select_entries!("WHERE pool = ? AND content_hash = ? AND status <> 'Refused'");
    let same = turn.store.first(sql, [pool.id.to_string(), facts.content_hash.clone()], entry::read)?;
    if let Some(same) = same {
        let (earlier, later) = if same.joined_slot < entry.joined_slot { (&same, entry) } else { (entry, &same) };
        let reason = format!(
            "this model was entered before, as {} by {}: the same tensors are the same model, and an entry belongs to \
             its first joiner",
            earlier.model, earlier.participant
        );
        turn_away(turn, pool, later, &reason)?;
        if later.id == entry.id {
            return Ok(());
        }
    }
    let name = readable::title(&facts.name);
    turn.store.execute(
        "UPDATE entries SET status = 'Evaluating', name = ?, architecture = ?, parameters = ?, bytes = ?,
                            content_hash = ?, file_hash = ?, updated_ms = ?, asked_ms = ?
         WHERE id = ?",
        (
            &name,
            readable::title(&facts.architecture),
            i64::try_from(facts.parameters).unwrap_or(i64::MAX),
            i64::try_from(facts.bytes).unwrap_or(i64::MAX),
            &facts.content_hash,
            &facts.file_hash,
            turn.message.timestamp_ms,
            turn.message.timestamp_ms,
            entry.id,
        ),
    )?;
    turn.send(
        Outgoing::new(pool.rules.dataset, "Benchmark")
            .tag("Pool", pool.id)
            .tag("Model", &entry.model)
            .tag("Content-Hash", &facts.content_hash)
            .tag("File-Hash", &facts.file_hash)
            .tag("Name", &name),
    );
    let joined = Outgoing::new(entry.participant, "Join-Response").tag("Pool", pool.id).tag("Model", &entry.model);
    turn.send(joined.tag("Entry-Position", entry.position).data(format!("the model '{name}' is in the pool")));
    turn.say(format!("the model {} is evaluated for {}", entry.model, entry.participant));
    Ok(())
}

fn turn_away(turn: &mut Turn<'_, '_>, pool: &Pool, entry: &Entry, reason: &str) -> Result<(), Fault> {
    entry::refuse(turn.store, entry.id, reason)?;
    let error = Outgoing::new(entry.participant, "Join-Error").tag("Pool", pool.id).tag("Model", &entry.model);
    turn.send(error.tag("Error", reason).data(reason));
    turn.say_error(reason);
    debug_assert_ne!(entry.standing, Standing::Refused, "an entry is refused once");
    super::settlement::check_complete(turn, pool)
}
