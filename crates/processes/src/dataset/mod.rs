//! The dataset process: questions, the task that says how they are asked, and the answers of models.
//!
//! A model is evaluated when a pool or the owner asks for it: its questions go to the herder in batches, and every
//! answer is kept as the model gave it, with what the strict and the lenient extraction found in it. An answer that did
//! not come is asked for again; it never counts as a wrong one.
//!
//! - `loading`, `freezing`: the questions, until they can change no more.
//! - `models`: which models are evaluated, and for whom.
//! - `plan` (pure), `asking`, `answers`: the way of a question to a model and back.
//! - `score`, `views`, `reading`: what became of it, and what it is.

mod answers;
mod asking;
mod freezing;
mod loading;
mod models;
mod plan;
mod reading;
mod schema;
mod score;
mod settings;
mod turn;
mod views;

use ao::{Effects, Message};

use self::turn::Turn;
use crate::payload::quoted;
use crate::{Cron, Env, Fault, Module, Publication, Store};

/// The actions of a dataset for people, as an error names them.
const ACTIONS: &str =
    "Info, Get-Models, Get-Questions, Get-Task, Progress, Score, Results, Init, Load-Data, Benchmark and Evaluate";

/// The period of the clock, milliseconds: one hour.
const HOURLY_MS: u64 = 3_600_000;

/// The dataset module.
#[derive(Debug, Clone, Copy)]
pub struct Dataset;

impl Module for Dataset {
    fn name(&self) -> &'static str {
        "dataset"
    }

    fn spawn(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        schema::create(store)?;
        settings::keep(store, message, env)?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let mut turn = Turn::new(store, message, env, settings::Settings::read(env)?);
        if !answer(&mut turn)? {
            change(&mut turn)?;
        }
        Ok(turn.effects)
    }

    fn crons(&self) -> &'static [Cron] {
        &[Cron { action: "Evaluate", every_ms: HOURLY_MS }]
    }

    fn publications(&self) -> &'static [Publication] {
        &[
            Publication { path: &["models"], action: "Get-Models", argument: None, part: None },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ]
    }
}

/// Answers a question, which changes nothing; whether the message was one.
fn answer(turn: &mut Turn<'_, '_>) -> Result<bool, Fault> {
    match turn.message.action() {
        "Info" => views::info(turn)?,
        "Get-Models" => views::models(turn)?,
        "Score" => score::answer(turn)?,
        "Results" => views::results(turn)?,
        "Get-Questions" => reading::questions(turn)?,
        "Get-Task" => reading::task(turn)?,
        "Progress" => reading::progress(turn)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Carries out a message that may change something. Each handler checks by itself whom the message is from.
fn change(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    match turn.message.action() {
        "Init" => loading::init(turn),
        "Load-Data" => loading::load_data(turn),
        "Data-Content" => loading::data_content(turn),
        "Freeze-Dataset" => freezing::freeze_dataset(turn),
        "Benchmark" => models::benchmark(turn),
        "Model-Facts" => models::model_facts(turn),
        "Evaluate" => asking::evaluate(turn),
        "Wake" if turn.is_tick() => asking::carry_on(turn),
        "Inference-Response" => answers::inference_response(turn),
        "Undeliverable" => answers::undeliverable(turn),
        other => Err(Fault::UnknownAction { action: quoted(other), known: ACTIONS.to_owned() }),
    }
}
