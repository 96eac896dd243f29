//! Every limit of the herder and of the inference messages, with its reason. What is over a limit is refused with an
//! error that names it, and money that came along goes back to its payer.

/// Prompts of one request. A batch is worth having because its prompts share a prefix; 256 questions keep a one-thread
/// worker busy for about half a minute, which a lease can wait for.
pub const PROMPTS_MAX: usize = 256;

/// Bytes of one prompt or system prompt.
pub const PROMPT_BYTES_MAX: usize = 32 * 1024;

/// Continuations of one prompt: the choices of a question.
pub const CONTINUATIONS_MAX: usize = 64;

/// Bytes of one continuation.
pub const CONTINUATION_BYTES_MAX: usize = 4 * 1024;

/// Stop texts of one request.
pub const STOPS_MAX: usize = 16;

/// Bytes of one stop text.
pub const STOP_BYTES_MAX: usize = 256;

/// Tokens that may be asked for: more would not fit into [`OUTPUT_BYTES_MAX`].
pub const TOKENS_MAX: u32 = 1024;

/// Bytes of one output. A longer one is not an answer to a benchmark's question.
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024;

/// Bytes of the data of a whole request, and of a whole response.
pub const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one text of a receipt (engine, build, profile, instruction set).
pub const RECEIPT_TEXT_BYTES_MAX: usize = 256;
