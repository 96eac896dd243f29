//! Freezing the questions: from the first pool on they can change no more, and everybody can see by a hash which they
//! were, once they are told.

use ao::{Id, Outgoing, hash_parts};
use serde_json::json;

use super::limits::POINTS;
use super::turn::Turn;
use super::{loading, showing};
use crate::Fault;
use crate::payload::{optional, parsed};

/// `Freeze-Dataset`: the benchmark process opens a pool. Whoever may not, or cannot, is told so by a Dataset-Error, so
/// that the money of the pool goes back at once.
pub(super) fn freeze_dataset(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let pool: Id = parsed(turn.message, "Pool")?;
    let end_ms: u64 = optional(turn.message, "End")?.unwrap_or_default();
    let questions = loading::count(turn)?;
    let reason = if turn.settings.benchmark != Some(turn.message.from) {
        Some("this dataset does not take pools of that benchmark process: its tag Benchmark names another")
    } else if questions == 0 {
        Some("this dataset has no questions: its owner has to load them first")
    } else if showing::are_shown(turn)? {
        Some("the questions of this dataset are public by now: a set could be made for them; a pool needs new ones")
    } else {
        None
    };
    if let Some(reason) = reason {
        turn.say_error(reason);
        turn.send(Outgoing::new(turn.message.from, "Dataset-Error").tag("Pool", pool).tag("Error", reason));
        return Ok(());
    }
    let content_hash = freeze(turn)?;
    showing::keep_end(turn, &pool, end_ms)?;
    let data = json!({
        "questions": questions,
        "content_hash": content_hash,
        "protocol": turn.settings.protocol(),
        "title": turn.settings.title,
        "synthetic": turn.settings.synthetic,
        "entries": "documents",
        "points": POINTS,
    });
    turn.say(data.to_string());
    turn.send(Outgoing::new(turn.message.from, "Dataset-Frozen").tag("Pool", pool).data(data.to_string()));
    Ok(())
}

/// The content hash, written down when it is asked for first.
fn freeze(turn: &mut Turn<'_, '_>) -> Result<String, Fault> {
    let known: Option<String> = turn.store.value("SELECT content_hash FROM dataset", [])?;
    if let Some(known) = known {
        return Ok(known);
    }
    let sql = "SELECT question, expected_response, evidence FROM questions ORDER BY id";
    let rows = turn
        .store
        .all(sql, [], |row| Ok([row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?]))?;
    let texts = rows.iter().flatten().map(String::as_bytes);
    let parts: Vec<&[u8]> = std::iter::once(&b"aobench retrieval questions"[..]).chain(texts).collect();
    let hash = hash_parts(&parts).to_hex();
    turn.store.execute("UPDATE dataset SET content_hash = ?, frozen_ms = ?", (&hash, turn.now_ms()))?;
    Ok(hash)
}
