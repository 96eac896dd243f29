//! What is wrong with a task before a model is asked: prompts that are not what their author meant score like chance,
//! and nobody notices for months.

use std::collections::BTreeMap;

use serde_json::Value;

use super::config::{Config, FieldSource, Output};
use super::evaluation::Evaluation;
use super::request::Request;
use crate::TaskError;
use crate::python::text::is_space;

/// Something that is wrong, or looks so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub problem: Problem,
    /// Whether scores mean nothing with this.
    pub fatal: bool,
    /// In how many documents; 0 if it is about the task.
    pub documents: usize,
    /// The first of them, counted from 0.
    pub first: Option<usize>,
    /// In words, for the first of them.
    pub message: String,
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// A text, target or list of choices cannot be made: mostly a wrong field name.
    CannotBeMade,
    /// `{{` or `{%` is left after everything was filled in.
    Unrendered,
    /// The target is none of the choices.
    TargetIsNoChoice,
    /// A template that looks like the name of a field, and there is none.
    NoSuchField,
    /// Two choices of a document are equal. Real data has such rows (one of the first 200 of Social IQa's), and the
    /// harness scores them; where every row has them, the template is wrong.
    EqualChoices,
    /// An example is the document itself.
    SeesItsOwnAnswer,
    /// The prompt begins with a token that models put there themselves.
    DoubleBos,
    /// The prompt is empty.
    EmptyPrompt,
    /// The prompt ends with white space, and so does what follows begin, or a text is generated after it.
    TrailingWhiteSpace,
    /// Nothing stands between the prompt and what follows.
    NoDelimiter,
    /// The same target for every document.
    ConstantTarget,
}

impl Problem {
    /// Whether scores mean nothing if `found` of `documents` have this.
    fn is_fatal(self, found: usize, documents: usize) -> bool {
        self < Self::EqualChoices || self == Self::EqualChoices && found == documents
    }
}

/// What models put at the beginning of every prompt.
const BEGINNINGS: [&str; 7] =
    ["<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "<|endoftext|>", "[CLS]", "<BOS_TOKEN>"];

/// The findings, each with the document in which it was found last.
#[derive(Default)]
struct Findings(BTreeMap<Problem, (Finding, Option<usize>)>);

impl Findings {
    fn add(&mut self, problem: Problem, document: Option<usize>, message: impl FnOnce() -> String) {
        let (finding, last) = self.0.entry(problem).or_insert_with(|| {
            (Finding { problem, fatal: false, documents: 0, first: document, message: message() }, None)
        });
        finding.documents += usize::from(*last != document);
        *last = document;
    }
}

impl Evaluation<'_> {
    /// Everything that is wrong with the prompts of all documents, the gravest first.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        self.lint_templates(&mut findings);
        let mut targets: Vec<Value> = Vec::new();
        for number in 0..self.len() {
            if let Err(error) = self.lint_document(number, &mut findings, &mut targets) {
                findings.add(Problem::CannotBeMade, Some(number), || error.to_string());
            }
        }
        if self.len() > 1 && targets.len() == 1 && !matches!(self.task.config.doc_to_target, FieldSource::Constant(_)) {
            findings.add(Problem::ConstantTarget, None, || format!("the target is {} for every document", targets[0]));
        }
        let graded = findings
            .0
            .into_values()
            .map(|(finding, _)| Finding { fatal: finding.problem.is_fatal(finding.documents, self.len()), ..finding });
        graded.collect()
    }

    fn lint_templates(&self, findings: &mut Findings) {
        let Config { doc_to_text, doc_to_target, doc_to_choice, .. } = &self.task.config;
        let sources = [
            ("doc_to_text", Some(doc_to_text)),
            ("doc_to_target", Some(doc_to_target)),
            ("doc_to_choice", doc_to_choice.as_ref()),
        ];
        for (key, source) in sources {
            match source {
                Some(FieldSource::Template(template))
                    if looks_like_field(template) && !self.columns.contains(template) =>
                {
                    findings.add(Problem::NoSuchField, None, || {
                        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
                        format!("{key} is '{template}', and the fields are {}", columns.join(", "))
                    });
                }
                Some(FieldSource::Constant(Value::Array(items))) => {
                    if let Some(item) = items.iter().filter_map(Value::as_str).find(|item| item.contains("{{")) {
                        findings.add(Problem::Unrendered, None, || {
                            format!("{key} has the item '{item}', and items of a list are not filled in")
                        });
                    }
                }
                _ => {}
            }
        }
    }

    fn lint_document(&self, number: usize, findings: &mut Findings, targets: &mut Vec<Value>) -> Result<(), TaskError> {
        let document = self.document(number)?;
        let target = self.target(number)?;
        let choices = self.choices(number)?;
        if targets.len() < 2 && !targets.contains(&target) {
            targets.push(target.clone());
        }
        let twice = choices.iter().enumerate().find(|(place, choice)| choices[..*place].contains(choice));
        if let Some((_, choice)) = twice {
            findings.add(Problem::EqualChoices, Some(number), || format!("the choice '{choice}' comes twice"));
        }
        let classified = self.task.config.output == Output::MultipleChoice && !self.multiple_input;
        if classified && self.task.config.process_results.is_none() && !is_choice(&target, &choices) {
            let message = || format!("the target is {target}, and there are {} choices", choices.len());
            findings.add(Problem::TargetIsNoChoice, Some(number), message);
        }
        if self.examples(number)?.contains(&document) {
            findings.add(Problem::SeesItsOwnAnswer, Some(number), || {
                "an example is the document itself, because examples come from the documents that are evaluated and \
                 fewshot_split is not the test split"
                    .to_owned()
            });
        }
        let braces = Value::Object(document.clone()).to_string();
        for request in self.requests(number)? {
            lint_request(&request, number, findings, &braces);
        }
        Ok(())
    }
}

fn lint_request(request: &Request, number: usize, findings: &mut Findings, document: &str) {
    let (context, continuation) = match request {
        Request::Loglikelihood { context, continuation } => (context.as_str(), Some(continuation.as_str())),
        Request::LoglikelihoodRolling { text } => ("", Some(text.as_str())),
        Request::Generate { context, .. } => (context.as_str(), None),
    };
    // Braces that the document itself brought are its own.
    for left in ["{{", "{%"] {
        let in_request = context.contains(left) || continuation.is_some_and(|continuation| continuation.contains(left));
        if in_request && !document.contains(left) {
            findings.add(Problem::Unrendered, Some(number), || format!("'{left}' is left after it was filled in"));
        }
    }
    if let Some(beginning) = BEGINNINGS.iter().find(|beginning| context.trim_start().starts_with(**beginning)) {
        findings.add(Problem::DoubleBos, Some(number), || {
            format!("the prompt begins with '{beginning}', which models put there themselves")
        });
    }
    match (context.chars().next_back(), continuation) {
        (None, None) => findings.add(Problem::EmptyPrompt, Some(number), || "the prompt is empty".to_owned()),
        (Some(' '), None) => findings.add(Problem::TrailingWhiteSpace, Some(number), || {
            "the prompt ends with a space, which models have at the start of the next word".to_owned()
        }),
        (Some(last), Some(next)) => {
            let begins = next.chars().next();
            if is_space(last) && last != '\n' && begins.is_some_and(is_space) {
                findings.add(Problem::TrailingWhiteSpace, Some(number), || {
                    "white space ends the prompt and begins what follows".to_owned()
                });
            } else if last.is_alphanumeric() && begins.is_some_and(char::is_alphanumeric) {
                findings.add(Problem::NoDelimiter, Some(number), || {
                    format!("'{last}' of the prompt and '{}' of what follows make one word", begins.unwrap_or(' '))
                });
            }
        }
        // Whole texts, and choices whose own likelihood is taken off, are asked for without a prompt.
        _ => {}
    }
}

fn is_choice(target: &Value, choices: &[String]) -> bool {
    match target {
        Value::Array(several) => !several.is_empty() && several.iter().all(|target| is_choice(target, choices)),
        Value::String(text) => choices.contains(text),
        Value::Number(number) => number.as_u64().is_some_and(|number| number < choices.len() as u64),
        Value::Bool(_) => choices.len() > 1,
        _ => false,
    }
}

fn looks_like_field(template: &str) -> bool {
    !template.is_empty() && template.chars().all(|character| character.is_ascii_lowercase() || character == '_')
}
