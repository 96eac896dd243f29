//! The kinds of work that a worker does, in the words of the herder.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

/// A kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Service {
    /// Answer prompts with the model that they name
    #[default]
    Llama,
    /// Grade how well a context answers a question, 0 to 10
    Evaluate,
    /// Answer a question in one sentence
    Chat,
    /// Make vectors of texts
    Embed,
}

impl Service {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Llama => "Llama",
            Self::Evaluate => "Evaluate",
            Self::Chat => "Chat",
            Self::Embed => "Embed",
        }
    }
}

/// The name is none of them.
#[derive(Debug)]
pub(crate) struct NoService;

impl FromStr for Service {
    type Err = NoService;

    fn from_str(text: &str) -> Result<Self, NoService> {
        let all = [Self::Llama, Self::Evaluate, Self::Chat, Self::Embed];
        all.into_iter().find(|service| service.name().eq_ignore_ascii_case(text)).ok_or(NoService)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
