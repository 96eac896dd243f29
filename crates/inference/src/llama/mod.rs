//! The engine that runs llama.cpp in this process.
//!
//! A malformed model can abort the process from inside llama.cpp, so programs that run strangers' models use
//! [`crate::child::ChildEngine`], whose child process uses this one.

mod backend;
mod chat;
mod embed;
mod fast;
mod forced;
mod instructions;
mod likelihood;
mod model;
mod output_text;
mod rate;
mod rolling;
mod schedule;
mod trie;

use crate::engine::{Description, Engine, EngineOptions, LoadedModel, ModelFile, Profile};
use crate::error::InferenceError;
use crate::limits::TEXT_BYTES_PER_TOKEN;
use crate::prefix::trie_order;
use crate::request::{
    Embedded, Finish, GenerateRequest, Generated, Likelihood, Part, Progress, ScorePrompt, ScoreRequest, Scored,
};
use model::{Model, Purpose, Vocabulary};

pub use backend::send_log_to_standard_error;
pub use rate::prompt_tokens_per_second;

/// llama.cpp in this process.
#[derive(Debug)]
pub struct LlamaEngine {
    options: EngineOptions,
    model: Option<Model>,
}

impl LlamaEngine {
    /// An engine without a model.
    ///
    /// # Errors
    /// [`InferenceError::Unsupported`] if the processor lacks instructions that llama.cpp was compiled for.
    pub fn new(options: &EngineOptions) -> Result<Self, InferenceError> {
        backend::start(options.instructions)?;
        Ok(Self { options: options.clone(), model: None })
    }

    fn model(&mut self) -> Result<&mut Model, InferenceError> {
        self.model.as_mut().ok_or(InferenceError::NoModel)
    }

    /// How many tokens must at least be computed for a request: those of the trie of all its texts, the last one of
    /// each text not counted. What an engine's time can be measured against.
    pub fn distinct_tokens(&mut self, request: &ScoreRequest) -> Result<usize, InferenceError> {
        let encoded = EncodedScore::all(&self.made_to(Purpose::Continue)?.vocabulary(), request);
        let mut trie = trie::Trie::default();
        for prompt in &encoded {
            let end = trie.add_context(prompt.as_ref(), 0, 0);
            prompt.continuations.iter().for_each(|continuation| trie.add_continuation(end, continuation, 0, 0));
        }
        Ok(trie.nodes().len())
    }

    fn continue_prompts(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
        parts: &mut dyn FnMut(Part),
    ) -> Result<Vec<Generated>, InferenceError> {
        let model = self.made_to(Purpose::Continue)?;
        let system = request.system_prompt.as_deref();
        let encoded: Vec<EncodedPrompt> = {
            let vocabulary = model.vocabulary();
            request.prompts.iter().map(|prompt| EncodedPrompt::new(&vocabulary, system, prompt)).collect()
        };
        in_trie_order(&encoded, progress, |index, prompt| match prompt {
            EncodedPrompt::Tokens(tokens) => {
                model.generate(tokens, request, &mut |text| parts(Part { prompt: index, text }))
            }
            EncodedPrompt::TooLong => Ok(context_exceeded()),
        })
    }

    /// The model, if it is made for what is asked.
    fn made_to(&mut self, purpose: Purpose) -> Result<&mut Model, InferenceError> {
        let model = self.model()?;
        model.check_made_to(purpose)?;
        Ok(model)
    }
}

impl Engine for LlamaEngine {
    fn describe(&mut self) -> Result<Description, InferenceError> {
        Ok(backend::describe(self.options.profile))
    }

    fn load(&mut self, file: &ModelFile) -> Result<LoadedModel, InferenceError> {
        self.model = None;
        let (model, facts) = Model::load(file, &self.options)?;
        self.model = Some(model);
        Ok(facts)
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<i32>, InferenceError> {
        let model = self.model()?;
        if text.len() > model.context_tokens() * TEXT_BYTES_PER_TOKEN {
            return Err(InferenceError::Request { reason: "the text cannot fit into the model's context".to_owned() });
        }
        Ok(model.vocabulary().tokens(text))
    }

    fn score(
        &mut self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Scored>, InferenceError> {
        let profile = self.options.profile;
        let model = self.made_to(Purpose::Continue)?;
        let encoded = EncodedScore::all(&model.vocabulary(), request);
        match profile {
            Profile::Exact => in_trie_order(&encoded, progress, |_, prompt| prompt.score(model)),
            Profile::Fast => fast::score(model, &encoded, progress),
        }
    }

    fn score_rolling(
        &mut self,
        texts: &[String],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Likelihood>, InferenceError> {
        let model = self.made_to(Purpose::Continue)?;
        let mut results = Vec::with_capacity(texts.len());
        for (prompt, text) in texts.iter().enumerate() {
            results.push(model.score_rolling(text)?);
            progress(Progress { prompt, finished: prompt + 1, total: texts.len() });
        }
        Ok(results)
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Generated>, InferenceError> {
        self.continue_prompts(request, progress, &mut |_| ())
    }

    fn generate_in_parts(
        &mut self,
        request: &GenerateRequest,
        parts: &mut dyn FnMut(Part),
    ) -> Result<Vec<Generated>, InferenceError> {
        self.continue_prompts(request, &mut |_| (), parts)
    }

    fn embed(&mut self, texts: &[String], progress: &mut dyn FnMut(Progress)) -> Result<Vec<Embedded>, InferenceError> {
        let model = self.made_to(Purpose::Embed)?;
        let total = texts.len();
        let mut results = Vec::with_capacity(total);
        for (index, text) in texts.iter().enumerate() {
            results.push(model.embed(text)?);
            progress(Progress { prompt: index, finished: index + 1, total });
        }
        Ok(results)
    }
}

/// Computes prompts in the order that shares most and returns the results in the order of the prompts.
fn in_trie_order<P: AsRef<[i32]>, R>(
    prompts: &[P],
    progress: &mut dyn FnMut(Progress),
    mut compute: impl FnMut(usize, &P) -> Result<R, InferenceError>,
) -> Result<Vec<R>, InferenceError> {
    let total = prompts.len();
    let mut results: Vec<(usize, R)> = Vec::with_capacity(total);
    for index in trie_order(prompts) {
        results.push((index, compute(index, &prompts[index])?));
        progress(Progress { prompt: index, finished: results.len(), total });
    }
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn context_exceeded() -> Generated {
    Generated { text: String::new(), tokens: 0, finish: Finish::ContextExceeded }
}

/// A prompt in the model's tokens.
enum EncodedPrompt {
    Tokens(Vec<i32>),
    /// So many bytes that it was not even tokenised.
    TooLong,
}

impl EncodedPrompt {
    fn new(vocabulary: &Vocabulary<'_>, system: Option<&str>, prompt: &str) -> Self {
        if prompt.len() + system.map_or(0, str::len) > vocabulary.text_bytes_max() {
            return Self::TooLong;
        }
        Self::of(vocabulary, vocabulary.framed_tokens(&vocabulary.frame(system, prompt)))
    }

    /// A text of no tokens is computed as the start token: something must come before the first answer.
    fn of(vocabulary: &Vocabulary<'_>, mut tokens: Vec<i32>) -> Self {
        if tokens.is_empty() {
            tokens.push(vocabulary.start_token());
        }
        Self::Tokens(tokens)
    }
}

impl AsRef<[i32]> for EncodedPrompt {
    fn as_ref(&self) -> &[i32] {
        match self {
            Self::Tokens(tokens) => tokens,
            Self::TooLong => &[],
        }
    }
}

/// A prompt and its continuations in the model's tokens.
struct EncodedScore {
    context: EncodedPrompt,
    continuations: Vec<Vec<i32>>,
}

impl EncodedScore {
    fn all(vocabulary: &Vocabulary<'_>, request: &ScoreRequest) -> Vec<Self> {
        let system = request.system_prompt.as_deref();
        request.prompts.iter().map(|prompt| Self::new(vocabulary, system, prompt)).collect()
    }

    /// Cuts between context and continuation as lm-evaluation-harness does (`TemplateLM._encode_pair`): spaces at the
    /// end of the context belong to the continuation; the whole text is tokenised, and what lies beyond the number of
    /// the context's own tokens is the continuation.
    fn new(vocabulary: &Vocabulary<'_>, system: Option<&str>, prompt: &ScorePrompt) -> Self {
        let longest = prompt.continuations.iter().map(String::len).max().unwrap_or(0);
        if prompt.prompt.len() + longest + system.map_or(0, str::len) > vocabulary.text_bytes_max() {
            return Self { context: EncodedPrompt::TooLong, continuations: Vec::new() };
        }
        let text = vocabulary.frame(system, &prompt.prompt);
        let context = vocabulary.framed_tokens(&text.trimmed());
        let after_context = |continuation: &String| {
            let mut whole = vocabulary.framed_tokens(&text.followed_by(continuation));
            whole.split_off(context.len().min(whole.len()))
        };
        let continuations = prompt.continuations.iter().map(after_context).collect();
        Self { context: EncodedPrompt::of(vocabulary, context), continuations }
    }

    fn score(&self, model: &mut Model) -> Result<Scored, InferenceError> {
        match &self.context {
            EncodedPrompt::Tokens(tokens) => {
                let likelihoods = model.score(tokens, &self.continuations)?;
                Ok(likelihoods.map_or(Scored::ContextExceeded, Scored::Likelihoods))
            }
            EncodedPrompt::TooLong => Ok(Scored::ContextExceeded),
        }
    }
}

impl AsRef<[i32]> for EncodedScore {
    fn as_ref(&self) -> &[i32] {
        self.context.as_ref()
    }
}
