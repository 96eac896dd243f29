//! The dialect of HyperBEAM, as aoconnect's mainnet mode and aos speak it.

use ao::{DataItem, Id, Tags};
use reqwest::Method;
use serde_json::json;

use crate::running::Running;

#[tokio::test]
async fn a_message_is_pushed_and_its_result_is_read_by_slot_and_by_id() {
    let running = Running::start().await;
    let token = running.token;
    let item = running.transfer(1, &Id::new([5; 32]));
    let pushed = running.post(&format!("/{token}~process@1.0/push"), item.to_bytes()).await;
    assert_eq!((pushed.status, &pushed.json["slot"], &pushed.json["id"]), (200, &json!(1), &json!(item.id())));
    assert_eq!(pushed.header("process"), token.to_string());
    assert_eq!(pushed.json["raw"]["Messages"].as_array().unwrap().len(), 2);
    let slot = running.post(&format!("/{token}/slot/current"), "").await;
    assert_eq!(slot.body, b"1");
    for place in ["1".to_owned(), item.id().to_string()] {
        let result = running.post(&format!("/{token}~process@1.0/compute/results={place}"), "").await;
        assert_eq!(result.json["raw"], pushed.json["raw"], "{place}");
    }
    let late = running.get(&format!("/{token}/compute/results=2")).await;
    assert_eq!(late.refusal(), (404, "unknown-slot"));
}

#[tokio::test]
async fn a_process_is_spawned_and_told_in_the_header() {
    let running = Running::start().await;
    let tags = [("Data-Protocol", "ao"), ("Type", "Process"), ("Variant", "ao.N.1"), ("Module", "token")];
    let mut tags: Tags = tags.iter().map(|(name, value)| ao::Tag::new(*name, *value)).collect();
    tags.extend([ao::Tag::new("Name", "Mine"), ao::Tag::new("Ticker", "MINE"), ao::Tag::new("Denomination", "0")]);
    let item = DataItem::sign(&running.wallet, None, None, tags, b"{}".to_vec()).unwrap();
    let answer = running.post("/push", item.to_bytes()).await;
    assert_eq!(answer.header("process"), item.id().to_string(), "{}", answer.json);
    assert_eq!(answer.json["slot"], 0);
    let ticker = running.get(&format!("/{}~process@1.0/now/ticker", item.id())).await;
    assert_eq!(ticker.body, b"MINE");
}

#[tokio::test]
async fn a_dry_run_takes_its_tags_from_the_path() {
    let running = Running::start().await;
    let (token, wallet) = (running.token, running.wallet.address());
    let path = format!("/{token}~process@1.0/as=execution/compute&Action=Balance");
    let named = running.get(&format!("{path}&Recipient={wallet}")).await;
    assert_eq!(named.json["raw"]["Output"]["data"], "1000", "{}", named.json);
    // Who asks is who signed the item.
    let asking = running.post(&path, running.item(1, &[]).to_bytes()).await;
    assert_eq!(asking.json["raw"]["Output"]["data"], "1000", "{}", asking.json);
    assert_eq!(running.head().await, 0);
}

#[tokio::test]
async fn what_a_process_publishes_is_read_by_path() {
    let running = Running::start().await;
    let (token, wallet) = (running.token, running.wallet.address());
    for (path, expected) in [
        ("now/ticker", "wAR".to_owned()),
        ("compute/ticker/serialize~json@1.0", "\"wAR\"".to_owned()),
        (&format!("now/balances/{wallet}"), "1000".to_owned()),
        ("now/balances", format!(r#"{{"{wallet}":"1000"}}"#)),
        ("now/total-supply", "1000".to_owned()),
        ("now/denomination", "12".to_owned()),
    ] {
        let answer = running.get(&format!("/{token}~process@1.0/{path}")).await;
        assert_eq!(String::from_utf8(answer.body).unwrap(), expected, "{path}");
    }
    assert_eq!(running.get(&format!("/{token}/now/nothing")).await.refusal(), (404, "not-found"));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let running = Running::start().await;
    let (token, nobody) = (running.token, Id::new([9; 32]));
    let item = running.transfer(1, &nobody);
    let push = format!("/{token}~process@1.0/push");
    assert_eq!(running.post(&format!("/{nobody}/push"), item.to_bytes()).await.refusal(), (400, "wrong-target"));
    assert_eq!(running.get(&push).await.refusal(), (405, "method-not-allowed"));
    assert_eq!(running.post(&push, "no item").await.refusal(), (400, "bad-item"));
    let signed = running.request(Method::POST, &push).header("signature-input", "x=()").body("");
    assert_eq!(running.send(signed).await.refusal(), (415, "not-an-item"));
    assert_eq!(running.get(&format!("/{token}~wasm@1.0/now")).await.refusal(), (404, "not-found"));
    assert_eq!(running.get(&format!("/{nobody}/slot/current")).await.refusal(), (404, "unknown-process"));
    let wrong = running.post("/mu", item.to_bytes()).await;
    assert!(wrong.refusal().0 == 405 && wrong.json["error"].as_str().unwrap().contains("MU_URL"), "{}", wrong.json);
}
