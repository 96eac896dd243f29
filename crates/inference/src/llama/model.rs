//! A loaded model with its context, and its vocabulary.

#![expect(unsafe_code, reason = "the context borrows the model beside it, which safe Rust cannot express")]

use std::fs::File;
use std::mem::ManuallyDrop;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;

use super::backend;
use super::chat::{ChatFrame, Text};
use super::embed;
use super::forced::Spelling;
use crate::engine::{EngineOptions, LoadedModel, ModelFile, Profile};
use crate::error::InferenceError;
use crate::gguf::{self, Header};
use crate::limits::{BRANCHES_MAX, EXACT_BATCH_TOKENS, FAST_BATCH_TOKENS, FAST_BRANCHES_MAX, TEXT_BYTES_PER_TOKEN};

/// Prompts are computed in chunks of this many tokens (see [`crate::prefix`]). Part of the profile `exact`: another
/// number gives other bits.
pub(super) const CHUNK_TOKENS: usize = 64;

/// Architectures that need an encoder's run before they continue a text.
const NEITHER: [&str; 2] = ["t5", "t5encoder"];

/// Layers that a graphics processor computes: all of them where the crate was built for one.
const GPU_LAYERS: u32 = if cfg!(any(feature = "cuda", feature = "metal", feature = "vulkan")) { 1000 } else { 0 };

/// What a model is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Continuing texts.
    Continue,
    /// Giving vectors for texts.
    Embed,
}

/// A model that is ready to compute.
pub(super) struct Model {
    /// Dropped before `loaded`, which it borrows.
    pub(super) context: ManuallyDrop<LlamaContext<'static>>,
    loaded: NonNull<LlamaModel>,
    pub(super) batch: LlamaBatch<'static>,
    /// The tokens that are in sequence 0 of the cache; in the profile `exact` those of whole chunks only.
    pub(super) cached: Vec<i32>,
    /// Whether the cache can forget the end of a sequence; recurrent models cannot.
    pub(super) can_share: bool,
    context_tokens: usize,
    chat: Option<ChatFrame>,
    reads_marks: bool,
    architecture: String,
    purpose: Purpose,
    /// The bytes of every token, once they were needed.
    spelling: Option<Arc<Spelling>>,
}

// SAFETY: the model and the context may be used from any thread, one at a time (both wrappers are `Send` for that
// reason), and nobody else holds the pointer.
unsafe impl Send for Model {}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Model").field("context_tokens", &self.context_tokens).finish_non_exhaustive()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the context is dropped here and nowhere else, and not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.context) };
        // SAFETY: the pointer came from `Box::into_raw`, and its only borrower was the context.
        drop(unsafe { Box::from_raw(self.loaded.as_ptr()) });
    }
}

impl Model {
    /// Checks the file, then loads it.
    pub(super) fn load(file: &ModelFile, options: &EngineOptions) -> Result<(Self, LoadedModel), InferenceError> {
        Self::load_with(file, options, continuing_parameters)
    }

    /// The same for computations of a whole context, one sequence at a time.
    pub(super) fn load_for_batches(
        file: &ModelFile,
        options: &EngineOptions,
        flash_attention: bool,
    ) -> Result<(Self, LoadedModel), InferenceError> {
        Self::load_with(file, options, |options, context_tokens| {
            let parameters = exact_parameters(options, context_tokens, context_tokens).with_n_seq_max(1);
            let policy = llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_ENABLED;
            if flash_attention { parameters.with_flash_attention_policy(policy) } else { parameters }
        })
    }

    fn load_with(
        file: &ModelFile,
        options: &EngineOptions,
        continuing_parameters: impl FnOnce(&EngineOptions, u32) -> LlamaContextParams,
    ) -> Result<(Self, LoadedModel), InferenceError> {
        let backend = backend::start(options.instructions)?;
        let (opened, header) = check(file)?;
        backend::take_reason();
        let parameters = LlamaModelParams::default().with_n_gpu_layers(GPU_LAYERS);
        let model = LlamaModel::load_from_file(backend, reopened(&opened, &file.path), &parameters)
            .map_err(|error| InferenceError::Model { reason: reason_or(&error.to_string()) })?;
        let context_tokens = match model.n_ctx_train() {
            0 => options.context_tokens.min(512),
            trained => options.context_tokens.min(trained),
        };
        let facts = LoadedModel {
            architecture: header.architecture.clone(),
            name: header.name.clone(),
            parameters: header.parameters(),
            context_tokens,
            vocabulary: model.n_vocab().unsigned_abs(),
            sandbox: String::new(),
        };
        let purpose = if embed::embeds(&header.architecture) { Purpose::Embed } else { Purpose::Continue };
        let parameters = match purpose {
            Purpose::Continue => continuing_parameters(options, context_tokens),
            Purpose::Embed => {
                let pooling = embed::pooling(&model, &header.architecture)?;
                embedding_parameters(options, context_tokens).with_pooling_type(pooling)
            }
        };
        let (batch_tokens, sequences) = (parameters.n_batch() as usize, parameters.n_seq_max() as i32);
        let can_share = !model.is_recurrent() && !model.is_hybrid();
        let chat = ChatFrame::of(&model);
        let loaded = NonNull::from(Box::leak(Box::new(model)));
        // SAFETY: the model lives in its own allocation until `Drop` frees it, after the context.
        let borrowed: &'static LlamaModel = unsafe { loaded.as_ref() };
        let context = borrowed.new_context(backend, parameters).map_err(|error| {
            // SAFETY: no context was made, so nothing borrows the model; the pointer came from a box.
            drop(unsafe { Box::from_raw(loaded.as_ptr()) });
            InferenceError::Model { reason: reason_or(&error.to_string()) }
        })?;
        let batch = LlamaBatch::new(batch_tokens, sequences);
        let context_tokens = context_tokens as usize;
        let context = ManuallyDrop::new(context);
        let (cached, architecture) = (Vec::new(), header.architecture);
        let reads_marks = options.reads_marks;
        let model = Self {
            context,
            loaded,
            batch,
            cached,
            can_share,
            context_tokens,
            chat,
            reads_marks,
            architecture,
            purpose,
            spelling: None,
        };
        Ok((model, facts))
    }

    /// Fails if the model is made for something else.
    pub(super) fn check_made_to(&self, purpose: Purpose) -> Result<(), InferenceError> {
        let does_not = match purpose {
            _ if purpose == self.purpose => return Ok(()),
            Purpose::Continue => "continue",
            Purpose::Embed => "embed",
        };
        Err(InferenceError::Model {
            reason: format!("the architecture `{}` does not {does_not} texts", self.architecture),
        })
    }

    /// Longest text in tokens.
    pub(super) fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// The bytes of every token.
    pub(super) fn spelling(&mut self) -> Arc<Spelling> {
        let known = self.spelling.take().unwrap_or_else(|| Arc::new(self.vocabulary().spelling()));
        Arc::clone(self.spelling.insert(known))
    }

    /// How texts become tokens.
    pub(super) fn vocabulary(&self) -> Vocabulary<'_> {
        // SAFETY: the model lives as long as `self`.
        let model = unsafe { self.loaded.as_ref() };
        let text_bytes_max = self.context_tokens * TEXT_BYTES_PER_TOKEN;
        Vocabulary { tokens: model.vocab(), chat: self.chat.as_ref(), reads_marks: self.reads_marks, text_bytes_max }
    }
}

/// The reason that llama.cpp logged, or what the wrapper says.
pub(super) fn reason_or(otherwise: &str) -> String {
    let reason = backend::take_reason();
    if reason.is_empty() { otherwise.to_owned() } else { reason }
}

/// Opens the file and lets our own reader look at it before llama.cpp does.
fn check(file: &ModelFile) -> Result<(File, Header), InferenceError> {
    let io = |error: std::io::Error| InferenceError::ModelFile { path: file.path.clone(), reason: error.to_string() };
    let opened = File::open(&file.path).map_err(io)?;
    let length = opened.metadata().map_err(io)?.len();
    let header = Header::read(&opened, 0, length)?;
    if NEITHER.contains(&header.architecture.as_str()) {
        let reason = format!("the architecture `{}` neither continues nor embeds texts", header.architecture);
        return Err(InferenceError::Model { reason });
    }
    if let Some(expected) = &file.file_hash {
        let found = gguf::file_hash(&opened, 0, length)?;
        if !found.eq_ignore_ascii_case(expected) {
            return Err(InferenceError::HashMismatch { expected: expected.clone(), found });
        }
    }
    Ok((opened, header))
}

/// A path that leads to the very file that was checked, even if another one has taken its name since.
fn reopened(file: &File, otherwise: &Path) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd as _;
        let path = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
        if path.exists() {
            return path;
        }
    }
    let _ = file;
    otherwise.to_owned()
}

fn continuing_parameters(options: &EngineOptions, context_tokens: u32) -> LlamaContextParams {
    let (batch, branches) = match options.profile {
        Profile::Exact => (EXACT_BATCH_TOKENS, BRANCHES_MAX),
        Profile::Fast => (FAST_BATCH_TOKENS, FAST_BRANCHES_MAX),
    };
    exact_parameters(options, context_tokens, batch as u32).with_n_seq_max(branches as u32 + 1).with_kv_unified(true)
}

/// An encoder sees a whole text at once: the longest one is one batch.
fn embedding_parameters(options: &EngineOptions, context_tokens: u32) -> LlamaContextParams {
    exact_parameters(options, context_tokens, context_tokens).with_n_seq_max(1).with_embeddings(true)
}

fn exact_parameters(options: &EngineOptions, context_tokens: u32, batch: u32) -> LlamaContextParams {
    let threads = i32::try_from(options.threads.max(1)).unwrap_or(1);
    LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(context_tokens))
        .with_n_batch(batch)
        .with_n_ubatch(batch)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        // From 512 cells on, flash attention sums one token's values per thread: bits would depend on their number. And
        // it sums in half precision, so that log-likelihoods are a hundred times as far from the reference.
        .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_DISABLED)
        .with_no_perf(true)
}

/// How texts become tokens and tokens become texts.
pub(super) struct Vocabulary<'model> {
    tokens: LlamaVocab<'model>,
    chat: Option<&'model ChatFrame>,
    reads_marks: bool,
    text_bytes_max: usize,
}

impl Vocabulary<'_> {
    /// A longer text cannot fit into the context.
    pub(super) fn text_bytes_max(&self) -> usize {
        self.text_bytes_max
    }

    /// What the model is given for a prompt.
    pub(super) fn frame(&self, system: Option<&str>, prompt: &str) -> Text {
        match (system, self.chat) {
            (None, _) if self.reads_marks => Text::marked(prompt),
            (None, _) => Text::plain(prompt),
            (Some(system), Some(chat)) => chat.fill(system, prompt),
            (Some(system), None) => Text::plain(format!("{system}\n\n{prompt}")),
        }
    }

    /// The tokens of a text from outside: what looks like a special token is text.
    pub(super) fn tokens(&self, text: &str) -> Vec<i32> {
        self.tokenize(text, false)
    }

    fn tokenize(&self, text: &str, parse_special: bool) -> Vec<i32> {
        let tokens = self.tokens.tokenize(text.as_bytes(), false, parse_special);
        tokens.into_iter().map(|token| token.0).collect()
    }

    /// The tokens of a framed text, with the start token if the model wants one.
    pub(super) fn framed_tokens(&self, text: &Text) -> Vec<i32> {
        let mut tokens = Vec::new();
        if self.tokens.should_add_bos() {
            tokens.push(self.tokens.bos().0);
        }
        let body = self.body_tokens(text);
        // Some templates write the start token themselves.
        let written = text.has_template() && !tokens.is_empty() && body.starts_with(&tokens);
        tokens.extend_from_slice(&body[usize::from(written)..]);
        tokens
    }

    /// Tokenised as one text where that is safe, because tokens form across the borders of pieces; piece by piece if
    /// a piece from outside would become a special token.
    fn body_tokens(&self, text: &Text) -> Vec<i32> {
        if !text.has_template() {
            return self.tokens(&text.joined());
        }
        let mut outside = text.pieces.iter().filter(|piece| !piece.is_template);
        if outside.all(|piece| self.tokenize(&piece.text, true) == self.tokenize(&piece.text, false)) {
            return self.tokenize(&text.joined(), true);
        }
        text.pieces.iter().flat_map(|piece| self.tokenize(&piece.text, piece.is_template)).collect()
    }

    /// The token before a text of no tokens: the start token, else the end-of-text token, else token 0.
    pub(super) fn start_token(&self) -> i32 {
        [self.tokens.bos().0, self.tokens.eos().0].into_iter().find(|&token| token >= 0).unwrap_or(0)
    }

    /// The tokens of a text from outside between the marks that the model puts around a whole text.
    pub(super) fn marked_tokens(&self, text: &str) -> Vec<i32> {
        self.tokens.tokenize(text.as_bytes(), true, false).into_iter().map(|token| token.0).collect()
    }

    /// The bytes of every token, and which end a text.
    pub(super) fn spelling(&self) -> Spelling {
        let tokens = 0..self.tokens.n_tokens();
        Spelling::new(
            tokens.clone().map(|token| self.piece(token)).collect(),
            tokens.filter(|&token| self.ends_text(token)).collect(),
        )
    }

    /// Whether generation ends with this token.
    pub(super) fn ends_text(&self, token: i32) -> bool {
        self.tokens.is_eog(LlamaToken(token))
    }

    /// The bytes of a token; none for a special token.
    pub(super) fn piece(&self, token: i32) -> Vec<u8> {
        self.tokens.token_to_piece(LlamaToken(token), false, None)
    }
}
