//! What a worker remembers when it starts again: how far its inbox was read, and how it was set up.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ao::Id;
use serde::{Deserialize, Serialize};

use super::answer::Defaults;
use super::job::Instruction;

/// Tokens that a plain prompt gets if nothing else is said, as in the original's worker.
const MAX_TOKENS_DEFAULT: u32 = 40;

/// The memory of a worker, in a file that is written whole after each change.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// The node and the herder for which it holds: another node has another inbox.
    node: Id,
    herder: Id,
    next: u64,
    #[serde(default)]
    model: Option<Id>,
    max_tokens: u32,
    #[serde(default)]
    system_prompt: Option<String>,
}

impl Memory {
    /// The memory in a folder. One for another node or herder is forgotten, as is one that cannot be read: what it costs
    /// is reading an inbox again.
    pub(super) fn open(folder: &Path, node: Id, herder: Id) -> anyhow::Result<Self> {
        let path = folder.join("worker.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let known =
            serde_json::from_str(&text).ok().filter(|known: &Content| known.node == node && known.herder == herder);
        let new = Content { node, herder, next: 0, model: None, max_tokens: MAX_TOKENS_DEFAULT, system_prompt: None };
        Ok(Self { path, content: known.unwrap_or(new) })
    }

    /// The slot of the inbox that comes next.
    pub(super) fn next(&self) -> u64 {
        self.content.next
    }

    /// The model for prompts that name none.
    pub(super) fn model(&self) -> Option<Id> {
        self.content.model
    }

    /// What holds for prompts that say nothing themselves.
    pub(super) fn defaults(&self) -> Defaults {
        Defaults { max_tokens: self.content.max_tokens, system_prompt: self.content.system_prompt.clone() }
    }

    /// The inbox was read up to this slot.
    pub(super) fn read_up_to(&mut self, next: u64) {
        self.content.next = next;
        self.write();
    }

    /// An instruction holds from now on.
    pub(super) fn follow(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Model(model) => self.content.model = Some(model),
            Instruction::MaxTokens(tokens) => self.content.max_tokens = tokens,
            Instruction::SystemPrompt(prompt) => {
                self.content.system_prompt = Some(prompt).filter(|text| !text.is_empty());
            }
        }
        self.write();
    }

    /// Writes the file under another name first, so that a crash leaves the old one.
    fn write(&self) {
        let written = serde_json::to_vec(&self.content).map_err(std::io::Error::other).and_then(|bytes| {
            let new = self.path.with_extension("json.new");
            std::fs::write(&new, bytes)?;
            std::fs::rename(&new, &self.path)
        });
        if let Err(error) = written {
            tracing::warn!(%error, "{} cannot be written; after a restart the inbox is read again", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_starts_again_knows_its_inbox_and_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let (node, herder, model) = (Id::new([1; 32]), Id::new([2; 32]), Id::new([3; 32]));
        let mut memory = Memory::open(folder.path(), node, herder).unwrap();
        assert_eq!((memory.next(), memory.model(), memory.defaults().max_tokens), (0, None, MAX_TOKENS_DEFAULT));
        memory.read_up_to(17);
        memory.follow(Instruction::Model(model));
        memory.follow(Instruction::MaxTokens(7));
        memory.follow(Instruction::SystemPrompt("Be short.".to_owned()));

        let again = Memory::open(folder.path(), node, herder).unwrap();
        assert_eq!((again.next(), again.model()), (17, Some(model)));
        assert_eq!(again.defaults(), Defaults { max_tokens: 7, system_prompt: Some("Be short.".to_owned()) });
    }

    #[test]
    fn the_inbox_of_another_node_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let (node, herder) = (Id::new([1; 32]), Id::new([2; 32]));
        Memory::open(folder.path(), node, herder).unwrap().read_up_to(17);
        assert_eq!(Memory::open(folder.path(), Id::new([9; 32]), herder).unwrap().next(), 0);
        assert_eq!(Memory::open(folder.path(), node, Id::new([9; 32])).unwrap().next(), 0);
        std::fs::write(folder.path().join("worker.json"), "{ torn").unwrap();
        assert_eq!(Memory::open(folder.path(), node, herder).unwrap().next(), 0);
    }
}
