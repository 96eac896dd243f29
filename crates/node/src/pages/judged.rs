//! The page of a set of documents in a pool: its points and what they rest on, how well documents were found, and for each
//! question what was found and what each judge said. Questions themselves once their owner has shown them.

use std::collections::{BTreeMap, BTreeSet};

use ao::Id;
use askama::Template;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{action, ask_afresh, ask_if_it_can};
use super::board::{Line, Payout, Pool, interval};
use super::documents::DocumentSet;
use super::entry::{Above, verdict};
use super::face::{Form, field, read, show};
use super::format::{address, excerpt, percent, process, when};
use crate::http::error::HttpError;
use crate::http::state::Shared;

/// Questions on one page, and in one step of the file of all of them.
const QUESTIONS_SHOWN: usize = 20;
const QUESTIONS_STEP: usize = 500;

/// Documents that are asked for at one time: what the knowledge process gives.
const DOCUMENTS_STEP: usize = 50;

/// Which entry: the set of documents, in a pool on the questions of a retrieval process.
pub(super) struct Entered {
    pub(super) dataset: Id,
    pub(super) pool: Id,
    pub(super) hash: String,
}

#[derive(Debug, Deserialize, Template)]
#[template(path = "judged.html")]
pub(super) struct JudgedPage {
    pool: Pool,
    entry: Entry,
    above: Option<Above>,
    /// How far the entry above is ahead.
    #[serde(default)]
    comparison: Option<Comparison>,
    payouts: Vec<Payout>,
    judged: Option<Judged>,
    about: Option<About>,
    documents: Option<DocumentSet>,
    results: Option<Vec<Question>>,
    from: u64,
    next: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(flatten)]
    line: Line,
    /// The digest of the list of documents, as it was when it was entered.
    file_hash: String,
    joined_ms: u64,
    updated_ms: u64,
}

/// The entry above beside this one, on the questions that are answered for both.
#[derive(Debug, Deserialize)]
struct Comparison {
    questions: u64,
    /// Points for each question that the entry above has more.
    difference: f64,
    interval: Option<[f64; 2]>,
    above_more: u64,
    below_more: u64,
    p_value: f64,
}

impl Comparison {
    /// In words.
    fn sentence(&self) -> String {
        let points = |points: f64| format!("{points:+.2}").replace('-', "−");
        let interval = self.interval.map(|[low, high]| format!(" (95 % interval {} to {})", points(low), points(high)));
        format!(
            "On the {} questions that are judged for both, the entry above has {} points for each question{}. It has more on {}, \
             this one on {}. {}",
            self.questions,
            points(self.difference),
            interval.unwrap_or_default(),
            self.above_more,
            self.below_more,
            verdict(self.p_value, "sign"),
        )
    }
}

/// The score as the retrieval process counts it.
#[derive(Debug, Deserialize)]
struct Judged {
    mean_spread: f64,
    retrieval: Retrieval,
}

/// How well documents were found, over the questions that have evidence.
#[derive(Debug, Deserialize)]
struct Retrieval {
    questions: u64,
    recall_at: u64,
    recall: f64,
    mrr: f64,
    ndcg_at_10: f64,
}

/// How the questions are judged.
#[derive(Debug, Deserialize)]
struct About {
    judges: u64,
    documents: u64,
    judge_protocol: String,
    shown: bool,
    herder: Id,
    knowledge: Id,
}

/// A question, what was found for it, and what the judges said.
#[derive(Debug, Deserialize)]
struct Question {
    question: u64,
    status: String,
    attempts: u64,
    score: Option<u64>,
    spread: Option<u64>,
    scores: Option<Vec<u64>>,
    found: Option<Vec<(u64, f64)>>,
    ranks: Option<Vec<Option<u64>>>,
    asked: Option<String>,
    expected_response: Option<String>,
    evidence: Option<Vec<String>>,
    /// What stands in the documents that were found, by their numbers.
    #[serde(default)]
    contents: BTreeMap<u64, String>,
}

impl Question {
    fn score(&self) -> String {
        match (self.score, self.status.as_str()) {
            (Some(score), "answered") => score.to_string(),
            (_, "searching") => "being searched".to_owned(),
            (_, "judging") => "being judged".to_owned(),
            _ => "waits".to_owned(),
        }
    }

    /// What each judge said, in their order.
    fn scores(&self) -> String {
        let scores = self.scores.iter().flatten().map(u64::to_string).collect::<Vec<_>>();
        if scores.is_empty() && self.score.is_some() { "nothing to judge".to_owned() } else { scores.join(" ") }
    }

    fn spread(&self) -> String {
        self.spread.map(|spread| spread.to_string()).unwrap_or_default()
    }

    /// At which rank each piece of evidence was found.
    fn ranks(&self) -> String {
        let rank = |rank: &Option<u64>| rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string());
        self.ranks.iter().flatten().map(rank).collect::<Vec<_>>().join(" ")
    }

    /// The documents that were found and read: their numbers and how like the question they are.
    fn found(&self, read: usize) -> Vec<(u64, String)> {
        let found = self.found.iter().flatten().take(read);
        // What rounds to nothing has no sign.
        let rounded = |similarity: &f64| (similarity * 1000.0).round() / 1000.0 + 0.0;
        found.map(|(number, similarity)| (*number, format!("{:.3}", rounded(similarity)))).collect()
    }

    /// The same with what stands in them.
    fn read(&self, read: usize) -> Vec<(u64, String, String)> {
        let content = |number: &u64| self.contents.get(number).map(|text| excerpt(text)).unwrap_or_default();
        self.found(read).into_iter().map(|(number, like)| (number, like, content(&number))).collect()
    }

    fn asked(&self) -> String {
        excerpt(self.asked.as_deref().unwrap_or_default())
    }

    fn expected(&self) -> String {
        excerpt(self.expected_response.as_deref().unwrap_or_default())
    }

    fn evidence(&self) -> Vec<String> {
        self.evidence.iter().flatten().map(|text| excerpt(text)).collect()
    }
}

impl About {
    /// Who judges, in words.
    fn judged_by(&self) -> String {
        let documents = match self.documents {
            1 => "the first document that is found".to_owned(),
            documents => format!("the first {documents} documents that are found"),
        };
        match self.judges {
            1 => format!("one judge reads {documents}"),
            judges => format!("{judges} judges read {documents}; their median counts"),
        }
    }

    fn herder(&self) -> String {
        process(self.herder)
    }
}

impl Retrieval {
    fn recall(&self) -> String {
        percent(self.recall)
    }

    fn mrr(&self) -> String {
        format!("{:.3}", self.mrr)
    }

    fn ndcg(&self) -> String {
        format!("{:.3}", self.ndcg_at_10)
    }
}

impl JudgedPage {
    fn interval(&self) -> String {
        interval(self.entry.line.interval)
    }

    fn joined(&self) -> String {
        when(self.entry.joined_ms)
    }

    fn updated(&self) -> String {
        when(self.entry.updated_ms.max(self.entry.joined_ms))
    }

    /// The mean of the judged scores.
    fn mean(&self) -> String {
        let line = &self.entry.line;
        format!("{:.2}", line.correct as f64 / line.answered.max(1) as f64)
    }

    fn mean_spread(&self) -> String {
        self.judged.as_ref().map(|judged| format!("{:.2}", judged.mean_spread)).unwrap_or_default()
    }

    fn participant(&self) -> String {
        address(self.entry.line.participant)
    }

    /// Documents that the judges read.
    fn read(&self) -> usize {
        self.about.as_ref().map_or(usize::MAX, |about| about.documents as usize)
    }

    fn is_shown(&self) -> bool {
        self.about.as_ref().is_some_and(|about| about.shown)
    }

    fn has_judges(&self) -> bool {
        self.about.as_ref().is_some_and(|about| about.judges > 1)
    }
}

/// The page in one of its forms, from what the benchmark process says of the entry.
pub(super) async fn page(
    shared: Shared,
    form: Form,
    mut data: Value,
    entered: Entered,
    from: u64,
) -> Result<Response, HttpError> {
    if form == Form::Csv {
        return Ok(csv(shared, entered));
    }
    let about = ask_if_it_can(&shared, entered.dataset, action("Info"), String::new()).await;
    let score = of_entry("Score", &entered);
    data["judged"] = ask_if_it_can(&shared, entered.dataset, score, String::new()).await;
    if let Some(above) = data["above"]["model"].as_str() {
        let asked = of_entry("Compare", &entered).with("Above", above);
        data["comparison"] = ask_if_it_can(&shared, entered.dataset, asked, String::new()).await;
    }
    let asked = results(&entered, from, QUESTIONS_SHOWN);
    let mut questions = ask_if_it_can(&shared, entered.dataset, asked, String::new()).await;
    let rows = questions.as_array().map(Vec::as_slice).unwrap_or_default();
    let last = rows.last().and_then(|row| row["question"].as_u64());
    data["next"] = json!(last.filter(|last| Some(*last) < data["entry"]["total"].as_u64()));
    let knowledge = about["knowledge"].as_str().and_then(|id| id.parse::<Id>().ok());
    data["documents"] = Value::Null;
    if let Some(knowledge) = knowledge {
        data["documents"] = super::documents::set(&shared, knowledge, &entered.hash).await;
        if about["shown"] == true {
            add_contents(&shared, knowledge, &entered.hash, &mut questions).await;
        }
    }
    data["about"] = about;
    data["results"] = questions;
    data["from"] = from.into();
    show::<JudgedPage>(form, data)
}

fn of_entry(asked: &str, entered: &Entered) -> ao::Tags {
    action(asked).with("Pool", entered.pool.to_string()).with("Model", &entered.hash)
}

fn results(entered: &Entered, from: u64, limit: usize) -> ao::Tags {
    of_entry("Results", entered).with("From", from.to_string()).with("Limit", limit.to_string())
}

/// What stands in the documents that were found.
async fn add_contents(shared: &Shared, knowledge: Id, hash: &str, questions: &mut Value) {
    let rows = questions.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    let numbers = |row: &Value| -> Vec<u64> {
        row["found"].as_array().into_iter().flatten().filter_map(|found| found[0].as_u64()).collect()
    };
    let all: Vec<u64> = rows.iter().flat_map(numbers).collect::<BTreeSet<_>>().into_iter().collect();
    let mut contents = BTreeMap::new();
    for some in all.chunks(DOCUMENTS_STEP) {
        let some = some.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let asked = action("Get-Documents").with("Dataset-Hash", hash).with("Numbers", some);
        let found = ask_if_it_can(shared, knowledge, asked, String::new()).await;
        for document in found.as_array().into_iter().flatten() {
            if let Some(number) = document["number"].as_u64() {
                contents.insert(number, document["content"].clone());
            }
        }
    }
    for row in rows {
        let of_row = numbers(row).into_iter().filter_map(|number| {
            let content = contents.get(&number)?;
            Some((number.to_string(), content.clone()))
        });
        row["contents"] = Value::Object(of_row.collect());
    }
}

/// All questions as comma-separated values, read and sent a step at a time.
fn csv(shared: Shared, entered: Entered) -> Response {
    let rows = stream::unfold(Some((0, entered)), move |next| {
        let shared = shared.clone();
        async move {
            let (from, entered) = next?;
            let asked = results(&entered, from, QUESTIONS_STEP);
            // Nothing of it is kept: it may be large, and is read once.
            let answer = ask_afresh(&shared, entered.dataset, asked, String::new()).await.ok()?;
            let questions: Vec<Question> = read(Value::clone(&answer.data)).ok()?;
            let mut text = String::new();
            if from == 0 {
                text.push_str("question,status,score,spread,scores,evidence_ranks,found,similarities,attempts,asked,");
                text.push_str("expected_response\r\n");
            }
            questions.iter().for_each(|question| text.push_str(&row(question)));
            let last = questions.last().map(|question| question.question);
            Some((Ok::<_, std::convert::Infallible>(text), last.map(|last| (last, entered))))
        }
    });
    ([(CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], Body::from_stream(rows)).into_response()
}

fn row(question: &Question) -> String {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let found = question.found(usize::MAX);
    let join = |texts: Vec<String>| texts.join(" ");
    let fields = [
        question.question.to_string(),
        question.status.clone(),
        number(question.score),
        number(question.spread),
        join(question.scores.iter().flatten().map(u64::to_string).collect()),
        question.ranks().replace('–', "none"),
        join(found.iter().map(|(number, _)| number.to_string()).collect()),
        join(found.iter().map(|(_, similarity)| similarity.clone()).collect()),
        question.attempts.to_string(),
        field(question.asked.as_deref().unwrap_or_default()),
        field(question.expected_response.as_deref().unwrap_or_default()),
    ];
    fields.join(",") + "\r\n"
}
