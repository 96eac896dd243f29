//! The page of a dataset: what it asks and how, what can be had without reading the questions, how small a difference it
//! shows, and the results of all models.

use ao::{Id, Quantity};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::{action, ask_or_last, ask_or_last_if_it_can};
use super::board::{Pool, interval};
use super::face::{Caller, show};
use super::format::{long, model, name, percent, process, when};
use super::head::Head;
use super::retrieval;
use crate::http::error::HttpError;
use crate::http::extract::QueryOf;
use crate::http::state::{Shared, one_more};

/// Prompts, models and pools on one page.
const PROMPTS_SHOWN: usize = 10;
const MODELS_SHOWN: usize = 50;
const POOLS_SHOWN: usize = 20;

/// Which of the models are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ModelsQuery {
    #[serde(default)]
    from: u64,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "dataset.html")]
struct DatasetPage {
    id: Id,
    about: About,
    #[serde(default)]
    questions: Option<Vec<Question>>,
    #[serde(default)]
    models: Option<Vec<Evaluated>>,
    #[serde(default)]
    pools: Option<Vec<Pool>>,
    task: Option<TaskFile>,
    now_ms: u64,
    from: u64,
    next: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct About {
    #[serde(flatten)]
    head: Head,
    task: String,
    output_type: String,
    models: u64,
    #[serde(default)]
    label_balance: Map<String, Value>,
    baselines: Baselines,
    #[serde(default)]
    minimum_detectable_difference: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Baselines {
    always_one_answer: Baseline,
    longest_option: Baseline,
    shortest_option: Baseline,
}

#[derive(Debug, Deserialize)]
struct Baseline {
    correct: u64,
    score: f64,
}

#[derive(Debug, Deserialize)]
struct TaskFile {
    task: String,
}

#[derive(Debug, Deserialize)]
struct Question {
    id: u64,
    prompt: String,
    correct_answer: String,
}

/// A model that the dataset has asked.
#[derive(Debug, Deserialize)]
struct Evaluated {
    name: String,
    data_tx: Id,
    status: String,
    correct: u64,
    answered: u64,
    unparsed: u64,
    total: u64,
    #[serde(default)]
    score: f64,
    #[serde(default)]
    interval: [f64; 2],
}

impl Baseline {
    fn score(&self) -> String {
        percent(self.score)
    }
}

impl TaskFile {
    fn text(&self) -> String {
        long(&self.task)
    }
}

impl Question {
    fn prompt(&self) -> String {
        long(&self.prompt)
    }

    fn right(&self) -> String {
        name(&self.correct_answer)
    }
}

impl Evaluated {
    fn name(&self) -> String {
        let name = name(&self.name);
        if name.trim().is_empty() || self.name == self.data_tx.to_string() { self.data_tx.short() } else { name }
    }

    fn model(&self) -> String {
        model(self.data_tx)
    }

    fn score(&self) -> String {
        if self.answered == 0 { String::new() } else { percent(self.score) }
    }

    fn interval(&self) -> String {
        if self.answered == 0 { String::new() } else { interval(self.interval) }
    }
}

impl DatasetPage {
    fn counts(&self) -> String {
        let About { head, models, .. } = &self.about;
        format!("{} questions · {models} {}", head.questions, if *models == 1 { "model" } else { "models" })
    }

    fn now(&self) -> String {
        when(self.now_ms)
    }

    fn task_name(&self) -> String {
        name(&self.about.task)
    }

    fn process(&self) -> String {
        process(self.id)
    }

    /// Each right answer with how often it is the right one, and that as a share of 100.
    fn labels(&self) -> Vec<(String, u64, String)> {
        let total = self.about.head.questions.max(1) as f64;
        let label = |(label, count): (&String, &Value)| {
            let count = count.as_u64().unwrap_or_default();
            (name(label), count, percent(count as f64 / total))
        };
        self.about.label_balance.iter().take(26).map(label).collect()
    }

    /// The least difference of two models that these questions show, with how often they were taken to differ.
    fn differences(&self) -> Vec<(String, String)> {
        let shown = |(discordant, difference): (&String, &Value)| {
            let points = difference.as_f64().map(|difference| format!("{:.1} percentage points", difference * 100.0));
            (name(discordant).replace('%', " %"), points.unwrap_or_else(|| "none".to_owned()))
        };
        self.about.minimum_detectable_difference.iter().map(shown).collect()
    }
}

/// `GET /dataset/{dataset}`, also as `.json`.
pub(crate) async fn dataset(
    State(shared): State<Shared>,
    Path(asked): Path<String>,
    QueryOf(query): QueryOf<ModelsQuery>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    caller.answer(page(&shared, &caller, &asked, query.from).await)
}

async fn page(shared: &Shared, caller: &Caller, asked: &str, from: u64) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let (id, form) = caller.id_and_form(asked)?;
    let process = shared.blocking(move |core| core.process(&id)).await?;
    if process.module == "retrieval" {
        return retrieval::page(shared, id, form, from).await;
    }
    if process.module != "dataset" {
        return Err(HttpError::not_found(format!("{id} is no dataset: it runs the module '{}'", process.module)));
    }
    let limited = |asked: &str, limit: usize| action(asked).with("Limit", limit.to_string());
    let if_it_can = |tags| ask_or_last_if_it_can(shared, id, tags, String::new());
    // At once: a process that is at work lets each question wait, and all of them no longer than one.
    let (about, questions, mut models, task, pools) = tokio::join!(
        ask_or_last(shared, id, action("Info"), String::new()),
        if_it_can(limited("Get-Questions", PROMPTS_SHOWN)),
        if_it_can(limited("Get-Models", MODELS_SHOWN).with("By", "score").with("From-Id", from.to_string())),
        if_it_can(action("Get-Task")),
        pools_on(shared, id),
    );
    let about = about?;
    let rows = models.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    rows.iter_mut().for_each(add_score);
    let next = from + rows.len() as u64;
    let next = (next < about.data["models"].as_u64().unwrap_or_default() && !rows.is_empty()).then_some(next);
    let data = json!({
        "id": id, "about": *about.data, "questions": questions, "models": models, "pools": pools, "task": task,
        "now_ms": shared.core.clock().now_ms(), "from": from, "next": next,
    });
    show::<DatasetPage>(form, data)
}

/// The pools on a dataset, the newest first; null where there is no benchmark process.
pub(super) async fn pools_on(shared: &Shared, dataset: Id) -> Value {
    let Some(benchmark) = shared.core.genesis().get("benchmark") else { return Value::Null };
    let tags = action("Get-Pools").with("Dataset", dataset.to_string()).with("Limit", POOLS_SHOWN.to_string());
    ask_or_last_if_it_can(shared, *benchmark, tags, String::new()).await
}

fn add_score(row: &mut Value) {
    let count = |name: &str| row[name].as_u64().unwrap_or_default();
    let (correct, answered) = (count("correct"), count("answered"));
    let (low, high) = tasks::statistics::wilson(correct, answered);
    row["score"] = tasks::statistics::share(correct, answered).into();
    row["interval"] = json!([low, high]);
}

/// What an address has, as a text of digits.
pub(super) fn quantity(value: &Value) -> Quantity {
    let digits = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    digits.parse().unwrap_or_default()
}
