//! The node's own part in a world: it looks at model files and data uploads, and says when a message has no receiver.

use ao::{Id, MessageKind, sha256};

use super::{Letter, World, tags};

/// The facts of a model whose tensors are `content` (two files with the same content have the same content hash).
pub fn facts(content: &str, name: &str) -> String {
    let content_hash = sha256(content.as_bytes()).to_hex();
    let file_hash = sha256(format!("{content} as {name}").as_bytes()).to_hex();
    serde_json::json!({
        "content_hash": content_hash, "file_hash": file_hash, "bytes": 1_000_000, "architecture": "llama",
        "name": name, "parameters": 281_000,
    })
    .to_string()
}

impl World {
    /// Puts a model file where the node finds it: its facts, or why it is no model.
    pub fn put_model(&mut self, id: Id, facts: Result<String, String>) {
        self.models.insert(id, facts);
    }

    /// Puts data where the node finds it.
    pub fn put_data(&mut self, id: Id, content: Result<Vec<u8>, String>) {
        self.contents.insert(id, content);
    }

    pub(super) fn node_answers(&mut self, question: &Letter) -> Option<Letter> {
        let named = |name: &str| question.tag(name).unwrap_or_default().to_owned();
        let (subject, action, found) = match question.action() {
            "Inspect-Model" => {
                let found = named("Model").parse::<Id>().ok().and_then(|id| self.models.get(&id).cloned());
                ("Model", "Model-Facts", found.map(|facts| facts.map(String::into_bytes)))
            }
            "Read-Data" => {
                let found = named("Data-Tx").parse::<Id>().ok().and_then(|id| self.contents.get(&id).cloned());
                ("Data-Tx", "Data-Content", found)
            }
            _ => return None,
        };
        let mut answer = self.fact(question, &[("Action", action), (subject, &named(subject))]);
        if let Some(reference) = question.tag("Reference") {
            answer.tags.push("Reference", reference);
        }
        match found.unwrap_or_else(|| Err("there is no such upload".to_owned())) {
            Ok(data) => answer.data = data,
            Err(reason) => answer.tags.push("Error", reason),
        }
        Some(answer)
    }

    /// What the node says of a message that has no receiver, or could not be handled, if its sender asked to be told.
    pub(super) fn undeliverable(&mut self, letter: &Letter, fault: Option<&str>) -> Option<Letter> {
        let notified = letter.kind == MessageKind::Pushed && !self.stand_ins.contains(&letter.target);
        if !notified || letter.tag("Notify-Undeliverable") != Some("true") {
            return None;
        }
        let target = letter.target.to_string();
        let pairs = [("Action", "Undeliverable"), ("Target", target.as_str()), ("Original-Action", letter.action())];
        let mut answer = self.fact(letter, &pairs);
        if let Some(reference) = letter.tag("Reference") {
            answer.tags.push("Reference", reference);
        }
        if let Some(fault) = fault {
            answer.tags.push("Error", fault.chars().take(500).collect::<String>());
        }
        Some(answer)
    }

    fn fact(&mut self, cause: &Letter, pairs: &[(&str, &str)]) -> Letter {
        Letter {
            id: self.fresh_id("fact"),
            from: self.node,
            owner: self.node,
            target: cause.from,
            kind: MessageKind::Pushed,
            pushed_for: cause.pushed_for,
            tags: tags(pairs),
            data: Vec::new(),
        }
    }
}
