//! Tests of the engines of a worker: what stays in memory, and what happens when a model kills its process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use inference::scripted::ScriptedEngine;
use inference::{Description, Embedded, GenerateRequest, Generated, LoadedModel, ScoreRequest, Scored};

use super::*;

/// An engine whose process dies so often before it answers.
struct Dying {
    deaths_left: Arc<AtomicU32>,
    inner: ScriptedEngine,
}

impl Engine for Dying {
    fn describe(&mut self) -> Result<Description, InferenceError> {
        self.inner.describe()
    }

    fn load(&mut self, model: &ModelFile) -> Result<LoadedModel, InferenceError> {
        self.inner.load(model)
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<i32>, InferenceError> {
        self.inner.tokenize(text)
    }

    fn score(
        &mut self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Scored>, InferenceError> {
        self.inner.score(request, progress)
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Generated>, InferenceError> {
        if self.deaths_left.load(Ordering::Relaxed) > 0 {
            self.deaths_left.fetch_sub(1, Ordering::Relaxed);
            return Err(InferenceError::ChildDied { how: "signal 6".to_owned(), last_words: String::new() });
        }
        self.inner.generate(request, progress)
    }

    fn embed(&mut self, texts: &[String], progress: &mut dyn FnMut(Progress)) -> Result<Vec<Embedded>, InferenceError> {
        self.inner.embed(texts, progress)
    }
}

fn model(number: u8) -> (Id, CachedModel) {
    let file_hash = Id::new([number; 32]).to_hex();
    (Id::new([number; 32]), CachedModel { path: PathBuf::from(&file_hash), file_hash, bytes: 1, is_new: false })
}

/// Engines whose processes die `deaths` times in all, and the number of engines that were made.
fn engines(deaths: u32) -> (Engines, Arc<AtomicU32>) {
    let (deaths_left, made) = (Arc::new(AtomicU32::new(deaths)), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&made);
    let make = move |_: &CachedModel| -> Result<Box<dyn Engine>, InferenceError> {
        count.fetch_add(1, Ordering::Relaxed);
        let inner = ScriptedEngine::answering(|prompt| format!("{prompt}!"));
        Ok(Box::new(Dying { deaths_left: Arc::clone(&deaths_left), inner }))
    };
    (Engines { make: Box::new(make), loaded: Vec::new(), is_proven: false }, made)
}

fn ask(engines: &mut Engines, number: u8) -> Outcome {
    let (id, cached) = model(number);
    let defaults = Defaults { max_tokens: 4, system_prompt: None };
    let request = Request::Plain("hello".to_owned());
    engines.answer(Some(id), &cached, &mut |engine| answer(engine, &request, "", &defaults, &mut |_| ()))
}

#[test]
fn models_take_turns_without_being_loaded_each_time() {
    let (mut engines, made) = engines(0);
    for number in [1, 2, 3, 4, 1, 2, 3, 4, 1] {
        assert_eq!(ask(&mut engines, number), Ok(b"hello!".to_vec()));
    }
    assert_eq!(made.load(Ordering::Relaxed), 4);
    ask(&mut engines, 5).unwrap();
    assert_eq!(engines.models(), [3, 4, 1, 5].map(|number| Id::new([number; 32])), "the one used longest ago goes");
}

#[test]
fn a_process_that_dies_is_replaced_once_and_a_second_death_is_put_on_the_model() {
    let (mut once, made) = engines(1);
    assert_eq!(ask(&mut once, 1), Ok(b"hello!".to_vec()));
    assert_eq!(made.load(Ordering::Relaxed), 2);

    once.make = engines(100).0.make;
    let (blame, reason) = ask(&mut once, 2).unwrap_err();
    assert_eq!(blame, Blame::Model);
    assert_eq!(reason, "twice in a row: the model process died (signal 6)");
    assert_eq!(once.models(), [Id::new([1; 32])]);

    let (mut never, _) = engines(100);
    assert_eq!(ask(&mut never, 1).unwrap_err().0, Blame::Worker, "no model has lived here: it may be the machine");
}

#[test]
fn a_model_whose_file_changed_is_loaded_again() {
    let (mut engines, made) = engines(0);
    let (id, cached) = model(1);
    let request = Request::Plain("hello".to_owned());
    let defaults = Defaults { max_tokens: 4, system_prompt: None };
    for is_new in [true, false, true] {
        let cached = CachedModel { is_new, ..cached.clone() };
        let ask = &mut |engine: &mut dyn Engine| answer(engine, &request, "", &defaults, &mut |_| ());
        engines.answer(Some(id), &cached, ask).unwrap();
    }
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn an_error_of_the_machine_is_not_put_on_the_model() {
    let make = |_: &CachedModel| -> Result<Box<dyn Engine>, InferenceError> {
        Err(InferenceError::ChildStart { program: PathBuf::new(), reason: "out of memory".to_owned() })
    };
    let mut engines = Engines { make: Box::new(make), loaded: Vec::new(), is_proven: false };
    assert_eq!(ask(&mut engines, 1).unwrap_err().0, Blame::Worker);
}
