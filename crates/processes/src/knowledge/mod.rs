//! The knowledge process: documents that are found by what they mean.
//!
//! A dataset is a list of documents under the hash of their contents. The vectors of the documents, and of each prompt
//! that is searched for, are made by `Embed` workers of a herder, with one model. A search compares its prompt with every document, so it finds the best ones and not nearly the best, and
//! gives the same answer on every machine.
//!
//! - `model`: which model that is.
//! - `creating`: datasets come and go.
//! - `asking`, `answers`: the way of a text to a worker and of its vector back.
//! - `searching`: prompts and what is found.
//! - `vectors`, `sketches`: what documents are compared by; `similarity`, `sketch`, `sieve`, `product`: how (pure).
//! - `views`: what there is.

mod answers;
mod asking;
mod creating;
pub mod limits;
mod model;
mod product;
mod schema;
mod searching;
mod settings;
mod sieve;
mod similarity;
mod sketch;
mod sketches;
mod turn;
mod vectors;
mod views;

use ao::{Effects, Message};

pub use self::creating::name;
pub use self::searching::nearest;
pub use self::similarity::Hit;
use self::turn::Turn;
use crate::payload::quoted;
use crate::{Env, Fault, Module, Publication, Store};

/// The actions of a knowledge process for people, as an error names them.
const ACTIONS: &str =
    "Info, Get-Datasets, Get-Documents, Inspect-Dataset, Create-Dataset, Delete-Dataset, Search-Prompt and Set-Model";

/// The knowledge module.
#[derive(Debug, Clone, Copy)]
pub struct Knowledge;

impl Module for Knowledge {
    fn name(&self) -> &'static str {
        "knowledge"
    }

    fn spawn(&self, store: &mut Store<'_>, _message: &Message, env: &Env) -> Result<Effects, Fault> {
        settings::Settings::read(env)?;
        schema::create(store)?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let mut settings = settings::Settings::read(env)?;
        if settings.model.is_none() {
            settings.model = model::EmbeddingModel::named_later(store)?;
        }
        let mut turn = Turn::new(store, message, env, settings);
        if !answer(&mut turn)? {
            change(&mut turn)?;
            asking::carry_on(&mut turn)?;
        }
        Ok(turn.effects)
    }

    fn publications(&self) -> &'static [Publication] {
        &[
            Publication { path: &["datasets"], action: "Get-Datasets", argument: None, part: None },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ]
    }
}

/// Answers a question, which changes nothing; whether the message was one.
fn answer(turn: &mut Turn<'_, '_>) -> Result<bool, Fault> {
    match turn.message.action() {
        "Info" => views::info(turn)?,
        "Get-Datasets" => views::datasets(turn)?,
        "Get-Documents" => views::documents(turn)?,
        "Inspect-Dataset" => views::inspect(turn)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Carries out a message that may change something. Each handler checks by itself whom the message is from.
fn change(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    match turn.message.action() {
        "Create-Dataset" => creating::create_dataset(turn),
        "Delete-Dataset" => creating::delete_dataset(turn),
        "Search-Prompt" => searching::search_prompt(turn),
        "Set-Model" => model::set_model(turn),
        "Inference-Response" => answers::inference_response(turn),
        "Undeliverable" => answers::undeliverable(turn),
        "Wake" if turn.is_tick() => Ok(()),
        other => Err(Fault::UnknownAction { action: quoted(other), known: ACTIONS.to_owned() }),
    }
}
