//! Freezing the questions: from the first pool on they can change no more, and everybody can see by a hash which they
//! are.

use ao::Outgoing;
use serde_json::{Value, json};
use tasks::{ContentHash, Question};

use super::turn::Turn;
use super::{loading, settings, views};
use crate::Fault;
use crate::payload::parsed;

/// `Freeze-Dataset`: the benchmark process opens a pool. Whoever may not, or cannot, is told so by a Dataset-Error, so
/// that the money of the pool goes back at once and not after a wait.
pub(super) fn freeze_dataset(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let pool: ao::Id = parsed(turn.message, "Pool")?;
    if let Some(reason) = cannot(turn)? {
        turn.say_error(reason.clone());
        turn.send(Outgoing::new(turn.message.from, "Dataset-Error").tag("Pool", pool).tag("Error", reason));
        return Ok(());
    }
    let content_hash = freeze(turn)?;
    let data = frozen(turn, &content_hash)?.to_string();
    turn.say(data.clone());
    turn.send(Outgoing::new(turn.message.from, "Dataset-Frozen").tag("Pool", pool).data(data));
    Ok(())
}

/// Why no pool can be created on this dataset by this sender.
fn cannot(turn: &Turn<'_, '_>) -> Result<Option<String>, Fault> {
    Ok(if !turn.is_from(turn.settings.benchmark) {
        Some("this dataset does not take pools of that benchmark process: its tag Benchmark names another".to_owned())
    } else if turn.settings.herder.is_none() {
        Some("this dataset has no herder, so it cannot evaluate models: its tag Herder is missing".to_owned())
    } else if loading::count(turn)? == 0 {
        Some("this dataset has no questions: its owner has to load them first".to_owned())
    } else {
        None
    })
}

/// The content hash, written down when it is asked for first.
fn freeze(turn: &mut Turn<'_, '_>) -> Result<String, Fault> {
    let known: Option<String> = turn.store.value("SELECT content_hash FROM dataset", [])?;
    if let Some(known) = known {
        return Ok(known);
    }
    let mut hash = ContentHash::default();
    let rows = turn.store.all("SELECT row FROM questions ORDER BY id", [], |row| row.get::<_, String>(0))?;
    for row in rows {
        hash.update(&Question::from_json(&row).map_err(settings::refused)?);
    }
    let hash = hash.finish();
    turn.store.execute("UPDATE dataset SET content_hash = ?, frozen_ms = ?", (&hash, turn.now_ms()))?;
    Ok(hash)
}

fn frozen(turn: &Turn<'_, '_>, content_hash: &str) -> Result<Value, Fault> {
    let about = views::about(turn)?;
    Ok(json!({
        "questions": loading::count(turn)?,
        "content_hash": content_hash,
        "protocol": about.protocol,
        "title": about.title,
        "synthetic": about.synthetic,
        "label_balance": views::balance(turn)?.labels,
    }))
}
