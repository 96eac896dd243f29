//! Every limit on what a task file or a question may hold, with its reason. Both come from strangers; what is over a
//! limit is refused with an error that names it.

/// Bytes of a task file. The longest declarative one of lm-evaluation-harness has about 30 KiB, nearly all of it
/// examples.
pub const TASK_BYTES_MAX: usize = 64 * 1024;

/// Nesting of a task file; they are nearly flat.
pub const TASK_DEPTH_MAX: usize = 16;

/// Aliases and anchors of a task file. Few use any; many are an attempt to make a small file large.
pub const TASK_ALIASES_MAX: usize = 100;

/// Bytes of one question as compact JSON.
pub const QUESTION_BYTES_MAX: usize = 64 * 1024;

/// Fields of one question.
pub const QUESTION_FIELDS_MAX: usize = 64;

/// Bytes of one rendered text: the most that a worker takes as a prompt.
pub const RENDERED_BYTES_MAX: usize = 32 * 1024;

/// Steps that a template may take. A prompt takes about ten for each field in it.
pub const TEMPLATE_STEPS_MAX: u64 = 5000;

/// Depth of calls within a template.
pub const TEMPLATE_DEPTH_MAX: usize = 32;

/// Tags (`{{ }}` or `{% %}`) of a template.
pub const TEMPLATE_TAGS_MAX: usize = 256;

/// Words and signs within one tag of a template.
pub const TEMPLATE_TAG_TOKENS_MAX: usize = 256;

/// Bytes that a template's filter may make out of its input.
pub const FILTERED_BYTES_MAX: usize = 256 * 1024;

/// Choices of one question: as many as there are letters.
pub const CHOICES_MAX: usize = 26;

/// Stop texts of a generation.
pub const UNTIL_MAX: usize = 8;

/// Tokens of a generation.
pub const MAX_GEN_TOKS_MAX: u32 = 2048;

/// Steps of one filter pipeline.
pub const FILTERS_MAX: usize = 16;

/// Bytes of the compiled form of a regular expression.
pub const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// Backtracking steps that a regular expression with look-around may take on one output; without look-around none are
/// needed.
pub const REGEX_STEPS_MAX: usize = 100_000;

/// Matches of a regular expression that are looked at in one output.
pub const REGEX_MATCHES_MAX: usize = 4096;

/// Bytes of an answer that is counted as a label: a longer one is a free answer.
pub const LABEL_BYTES_MAX: usize = 64;

/// Bytes of a task file that the person who runs the evaluation has chosen; a few of lm-evaluation-harness hold many
/// few-shot examples.
pub const HARNESS_BYTES_MAX: usize = 1024 * 1024;

/// Nodes of such a task file.
pub const HARNESS_NODES_MAX: usize = 64 * 1024;

/// Bytes of one document of such a task as compact JSON: a book.
pub const HARNESS_QUESTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Files that such a task file may include, with those that they include.
pub const HARNESS_INCLUDES_MAX: usize = 32;

/// Steps that a template of such a task file may take for one document.
pub const HARNESS_TEMPLATE_STEPS_MAX: u64 = 1_000_000;

/// Bytes of one text that such a template makes.
pub const HARNESS_RENDERED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Steps that a function of Python of such a task may take for one document, or for a loop over all of them.
pub const SCRIPT_STEPS_MAX: u64 = 5_000_000;

/// Calls within each other of such functions.
pub const SCRIPT_CALLS_MAX: usize = 16;

/// Bytes of a model's chat template: as many as the reader of model files takes.
pub const CHAT_TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Tags of a chat template. Those that know of tools have about 150.
pub const CHAT_TEMPLATE_TAGS_MAX: usize = 1024;

/// Words and signs within one tag of a chat template.
pub const CHAT_TEMPLATE_TAG_TOKENS_MAX: usize = 512;

/// Few-shot examples of one prompt.
pub const FEW_SHOT_MAX: usize = 256;

/// Choices of one document of such a task.
pub const HARNESS_CHOICES_MAX: usize = 1024;

/// Answers that are asked for to one request (`repeats`).
pub const REPEATS_MAX: usize = 1024;

/// Resamples of a bootstrap: what lm-evaluation-harness takes.
pub const BOOTSTRAP_MAX: usize = 100_000;
