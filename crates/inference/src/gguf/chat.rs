//! What a model file says about conversations: its chat template, and the texts of the tokens that templates name.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::bytes::Bytes;
use super::error::GgufError;
use super::header::beginning;
use super::metadata::{Kept, Metadata};

/// A chat template with what it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    /// `tokenizer.chat_template`: Jinja, written by a stranger.
    pub template: String,
    /// The text of the token that begins a text; empty if there is none.
    pub begin: String,
    /// The text of the token that ends a text; empty if there is none.
    pub end: String,
}

impl ChatTemplate {
    /// Reads the chat template of the GGUF file that lies in `source` from `offset` on and is `length` bytes long; nothing
    /// if it has none. [`super::Header`] says whether the file is in order otherwise.
    pub fn read<S: Read + Seek>(mut source: S, offset: u64, length: u64) -> Result<Option<Self>, GgufError> {
        let mut walked = |kept: &Kept| {
            let mut bytes = Bytes::new(&mut source, offset, length, crate::limits::METADATA_BYTES_MAX)?;
            let (_, keys) = beginning(&mut bytes, length)?;
            Metadata::read(&mut bytes, keys, kept)
        };
        // The numbers of the tokens may stand behind the tokens.
        let known = walked(&Kept { chat_template: true, tokens: BTreeSet::new() })?;
        let Some(template) = known.text("tokenizer.chat_template").map(str::to_owned) else { return Ok(None) };
        let numbers = ["bos", "eos"].map(|name| known.integer(&format!("tokenizer.ggml.{name}_token_id")));
        let tokens = walked(&Kept { chat_template: false, tokens: numbers.iter().flatten().copied().collect() })?;
        let text = |number: Option<u64>| number.and_then(|number| tokens.token(number)).unwrap_or_default().to_owned();
        let [begin, end] = numbers.map(text);
        Ok(Some(Self { template, begin, end }))
    }
}
