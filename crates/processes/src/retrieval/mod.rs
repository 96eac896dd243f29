//! The retrieval process: hidden questions in which sets of documents compete.
//!
//! To a benchmark process it is a dataset: it freezes its questions, looks at what is entered, and reports scores. What is
//! entered is the hash of a set of documents at a knowledge process. Each question is searched in the set, the documents
//! found are judged against the response that was expected (0 to 10, by one or more judges of a herder; their median
//! counts), and the points of all questions are the score.
//!
//! - `loading`, `freezing`: the questions, until they can change no more.
//! - `showing`: they are shown to nobody, until their owner shows them to everybody after the last pool.
//! - `entering`: which sets compete, whose they are, and what exactly they are.
//! - `asking`, `searching`, `judging`: the way of a question to the documents, and of those to a judge.
//! - `metrics` (pure), `score`, `views`, `comparing`: what became of it.

mod asking;
mod comparing;
mod entering;
mod freezing;
mod judging;
pub mod limits;
mod loading;
mod metrics;
mod schema;
mod score;
mod searching;
mod settings;
mod showing;
mod turn;
mod views;

use ao::{Effects, Message};

use self::turn::Turn;
use crate::payload::quoted;
use crate::{Env, Fault, Module, Store};

/// The actions of a retrieval process for people, as an error names them.
const ACTIONS: &str = "Info, Score, Progress, Results, Compare, Load-Data, Show-Questions and Evaluate";

/// The retrieval module.
#[derive(Debug, Clone, Copy)]
pub struct Retrieval;

impl Module for Retrieval {
    fn name(&self) -> &'static str {
        "retrieval"
    }

    fn spawn(&self, store: &mut Store<'_>, _message: &Message, env: &Env) -> Result<Effects, Fault> {
        settings::Settings::read(env)?;
        schema::create(store)?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let mut turn = Turn::new(store, message, env, settings::Settings::read(env)?);
        if !answer(&mut turn)? {
            change(&mut turn)?;
            asking::carry_on(&mut turn)?;
        }
        Ok(turn.effects)
    }
}

/// Answers a question, which changes nothing; whether the message was one.
fn answer(turn: &mut Turn<'_, '_>) -> Result<bool, Fault> {
    match turn.message.action() {
        "Info" => views::info(turn)?,
        "Score" => score::answer(turn)?,
        "Progress" => score::progress(turn)?,
        "Results" => views::results(turn)?,
        "Compare" => comparing::compare(turn)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Carries out a message that may change something. Each handler checks by itself whom the message is from.
fn change(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    match turn.message.action() {
        "Load-Data" => loading::load_data(turn),
        "Show-Questions" => showing::show_questions(turn),
        "Freeze-Dataset" => freezing::freeze_dataset(turn),
        "Inspect-Model" => entering::inspect(turn),
        "Dataset-Facts" => entering::dataset_facts(turn),
        "Benchmark" => entering::benchmark(turn),
        "Evaluate" => entering::evaluate(turn),
        "Search-Prompt-Response" => searching::found(turn),
        "Inference-Response" => judging::judged(turn),
        "Undeliverable" => asking::undeliverable(turn),
        "Wake" if turn.is_tick() => Ok(()),
        other => Err(Fault::UnknownAction { action: quoted(other), known: ACTIONS.to_owned() }),
    }
}
