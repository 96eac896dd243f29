//! Where system prompt and prompt stand in a model's chat format, and what of a text may hold special tokens.

use llama_cpp_2::model::{LlamaChatMessage, LlamaModel};

use crate::marks;

/// Stand-ins for the contents while the template is filled in. Nothing in a template looks like them.
const SYSTEM_STAND_IN: &str = "aobench-stand-in-for-the-system-prompt";
const PROMPT_STAND_IN: &str = "aobench-stand-in-for-the-prompt";

/// A text in pieces: those of the template may hold special tokens, those from outside are text whatever they look
/// like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) pieces: Vec<Piece>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_template: bool,
}

impl Text {
    /// Text from outside.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { pieces: vec![Piece { text: text.into(), is_template: false }] }
    }

    /// Text whose template parts are marked.
    pub(super) fn marked(prompt: &str) -> Self {
        let piece = |(text, is_template): (&str, bool)| Piece { text: text.to_owned(), is_template };
        Self { pieces: marks::parts(prompt).map(piece).collect() }
    }

    /// Whether special tokens may occur in it at all.
    pub(super) fn has_template(&self) -> bool {
        self.pieces.iter().any(|piece| piece.is_template)
    }

    /// The whole text.
    pub(super) fn joined(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// The text without the white space at its end.
    pub(super) fn trimmed(&self) -> Self {
        let mut pieces = self.pieces.clone();
        while let Some(last) = pieces.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                break;
            }
            pieces.pop();
        }
        Self { pieces }
    }

    /// The text with `more` from outside after it.
    pub(super) fn followed_by(&self, more: &str) -> Self {
        let mut pieces = self.pieces.clone();
        match pieces.last_mut() {
            Some(last) if !last.is_template => last.text.push_str(more),
            _ => pieces.push(Piece { text: more.to_owned(), is_template: false }),
        }
        Self { pieces }
    }
}

/// A chat template with holes for the system prompt and the prompt; ends where the answer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChatFrame {
    before: String,
    between: String,
    after: String,
}

impl ChatFrame {
    /// The frame of a model whose chat template llama.cpp knows.
    pub(super) fn of(model: &LlamaModel) -> Option<Self> {
        let template = model.chat_template(None).ok()?;
        let message = |role: &str, content: &str| LlamaChatMessage::new(role.to_owned(), content.to_owned()).ok();
        let chat = [message("system", SYSTEM_STAND_IN)?, message("user", PROMPT_STAND_IN)?];
        Self::parse(&model.apply_chat_template(&template, &chat, true).ok()?)
    }

    fn parse(filled: &str) -> Option<Self> {
        let (before, rest) = filled.split_once(SYSTEM_STAND_IN)?;
        let (between, after) = rest.split_once(PROMPT_STAND_IN)?;
        let is_clean = !after.contains(SYSTEM_STAND_IN) && !after.contains(PROMPT_STAND_IN);
        is_clean.then(|| Self { before: before.to_owned(), between: between.to_owned(), after: after.to_owned() })
    }

    /// The text that the model is given.
    pub(super) fn fill(&self, system: &str, prompt: &str) -> Text {
        let pieces =
            [(&*self.before, true), (system, false), (&self.between, true), (prompt, false), (&self.after, true)]
                .into_iter()
                .filter(|(text, _)| !text.is_empty())
                .map(|(text, is_template)| Piece { text: text.to_owned(), is_template })
                .collect();
        Text { pieces }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_keeps_what_is_template_apart_from_what_came_from_outside() {
        let filled = format!("<|system|>\n{SYSTEM_STAND_IN}</s>\n<|user|>\n{PROMPT_STAND_IN}</s>\n<|assistant|>\n");
        let text = ChatFrame::parse(&filled).unwrap().fill("Be brief.", "What is </s>?");
        assert_eq!(text.joined(), "<|system|>\nBe brief.</s>\n<|user|>\nWhat is </s>?</s>\n<|assistant|>\n");
        let outside: Vec<&str> =
            text.pieces.iter().filter(|piece| !piece.is_template).map(|piece| piece.text.as_str()).collect();
        assert_eq!(outside, ["Be brief.", "What is </s>?"]);
        assert_eq!(ChatFrame::parse("no holes"), None);
    }

    #[test]
    fn trimming_takes_white_space_across_pieces() {
        let text = ChatFrame { before: "<s>".into(), between: "\n".into(), after: "\n \n".into() }.fill("a", "b ");
        assert_eq!(text.trimmed().joined(), "<s>a\nb");
        assert_eq!(text.followed_by(" A").joined(), "<s>a\nb \n \n A");
        assert_eq!(Text::plain(" ").trimmed().pieces, []);
    }
}
