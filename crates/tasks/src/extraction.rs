//! Finding the answer in what a model said. A text in which no answer is found is an outcome of its own: it is no
//! answer, and above all it is not the first choice.

/// What lm-evaluation-harness puts where an expression does not match.
pub(crate) const NO_ANSWER: &str = "[invalid]";

/// Which of the two extractions. Both are computed for every output; a pool says beforehand which one pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extraction {
    /// The output is the answer, in the form that was asked for.
    Strict,
    /// The answer is somewhere in the output.
    Lenient,
}

/// What was found in an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extracted {
    /// An answer: a choice where there are choices, else a text.
    Answer(String),
    /// No answer.
    Unparsed,
}

impl Extracted {
    /// The answer, if there is one.
    pub fn answer(&self) -> Option<&str> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Unparsed => None,
        }
    }
}
