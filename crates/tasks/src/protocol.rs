//! The protocol id: a hash of everything that changes a score beside the questions and the model. It stands beside
//! every score, because the same model on the same questions gets 25 points more or less by the way it is asked.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::TaskFile;
use crate::question::hex;
use crate::task_file::{Choices, Generation, MetricEntry, OutputType, Pipeline, Target};

/// How an engine computes; see the `exact` and `fast` profiles of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The result of a question does not depend on which others ran with it. The one that pays.
    Exact,
    /// Many questions in one computation; equal within a tolerance only.
    Fast,
}

/// What is hashed, in this order. A new way of asking is a new field, which changes every id: so a field may only be
/// added with a new `rules`.
#[derive(Serialize)]
struct Protocol<'a> {
    rules: &'static str,
    profile: Profile,
    task: &'a str,
    output_type: OutputType,
    description: &'a str,
    doc_to_text: &'a str,
    doc_to_target: &'a Target,
    doc_to_choice: &'a Option<Choices>,
    target_delimiter: &'a str,
    generation_kwargs: &'a Option<Generation>,
    filter_list: &'a [Pipeline],
    metric_list: &'a [MetricEntry],
    num_fewshot: u64,
    chat_template: Option<&'a str>,
}

/// The protocol id of a task file under a profile: SHA-256, lower-case hexadecimal.
pub(crate) fn protocol_id(file: &TaskFile, profile: Profile) -> String {
    let protocol = Protocol {
        rules: "aobench protocol 1",
        profile,
        task: &file.task,
        output_type: file.output_type,
        description: &file.description,
        doc_to_text: &file.doc_to_text,
        doc_to_target: &file.doc_to_target,
        doc_to_choice: &file.doc_to_choice,
        target_delimiter: &file.target_delimiter,
        generation_kwargs: &file.generation_kwargs,
        filter_list: &file.filter_list,
        metric_list: &file.metric_list,
        num_fewshot: 0,
        chat_template: None,
    };
    #[expect(clippy::expect_used, reason = "texts, numbers and lists always become JSON")]
    let text = serde_json::to_string(&protocol).expect("plain data");
    hex(&Sha256::digest(text.as_bytes()))
}
