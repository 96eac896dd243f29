//! Results, dry-runs and schedules, as AO's clients ask for them.

use ao::{Id, Tags};
use node::GenesisProcess;
use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Answer, Running};

/// A node whose token was sent three transfers, one message that it does not understand, and a transfer again.
async fn after_five_messages() -> (Running, Vec<Id>) {
    let running = Running::start().await;
    let mut messages = Vec::new();
    for number in 1..=5 {
        let item = match number {
            4 => running.item(4, &[("Action", "Dance")]),
            number => running.transfer(number, &Id::new([5; 32])),
        };
        assert_eq!(running.post("/", item.to_bytes()).await.status, 202);
        messages.push(item.id());
    }
    running.node.idle().await;
    (running, messages)
}

fn slots(page: &Answer) -> Vec<String> {
    use base64::Engine as _;
    let edges = page.json["edges"].as_array().unwrap();
    let slot = |edge: &Value| {
        let cursor = base64::engine::general_purpose::STANDARD.decode(edge["cursor"].as_str().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&cursor).unwrap()["ordinate"].as_str().unwrap().to_owned()
    };
    edges.iter().map(slot).collect()
}

#[tokio::test]
async fn results_are_paged_in_both_orders_and_faults_are_left_out() {
    let (running, messages) = after_five_messages().await;
    for (sort, expected) in [("ASC", ["0", "1", "2", "3", "5"]), ("DESC", ["5", "3", "2", "1", "0"])] {
        let (mut from, mut seen) = (String::new(), Vec::new());
        loop {
            let page = running.get(&format!("/results/{}?sort={sort}&limit=2{from}", running.token)).await;
            assert!(slots(&page).len() <= 2);
            seen.extend(slots(&page));
            let Some(last) = page.json["edges"].as_array().unwrap().last() else { break };
            from = format!("&from={}", last["cursor"].as_str().unwrap().replace('=', "%3D").replace('+', "%2B"));
            if page.json["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen, expected, "{sort}");
    }
    let fault = running.get(&running.result_path(&messages[3])).await;
    assert_eq!(fault.status, 200);
    assert!(fault.json["Error"].as_str().unwrap().contains("Dance"), "{}", fault.json);
    assert_eq!(fault.json["Messages"], json!([]));
}

#[tokio::test]
async fn results_can_be_asked_for_by_time() {
    let (running, _) = after_five_messages().await;
    let all = running.get(&format!("/{0}?process-id={0}", running.token)).await.json;
    let time = |slot: usize| all["edges"][slot]["cursor"].as_str().unwrap().to_owned();
    let page = running.get(&format!("/results/{}?from={}&to={}", running.token, time(1), time(3))).await;
    assert_eq!(slots(&page), ["2", "3"]);
    let page = running.get(&format!("/results/{}?from={}&sort=DESC", running.token, time(3))).await;
    assert_eq!(slots(&page), ["2", "1", "0"]);
}

#[tokio::test]
async fn bad_questions_are_answered_in_json() {
    let running = Running::start().await;
    let (token, nobody) = (running.token, Id::new([9; 32]));
    for (path, status, code) in [
        (format!("/result/{nobody}?process-id={token}"), 404, "unknown-message"),
        (format!("/result/{nobody}?process-id={nobody}"), 404, "unknown-process"),
        (format!("/result/{nobody}"), 400, "missing-process-id"),
        (format!("/result/{nobody}?process-id=x"), 400, "bad-id"),
        ("/result/x?process-id=x".to_owned(), 400, "bad-id"),
        (format!("/results/{nobody}"), 404, "unknown-process"),
        (format!("/results/{token}?limit=many"), 400, "bad-query"),
        (format!("/results/{token}?sort=UP"), 400, "bad-query"),
        (format!("/results/{token}?from=nonsense!"), 400, "bad-cursor"),
        (format!("/inbox/{token}?from=-1"), 400, "bad-query"),
        (format!("/{nobody}?process-id={nobody}"), 404, "unknown-process"),
        (format!("/{nobody}?process-id={token}"), 404, "unknown-message"),
        (format!("/{nobody}/latest"), 404, "unknown-process"),
        (format!("/processes/{nobody}"), 404, "unknown-process"),
        (format!("/timestamp?process-id={nobody}"), 404, "unknown-process"),
        ("/no/such/place".to_owned(), 404, "not-found"),
        ("/dry-run".to_owned(), 405, "method-not-allowed"),
        (format!("/pool/{nobody}"), 404, "not-found"),
    ] {
        let answer = running.get(&path).await;
        assert_eq!(answer.refusal(), (status, code), "{path}: {}", answer.json);
    }
}

#[tokio::test]
async fn a_dry_run_answers_and_changes_nothing() {
    let running = Running::start().await;
    let head = running.head().await;
    let path = format!("/dry-run?process-id={}", running.token);
    let ask = |body: Value| running.post(&path, body.to_string());
    let tag = |name: &str, value: &str| json!({ "name": name, "value": value });
    // As aoconnect asks.
    let balance = json!({ "Id": "1234", "Target": running.token, "Owner": running.wallet.address(), "Anchor": "0",
        "Data": "1234", "Tags": [tag("Action", "Balance"), tag("Data-Protocol", "ao")] });
    let answer = ask(balance).await;
    assert_eq!(answer.json["Output"]["data"], "1000", "{}", answer.json);
    let transfer = json!({ "Owner": running.wallet.address(),
        "Tags": [tag("Action", "Transfer"), tag("Recipient", &running.token.to_string()), tag("Quantity", "1")] });
    assert_eq!(ask(transfer).await.json["Messages"].as_array().unwrap().len(), 2);
    let fault = ask(json!({ "Tags": [tag("Action", "Dance")] })).await;
    assert!(fault.status == 200 && fault.json["Error"].is_string(), "{}", fault.json);
    assert_eq!(running.head().await, head);
    assert_eq!(running.post(&format!("{path}&to={}", running.token), "{}").await.refusal(), (400, "bad-dry-run"));
    for (body, code) in [("", "bad-dry-run"), ("[]x", "bad-dry-run"), (r#"{"Tags":7}"#, "bad-dry-run")] {
        assert_eq!(running.post(&path, body).await.refusal(), (400, code));
    }
}

#[tokio::test]
async fn a_schedule_can_be_read_and_followed() {
    let (running, messages) = after_five_messages().await;
    let token = running.token;
    let path = format!("/{token}?process-id={token}");
    let first = running.get(&format!("{path}&limit=4")).await.json;
    assert_eq!(first["page_info"]["has_next_page"], true);
    let cursor = first["edges"][3]["cursor"].as_str().unwrap();
    let second = running.get(&format!("{path}&from={cursor}")).await.json;
    let ids = |page: &Value| -> Vec<Value> {
        page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["message"]["id"].clone()).collect()
    };
    assert_eq!(ids(&second), [json!(messages[3]), json!(messages[4])]);
    assert_eq!(second["page_info"]["has_next_page"], false);
    let by_nonce = running.get(&format!("{path}&from-nonce=1&to-nonce=3")).await.json;
    assert_eq!(ids(&by_nonce), [json!(messages[1]), json!(messages[2])]);
    assert_eq!(by_nonce["edges"][1]["cursor"], "3");
    let latest = running.get(&format!("/{token}/latest")).await.json;
    assert_eq!(latest["message"]["id"], json!(messages[4]));
    let one = running.get(&format!("/{}?process-id={token}", messages[4])).await.json;
    assert_eq!(one, latest);
    let owner = &one["message"]["owner"];
    assert_eq!(owner["address"], json!(running.wallet.address()));
    assert!(!owner["key"].as_str().unwrap().is_empty() && !one["message"]["signature"].as_str().unwrap().is_empty());
    let tags = one["assignment"]["tags"].as_array().unwrap();
    let nonce = tags.iter().find(|tag| tag["name"] == "Nonce").unwrap();
    assert_eq!(nonce["value"], "5");
    assert_eq!(one["assignment"]["owner"]["address"], json!(running.node.address()));
}

#[tokio::test]
async fn a_node_tells_who_it_is() {
    let running = Running::start().await;
    let address = running.get("/~meta@1.0/info/address").await;
    assert_eq!(address.body, running.node.address().to_string().as_bytes());
    assert_eq!(running.get("/").await.json["address"], json!(running.node.address()));
    assert_eq!(running.get("/genesis").await.json["token"], json!(running.token));
    assert_eq!(running.get("/healthz").await.status, 200);
    let time = running.get("/timestamp").await.json;
    assert!(time["timestamp"].as_str().unwrap().parse::<u64>().unwrap() > 0, "{time}");
    assert_eq!(time["block_height"].as_str().unwrap().len(), 12);
    let metrics = running.get("/metrics").await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("aobench_"), "metrics without figures");
}

#[tokio::test]
async fn programs_in_other_pages_may_ask_and_pages_load_nothing_from_elsewhere() {
    let running = Running::start().await;
    let preflight = running
        .request(Method::OPTIONS, "/")
        .header("origin", "https://example.org")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let answer = running.send(preflight).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let home = running.send(running.request(Method::GET, "/").header("accept", "text/html")).await;
    assert_eq!((home.status, home.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(home.header("content-security-policy").starts_with("default-src 'self'"));
    assert_eq!(home.header("x-content-type-options"), "nosniff");
    let html = String::from_utf8(home.body).unwrap();
    let scripts = html.matches("<script").count();
    assert_eq!(html.matches(r#"<script type="module" src="/script/"#).count(), scripts, "a script in the page itself");
    for forbidden in ["style=", "http://", "https://", "onclick="] {
        let found = html.contains(forbidden);
        assert!(!found, "{forbidden} in the home page");
    }
    let style = running.get("/style.css").await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
}

#[tokio::test]
async fn the_home_page_of_a_node_with_a_benchmark_lists_its_pools() {
    let running = Running::with(|config| {
        config.genesis.processes.push(GenesisProcess {
            name: "benchmark".to_owned(),
            module: "benchmark".to_owned(),
            tags: Tags::new().with("Token", "${token}"),
            ..GenesisProcess::default()
        });
    })
    .await;
    let home = running.send(running.request(Method::GET, "/").header("accept", "text/html,*/*;q=0.8")).await;
    let html = String::from_utf8(home.body).unwrap();
    assert!(home.status == 200 && html.contains("There is no pool yet"), "{html}");
    assert!(html.contains(&running.node.process("benchmark").unwrap().to_string()), "{html}");
    let unknown = running.get(&format!("/pool/{}", Id::new([9; 32]))).await;
    assert_eq!(unknown.refusal(), (404, "not-found"));
}

#[tokio::test]
async fn what_a_native_process_says_is_printed_in_the_feed_of_aos() {
    let running = Running::start().await;
    running.post("/", running.transfer(1, &Id::new([5; 32])).to_bytes()).await;
    running.node.idle().await;
    let page = running.get(&format!("/results/{}?sort=DESC&limit=1", running.token)).await;
    let output = &page.json["edges"][0]["node"]["Output"];
    assert!(output["data"].as_str().unwrap().starts_with("Transferred 1 to "), "{output}");
    assert_eq!((&output["print"], &output["prompt"]), (&json!(true), &json!("token> ")));
}
