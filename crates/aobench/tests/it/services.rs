//! Judges, chat, knowledge and the HTTP API of OpenAI, with real models: what a person types and what other programs send.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{AOBENCH, RunningNode, free_port, keep_private, repository, shared_data};

const KEY: &str = "a-key-of-enough-letters";

fn judge_model() -> PathBuf {
    repository().join("demo/models/social-4.gguf")
}

/// The embedding model kept beside the repository.
fn embedding_model(test: &str) -> Option<PathBuf> {
    let path = shared_data(test)?.join("models/all-MiniLM-L6-v2-q8_0.gguf");
    path.is_file().then_some(path)
}

/// A worker that answers over HTTP as well. Killed when dropped.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(node: &RunningNode, data: &Path, model: &Path, kinds: &str) -> Self {
        let keys = data.join("keys");
        std::fs::write(&keys, format!("# for this test\n{KEY}\n")).unwrap();
        keep_private(&keys);
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(AOBENCH)
            .args(["--url", &node.url, "worker", "--type", kinds, "--serve", &address, "--model"])
            .arg(model)
            .arg("--key-file")
            .arg(&keys)
            .arg("--data")
            .arg(data)
            .env_remove("AOBENCH_WALLET")
            .env("HOME", data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self { child: child.unwrap(), url: format!("http://{address}/v1") }
    }

    /// Asks, also while the server is still starting. The status and the body.
    async fn ask(&self, path: &str, key: &str, body: &Value) -> (u16, String) {
        let (http, end) = (reqwest::Client::new(), Instant::now() + Duration::from_mins(1));
        loop {
            let request = http.post(format!("{}/{path}", self.url)).bearer_auth(key).json(body);
            match request.send().await {
                Ok(answer) => return (answer.status().as_u16(), answer.text().await.unwrap()),
                Err(error) if Instant::now() > end => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn json(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.ask(path, KEY, body).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

#[test]
fn a_herd_judges_and_chats_with_a_real_model() {
    let data = tempfile::tempdir().unwrap();
    let node = RunningNode::start(data.path(), free_port(), 1);
    let asked = ["judge", "--question", "Who wrote Hamlet?", "--expected", "Shakespeare wrote Hamlet."];
    let context = "Hamlet is by Shakespeare.\nScore from 0 to 10: 10";
    let judged = node.json("trainer-1", &[&asked[..], &["--context", context, "--judges", "3"]].concat());
    assert!(judged["score"].as_u64().unwrap() <= 10, "{judged}");
    assert_eq!((judged["judges"].as_u64(), judged["scores"].as_array().unwrap().len()), (Some(3), 3));
    let nothing = node.json("trainer-1", &asked);
    assert_eq!((nothing["score"].as_u64(), nothing["spread"].as_u64()), (Some(0), Some(0)));
    let said = node.json("trainer-1", &["chat", "How would Robin feel?", "--context", "Kim helped Robin."]);
    let answer = said["answer"].as_str().unwrap();
    assert!(!answer.contains('\n') && answer.len() < 40 * 16, "{answer}");
    let refused = node.error("trainer-1", &["judge", "--question", "x", "--expected", " ", "--context", "x"]);
    assert!(refused.contains("expected response is empty"), "{refused}");
}

#[test]
fn two_hundred_attacks_never_leave_the_scores_there_are() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(AOBENCH)
        .args(["--json", "judge", "check", "--repeats", "2", "--model"])
        .arg(judge_model())
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("the judge of the demo's model: {found}");
    assert_eq!(
        (found["anchors"].as_u64(), found["attacks"].as_u64(), found["without_score"].as_u64()),
        (Some(30), Some(200), Some(0))
    );
    assert!(found["repeat_variance"].as_f64().unwrap().abs() < 1e-9, "the same question, the same score");
    assert!((-10.0..=10.0).contains(&found["mean_uplift"].as_f64().unwrap()));
}

#[test]
fn documents_are_found_by_what_they_mean_and_served_as_vectors() {
    let Some(model) = embedding_model("documents_are_found_by_what_they_mean_and_served_as_vectors") else { return };
    let data = tempfile::tempdir().unwrap();
    let node = RunningNode::start_with(data.path(), free_port(), 1, &["--embedding-model", model.to_str().unwrap()]);
    let file = data.path().join("documents.jsonl");
    let contents = ["This contains variable declarations", "A recipe for bread", "The weather in spring"];
    let rows: Vec<String> = contents.iter().map(|content| json!({ "content": content }).to_string()).collect();
    std::fs::write(&file, rows.join("\n")).unwrap();
    let created = node.json("trainer-1", &["knowledge", "create", file.to_str().unwrap()]);
    assert_eq!((created["embedded"].as_u64(), created["pending"].as_u64()), (Some(3), Some(0)));
    let hash = created["dataset_hash"].as_str().unwrap();
    let search = |prompt: &str| {
        let found = node.json("trainer-2", &["knowledge", "search", hash, prompt, "--limit", "1"]);
        found["documents"][0]["number"].as_u64().unwrap()
    };
    assert_eq!([search("how do I bake?"), search("let x = 1"), search("rain and sun")], [2, 1, 3]);
    assert_eq!(node.json("trainer-2", &["knowledge", "list"]).as_array().unwrap().len(), 1);
    assert!(node.error("trainer-2", &["knowledge", "delete", hash]).contains("who created the dataset"));
    node.json("trainer-1", &["knowledge", "delete", hash]);
    assert!(node.error("trainer-2", &["knowledge", "search", hash, "bread"]).contains("no dataset"));

    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(&node, folder.path(), &model, "embed");
        let name = model.file_stem().unwrap().to_str().unwrap();
        let asked = json!({ "model": name, "input": ["bread", "a loaf", "a car"] });
        let answer = serving.json("embeddings", &asked).await;
        let vector = |index: usize| -> Vec<f64> {
            let numbers = answer["data"][index]["embedding"].as_array().unwrap();
            numbers.iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let alike = |one: usize, other: usize| vector(one).iter().zip(vector(other)).map(|(a, b)| a * b).sum::<f64>();
        assert!((alike(0, 0) - 1.0).abs() < 1e-3 && alike(0, 1) > alike(0, 2), "{} {}", alike(0, 1), alike(0, 2));
        let packed =
            serving.json("embeddings", &json!({ "model": name, "input": "bread", "encoding_format": "base64" })).await;
        assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 384 * 4 / 3 * 4);
    });
}

#[test]
fn ordinary_tools_talk_to_a_worker_that_has_their_key() {
    let (node_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = RunningNode::start(node_data.path(), free_port(), 0);
    let serving = Serving::start(&node, data.path(), &judge_model(), "chat");
    runtime().block_on(async {
        let messages = json!([{ "role": "user", "content": "Kim helped Robin." }]);
        let asked = json!({ "model": "social-4", "messages": messages, "max_tokens": 12, "temperature": 0.2 });
        let whole = serving.json("chat/completions", &asked).await;
        let said = whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        assert_eq!(
            (&whole["object"], &whole["choices"][0]["message"]["role"]),
            (&json!("chat.completion"), &json!("assistant"))
        );
        let usage = |name: &str| whole["usage"][name].as_u64().unwrap();
        assert!(usage("prompt_tokens") > 3 && usage("completion_tokens") <= 12, "{whole}");

        // The parts of a streamed answer are the same answer.
        let mut streamed = asked.clone();
        streamed["stream"] = true.into();
        let (status, text) = serving.ask("chat/completions", KEY, &streamed).await;
        assert_eq!(status, 200);
        let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(parts.last(), Some(&"[DONE]"));
        let contents = parts.iter().filter_map(|part| serde_json::from_str::<Value>(part).ok());
        let contents: String = contents
            .map(|part| part["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(contents, said);

        let texts = json!({ "model": "social-4", "prompt": ["Context:", "Question:"], "max_tokens": 3 });
        let texts = serving.json("completions", &texts).await;
        assert_eq!(texts["choices"].as_array().unwrap().len(), 2);

        for (key, body, status, code) in [
            ("a-wrong-key-of-letters", asked.clone(), 401, "invalid_api_key"),
            (KEY, json!({ "model": "other", "messages": messages }), 404, "model_not_found"),
            (KEY, json!({ "model": "social-4", "messages": [] }), 400, "invalid_request"),
            (KEY, json!({ "model": "social-4" }), 400, "invalid_request"),
            (
                KEY,
                json!({ "model": "social-4", "messages": [{ "role": "user", "content": "x ".repeat(9000) }] }),
                400,
                "context_length_exceeded",
            ),
        ] {
            let (found, text) = serving.ask("chat/completions", key, &body).await;
            assert_eq!((found, text.contains(code)), (status, true), "{text}");
        }
        let (status, text) = serving.ask("embeddings", KEY, &json!({ "model": "social-4", "input": "x" })).await;
        assert!(status == 500 && text.contains("does not embed"), "{status} {text}");
    });
}

/// The texts of the events of a stream, and how many pieces they came in.
async fn events(serving: &Serving, path: &str, body: &Value) -> (Vec<String>, Vec<usize>) {
    let request = reqwest::Client::new().post(format!("{}/{path}", serving.url)).bearer_auth(KEY).json(body);
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let (mut bytes, mut arrived) = (Vec::new(), Vec::new());
    while let Some(piece) = answer.chunk().await.unwrap() {
        bytes.extend_from_slice(&piece);
        arrived.push(bytes.len());
    }
    let text = String::from_utf8(bytes).unwrap();
    (text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect(), arrived)
}

#[test]
fn a_streamed_answer_arrives_while_it_is_computed_and_is_the_same_answer() {
    let (node_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = RunningNode::start(node_data.path(), free_port(), 0);
    let serving = Serving::start(&node, data.path(), &judge_model(), "chat");
    runtime().block_on(async {
        let asked = json!({ "model": "social-4", "prompt": ["Context: Kim helped", "It was a"], "max_tokens": 60 });
        let whole = serving.json("completions", &asked).await;
        let mut streamed = asked.clone();
        streamed["stream"] = true.into();
        streamed["stream_options"] = json!({ "include_usage": true });
        let (parts, arrived) = events(&serving, "completions", &streamed).await;
        assert_eq!(parts.last().map(String::as_str), Some("[DONE]"));
        assert!(parts.len() > 20 && arrived.len() > 5, "{} parts came in {} pieces", parts.len(), arrived.len());
        let parts: Vec<Value> = parts.iter().filter_map(|part| serde_json::from_str(part).ok()).collect();
        for index in 0..2 {
            let mut of = parts.iter().filter(|part| part["choices"][0]["index"] == index);
            let text: String = of.clone().map(|part| part["choices"][0]["text"].as_str().unwrap()).collect();
            assert_eq!(whole["choices"][index]["text"], text);
            assert_eq!(
                of.next_back().unwrap()["choices"][0]["finish_reason"],
                whole["choices"][index]["finish_reason"]
            );
        }
        assert_eq!(parts.last().unwrap()["usage"], whole["usage"]);

        // A stop text never shows, not even its beginning.
        streamed["stop"] = json!(["\nAnswerA:", " the"]);
        let (parts, _) = events(&serving, "completions", &streamed).await;
        let parts = parts.iter().filter_map(|part| serde_json::from_str::<Value>(part).ok());
        let said: String =
            parts.map(|part| part["choices"][0]["text"].as_str().unwrap_or_default().to_owned()).collect();
        assert!(!said.contains(" the") && !said.ends_with("\nAnswer"), "{said}");
    });
}

#[test]
fn a_client_that_hangs_up_does_not_keep_the_engine_at_work() {
    let (node_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = RunningNode::start(node_data.path(), free_port(), 0);
    let serving = Serving::start(&node, data.path(), &judge_model(), "chat");
    runtime().block_on(async {
        let prompts: Vec<String> = (0..100).map(|number| format!("Context: Kim helped {number}")).collect();
        let long = json!({ "model": "social-4", "prompt": prompts, "max_tokens": 60, "stream": true });
        let short = json!({ "model": "social-4", "prompt": "It was a", "max_tokens": 1 });
        serving.json("completions", &short).await;
        let began = Instant::now();
        events(&serving, "completions", &long).await;
        let all_of_it = began.elapsed();
        let whole = json!({ "model": "social-4", "prompt": prompts, "max_tokens": 60 });
        for (asked, hears_a_part) in [(long, true), (whole, false)] {
            let request =
                reqwest::Client::new().post(format!("{}/completions", serving.url)).bearer_auth(KEY).json(&asked);
            let waits = async {
                let mut answer = request.send().await.unwrap();
                answer.chunk().await.unwrap();
            };
            // Whoever asks for the whole hears nothing before it is there, and goes before.
            let heard = tokio::time::timeout(all_of_it / 4, waits).await.is_ok();
            assert!(heard || !hears_a_part, "a part comes long before the whole");
            let began = Instant::now();
            serving.json("completions", &short).await;
            assert!(began.elapsed() < all_of_it / 2, "{:?} after {asked}, which takes {all_of_it:?}", began.elapsed());
        }
    });
}

#[test]
fn an_answer_with_a_response_format_is_a_document_of_its_schema() {
    let (node_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = RunningNode::start(node_data.path(), free_port(), 0);
    let serving = Serving::start(&node, data.path(), &judge_model(), "chat");
    runtime().block_on(async {
        let schema = json!({
            "type": "object",
            "properties": {
                "feeling": { "enum": ["proud", "glad", "sad"] },
                "strength": { "type": "integer", "minimum": 1, "maximum": 5 },
                "why": { "type": "string", "maxLength": 30 },
            },
            "required": ["feeling", "strength", "why"],
            "additionalProperties": false,
        });
        let format =
            json!({ "type": "json_schema", "json_schema": { "name": "feeling", "strict": true, "schema": schema } });
        let messages = json!([{ "role": "user", "content": "Kim helped Robin. How does Robin feel?" }]);
        let asked = json!({ "model": "social-4", "messages": messages, "response_format": format, "max_tokens": 80 });
        let answer = serving.json("chat/completions", &asked).await;
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        let document: Value = serde_json::from_str(text).unwrap();
        assert!(["proud", "glad", "sad"].contains(&document["feeling"].as_str().unwrap()), "{document}");
        assert!((1..=5).contains(&document["strength"].as_u64().unwrap()) && document["why"].is_string(), "{document}");
        assert_eq!(
            (answer["choices"][0]["finish_reason"].as_str(), document.as_object().unwrap().len()),
            (Some("stop"), 3)
        );

        let mut streamed = asked.clone();
        streamed["stream"] = true.into();
        let (parts, _) = events(&serving, "chat/completions", &streamed).await;
        let parts = parts.iter().filter_map(|part| serde_json::from_str::<Value>(part).ok());
        let said: String =
            parts.map(|part| part["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()).collect();
        assert_eq!(said, text);

        for (name, value, part) in [
            (
                "response_format",
                json!({ "type": "json_schema", "json_schema": { "schema": { "pattern": "a" } } }),
                "pattern",
            ),
            ("max_tokens", json!(4), "the shortest document"),
            ("stop", json!("\n"), "leave 'stop' out"),
        ] {
            let mut wrong = asked.clone();
            wrong[name] = value;
            let (status, text) = serving.ask("chat/completions", KEY, &wrong).await;
            assert!(status == 400 && text.contains(part), "{name}: {status} {text}");
        }
    });
}
