//! What is asked of a model for one document, and what comes back.

use super::config::GenerationConfig;
use crate::python::text::strip_end;

/// One request. Its texts are those of lm-evaluation-harness before anything is made into tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// How likely is the continuation after the context? The context is empty where the choice alone is asked for.
    Loglikelihood {
        /// What stands before.
        context: String,
        /// What follows.
        continuation: String,
    },
    /// How likely is the text?
    LoglikelihoodRolling {
        /// The text.
        text: String,
    },
    /// What follows the context?
    Generate {
        /// What stands before.
        context: String,
        /// How, and up to where.
        generation: GenerationConfig,
    },
}

impl Request {
    /// Context and continuation as they are made into tokens: white space at the end of the context belongs to the
    /// continuation, because models have it at the start of a word. The tokens of both together are then split where
    /// those of the context alone end. Nothing for other requests.
    pub fn pair(&self) -> Option<(&str, String)> {
        let Self::Loglikelihood { context, continuation } = self else { return None };
        let kept = strip_end(context);
        Some((kept, format!("{}{continuation}", &context[kept.len()..])))
    }
}

/// One answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// To [`Request::Loglikelihood`].
    Loglikelihood {
        /// The sum of the natural logarithms of the tokens' probabilities.
        loglikelihood: f64,
        /// Whether each token was the likeliest one.
        greedy: bool,
    },
    /// To [`Request::LoglikelihoodRolling`]: the sum of the natural logarithms of all tokens' probabilities.
    Rolling(f64),
    /// To [`Request::Generate`].
    Text(String),
}
