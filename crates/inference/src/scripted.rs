//! An engine for tests: it answers from a table or a function, needs no file, and never surprises.

use std::collections::BTreeMap;
use std::fmt;

use crate::engine::{Description, Engine, LoadedModel, ModelFile};
use crate::error::InferenceError;
use crate::request::{Embedded, Finish, GenerateRequest, Generated, Likelihood, Progress, ScoreRequest, Scored};

type Script = Box<dyn FnMut(&str) -> String + Send>;

/// Answers by script. A continuation that is the scripted answer (spaces around both aside) has log-likelihood -0.1 and
/// is greedy; any other has -10. A text's tokens are its bytes; its vector has the direction of how often each letter from
/// `a` to `z` is in it.
pub struct ScriptedEngine {
    script: Script,
    model: Option<ModelFile>,
}

impl fmt::Debug for ScriptedEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScriptedEngine").field("model", &self.model).finish_non_exhaustive()
    }
}

impl ScriptedEngine {
    /// Answers each prompt by `script`.
    pub fn answering(script: impl FnMut(&str) -> String + Send + 'static) -> Self {
        Self { script: Box::new(script), model: None }
    }

    /// Answers from a table of prompts; a prompt that is not in it is answered by `otherwise`.
    pub fn table(answers: BTreeMap<String, String>, otherwise: impl Into<String>) -> Self {
        let otherwise = otherwise.into();
        Self::answering(move |prompt| answers.get(prompt).unwrap_or(&otherwise).clone())
    }

    fn loaded(&self) -> Result<(), InferenceError> {
        self.model.as_ref().map(|_| ()).ok_or(InferenceError::NoModel)
    }
}

impl Engine for ScriptedEngine {
    fn describe(&mut self) -> Result<Description, InferenceError> {
        Ok(Description {
            engine: "scripted".to_owned(),
            build: String::new(),
            instruction_set: "none".to_owned(),
            profile: "exact".to_owned(),
        })
    }

    fn load(&mut self, model: &ModelFile) -> Result<LoadedModel, InferenceError> {
        self.model = Some(model.clone());
        Ok(LoadedModel {
            architecture: "scripted".to_owned(),
            name: model.path.display().to_string(),
            parameters: 0,
            context_tokens: u32::MAX,
            vocabulary: 256,
            sandbox: String::new(),
        })
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<i32>, InferenceError> {
        Ok(text.bytes().map(i32::from).collect())
    }

    fn score(
        &mut self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Scored>, InferenceError> {
        self.loaded()?;
        let total = request.prompts.len();
        let mut results = Vec::with_capacity(total);
        for (index, prompt) in request.prompts.iter().enumerate() {
            let answer = (self.script)(&prompt.prompt);
            let likelihood = |continuation: &String| {
                let is_greedy = continuation.trim() == answer.trim();
                Likelihood { log_probability: if is_greedy { -0.1 } else { -10.0 }, is_greedy }
            };
            results.push(Scored::Likelihoods(prompt.continuations.iter().map(likelihood).collect()));
            progress(Progress { prompt: index, finished: index + 1, total });
        }
        Ok(results)
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Generated>, InferenceError> {
        self.loaded()?;
        let total = request.prompts.len();
        let mut results = Vec::with_capacity(total);
        for (index, prompt) in request.prompts.iter().enumerate() {
            let text = (self.script)(prompt);
            if request.schema.as_ref().is_some_and(|schema| !schema.fits(&text)) {
                return Err(InferenceError::Model { reason: format!("its script says {text}, which fits no schema") });
            }
            let tokens = text.chars().count() as u32;
            results.push(Generated { text, tokens, finish: Finish::Stop });
            progress(Progress { prompt: index, finished: index + 1, total });
        }
        Ok(results)
    }

    fn embed(&mut self, texts: &[String], progress: &mut dyn FnMut(Progress)) -> Result<Vec<Embedded>, InferenceError> {
        self.loaded()?;
        let total = texts.len();
        let mut results = Vec::with_capacity(total);
        for (index, text) in texts.iter().enumerate() {
            results.push(Embedded::Vector(letters(text)));
            progress(Progress { prompt: index, finished: index + 1, total });
        }
        Ok(results)
    }
}

/// The vector of a text.
fn letters(text: &str) -> Vec<f32> {
    let count = |letter: char| text.chars().filter(|found| found.eq_ignore_ascii_case(&letter)).count() as f64;
    let counts: Vec<f64> = ('a'..='z').map(|letter| count(letter) + 0.01).collect();
    let length = counts.iter().map(|count| count * count).sum::<f64>().sqrt();
    counts.iter().map(|count| (count / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::ScorePrompt;

    #[test]
    fn texts_of_the_same_letters_have_the_same_vector() {
        let mut engine = ScriptedEngine::answering(|_| String::new());
        engine.load(&ModelFile::at("any")).unwrap();
        let texts = ["Listen", "silent!", "rain", ""].map(str::to_owned);
        let vectors = engine.embed(&texts, &mut |_| ()).unwrap();
        assert_eq!(vectors[0], vectors[1]);
        assert_ne!(vectors[0], vectors[2]);
        let Embedded::Vector(empty) = &vectors[3] else { panic!("the script has no context limit") };
        assert!((empty.iter().map(|number| number * number).sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn it_answers_from_its_table_and_scores_by_it() {
        let mut engine = ScriptedEngine::table([("q".to_owned(), " B".to_owned())].into(), "?");
        let request = GenerateRequest::new(vec!["q".to_owned(), "other".to_owned()], 4);
        assert!(matches!(engine.generate(&request, &mut |_| ()), Err(InferenceError::NoModel)));
        engine.load(&ModelFile::at("any")).unwrap();

        let mut seen = Vec::new();
        let results = engine.generate(&request, &mut |progress| seen.push(progress.finished)).unwrap();
        assert_eq!(results.iter().map(|result| result.text.as_str()).collect::<Vec<_>>(), [" B", "?"]);
        assert_eq!(seen, [1, 2]);

        let prompt = ScorePrompt { prompt: "q".to_owned(), continuations: vec![" A".to_owned(), "B".to_owned()] };
        let request = ScoreRequest { system_prompt: None, prompts: vec![prompt] };
        let Scored::Likelihoods(likelihoods) = &engine.score(&request, &mut |_| ()).unwrap()[0] else {
            panic!("the script has no context limit")
        };
        assert!(likelihoods[1].is_greedy && !likelihoods[0].is_greedy);
    }
}
