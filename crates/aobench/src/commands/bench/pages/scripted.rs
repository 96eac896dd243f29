//! A dataset that knows its scores beforehand: it opens pools, and reports as many answers as it is told to. What is
//! measured are pages and the process behind them, and not the making of answers.

use ao::{Effects, Id, Message, Outgoing};
use processes::{Env, Fault, Module, Store};
use rusqlite::Row;
use serde_json::{Value, json};

/// Answers that a model comes further by with each report.
const STEP: u64 = 7;

/// The module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scripted;

/// A model in a pool: its pool, its id, its answers so far.
type Running = (String, String, u64);

impl Module for Scripted {
    fn name(&self) -> &'static str {
        "scripted-dataset"
    }

    fn spawn(&self, store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        store.execute_batch(
            "CREATE TABLE models (id INTEGER PRIMARY KEY, pool TEXT NOT NULL, model TEXT NOT NULL, answered INTEGER NOT NULL);
             CREATE TABLE questions (count INTEGER NOT NULL);
             INSERT INTO questions VALUES (2000);",
        )?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, _env: &Env) -> Result<Effects, Fault> {
        match message.action() {
            "Questions" => {
                let count = message.text().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
                store.execute("UPDATE questions SET count = ?", [count])?;
                Ok(Effects::none())
            }
            "Freeze-Dataset" => frozen(store, message),
            "Benchmark" => begun(store, message),
            "Advance" => advanced(store, message),
            "Progress" => progress(store, message),
            _ => Ok(Effects::output("null")),
        }
    }
}

fn questions(store: &Store<'_>) -> Result<u64, Fault> {
    store.value("SELECT count FROM questions", ())
}

fn frozen(store: &Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let data = json!({
        "questions": questions(store)?, "content_hash": "c0", "protocol": "scripted", "title": "Scripted",
        "synthetic": true,
    });
    let pool = message.tag("Pool").unwrap_or_default();
    Ok(Effects::message(Outgoing::new(message.from, "Dataset-Frozen").tag("Pool", pool).data(data.to_string())))
}

/// Every twentieth model is evaluated slowly; the others are complete at once.
fn begun(store: &mut Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let tag = |name| message.tag(name).unwrap_or_default();
    let total = questions(store)?;
    let sql = "INSERT INTO models (pool, model, answered) VALUES (?, ?, ?)";
    let id = store.insert(sql, (tag("Pool"), tag("Model"), total))?;
    if id % 20 != 0 {
        return Ok(Effects::message(report(message.from, tag("Pool"), tag("Model"), total, total)));
    }
    store.execute("UPDATE models SET answered = 0 WHERE id = ?", [id])?;
    Ok(Effects::none())
}

/// All running models come further, and begin again before they are complete: the benchmark then says that it knows.
fn advanced(store: &mut Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let total = questions(store)?;
    store.execute("UPDATE models SET answered = (answered + ?1) % ?2 WHERE id % 20 = 0", (STEP, total.max(2) - 1))?;
    let benchmark: Id = message.tag("Benchmark").and_then(|id| id.parse().ok()).unwrap_or_default();
    let mut effects = Effects::none();
    for (pool, model, answered) in running(store, "")? {
        effects.messages.push(report(benchmark, &pool, &model, answered, total));
    }
    Ok(effects)
}

fn running(store: &Store<'_>, pool: &str) -> Result<Vec<Running>, Fault> {
    let sql =
        "SELECT pool, model, answered FROM models WHERE id % 20 = 0 AND (?1 = '' OR pool = ?1) ORDER BY id LIMIT 50";
    store.all(sql, [pool], |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

fn progress(store: &Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let total = questions(store)?;
    let running = running(store, message.tag("Pool").unwrap_or_default())?;
    let row = |(_, model, answered): &Running| json!({ "model": model, "correct": answered / 2, "answered": answered, "unparsed": 0, "total": total });
    Ok(Effects::output(Value::Array(running.iter().map(row).collect()).to_string()))
}

/// A score in which the share of correct answers depends on the id of the model.
fn report(benchmark: Id, pool: &str, model: &str, answered: u64, total: u64) -> Outgoing {
    let spread = model.bytes().map(u64::from).sum::<u64>() % 60 + 30;
    let correct = answered * spread / 100;
    let data = json!({
        "correct": correct, "lenient_correct": correct, "answered": answered, "unparsed": 0, "in_flight": 0,
        "unevaluated": total - answered, "total": total, "complete": answered == total,
    });
    Outgoing::new(benchmark, "Score-Response").tag("Pool", pool).tag("Model", model).data(data.to_string())
}
