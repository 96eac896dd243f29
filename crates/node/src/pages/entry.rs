//! The page of an entry: its score and what it rests on, the comparison with the entry above it, and its answers.

use std::collections::BTreeMap;

use ao::Id;
use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{action, ask, ask_afresh, ask_if_it_can, named};
use super::board::{Line, Payout, Pool, interval};
use super::competitor::Competitor;
use super::face::{Caller, Form, field, read, show};
use super::format::{address, bytes, long, name, parameters, percent, points, when};
use super::judged;
use crate::http::error::HttpError;
use crate::http::extract::{QueryOf, parse_id};
use crate::http::state::{Shared, one_more};

/// Answers on one page, and in one step of the file of all of them.
const ANSWERS_SHOWN: usize = 20;
const ANSWERS_STEP: usize = 500;

/// The kinds of answers that can be looked at alone.
const KINDS: [(&str, &str); 5] =
    [("", "all"), ("wrong", "wrong"), ("right", "right"), ("unparsed", "unparsed"), ("waiting", "not answered yet")];

/// Which answers are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct AnswersQuery {
    #[serde(default)]
    show: String,
    #[serde(default)]
    from: u64,
}

/// Everything about an entry.
#[derive(Debug, Deserialize, Template)]
#[template(path = "entry.html")]
pub(super) struct EntryPage {
    pool: Pool,
    entry: Entry,
    above: Option<Above>,
    payouts: Vec<Payout>,
    answers: Option<Answers>,
    show: String,
    from: u64,
}

/// An entry, and what the node found in its file.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(flatten)]
    line: Line,
    architecture: String,
    parameters: u64,
    bytes: u64,
    file_hash: String,
    joined_ms: u64,
    #[serde(default)]
    updated_ms: u64,
}

/// The entry above, and how the two differ.
#[derive(Debug, Deserialize)]
pub(super) struct Above {
    pub(super) rank: u64,
    pub(super) model: Competitor,
    name: String,
    score: f64,
    above_only: Option<u64>,
    below_only: Option<u64>,
    difference: Option<f64>,
    interval: Option<[f64; 2]>,
    p_value: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Answers {
    results: Vec<Answered>,
    #[serde(default)]
    receipts: BTreeMap<String, Made>,
    next: Option<u64>,
}

/// A question and what the model said.
#[derive(Debug, Deserialize)]
struct Answered {
    id: u64,
    prompt: String,
    correct_answer: String,
    output: Option<String>,
    prediction: Option<String>,
    lenient_prediction: Option<String>,
    correct: Option<bool>,
    lenient_correct: Option<bool>,
    status: String,
    attempts: u64,
    reference: i64,
}

/// How a batch of answers was made.
#[derive(Debug, Deserialize)]
struct Made {
    worker: Option<Id>,
    ended_ms: Option<u64>,
    receipt: Receipt,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Receipt {
    engine: String,
    build: String,
    profile: String,
    instruction_set: String,
    prompts_hash: String,
    output_hash: String,
}

impl Above {
    pub(super) fn name(&self) -> String {
        self.model.called(&self.name)
    }

    pub(super) fn score(&self) -> String {
        percent(self.score)
    }

    /// The comparison in words, if both told of all their answers.
    fn sentence(&self) -> Option<String> {
        let [low, high] = self.interval?;
        let verdict = verdict(self.p_value?, "McNemar");
        Some(format!(
            "The entry above is {} percentage points better (95 % interval {} to {}). On {} questions only it was right, on {} only \
             this one. {verdict}",
            points(self.difference?),
            points(low),
            points(high),
            self.above_only?,
            self.below_only?,
        ))
    }
}

/// Whether two entries can be told apart by an exact test, in words.
pub(super) fn verdict(p_value: f64, test: &str) -> String {
    let can = if p_value < 0.05 { "can" } else { "cannot" };
    let p = if p_value < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p_value:.3}") };
    format!("The two {can} be told apart by these questions (exact {test} test, {p}).")
}

impl Answered {
    fn prompt(&self) -> String {
        long(&self.prompt)
    }

    fn output(&self) -> String {
        long(self.output.as_deref().unwrap_or_default())
    }

    fn right(&self) -> String {
        name(&self.correct_answer)
    }

    fn strict(&self) -> String {
        self.prediction.as_deref().map_or_else(|| "nothing".to_owned(), name)
    }

    fn lenient(&self) -> String {
        self.lenient_prediction.as_deref().map_or_else(|| "nothing".to_owned(), name)
    }

    fn verdict(&self) -> &'static str {
        match (self.correct, self.prediction.is_some()) {
            (Some(true), _) => "right",
            (Some(false), true) => "wrong",
            (Some(false), false) => "unparsed",
            (None, _) => "not answered yet",
        }
    }

    /// The beginning of the question, for the line that opens it: what stands last in a prompt is what is asked.
    fn beginning(&self) -> String {
        let lines = self.prompt.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = lines.clone().find(|line| line.ends_with('?')).or_else(|| lines.clone().next());
        name(line.unwrap_or_default())
    }
}

impl Made {
    fn worker(&self) -> String {
        self.worker.map(address).unwrap_or_default()
    }

    fn ended(&self) -> String {
        self.ended_ms.map(when).unwrap_or_default()
    }

    fn made(&self) -> String {
        let Receipt { engine, build, profile, instruction_set, .. } = &self.receipt;
        name(&format!("{engine}, {build}, {profile}, {instruction_set}"))
    }
}

impl EntryPage {
    fn kinds(&self) -> [(&'static str, &'static str); 5] {
        KINDS
    }

    fn size(&self) -> String {
        bytes(self.entry.bytes)
    }

    fn parameters(&self) -> String {
        parameters(self.entry.parameters)
    }

    fn joined(&self) -> String {
        when(self.entry.joined_ms)
    }

    fn updated(&self) -> String {
        when(self.entry.updated_ms.max(self.entry.joined_ms))
    }

    fn architecture(&self) -> String {
        name(&self.entry.architecture)
    }

    fn strict(&self) -> String {
        self.reading(self.entry.line.correct_strict)
    }

    fn lenient(&self) -> String {
        self.reading(self.entry.line.correct_lenient)
    }

    fn reading(&self, correct: u64) -> String {
        let share = correct as f64 / self.entry.line.answered.max(1) as f64;
        format!("{correct} ({})", percent(share))
    }

    fn interval(&self) -> String {
        interval(self.entry.line.interval)
    }
}

/// `GET /pool/{pool}/entry/{model}`, also as `.json`, and its answers as `.csv`.
pub(crate) async fn entry(
    State(shared): State<Shared>,
    Path((pool, model)): Path<(String, String)>,
    QueryOf(query): QueryOf<AnswersQuery>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    caller.answer(page(shared, &caller, (&pool, &model), query).await)
}

async fn page(
    shared: Shared,
    caller: &Caller,
    (pool, model): (&str, &str),
    query: AnswersQuery,
) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let pool = parse_id(pool)?;
    let (competitor, form) = caller.name_and_form(model)?;
    let competitor: Competitor = competitor.parse()?;
    let benchmark = named(&shared, "benchmark")?;
    let asked = json!({ "pool": pool, "model": competitor.to_string() }).to_string();
    let entry = ask(&shared, benchmark, action("Get-Entry"), asked).await?;
    let dataset: Id = entry.data["pool"]["dataset"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
    let model = match competitor {
        Competitor::Model(model) => model,
        Competitor::Documents(hash) => {
            let entered = judged::Entered { dataset, pool, hash };
            return judged::page(shared.clone(), form, Value::clone(&entry.data), entered, query.from).await;
        }
    };
    if form == Form::Csv {
        return Ok(csv(shared.clone(), dataset, pool, model));
    }
    let is_known = KINDS.iter().any(|(kind, _)| *kind == query.show);
    let kind = if is_known { query.show.as_str() } else { "" };
    let tags = results(pool, model, query.from, ANSWERS_SHOWN).with("Show", kind);
    let mut data = Value::clone(&entry.data);
    data["answers"] = ask_if_it_can(&shared, dataset, tags, String::new()).await;
    data["show"] = kind.into();
    data["from"] = query.from.into();
    show::<EntryPage>(form, data)
}

fn results(pool: Id, model: Id, from: u64, limit: usize) -> ao::Tags {
    action("Results")
        .with("Pool", pool.to_string())
        .with("Model", model.to_string())
        .with("From-Id", from.to_string())
        .with("Limit", limit.to_string())
}

/// All answers of a model as comma-separated values, read and sent a step at a time.
fn csv(shared: Shared, dataset: Id, pool: Id, model: Id) -> Response {
    let rows = stream::unfold(Some(0), move |from: Option<u64>| {
        let shared = shared.clone();
        async move {
            let from = from?;
            let tags = results(pool, model, from, ANSWERS_STEP);
            // Nothing of it is kept: it may be large, and is read once.
            let answer = ask_afresh(&shared, dataset, tags, String::new()).await.ok()?;
            let answers: Answers = read(Value::clone(&answer.data)).ok()?;
            let mut text = String::new();
            if from == 0 {
                text.push_str("question,prompt,correct_answer,output,strict,lenient,correct,lenient_correct,status,");
                text.push_str("attempts,batch\r\n");
            }
            answers.results.iter().for_each(|answered| text.push_str(&row(answered)));
            Some((Ok::<_, std::convert::Infallible>(text), answers.next))
        }
    });
    ([(CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], Body::from_stream(rows)).into_response()
}

fn row(answered: &Answered) -> String {
    let text = |text: &Option<String>| field(text.as_deref().unwrap_or_default());
    let truth = |value: Option<bool>| value.map(|value| u8::from(value).to_string()).unwrap_or_default();
    let fields = [
        answered.id.to_string(),
        field(&answered.prompt),
        field(&answered.correct_answer),
        text(&answered.output),
        text(&answered.prediction),
        text(&answered.lenient_prediction),
        truth(answered.correct),
        truth(answered.lenient_correct),
        field(&answered.status),
        answered.attempts.to_string(),
        answered.reference.to_string(),
    ];
    fields.join(",") + "\r\n"
}
