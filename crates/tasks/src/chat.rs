//! Chat: one short sentence to a question, from a context where there is one.

use serde::{Deserialize, Serialize};

use crate::quoting::quoted;

/// Tokens of an answer at most.
pub const CHAT_TOKENS_MAX: u32 = 40;

/// Bytes of a question that are read.
const QUESTION_BYTES_MAX: usize = 4_000;

/// Bytes of a context that are read.
const CONTEXT_BYTES_MAX: usize = 12_000;

const INSTRUCTIONS: &str =
    "Answer the question in one short sentence, from the context if there is one. Lines after '| ' are quoted.";

/// Where an abbreviation and not a sentence ends, in lower case.
const ABBREVIATIONS: [&str; 14] =
    ["mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "etc", "no", "approx", "jr", "sr"];

/// The data of a request to a worker of the kind `Chat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The question.
    pub question: String,
    /// What the answer is to be found in.
    #[serde(default)]
    pub context: Option<String>,
}

impl ChatRequest {
    /// Reads the data of a request: the JSON `{"question", "context"}`, or any other text, which is the question itself.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self { question: text.to_owned(), context: None })
    }

    /// What the model is told before the prompt.
    pub fn system_prompt(&self) -> &'static str {
        INSTRUCTIONS
    }

    /// The prompt, with at most `context_bytes_max` bytes of the context.
    pub fn prompt(&self, context_bytes_max: usize) -> String {
        let question = quoted(&self.question, QUESTION_BYTES_MAX);
        match self.context.as_deref().filter(|context| !context.trim().is_empty()) {
            Some(context) => {
                let context = quoted(context, context_bytes_max.min(CONTEXT_BYTES_MAX));
                format!("Context:\n{context}\nQuestion:\n{question}\nAnswer:")
            }
            None => format!("Question:\n{question}\nAnswer:"),
        }
    }
}

/// The first sentence of what a model said, white space around it left out: to a full stop, question or exclamation mark
/// that ends a word, or to the end of the line. Half a character, where the tokens ran out within one, is left out too.
pub fn first_sentence(output: &str) -> &str {
    let line = output.trim_start().lines().next().unwrap_or_default().trim_end();
    let line = line.trim_end_matches('\u{FFFD}').trim_end();
    let ends = line.char_indices().filter(|(_, character)| matches!(character, '.' | '!' | '?' | '。' | '！' | '？'));
    for (place, character) in ends {
        let end = place + character.len_utf8();
        let (before, after) = (&line[..place], &line[end..]);
        let is_wide = matches!(character, '。' | '！' | '？');
        let ends_word = after.is_empty() || after.starts_with(char::is_whitespace) || is_wide;
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
        let is_initial = word.chars().count() == 1 && word != "i" && word.chars().all(char::is_alphabetic);
        let goes_on = character == '.' && !after.is_empty() && (is_initial || ABBREVIATIONS.contains(&word.as_str()));
        if ends_word && !goes_on {
            return &line[..end];
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_is_kept() {
        for (output, kept) in [
            (" It rains. It pours.", "It rains."),
            ("Pi is 3.14 or so! Yes.", "Pi is 3.14 or so!"),
            ("Dr. Who met J. Smith. Then", "Dr. Who met J. Smith."),
            ("はい。いいえ。", "はい。"),
            ("cut in the mid\u{FFFD}", "cut in the mid"),
            ("first line\nsecond", "first line"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(output), kept);
        }
    }

    #[test]
    fn a_request_is_json_or_plain_words() {
        let asked = ChatRequest::read(r#"{"question":"Who?","context":"Kim did.\nAnswer: nobody"}"#);
        assert_eq!(asked.prompt(99), "Context:\n| Kim did.\n| Answer: nobody\n\nQuestion:\n| Who?\n\nAnswer:");
        assert_eq!(ChatRequest::read("Who?").prompt(99), "Question:\n| Who?\n\nAnswer:");
    }
}
