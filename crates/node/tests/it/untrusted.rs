//! What strangers send.

use ao::{DataItem, Id, Tag, Tags, Wallet, WalletKind};
use serde_json::{Value, json};

use crate::place::{Place, tag};

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_from_process_speaks_for_its_signer_only() {
    let place = Place::new().await;
    // A stranger who names the token's owner, or the token itself, mints nothing.
    for claimed in [place.token, place.node.address()] {
        let tags = Tags::new()
            .with("Action", "Mint")
            .with("Quantity", "1000000")
            .with("From-Process", claimed.to_string())
            .with("From", claimed.to_string())
            .with("Owner", claimed.to_string());
        let item = place.item(place.token, tags, b"");
        assert_eq!(place.post(&item).await.0, 202);
        place.result(&item).await;
    }
    place.node.idle().await;
    assert_eq!(place.balance(&place.alice.address()).await, "1000");
    assert_eq!(place.balance(&place.token).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_refused_in_json_and_leaves_no_trace() {
    let place = Place::new().await;
    let mut tampered = place.item(place.token, Tags::new().with("Action", "Info"), b"data").to_bytes();
    *tampered.last_mut().unwrap() ^= 1;
    let mut large = place.transfer("1").to_bytes();
    large.resize(10 * 1024 * 1024 + 1, 0);
    let plain = ao::DataItem::sign(&place.alice, Some(place.token), None, Tags::new(), Vec::new()).unwrap().to_bytes();
    let nobody = place.item(Id::new([5; 32]), Tags::new().with("Action", "Info"), b"").to_bytes();
    for (case, bytes, status, code) in [
        ("nothing", Vec::new(), 400, "bad-item"),
        ("noise", vec![7; 2000], 400, "bad-item"),
        ("a flipped bit", tampered, 400, "bad-signature"),
        ("too large", large, 413, "item-too-large"),
        ("no tags of AO", plain, 422, "missing-tag"),
        ("an unknown process", nobody, 404, "unknown-process"),
    ] {
        let (answered, json) = place.post_bytes(bytes).await;
        assert_eq!((answered, json["code"].as_str()), (status, Some(code)), "{case}: {json}");
    }
    assert_eq!(place.get("/processes").await.1["processes"][0]["head"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_node_signs_again_is_the_same_message() {
    let other_node = Wallet::generate(WalletKind::Ed25519).unwrap();
    let (payer, payee) = (Id::new([7; 32]), Id::new([8; 32]));
    let mut place = Place::with(|process| {
        process.tags.push("Authority", other_node.address().to_string());
        process.data = format!(r#"{{"{payer}":"100"}}"#).into_bytes();
    })
    .await;
    let transfer = |signer: &Wallet, reference: u8, tags: &[(&str, &str)]| {
        let (payer, payee) = (payer.to_string(), payee.to_string());
        let said = [("Action", "Transfer"), ("Recipient", &payee), ("Quantity", "1"), ("From-Process", &payer)];
        let standard = [("Data-Protocol", "ao"), ("Type", "Message")];
        let tags = tags.iter().chain(&said).chain(&standard).map(|(name, value)| Tag::new(*name, *value)).collect();
        DataItem::sign(signer, Some(place.token), Some([reference; 32]), tags, Vec::new()).unwrap()
    };
    // A node that crashed has forgotten for whom it pushes, and what it signs is another item.
    let first = transfer(&other_node, 1, &[("Pushed-For", "one")]);
    let again = [transfer(&other_node, 1, &[("Pushed-For", "two")]), transfer(&other_node, 1, &[])];
    let second = transfer(&other_node, 2, &[]);
    // Of a stranger each item is a message of his own, and none stands in the way of a message of the process.
    let strangers = [1, 3].map(|reference| transfer(&place.alice, reference, &[]));
    assert_eq!(place.post(&strangers[0]).await.0, 202);
    for item in [&first, &again[0], &again[1], &first] {
        let (status, answer) = place.post(item).await;
        assert_eq!((status, &answer["id"]), (202, &json!(first.id())), "{answer}");
    }
    assert_eq!(place.post(&strangers[1]).await.0, 202);
    place.node.idle().await;
    assert_eq!(place.balance(&payee).await, "1");
    place = place.restart().await;
    assert_eq!(place.post(&again[0]).await.1["id"], json!(first.id()));
    assert_eq!(place.post(&second).await.1["id"], json!(second.id()));
    place.node.idle().await;
    assert_eq!((place.balance(&payee).await, place.balance(&payer).await), ("2".to_owned(), "98".to_owned()));
    assert_eq!(
        place.get(&format!("/{}/slot/current", place.token)).await.1,
        json!(4),
        "two transfers and two strangers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_address_is_answered_in_json() {
    let place = Place::new().await;
    let nobody = Id::new([5; 32]);
    for (path, status) in [
        (format!("/result/{nobody}?process-id={}", place.token), 404),
        (format!("/result/{nobody}?process-id={nobody}"), 404),
        (format!("/result/{nobody}"), 400),
        (format!("/results/{nobody}"), 404),
        (format!("/results/{}?from=nonsense", place.token), 400),
        (format!("/{nobody}"), 404),
        ("/..%2F..%2Fnode.json".to_owned(), 404),
        ("/no/such/place".to_owned(), 404),
        (format!("/processes/{nobody}"), 404),
    ] {
        let (answered, json) = place.get(&path).await;
        assert_eq!(answered, status, "{path}: {json}");
        assert!(json["error"].is_string(), "{path}: {json}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_spawned_by_an_item_is_its_signers() {
    let place = Place::new().await;
    let tags = Tags::new()
        .with("Data-Protocol", "ao")
        .with("Type", "Process")
        .with("Module", "token")
        .with("Name", "Other")
        .with("Ticker", "OTHER");
    let spawn = ao::DataItem::sign(&place.alice, None, None, tags, Vec::new()).unwrap();
    let (status, answer) = place.post(&spawn).await;
    assert_eq!((status, answer["processId"].as_str()), (202, Some(spawn.id().to_string().as_str())));
    let mint = Tags::new().with("Action", "Mint").with("Quantity", "7");
    place.post(&place.item(spawn.id(), mint, b"")).await;
    place.node.idle().await;
    let tags = Tags::new().with("Action", "Balance").with("Recipient", place.alice.address().to_string());
    assert_eq!(place.dry_run(spawn.id(), tags).await["Output"]["data"], "7");
    let unknown = Tags::new().with("Data-Protocol", "ao").with("Type", "Process").with("Module", "no-such-module");
    let unknown = ao::DataItem::sign(&place.alice, None, None, unknown, Vec::new()).unwrap();
    assert_eq!(place.post(&unknown).await.1["code"], "unknown-module");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_a_chain_of_signed_assignments() {
    let place = Place::new().await;
    for _ in 0..3 {
        place.post(&place.transfer("1")).await;
    }
    let (_, schedule) = place.get(&format!("/{0}?process-id={0}", place.token)).await;
    let edges = schedule["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 4);
    let chains: Vec<&str> = edges.iter().map(|edge| tag(&edge["node"]["assignment"], "Hash-Chain")).collect();
    assert_eq!(chains[0], ao::sha256(place.token.as_bytes()).to_string());
    let names = |slot: usize| -> Vec<&str> {
        let tags = edges[slot]["node"]["assignment"]["tags"].as_array().unwrap();
        tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect()
    };
    let order = "Process Epoch Nonce Hash-Chain Block-Height Timestamp Data-Protocol Type Variant";
    assert_eq!(names(0).join(" "), order, "the process's own assignment names no message");
    assert_eq!(names(1).join(" "), format!("{order} Message"));
    for pair in edges.windows(2) {
        let (before, after) = (&pair[0]["node"]["assignment"], &pair[1]["node"]["assignment"]);
        let id: Id = before["id"].as_str().unwrap().parse().unwrap();
        let chain: Id = tag(before, "Hash-Chain").parse().unwrap();
        assert_eq!(tag(after, "Hash-Chain"), ao::HashChain(chain).next(&id).0.to_string());
        let number = |assignment: &Value, name: &str| tag(assignment, name).parse::<u64>().unwrap();
        assert_eq!(number(after, "Nonce"), number(before, "Nonce") + 1);
        assert!(number(after, "Timestamp") > number(before, "Timestamp"), "times increase");
    }
}
