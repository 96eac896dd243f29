//! The protocol id of an evaluation: a hash of everything that changes a score beside the documents and the model.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::evaluation::Evaluation;
use super::load::{Source, python_file};
use super::yaml::{self, FUNCTION};
use crate::question::hex;

/// How an engine computes; see the `exact` and `fast` profiles of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The result of a question does not depend on which others ran with it. The one that pays.
    Exact,
    /// Many questions in one computation; equal within a tolerance only.
    Fast,
}

/// Keys that change no score. The dataset is told by the hash of its documents.
const WITHOUT_EFFECT: [&str; 10] = [
    "metadata",
    "tag",
    "task_alias",
    "group_alias",
    "dataset_path",
    "dataset_name",
    "dataset_kwargs",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "num_fewshot",
];

/// What a task file says, without what changes no score. A function is told by its name and the hash of its file, and
/// not by where that file is.
pub(super) fn declared(fields: &Map<String, Value>, source: &dyn Source) -> Value {
    let kept = fields.iter().filter(|(key, value)| !WITHOUT_EFFECT.contains(&key.as_str()) && !value.is_null());
    let mut value: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    value.values_mut().for_each(|value| tell_functions(value, source));
    let mut value = Value::Object(value);
    value.sort_all_objects();
    value
}

fn tell_functions(value: &mut Value, source: &dyn Source) {
    if let Some(function) = yaml::function(value) {
        let (file, name) = python_file(function).unwrap_or_default();
        let sha256 = source.read(&file).map(|text| hex(&Sha256::digest(text.as_bytes())));
        *value = json!({ FUNCTION: name, "file": file.rsplit('/').next(), "sha256": sha256 });
        return;
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| tell_functions(value, source)),
        Value::Array(items) => items.iter_mut().for_each(|item| tell_functions(item, source)),
        _ => {}
    }
}

impl Evaluation<'_> {
    /// The protocol id under a profile, and under a chat template, if there is one: its text, and whether each example is
    /// a question and an answer of its own. SHA-256, lower-case hexadecimal; scores under different ids are not compared.
    pub fn protocol(&self, profile: Profile, chat_template: Option<(&str, bool)>) -> String {
        let mut pool = Sha256::new();
        for document in &self.pool {
            let document = Value::Object(document.clone()).to_string();
            pool.update((document.len() as u64).to_le_bytes());
            pool.update(document.as_bytes());
        }
        let protocol = json!({
            "rules": "aobench harness protocol 1",
            "profile": profile,
            "task": self.task.config.declared,
            "num_fewshot": self.num_fewshot,
            "examples": if self.num_fewshot == 0 { None } else { Some((self.seed, hex(&pool.finalize()))) },
            "system_instruction": self.system_instruction,
            "chat_template": chat_template,
        });
        hex(&Sha256::digest(protocol.to_string().as_bytes()))
    }
}
