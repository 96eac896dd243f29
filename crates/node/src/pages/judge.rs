//! The page of the judge: exactly what a model is told that grades an answer, in each of its orders. A score is bound to it
//! by the id of the protocol.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tasks::judge::{CONTEXT_BYTES_MAX, JUDGES_MAX, JudgeRequest, QUESTION_BYTES_MAX, SCORE_MAX, protocol};

use super::face::{Caller, Form, show};
use crate::http::error::HttpError;
use crate::http::state::{Shared, one_more};

#[derive(Debug, Deserialize, Template)]
#[template(path = "judge.html")]
struct JudgePage {
    protocol: String,
    instructions: String,
    score_max: u8,
    question_bytes_max: usize,
    context_bytes_max: usize,
    /// What each judge reads, with the names of the parts in their places.
    prompts: Vec<String>,
}

/// `GET /judge`.
pub(crate) async fn judge(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let caller = Caller::of(&headers);
    let form = caller.form();
    caller.answer(page(&shared, form))
}

/// `GET /judge.json`.
pub(crate) async fn as_json(State(shared): State<Shared>) -> Response {
    Caller::of(&HeaderMap::new()).answer(page(&shared, Form::Json))
}

fn page(shared: &Shared, form: Form) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    show::<JudgePage>(form, data())
}

fn data() -> Value {
    let request = |judge: u32| JudgeRequest {
        question: "(the question)".to_owned(),
        expected_response: "(the response that was expected)".to_owned(),
        context: Some("(the documents that were found)".to_owned()),
        judge,
        protocol: None,
    };
    let prompts: Vec<String> = (0..JUDGES_MAX).map(|judge| request(judge).prompt(CONTEXT_BYTES_MAX)).collect();
    json!({
        "protocol": protocol(), "instructions": request(0).system_prompt(), "score_max": SCORE_MAX,
        "question_bytes_max": QUESTION_BYTES_MAX, "context_bytes_max": CONTEXT_BYTES_MAX, "prompts": prompts,
    })
}
