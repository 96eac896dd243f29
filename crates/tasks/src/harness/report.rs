//! Samples and results as lm-evaluation-harness writes them, so that what reads its files reads these.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::config::Config;
use super::context::Chat;
use super::evaluation::{Aggregate, Evaluation, Sample, logged};
use super::request::{Request, Response};
use crate::TaskError;
use crate::python::literal;
use crate::question::hex;

impl Evaluation<'_> {
    /// One line of `samples_<task>_<date>.jsonl`: a document under one filter pipeline, with what was asked, answered
    /// and judged. `responses` are those of the document, as they were given to [`Evaluation::judge`].
    pub fn sample_line(
        &self,
        sample: &Sample,
        responses: &[Vec<Response>],
        chat: Option<Chat<'_>>,
    ) -> Result<Value, TaskError> {
        let document = Value::Object(self.document(sample.document)?.clone());
        let requests = match chat {
            None => self.requests(sample.document)?,
            Some(chat) => self.chat_requests(sample.document, chat)?,
        };
        let arguments: Vec<Vec<Value>> = requests.iter().map(arguments).collect();
        let numbered = |(place, arguments): (usize, &Vec<Value>)| {
            let fields = arguments.iter().enumerate().map(|(place, value)| (format!("arg_{place}"), value.clone()));
            (format!("gen_args_{place}"), Value::Object(fields.collect()))
        };
        let answered: Vec<Value> = responses.iter().map(|repeats| repeats.iter().map(logged).collect()).collect();
        // One request was filtered to one answer, several to one each.
        let filtered = match &sample.filtered {
            Value::Array(each) if !is_text_task(&requests) => Value::Array(each.clone()),
            one => json!([one]),
        };
        let first = arguments.first().and_then(|arguments| arguments.first()).map(literal::text).unwrap_or_default();
        let target = literal::text(&sample.target);
        let mut line = Map::new();
        line.insert("doc_id".to_owned(), json!(sample.document));
        line.insert("doc".to_owned(), document.clone());
        line.insert("target".to_owned(), json!(target));
        line.insert("arguments".to_owned(), Value::Object(arguments.iter().enumerate().map(numbered).collect()));
        line.insert("resps".to_owned(), as_texts(&Value::Array(answered)));
        line.insert("filtered_resps".to_owned(), as_texts(&filtered));
        line.insert("filter".to_owned(), json!(sample.filter));
        line.insert("metrics".to_owned(), sample.metrics.iter().map(|(metric, _)| json!(metric.name())).collect());
        line.insert("doc_hash".to_owned(), json!(hash(&python_json(&document, 0))));
        line.insert("prompt_hash".to_owned(), json!(hash(&first)));
        line.insert("target_hash".to_owned(), json!(hash(&target)));
        line.extend(sample.metrics.iter().map(|(metric, score)| (metric.name().to_owned(), score.to_json())));
        Ok(Value::Object(line))
    }
}

/// A task's entry under `results`: each metric with its standard error, `N/A` where there is none.
pub fn results_entry(config: &Config, aggregates: &[Aggregate]) -> Value {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(config.task));
    entry.insert("alias".to_owned(), json!(config.alias.as_ref().unwrap_or(&config.task)));
    let documents = aggregates.iter().map(|aggregate| aggregate.documents).max();
    entry.insert("sample_len".to_owned(), json!(documents.unwrap_or_default()));
    for aggregate in aggregates {
        entry.insert(aggregate.key(), json!(aggregate.value));
        let error = aggregate.standard_error.map_or_else(|| json!("N/A"), |error| json!(error));
        entry.insert(format!("{}_stderr,{}", aggregate.metric, aggregate.filter), error);
    }
    Value::Object(entry)
}

fn is_text_task(requests: &[Request]) -> bool {
    matches!(requests, [Request::Generate { .. }])
}

fn arguments(request: &Request) -> Vec<Value> {
    match request {
        Request::Loglikelihood { context, continuation } => vec![json!(context), json!(continuation)],
        Request::LoglikelihoodRolling { text } => vec![json!(text)],
        Request::Generate { context, generation } => {
            let mut how = json!({
                "until": generation.until,
                "max_gen_toks": generation.max_gen_toks,
                "do_sample": generation.do_sample,
                "temperature": generation.temperature,
            });
            if let (Some(top_p), Value::Object(how)) = (generation.top_p, &mut how) {
                how.insert("top_p".to_owned(), json!(top_p));
            }
            vec![json!(context), how]
        }
    }
}

/// Every value within lists as its text.
fn as_texts(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(as_texts).collect(),
        other => json!(literal::text(other)),
    }
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// As `json.dumps(value, indent=2, ensure_ascii=False)`.
fn python_json(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items: Vec<String> =
                items.iter().map(|item| format!("{inner}{}", python_json(item, depth + 1))).collect();
            format!("[\n{}\n{outer}]", items.join(",\n"))
        }
        Value::Object(fields) if !fields.is_empty() => {
            let field = |(key, value): (&String, &Value)| {
                format!("{inner}{}: {}", Value::from(key.as_str()), python_json(value, depth + 1))
            };
            format!("{{\n{}\n{outer}}}", fields.iter().map(field).collect::<Vec<_>>().join(",\n"))
        }
        Value::Number(_) => literal::repr(value),
        other => other.to_string(),
    }
}
