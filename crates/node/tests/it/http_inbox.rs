//! The inbox of a wallet: pages, waiting, and events.

use std::time::Duration;

use ao::Id;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::running::Running;

const RECIPIENT: Id = Id::new([5; 32]);

fn slots(messages: &Value) -> Vec<u64> {
    messages.as_array().unwrap().iter().map(|message| message["slot"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_a_process_sends_to_a_wallet_lies_in_its_inbox() {
    let running = Running::start().await;
    let items: Vec<_> = (1..=3).map(|number| running.transfer(number, &RECIPIENT)).collect();
    for item in &items {
        running.post("/", item.to_bytes()).await;
    }
    running.node.idle().await;
    let page = running.get(&format!("/inbox/{RECIPIENT}?limit=2")).await.json;
    assert_eq!((slots(&page["messages"]), &page["next"], &page["end"]), (vec![0, 1], &json!(2), &json!(3)));
    let first = &page["messages"][0];
    assert_eq!((&first["from"], &first["pushed_for"]), (&json!(running.token), &json!(items[0].id())));
    assert!(first["tags"].as_array().unwrap().contains(&json!({ "name": "Action", "value": "Credit-Notice" })));
    let rest = running.get(&format!("/inbox/{RECIPIENT}?from=2")).await.json;
    assert_eq!((slots(&rest["messages"]), &rest["next"]), (vec![2], &json!(3)));
    let empty = running.get(&format!("/inbox/{RECIPIENT}?from=3")).await.json;
    assert_eq!(empty, json!({ "messages": [], "next": 3, "end": 3 }));
}

#[tokio::test]
async fn a_reader_who_waits_is_answered_when_something_comes() {
    let running = Running::start().await;
    let path = format!("/inbox/{RECIPIENT}?wait=20");
    let reading = running.request(Method::GET, &path).send();
    let sending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        running.post("/", running.transfer(1, &RECIPIENT).to_bytes()).await
    };
    let (page, _) = timeout(Duration::from_secs(15), async { tokio::join!(reading, sending) }).await.unwrap();
    let page: Value = page.unwrap().json().await.unwrap();
    assert_eq!(slots(&page["messages"]), [0]);
}

#[tokio::test]
async fn events_come_as_they_happen_and_go_on_after_the_last_one() {
    let running = Running::start().await;
    running.post("/", running.transfer(1, &RECIPIENT).to_bytes()).await;
    running.post("/", running.transfer(2, &RECIPIENT).to_bytes()).await;
    running.node.idle().await;
    let events = running.request(Method::GET, &format!("/inbox/{RECIPIENT}")).header("accept", "text/event-stream");
    let mut response = events.header("last-event-id", "0").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut read_until = async |count: usize| {
        while text.matches("\n\n").count() < count {
            text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
        }
        text.clone()
    };
    let first = timeout(Duration::from_secs(15), read_until(1)).await.unwrap();
    assert!(first.contains("id: 1") && !first.contains("id: 0"), "{first}");
    running.post("/", running.transfer(3, &RECIPIENT).to_bytes()).await;
    let second = timeout(Duration::from_secs(15), read_until(2)).await.unwrap();
    assert!(second.contains("id: 2"), "{second}");
    let data = second.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["from"], json!(running.token));
}
