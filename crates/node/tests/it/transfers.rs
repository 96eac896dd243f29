//! Transfers: from a signed item to the notices in two inboxes.

use ao::Tags;
use serde_json::Value;

use crate::place::{Place, tag};

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_becomes_balances_and_two_notices() {
    let place = Place::new().await;
    let item = place.transfer("300");
    let (status, answer) = place.post(&item).await;
    assert_eq!((status, answer["id"].as_str()), (202, Some(item.id().to_string().as_str())));
    let result = place.result(&item).await;
    assert_eq!(result["Error"], Value::Null);
    assert_eq!(result["Messages"].as_array().unwrap().len(), 2);
    place.node.idle().await;
    assert_eq!(place.balance(&place.alice.address()).await, "700");
    assert_eq!(place.balance(&place.bob).await, "300");
    let notices = place.inbox(&place.bob).await;
    assert_eq!(notices.len(), 1);
    assert_eq!(tag(&notices[0], "Action"), "Credit-Notice");
    assert_eq!(notices[0]["from"], place.token.to_string());
    assert_eq!(notices[0]["pushed_for"], item.id().to_string());
    assert_eq!(tag(&place.inbox(&place.alice.address()).await[0], "Action"), "Debit-Notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_item_a_hundred_times_is_one_message() {
    let place = Place::new().await;
    let item = place.transfer("1");
    for _ in 0..100 {
        assert_eq!(place.post(&item).await.0, 202);
    }
    place.node.idle().await;
    assert_eq!(place.balance(&place.bob).await, "1");
    assert_eq!(place.inbox(&place.bob).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_a_result_with_a_slot_and_nothing_else() {
    let place = Place::new().await;
    let item = place.transfer("1e3");
    assert_eq!(place.post(&item).await.0, 202);
    let result = place.result(&item).await;
    assert!(result["Error"].as_str().unwrap().contains("Quantity"), "{result}");
    assert_eq!(result["Messages"].as_array().unwrap().len(), 0);
    let results = place.get(&format!("/results/{}?sort=ASC&limit=10", place.token)).await.1;
    assert_eq!(results["edges"].as_array().unwrap().len(), 1, "AO leaves faults out of the list: {results}");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_paged_by_cursor_in_both_directions() {
    let place = Place::new().await;
    for _ in 0..5 {
        place.post(&place.transfer("1")).await;
    }
    place.node.idle().await;
    let path = |rest: &str| format!("/results/{}?{rest}", place.token);
    let first = place.get(&path("sort=ASC&limit=2")).await.1;
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let cursor = first["edges"][1]["cursor"].as_str().unwrap();
    let second = place.get(&path(&format!("sort=ASC&limit=10&from={cursor}"))).await.1;
    assert_eq!(second["edges"].as_array().unwrap().len(), 4);
    assert_eq!(second["pageInfo"]["hasNextPage"], false);
    let newest = place.get(&path("sort=DESC&limit=1")).await.1;
    assert_eq!(newest["edges"][0]["node"], second["edges"][3]["node"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let place = Place::new().await;
    let tags = Tags::new().with("Action", "Transfer").with("Recipient", place.bob.to_string()).with("Quantity", "1");
    place.dry_run(place.token, tags).await;
    assert_eq!(place.balance(&place.bob).await, "0");
    assert_eq!(place.get("/processes").await.1["processes"][0]["head"], 0);
}
