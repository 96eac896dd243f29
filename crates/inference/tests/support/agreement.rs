//! How far the engine's log-likelihoods are from the reference.

#![allow(dead_code, reason = "each program uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets anything unexpected fails")]

use std::path::Path;

use inference::llama::LlamaEngine;
use inference::{Engine as _, EngineOptions, ModelFile, Profile, ScorePrompt, ScoreRequest, Scored};

use crate::reference::Reference;
use crate::support::demo_questions;

pub(crate) fn engine(model: &Path, profile: Profile) -> LlamaEngine {
    let mut engine = LlamaEngine::new(&EngineOptions { profile, ..EngineOptions::default() }).unwrap();
    engine.load(&ModelFile::at(model)).unwrap();
    engine
}

/// Questions with three answers each, a third of them behind worked examples.
pub(crate) fn prompts() -> Vec<ScorePrompt> {
    let questions = demo_questions();
    let examples: Vec<String> =
        questions[..3].iter().map(|question| format!("{} {}\n\n", question.prompt, question.letter)).collect();
    let examples = examples.concat();
    let continuations =
        [" A because it is the best", " B", " the neighbours went home", ""].map(str::to_owned).to_vec();
    let prompts = questions[20..50].iter().enumerate().map(|(index, question)| match index % 3 {
        0 => format!("{examples}{}", question.prompt),
        _ => question.prompt.clone(),
    });
    prompts.map(|prompt| ScorePrompt { prompt, continuations: continuations.clone() }).collect()
}

/// How far an engine is from the reference at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    /// Of a sum of logarithms.
    pub(crate) absolute: f64,
    /// The same in parts of one more than the sum: improbable texts have large ones.
    pub(crate) relative: f64,
}

/// The largest differences between the engine and the reference over all answers.
pub(crate) fn largest_difference(model: &Path, profile: Profile) -> Difference {
    let mut engine = engine(model, profile);
    let mut reference = Reference::open(model);
    let prompts = prompts();
    let results = engine.score(&ScoreRequest { system_prompt: None, prompts: prompts.clone() }, &mut |_| ()).unwrap();
    let mut largest = Difference { absolute: 0.0, relative: 0.0 };
    for (prompt, scored) in prompts.iter().zip(&results) {
        let Scored::Likelihoods(likelihoods) = scored else { panic!("the prompts fit") };
        let start = reference.start_token();
        let mut tokens = |text: &str| -> Vec<i32> { start.into_iter().chain(engine.tokenize(text).unwrap()).collect() };
        let first = tokens(&prompt.prompt).len();
        for (continuation, likelihood) in prompt.continuations.iter().zip(likelihoods) {
            let whole = tokens(&format!("{}{continuation}", prompt.prompt));
            let expected = reference.log_probability(&whole, first);
            let difference = (likelihood.log_probability - expected).abs();
            largest.absolute = largest.absolute.max(difference);
            largest.relative = largest.relative.max(difference / (1.0 + expected.abs()));
        }
    }
    largest
}
