//! Outputs that are forced into a form. The forms here have few members, so nothing is sampled: every member is scored as
//! a whole, and the most probable one is the output. That is exact (a greedy choice of tokens under a grammar can be led
//! into a poor member by a good first token), costs one batch, and cannot leave the form. Forms with more
//! members than can be listed are [`crate::schema`]'s.

use crate::engine::Engine;
use crate::error::InferenceError;
use crate::request::{IMPOSSIBLE, Progress, ScorePrompt, ScoreRequest, Scored};

/// Members that a form may have.
pub const MEMBERS_MAX: usize = 64;

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grammar {
    /// One of these texts.
    Choices(Vec<String>),
    /// A whole number from the first to the second, in decimal digits.
    Integer(i64, i64),
}

/// The output that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The member.
    pub output: String,
    /// Its place among the members.
    pub index: usize,
    /// The natural logarithms of the probabilities of all members, as whole outputs.
    pub log_probabilities: Vec<f64>,
}

impl Grammar {
    /// All members, in their order.
    ///
    /// # Errors
    /// [`InferenceError::Request`] if there are none, or more than [`MEMBERS_MAX`].
    pub fn members(&self) -> Result<Vec<String>, InferenceError> {
        let members = match self {
            Self::Choices(choices) => choices.clone(),
            Self::Integer(low, high) => {
                let most = low.saturating_add(MEMBERS_MAX as i64);
                (*low..=*high.min(&most)).map(|number| number.to_string()).collect()
            }
        };
        if members.is_empty() || members.len() > MEMBERS_MAX {
            let count = members.len();
            let reason = format!("a form has 1 to {MEMBERS_MAX} members, and this has {count} (or more)");
            return Err(InferenceError::Request { reason });
        }
        Ok(members)
    }

    /// The member that the model gives: of the most probable ones the first. Nothing if the prompt does not fit into the
    /// context of the model.
    ///
    /// # Errors
    /// [`InferenceError::Model`] if the model computes no probability for any member.
    pub fn choose(
        &self,
        engine: &mut dyn Engine,
        system_prompt: Option<&str>,
        prompt: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Choice>, InferenceError> {
        let members = self.members()?;
        // Each output ends with its line: '1' and '10' are then two texts, and none is the beginning of the other.
        let continuations = members.iter().map(|member| format!(" {member}\n")).collect();
        let prompts = vec![ScorePrompt { prompt: prompt.to_owned(), continuations }];
        let request = ScoreRequest { system_prompt: system_prompt.map(str::to_owned), prompts };
        let scored = engine.score(&request, progress)?.into_iter().next();
        let Some(Scored::Likelihoods(likelihoods)) = scored else { return Ok(None) };
        let log_probabilities: Vec<f64> = likelihoods.iter().map(|likelihood| likelihood.log_probability).collect();
        let mut best: Option<(usize, f64)> = None;
        for (index, &value) in log_probabilities.iter().enumerate() {
            if value > IMPOSSIBLE && best.is_none_or(|(_, highest)| value > highest) {
                best = Some((index, value));
            }
        }
        let chosen = best.and_then(|(index, _)| Some((index, members.get(index)?.clone())));
        let Some((index, output)) = chosen else {
            let reason = "it computes no probability for any output that is allowed".to_owned();
            return Err(InferenceError::Model { reason });
        };
        Ok(Some(Choice { output, index, log_probabilities }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ModelFile;
    use crate::scripted::ScriptedEngine;

    #[test]
    fn the_most_probable_member_is_the_output_and_nothing_else_can_be() {
        let mut engine = ScriptedEngine::answering(str::to_owned);
        engine.load(&ModelFile::at("any")).unwrap();
        let mut choose = |grammar: &Grammar, says: &str| {
            grammar.choose(&mut engine, None, says, &mut |_| ()).unwrap().unwrap().output
        };
        let score = Grammar::Integer(0, 10);
        assert_eq!((choose(&score, "10"), choose(&score, "1")), ("10".to_owned(), "1".to_owned()));
        assert_eq!(choose(&score, "11"), "0", "what is not allowed has no part in it");
        let words = Grammar::Choices(vec!["yes".to_owned(), "no".to_owned()]);
        assert_eq!(choose(&words, "no"), "no");
    }

    #[test]
    fn a_form_without_members_or_with_too_many_is_refused() {
        assert_eq!(Grammar::Integer(-1, 1).members().unwrap(), ["-1", "0", "1"]);
        for grammar in [Grammar::Choices(Vec::new()), Grammar::Integer(1, 0), Grammar::Integer(0, i64::MAX)] {
            assert!(matches!(grammar.members(), Err(InferenceError::Request { .. })), "{grammar:?}");
        }
    }
}
