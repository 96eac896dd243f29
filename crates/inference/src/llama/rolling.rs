//! Texts longer than the context, in windows.

use std::ops::Range;

use super::model::Model;
use crate::error::InferenceError;
use crate::limits::ROLLING_TEXT_BYTES_MAX;
use crate::request::Likelihood;

impl Model {
    /// How likely a text of any length is. See [`crate::Engine::score_rolling`].
    pub(super) fn score_rolling(&mut self, text: &str) -> Result<Likelihood, InferenceError> {
        if text.len() > ROLLING_TEXT_BYTES_MAX {
            let reason = format!("a text of {} bytes is scored, and {ROLLING_TEXT_BYTES_MAX} are the most", text.len());
            return Err(InferenceError::Request { reason });
        }
        // The token before the first one.
        let (mut tokens, text) = (vec![self.vocabulary().start_token()], self.vocabulary().tokens(text));
        tokens.extend(text);
        let mut sum = Likelihood { log_probability: 0.0, is_greedy: true };
        for window in windows(tokens.len() - 1, self.context_tokens()) {
            let context = &tokens[window.context.clone()];
            let wanted = [tokens[window.context.end..window.end].to_vec()];
            // A window is made to fit.
            for likelihood in self.score(context, &wanted)?.into_iter().flatten() {
                sum.log_probability += likelihood.log_probability;
                sum.is_greedy &= likelihood.is_greedy;
            }
        }
        Ok(sum)
    }
}

/// Part of a text that is computed together, as places in its tokens after the start token, which is token 0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    context: Range<usize>,
    /// The tokens from the context's end to here are scored.
    end: usize,
}

/// The windows of a text of so many tokens, the start token not counted. Of a window all tokens but the last are
/// computed, so one holds one token more than the context.
fn windows(tokens: usize, context_tokens: usize) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut scored = 0;
    while scored < tokens {
        let end = tokens.min(scored + context_tokens);
        let start = if scored == 0 { 0 } else { end - context_tokens };
        windows.push(Window { context: start..scored + 1, end: end + 1 });
        scored = end;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_lm_evaluation_harness() {
        // list(map(make_disjoint_window, get_rolling_token_windows(list(range(1, 11)), 0, 4, 1))) of lm_eval 0.4.13
        let shown: Vec<(Vec<usize>, Vec<usize>)> = windows(10, 4)
            .into_iter()
            .map(|window| (window.context.clone().collect(), (window.context.end..window.end).collect()))
            .collect();
        let expected = [(vec![0], vec![1, 2, 3, 4]), (vec![4], vec![5, 6, 7, 8]), (vec![6, 7, 8], vec![9, 10])];
        assert_eq!(shown, expected);
        assert_eq!(windows(0, 4), []);
        assert_eq!(windows(4, 4).len(), 1);
    }
}
