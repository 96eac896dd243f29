//! Items through `POST /`: taken once, acknowledged when durable, refused with a reason and without a trace.

use ao::limits::ITEM_BYTES_MAX;
use ao::{DataItem, Id, Tags};
use reqwest::Method;
use serde_json::json;

use crate::running::Running;

#[tokio::test]
async fn a_message_is_acknowledged_and_its_result_can_be_read() {
    let running = Running::start().await;
    let recipient = Id::new([5; 32]);
    let item = running.transfer(1, &recipient);
    let answer = running.post("/", item.to_bytes()).await;
    assert_eq!((answer.status, answer.json), (202, json!({ "message": "Processing DataItem", "id": item.id() })));
    let result = running.get(&running.result_path(&item.id())).await;
    assert_eq!(result.status, 200);
    let actions: Vec<_> = result.json["Messages"].as_array().unwrap().iter().map(action).collect();
    assert_eq!(actions, ["Debit-Notice", "Credit-Notice"]);
    assert_eq!(result.json["GasUsed"], 0);
}

fn action(message: &serde_json::Value) -> &str {
    let tags = message["Tags"].as_array().unwrap();
    tags.iter().find(|tag| tag["name"] == "Action").unwrap()["value"].as_str().unwrap()
}

#[tokio::test]
async fn the_same_item_again_has_the_same_answer_and_no_second_effect() {
    let running = Running::start().await;
    let item = running.transfer(1, &Id::new([5; 32]));
    let first = running.post("/", item.to_bytes()).await;
    let head = running.head().await;
    let second = running.post("/", item.to_bytes()).await;
    assert_eq!((first.status, first.json), (second.status, second.json));
    assert_eq!(running.head().await, head);
}

#[tokio::test]
async fn a_process_item_spawns_and_its_answer_names_the_process() {
    let running = Running::start().await;
    let module = processes::module_by_name("token").map(processes::module_id).unwrap();
    let tags = Tags::new().with("Data-Protocol", "ao").with("Type", "Process").with("Variant", "ao.TN.1");
    let tags = tags.with("Module", module.to_string()).with("Scheduler", running.node.address().to_string());
    let item = DataItem::sign(&running.wallet, None, None, tags, Vec::new()).unwrap();
    let answer = running.post("/", item.to_bytes()).await;
    assert_eq!((answer.status, &answer.json["processId"]), (202, &json!(item.id())));
    let spawned = running.get(&format!("/processes/{}", item.id())).await.json;
    assert_eq!((&spawned["process_id"], &spawned["owner"]["address"]), (&json!(item.id()), &json!(item.address())));
}

#[tokio::test]
async fn bad_items_are_refused_with_a_reason_and_change_nothing() {
    let running = Running::start().await;
    let head = running.head().await;
    let processes = running.get("/processes").await.json;
    let good = running.transfer(1, &Id::new([5; 32])).to_bytes();
    let mut forged = good.clone();
    // A byte of the signature, after the two of its type.
    forged[20] ^= 1;
    let sign = |target: Option<Id>, tags: Tags, data: Vec<u8>| {
        DataItem::sign(&running.wallet, target, None, tags, data).unwrap().to_bytes()
    };
    let process = Tags::new().with("Data-Protocol", "ao").with("Type", "Process");
    let message = Tags::new().with("Data-Protocol", "ao").with("Type", "Message").with("Action", "Info");
    let too_large = sign(Some(running.token), message.clone(), vec![b'x'; ITEM_BYTES_MAX + 1 - 500]);
    let one_too_large = [too_large, vec![b'x'; 1000]].concat()[..=ITEM_BYTES_MAX].to_vec();
    for (what, bytes, status, code) in [
        ("nothing", Vec::new(), 400, "bad-item"),
        ("JSON", br#"{"Target":"x"}"#.to_vec(), 400, "bad-item"),
        ("half an item", good[..good.len() / 2].to_vec(), 400, "bad-item"),
        ("a changed item", forged, 400, "bad-signature"),
        ("10 MiB and a byte", one_too_large, 413, "item-too-large"),
        ("20 MiB", vec![1; 20 * 1024 * 1024], 413, "item-too-large"),
        ("a message to nobody here", sign(Some(Id::new([9; 32])), message.clone(), Vec::new()), 404, "unknown-process"),
        ("a message without target", sign(None, message, Vec::new()), 400, "no-target"),
        ("a process without module", sign(None, process.clone(), Vec::new()), 422, "missing-tag"),
    ] {
        let answer = running.post("/", bytes).await;
        assert_eq!(answer.refusal(), (status, code), "{what}: {}", answer.json);
    }
    let unknown =
        process.with("Module", Id::new([8; 32]).to_string()).with("Scheduler", running.node.address().to_string());
    assert_eq!(running.post("/", sign(None, unknown, Vec::new())).await.refusal(), (422, "unknown-module"));
    assert_eq!(running.head().await, head);
    assert_eq!(running.get("/processes").await.json, processes);
}

#[tokio::test]
async fn what_is_not_supported_says_so() {
    let running = Running::start().await;
    let (token, nobody) = (running.token, Id::new([3; 32]));
    let message = running.item(1, &[("Action", "Info")]);
    assert_eq!(running.post("/", message.to_bytes()).await.status, 202);
    for (query, status, code) in [
        (format!("process-id={token}"), 400, "bad-assignment"),
        (format!("process-id={token}&assign={nobody}"), 422, "not-assignable"),
        (format!("process-id={nobody}&assign={}", message.id()), 404, "unknown-process"),
        // It was signed for the token: nobody may have it carried out once more, or elsewhere.
        (format!("process-id={token}&assign={}", message.id()), 422, "not-assignable"),
    ] {
        assert_eq!(running.post(&format!("/?{query}"), "").await.refusal(), (status, code), "{query}");
    }
    // Clients switch clocks on; here they always run.
    let monitor = format!("/monitor/{}", running.token);
    for (method, said) in [(Method::POST, "Monitoring process"), (Method::DELETE, "Process deleted")] {
        let answer = running.send(running.request(method, &monitor)).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, said.as_bytes()));
    }
    assert_eq!(running.post(&format!("/monitor/{}", Id::new([3; 32])), "").await.refusal(), (404, "unknown-process"));
}

#[tokio::test]
async fn a_message_that_is_pushed_again_has_no_second_effect() {
    let running = Running::start().await;
    let item = running.transfer(1, &Id::new([5; 32]));
    running.post("/", item.to_bytes()).await;
    running.node.idle().await;
    let head = running.head().await;
    let again = running.post(&format!("/push/{}/0?process-id={}", item.id(), running.token), "").await;
    assert_eq!((again.status, again.json), (202, json!({ "message": "Processing Message Result", "id": item.id() })));
    running.node.idle().await;
    assert_eq!(running.head().await, head);
    for (path, status, code) in [
        (format!("/push/{}/first?process-id={}", item.id(), running.token), 400, "bad-number"),
        (format!("/push/{}/0?process-id={}", Id::new([3; 32]), running.token), 404, "unknown-message"),
        (format!("/push/{}/0", item.id()), 400, "missing-process-id"),
    ] {
        assert_eq!(running.post(&path, "").await.refusal(), (status, code), "{path}");
    }
}

#[tokio::test]
async fn no_tag_says_who_speaks() {
    let running = Running::start().await;
    let other = Id::new([5; 32]).to_string();
    let head = running.head().await;
    let tags = [("Action", "Mint"), ("Quantity", "5"), ("From-Process", other.as_str()), ("From", other.as_str())];
    let item = running.item(1, &tags);
    assert_eq!(running.post("/", item.to_bytes()).await.status, 202);
    // The owner of the token minted, and not whom the tags name.
    assert_eq!(running.get(&running.result_path(&item.id())).await.json["Error"], json!(null));
    assert_eq!(running.head().await, head + 1);
}

#[tokio::test]
async fn a_process_that_could_not_be_spawned_says_why_at_once_and_later() {
    let running = Running::start().await;
    let tags = Tags::new().with("Data-Protocol", "ao").with("Type", "Process").with("Variant", "ao.TN.1");
    let tags = tags.with("Module", "token").with("Denomination", "many");
    let item = DataItem::sign(&running.wallet, None, None, tags, b"{}".to_vec()).unwrap();
    for _ in 0..2 {
        let answer = running.post("/", item.to_bytes()).await;
        assert_eq!(answer.refusal(), (422, "spawn-failed"), "{}", answer.json);
        assert!(answer.json["error"].as_str().unwrap().contains("Denomination"), "{}", answer.json);
    }
    let pushed = running.post("/push", item.to_bytes()).await;
    assert_eq!(pushed.refusal(), (422, "spawn-failed"), "{}", pushed.json);
    let question = running.get(&format!("/{}~process@1.0/as=execution/compute&Action=Info", item.id())).await;
    let error = question.json["raw"]["Error"].as_str().unwrap();
    assert!(error.starts_with("this process could not be spawned: ") && error.contains("Denomination"), "{error}");
}

#[tokio::test]
async fn who_speaks_for_a_process_without_authority_is_told_so() {
    let running = Running::start().await;
    let forged = running.item(1, &[("Action", "Info"), ("From-Process", &Id::new([7; 32]).to_string())]);
    let answer = running.post("/", forged.to_bytes()).await;
    assert_eq!(answer.status, 202);
    let warning = answer.json["warning"].as_str().unwrap();
    assert!(warning.contains("From-Process was not believed") && warning.contains("Authority"), "{warning}");
    let forged = running.item(2, &[("Action", "Info"), ("From-Process", &Id::new([7; 32]).to_string())]);
    let pushed = running.post(&format!("/{}~process@1.0/push", running.token), forged.to_bytes()).await;
    assert!(pushed.json["warning"].as_str().unwrap().contains("was not believed"), "{}", pushed.json);
}
