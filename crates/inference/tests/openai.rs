//! The engine that asks a server, against servers of different abilities on this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets anything unexpected fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use inference::openai::{ServerEngine, ServerOptions};
use inference::{Engine as _, Finish, GenerateRequest, InferenceError, ModelFile, ScorePrompt, ScoreRequest, Scored};
use serde_json::{Value, json};

/// Tokens of a text that the servers here take.
const CONTEXT_TOKENS: usize = 12;

/// What a server is like.
#[derive(Clone, Copy, Default)]
struct Kind {
    /// It has `/v1/completions`.
    completes: bool,
    /// It echoes the prompt with log-probabilities.
    echoes: bool,
    /// Its first answers are that it is overloaded.
    failures: u32,
}

#[derive(Clone)]
struct Served {
    kind: Kind,
    left_to_fail: Arc<AtomicU32>,
}

/// Starts a server on a port of its own; it ends with the test program.
fn serve(kind: Kind) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let served = Served { kind, left_to_fail: Arc::new(AtomicU32::new(kind.failures)) };
            let mut paths = Router::new()
                .route("/v1/models", get(|| async { Json(json!({ "data": [{ "id": "toy", "max_model_len": 12 }] })) }))
                .route("/v1/chat/completions", post(chat));
            if kind.completes {
                paths = paths.route("/v1/completions", post(complete));
            }
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, paths.with_state(served)).await.unwrap();
        });
    });
    format!("http://{}/v1", receiver.recv().unwrap())
}

/// Words with the space before them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for character in text.chars() {
        match tokens.last_mut() {
            Some(last) if character != ' ' => last.push(character),
            _ => tokens.push(character.to_string()),
        }
    }
    tokens
}

/// A token is the less probable the longer it is; the most probable one has the logarithm -2.
fn log_probability(token: &str) -> f64 {
    -(token.len() as f64)
}

type Answer = Result<Json<Value>, (StatusCode, String)>;

async fn complete(State(served): State<Served>, Json(body): Json<Value>) -> Answer {
    let prompt = body["prompt"].as_str().unwrap();
    let is_probe = prompt == inference::limits::PROBE_TEXT;
    if !is_probe
        && served.left_to_fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "overloaded".to_owned()));
    }
    let mut tokens = tokens(prompt);
    if tokens.len() > CONTEXT_TOKENS {
        let reason = format!("This model's maximum context length is {CONTEXT_TOKENS} tokens");
        return Err((StatusCode::BAD_REQUEST, json!({ "error": { "message": reason } }).to_string()));
    }
    if body["echo"] != true {
        return Ok(Json(json!({
            "choices": [{ "text": " blue\nand more", "finish_reason": "length" }], "usage": { "completion_tokens": 3 }
        })));
    }
    let logprobs = if served.kind.echoes {
        tokens.push(" a".to_owned());
        let values: Vec<Option<f64>> =
            tokens.iter().enumerate().map(|(place, token)| (place > 0).then(|| log_probability(token))).collect();
        let top: Vec<Value> = tokens.iter().map(|_| json!({ " a": -2.0 })).collect();
        json!({ "tokens": tokens, "token_logprobs": values, "top_logprobs": top })
    } else {
        // As llama.cpp's server: it ignores `echo`, and answers in the form of chats.
        json!({ "content": [{ "token": " a", "logprob": -2.0 }] })
    };
    Ok(Json(json!({ "choices": [{ "text": "", "logprobs": logprobs }], "usage": { "completion_tokens": 1 } })))
}

async fn chat(Json(body): Json<Value>) -> Json<Value> {
    let said: Vec<&str> =
        body["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    let content = format!("roles: {}", said.join(" "));
    Json(json!({
        "choices": [{ "message": { "content": content }, "finish_reason": "stop" }], "usage": { "completion_tokens": 4 }
    }))
}

fn engine(kind: Kind) -> ServerEngine {
    let options = ServerOptions { base_url: serve(kind), key: None, connections: 4 };
    let mut engine = ServerEngine::new(&options).unwrap();
    let loaded = engine.load(&ModelFile::at("toy")).unwrap();
    assert_eq!((loaded.name.as_str(), loaded.context_tokens), ("toy", 12));
    engine
}

fn score(engine: &mut ServerEngine, prompts: &[(&str, &[&str])]) -> Result<Vec<Scored>, InferenceError> {
    let prompts = prompts.iter().map(|(prompt, continuations)| ScorePrompt {
        prompt: (*prompt).to_owned(),
        continuations: continuations.iter().map(|&text| text.to_owned()).collect(),
    });
    engine.score(&ScoreRequest { system_prompt: None, prompts: prompts.collect() }, &mut |_| ())
}

#[test]
fn a_server_that_echoes_gives_log_likelihoods_and_says_so() {
    let mut engine = engine(Kind { completes: true, echoes: true, failures: 2 });
    let description = engine.describe().unwrap();
    assert_eq!(description.build, "log-likelihoods and texts by /completions (echo)");
    assert_eq!(description.profile, "server");
    let long = "so ".repeat(20);
    let results =
        score(&mut engine, &[("The sky is", &[" blue", " a", " quite a"]), (&long, &[" b"]), ("It", &[" a"])]).unwrap();
    let Scored::Likelihoods(likelihoods) = &results[0] else { panic!("it is short") };
    let shown: Vec<(f64, bool)> =
        likelihoods.iter().map(|likelihood| (likelihood.log_probability, likelihood.is_greedy)).collect();
    assert_eq!(shown, [(-5.0, false), (-2.0, true), (-8.0, false)]);
    assert_eq!(results[1], Scored::ContextExceeded);
    assert!(matches!(&results[2], Scored::Likelihoods(all) if all.len() == 1));
}

#[test]
fn a_server_without_an_echo_completes_texts_and_scores_nothing() {
    let mut engine = engine(Kind { completes: true, ..Kind::default() });
    assert_eq!(engine.describe().unwrap().build, "texts by /completions; no log-likelihoods");
    let refused = score(&mut engine, &[("The sky is", &[" blue"])]).unwrap_err();
    assert!(matches!(refused, InferenceError::Unsupported { .. }), "{refused}");
    let request = GenerateRequest {
        stop: vec!["\n".to_owned()],
        ..GenerateRequest::new(vec!["The sky is".to_owned(), "so ".repeat(20)], 3)
    };
    let texts = engine.generate(&request, &mut |_| ()).unwrap();
    assert_eq!((texts[0].text.as_str(), texts[0].tokens, texts[0].finish), (" blue", 3, Finish::Stop));
    assert_eq!(texts[1].finish, Finish::ContextExceeded);
}

#[test]
fn a_server_of_chats_only_is_asked_by_chat() {
    let mut engine = engine(Kind::default());
    assert_eq!(engine.describe().unwrap().build, "texts by /chat/completions; no log-likelihoods");
    let request = GenerateRequest {
        system_prompt: Some("Be brief.".to_owned()),
        ..GenerateRequest::new(vec!["What is it?".to_owned()], 8)
    };
    assert_eq!(engine.generate(&request, &mut |_| ()).unwrap()[0].text, "roles: system user");
}

#[test]
fn what_is_not_there_is_named() {
    let base_url = serve(Kind::default());
    let options = ServerOptions { base_url, key: Some("secret".to_owned()), connections: 1 };
    assert!(!format!("{options:?}").contains("secret"));
    let missing = ServerEngine::new(&options).unwrap().load(&ModelFile::at("other")).unwrap_err();
    assert_eq!(missing.to_string(), "the model cannot be used: the server has no model 'other'; it has: toy");
    let nobody = ServerOptions { base_url: "http://127.0.0.1:9/v1".to_owned(), key: None, connections: 1 };
    let silent = ServerEngine::new(&nobody).unwrap().load(&ModelFile::at("toy")).unwrap_err();
    assert!(silent.to_string().contains("is it running"), "{silent}");
    let none = ServerOptions { base_url: "no url".to_owned(), key: None, connections: 1 };
    assert!(ServerEngine::new(&none).is_err());
}
