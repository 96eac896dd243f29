//! The pages as browsers and programs ask for them.

use ao::{Id, Tags};
use node::GenesisProcess;
use reqwest::Method;
use reqwest::header::ACCEPT;

use crate::running::{Answer, Running};

/// A node with everything that a contest needs but money and questions.
async fn contest() -> Running {
    Running::with(|config| {
        let process = |name: &str, tags: Tags| GenesisProcess {
            name: name.to_owned(),
            module: name.to_owned(),
            tags,
            ..GenesisProcess::default()
        };
        let benchmark = process("benchmark", Tags::new().with("Token", "${token}"));
        let herder = process("herder", Tags::new().with("Token", "${token}"));
        let tags = Tags::new().with("Title", "Feelings").with("Herder", "${herder}").with("Benchmark", "${benchmark}");
        config.genesis.processes.extend([benchmark, herder, process("dataset", tags)]);
    })
    .await
}

async fn ask(running: &Running, path: &str, accept: &str) -> Answer {
    running.send(running.request(Method::GET, path).header(ACCEPT, accept)).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[tokio::test]
async fn every_page_is_html_for_a_browser_and_json_for_a_program() {
    let running = contest().await;
    let (token, dataset) = (running.token, running.node.process("dataset").unwrap());
    for path in [
        "/pools".to_owned(),
        "/workers".to_owned(),
        "/explorer".to_owned(),
        format!("/explorer/{token}"),
        format!("/explorer/{token}/0"),
        format!("/dataset/{dataset}"),
        format!("/address/{}", running.wallet.address()),
    ] {
        let page = ask(&running, &path, "text/html").await;
        assert_eq!((page.status, text(&page).starts_with("<!doctype html>")), (200, true), "{path}: {}", text(&page));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let json = ask(&running, &path, "application/json").await;
        assert!(json.json.is_object(), "{path}");
        let ended = ask(&running, &format!("{path}.json"), "*/*").await;
        assert!(ended.json.is_object(), "{path}.json");
    }
    assert!(ask(&running, "/", "*/*").await.json["timestamp"].is_u64(), "AO's clients find the scheduler at /");
    assert!(text(&ask(&running, "/", "text/html").await).contains("There is no pool yet"));
    let fund = text(&ask(&running, "/fund", "text/html").await);
    assert!(fund.contains("disabled>Feelings, no questions yet"), "nobody funds what is refused: {fund}");
    for path in
        ["/fund", "/script/documents.js", "/style.css", "/icon.svg", "/script/page.js", "/feed.rss", "/openapi.json"]
    {
        assert_eq!(ask(&running, path, "*/*").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_as_its_reader_reads() {
    let running = contest().await;
    let nobody = Id::new([9; 32]);
    for path in [
        format!("/pool/{nobody}"),
        format!("/pool/{nobody}.csv"),
        format!("/pool/{nobody}/events"),
        format!("/pool/{nobody}/card.png"),
        format!("/pool/{nobody}/entry/{nobody}"),
        format!("/dataset/{nobody}"),
        format!("/dataset/{}", running.token),
        format!("/model/{nobody}"),
        format!("/explorer/{nobody}"),
        format!("/explorer/{}/99", running.token),
        format!("/message/{nobody}"),
        "/script/../mod.rs".to_owned(),
    ] {
        let answer = ask(&running, &path, "*/*").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json["error"].is_string(), "{path}: {}", text(&answer));
    }
    for path in ["/pool/x", "/pool/x.json", "/explorer/x", "/dataset/%00"] {
        assert_eq!(ask(&running, path, "*/*").await.status, 400, "{path}");
    }
    let page = ask(&running, &format!("/pool/{nobody}"), "text/html").await;
    assert_eq!(page.status, 404);
    assert!(text(&page).contains("<h1>Not Found</h1>"), "{}", text(&page));
}

#[tokio::test]
async fn a_message_is_found_by_its_id_and_shown_with_its_result() {
    let running = contest().await;
    let item = running.transfer(1, &Id::new([5; 32]));
    assert_eq!(running.post("/", item.to_bytes()).await.status, 202);
    running.node.idle().await;
    let found = ask(&running, &format!("/message/{}", item.id()), "application/json").await;
    assert_eq!((found.status, &found.json["slot"]["action"]), (200, &serde_json::json!("Transfer")));
    let sent = found.json["result"]["messages"].as_array().unwrap();
    assert_eq!(sent.len(), 2, "a debit notice and a credit notice");
    let balance = ask(&running, &format!("/address/{}.json", Id::new([5; 32])), "*/*").await;
    assert_eq!(balance.json["balance"], "1");
}
