//! Every limit of the crate, with its reason. What is over a limit is refused with an error that names it.

/// Bytes of one frame between parent and child. 256 prompts of 32 KiB in JSON, where a control character takes six
/// bytes, are 48 MiB.
pub const FRAME_BYTES_MAX: u32 = 64 << 20;

/// Bytes of the child's standard error that are kept to explain its death.
pub const LAST_WORDS_BYTES_MAX: usize = 4 << 10;

/// Bytes of one generated text: what an answer to a benchmark question may have.
pub const OUTPUT_BYTES_MAX: u32 = 4 << 10;

/// Context length where the model allows more: bounds the memory of the key-value cache.
pub const CONTEXT_TOKENS_DEFAULT: u32 = 4096;

/// Bytes of text per token of context that are tokenised at all. A longer text cannot fit, and some tokenizers need
/// quadratic time.
pub const TEXT_BYTES_PER_TOKEN: usize = 8;

/// Bytes of a text that is scored as a whole in windows of the context: a long book.
pub const ROLLING_TEXT_BYTES_MAX: usize = 4 << 20;

/// Tokens in one computation of the profile `exact`: a prompt's tail with its continuations is mostly one.
pub const EXACT_BATCH_TOKENS: usize = 256;

/// Tokens in one computation of the profile `fast`. More is slower: each token is compared with every cell in use. Not
/// less than the sequences: llama.cpp counts on a token for each.
pub const FAST_BATCH_TOKENS: usize = 192;

/// Continuations that the profile `fast` computes side by side, of all its prompts together.
pub const FAST_BRANCHES_MAX: usize = 127;

/// Tokens of a cached prompt that the profile `fast` computes again for the sake of one more prompt in a computation.
pub const FAST_RECOMPUTED_TOKENS_MAX: usize = 16;

/// Rows of logits in one decode. A row is as wide as the vocabulary: 128 rows of 150,000 floats are 75 MiB.
pub const LOGIT_ROWS_MAX: usize = 128;

/// Rows that llama.cpp multiplies by quantised weights together: what is left over goes one by one, for nearly the price of
/// four. The limits of a computation are multiples of it.
pub const ROWS_TOGETHER: usize = 4;

/// Continuations that are computed side by side.
pub const BRANCHES_MAX: usize = 15;

/// Stack of the thread that tokenises and runs a model: regular expressions in tokenizers recurse with the text.
pub const MODEL_STACK_BYTES: usize = 64 << 20;

/// Bytes of all GGUF metadata. The largest real vocabularies take about 10 MiB.
pub const METADATA_BYTES_MAX: u64 = 64 << 20;

/// Metadata keys of a GGUF file. Real files have about 40.
pub const METADATA_KEYS_MAX: u64 = 10_000;

/// Bytes of a metadata key.
pub const KEY_BYTES_MAX: u64 = 256;

/// Bytes of a metadata string.
pub const STRING_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a chat template, which llama.cpp interprets.
pub const TEMPLATE_BYTES_MAX: u64 = 64 << 10;

/// Elements of a metadata array. Merge tables have under 500,000.
pub const ARRAY_LENGTH_MAX: u64 = 2_000_000;

/// Tokens of a vocabulary.
pub const VOCABULARY_MAX: u64 = 1_000_000;

/// Layers of a model. llama.cpp itself stops at 512.
pub const LAYERS_MAX: u64 = 512;

/// Tensors of a model.
pub const TENSORS_MAX: u64 = 100_000;

/// Bytes of a tensor name, one less than llama.cpp's buffer.
pub const TENSOR_NAME_BYTES_MAX: u64 = 63;

/// The text by which a server shows whether it gives log-probabilities of what it is asked.
pub const PROBE_TEXT: &str = "The sky is blue and the grass is green";

/// Bytes of one answer of a server: the log-probabilities of 100,000 tokens are about 10 MiB.
pub const SERVER_ANSWER_BYTES_MAX: usize = 64 << 20;

/// Seconds that one answer of a server may take.
pub const SERVER_ANSWER_SECONDS_MAX: u64 = 600;

/// Times that a request is sent to a server that fails or is overloaded.
pub const SERVER_TRIES_MAX: u32 = 4;

/// Stop texts that servers take at least.
pub const SERVER_STOP_TEXTS_MAX: usize = 4;

/// Bytes of a JSON schema.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// Parts of a JSON schema once its references are followed.
pub const SCHEMA_NODES_MAX: usize = 2_000;

/// How deep lists and objects of a JSON schema may lie in each other.
pub const SCHEMA_DEPTH_MAX: u32 = 16;

/// How deep lists and objects lie in a value of which a JSON schema says nothing.
pub const SCHEMA_ANY_DEPTH: u32 = 4;

/// Items of a list, and entries of an object, of which a JSON schema says no number.
pub const SCHEMA_ITEMS_MAX: u32 = 256;

/// Characters of a string of which a JSON schema says no length.
pub const SCHEMA_TEXT_CHARACTERS_MAX: u32 = 4_096;

/// Characters of a name in an object that has names of its own.
pub const SCHEMA_NAME_CHARACTERS_MAX: u32 = 64;

/// Decimals of a number.
pub const SCHEMA_DECIMALS: u32 = 6;

/// The greatest number, and the least with a minus, where a JSON schema names no bound: what every reader of JSON reads
/// exactly (2^53 - 1).
pub const SCHEMA_INTEGER_MAX: i64 = (1 << 53) - 1;

/// Bytes of the shortest document that fits a JSON schema.
pub const SCHEMA_SHORTEST_BYTES_MAX: usize = 16 << 10;

/// Tokens that are tried, the most probable first, for one that leaves room for the end of a document.
pub const ENDING_TRIES_MAX: usize = 64;
