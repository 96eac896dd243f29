//! Queries for transactions, as AO's clients ask a gateway.

use ao::{DataItem, Id, Tags};
use node::Node;
use serde_json::{Value, json};

use crate::place::Place;
use crate::running::Running;

async fn query(running: &Running, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    let answer = running.post("/graphql", body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json
}

/// The ids of the transactions that are found.
async fn found(running: &Running, arguments: &str) -> Vec<String> {
    let answer =
        query(running, &format!("{{ transactions({arguments}) {{ edges {{ node {{ id }} }} }} }}"), json!({})).await;
    let edges = answer["data"]["transactions"]["edges"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
    edges.map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()).collect()
}

fn upload(running: &Running, number: u8) -> DataItem {
    let tags = Tags::new().with("Content-Type", "text/plain").with("Number", number.to_string());
    DataItem::sign(&running.wallet, Some(Id::new([7; 32])), Some([number; 32]), tags, b"data".to_vec()).unwrap()
}

#[tokio::test]
async fn messages_processes_modules_and_uploads_are_found() {
    let running = Running::start().await;
    let message = running.transfer(1, &Id::new([5; 32]));
    assert_eq!(running.post("/", message.to_bytes()).await.status, 202);
    let uploaded = upload(&running, 2);
    assert_eq!(running.post("/tx", uploaded.to_bytes()).await.status, 200);
    let (wallet, token) = (running.wallet.address(), running.token);
    let tag = |name: &str, value: &str| format!(r#"tags: [{{ name: "{name}", values: ["{value}"] }}]"#);
    for (arguments, expected) in [
        (format!(r#"ids: ["{}"]"#, message.id()), vec![message.id()]),
        (format!(r#"recipients: ["{token}"]"#), vec![message.id()]),
        (format!(r#"owners: ["{wallet}", ""], {}"#, tag("Type", "Process")), vec![token]),
        (tag("Number", "2"), vec![uploaded.id()]),
        (tag("Number", "3"), vec![]),
        (r#"ids: ["no id"]"#.to_owned(), vec![]),
    ] {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(found(&running, &arguments).await, expected, "{arguments}");
    }
    let modules = found(&running, &tag("Type", "Module")).await;
    assert!(modules.contains(&processes::module_id(processes::module_by_name("token").unwrap()).to_string()));
}

#[tokio::test]
async fn the_index_is_made_again_from_the_log_when_it_is_gone() {
    let place = Place::new().await;
    let item = place.transfer("1");
    assert_eq!(place.post(&item).await.0, 202);
    let body =
        json!({ "query": format!(r#"{{ transactions(ids: ["{}"]) {{ edges {{ node {{ id }} }} }} }}"#, item.id()) });
    let count = async |url: String| {
        let answer = reqwest::Client::new().post(format!("{url}/graphql")).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["data"]["transactions"]["edges"].as_array().unwrap().len()
    };
    assert_eq!(count(place.node.url()).await, 1);
    let Place { config, node, .. } = place;
    node.shutdown().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(config.data.join(format!("gateway/transactions.sqlite{suffix}")));
    }
    let node = Node::start(config.clone()).await.unwrap();
    assert_eq!(count(node.url()).await, 1);
}

#[tokio::test]
async fn a_transaction_has_what_its_item_has() {
    let running = Running::start().await;
    let item = upload(&running, 9);
    running.post("/tx", item.to_bytes()).await;
    let text = "query ($id: ID!) { transaction(id: $id) { id anchor signature recipient owner { address key } \
                data { size type } fee { winston } tags { name value } block { id height timestamp previous } } }";
    let answer = query(&running, text, json!({ "id": item.id() })).await;
    let found = &answer["data"]["transaction"];
    assert_eq!(found["recipient"], json!(Id::new([7; 32])), "{answer}");
    assert_eq!(found["owner"]["address"], json!(running.wallet.address()));
    assert_eq!(found["data"], json!({ "size": "4", "type": "text/plain" }));
    assert!(!found["signature"].as_str().unwrap().is_empty() && !found["anchor"].as_str().unwrap().is_empty());
    assert!(found["block"]["height"].as_u64().unwrap() > 0);
    let nobody = query(&running, "{ transaction(id: \"x\") { id } }", json!({})).await;
    assert_eq!(nobody, json!({ "data": { "transaction": null } }));
}

#[tokio::test]
async fn pages_are_followed_by_their_cursors() {
    let running = Running::start().await;
    let items: Vec<DataItem> = (1..=5).map(|number| upload(&running, number)).collect();
    for item in &items {
        running.post("/tx", item.to_bytes()).await;
    }
    let text = "query ($after: String) { transactions(first: 2, after: $after, sort: HEIGHT_ASC, \
                tags: [{ name: \"Content-Type\", values: [\"text/plain\"] }]) \
                { pageInfo { hasNextPage } edges { cursor node { id } } } }";
    let (mut after, mut seen) = (Value::Null, Vec::new());
    loop {
        let page = query(&running, text, json!({ "after": after })).await["data"]["transactions"].take();
        for edge in page["edges"].as_array().unwrap() {
            after = edge["cursor"].clone();
            seen.push(edge["node"]["id"].clone());
        }
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, items.iter().map(|item| json!(item.id())).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_module_that_a_spawn_looks_for_in_vain_is_an_error_that_says_how_to_add_it() {
    let running = Running::start().await;
    // The query of aoconnect, which shows the text of an answer that is an error, and of an empty one says nothing.
    let text = "query GetTransactions ($transactionIds: [ID!]!) { transactions(ids: $transactionIds) { edges { node { \
                owner { address } tags { name value } block { id height timestamp } } } } }";
    let ask = async |module: String| {
        let body = json!({ "query": text, "variables": { "transactionIds": [module] } });
        running.post("/graphql", body.to_string()).await
    };
    let missing = Id::new([7; 32]);
    let answer = ask(missing.to_string()).await;
    assert_eq!(answer.refusal(), (422, "unknown-module"), "{}", answer.json);
    let said = answer.json["error"].as_str().unwrap();
    assert!(said.contains(&format!("aobench module add FILE --id {missing}")), "{said}");
    let token = processes::module_by_name("token").map(processes::module_id).unwrap();
    let found = ask(token.to_string()).await;
    assert_eq!((found.status, found.json["data"]["transactions"]["edges"].as_array().unwrap().len()), (200, 1));
    // Whoever asks for transactions in general is told that there are none.
    let query = format!("{{ transactions(ids: [\"{missing}\"]) {{ edges {{ node {{ id }} }} }} }}");
    let answer = running.post("/graphql", json!({ "query": query }).to_string()).await;
    assert_eq!((answer.status, &answer.json["data"]["transactions"]["edges"]), (200, &json!([])));
}

#[tokio::test]
async fn queries_that_ask_for_too_much_or_make_no_sense_are_refused() {
    let running = Running::start().await;
    let page = "transactions(first: 100) { edges { node { id tags { name } } } }";
    let many: Vec<String> = (0..50).map(|number| format!("q{number}: {page}")).collect();
    let ids = vec![Id::new([1; 32]).to_string(); 1001];
    // Each is small, and each is a search.
    let small: Vec<String> =
        (0..12).map(|number| format!("q{number}: transactions(first: 1) {{ pageInfo {{ hasNextPage }} }}")).collect();
    let named: Vec<String> = (0..120).map(|number| format!("q{number}: transaction(id: \"x\") {{ id }}")).collect();
    for (text, variables, reason) in [
        (format!("{{ {} }}", many.join(" ")), json!({}), "too complex"),
        (format!("{{ {} }}", small.join(" ")), json!({}), "too complex"),
        (format!("{{ {} }}", named.join(" ")), json!({}), "too complex"),
        (format!("{{ {}id{} }}", "a { ".repeat(40), " }".repeat(40)), json!({}), "recursion"),
        ("{ transactions(after: \"x\") { edges { cursor } } }".to_owned(), json!({}), "no cursor"),
        (
            "query ($ids: [ID!]) { transactions(ids: $ids) { edges { cursor } } }".to_owned(),
            json!({ "ids": ids }),
            "1001 values",
        ),
        ("{ nothing }".to_owned(), json!({}), "nothing"),
        ("{".to_owned(), json!({}), "expected"),
    ] {
        let answer = query(&running, &text, variables).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{reason}: {message}");
    }
    for body in ["", "no query", "7"] {
        assert_eq!(running.post("/graphql", body).await.refusal(), (400, "bad-query"));
    }
}

#[tokio::test]
async fn what_processes_send_and_what_lies_in_bundles_is_found() {
    let running = Running::start().await;
    let (message, stranger) = (running.transfer(1, &Id::new([5; 32])), Id::new([5; 32]));
    running.post("/", message.to_bytes()).await;
    running.node.idle().await;
    let text = "query ($to: [String!], $tags: [TagFilter!]) { transactions(recipients: $to, tags: $tags) \
                { edges { node { id recipient tags { name value } block { height } } } } }";
    let from = json!([{ "name": "From-Process", "values": [running.token] }, { "name": "Action", "values": ["Credit-Notice"] }]);
    let answer = query(&running, text, json!({ "to": [stranger], "tags": from })).await;
    let found = &answer["data"]["transactions"]["edges"][0]["node"];
    assert_eq!(found["recipient"], json!(stranger), "{answer}");
    let tags: Vec<(&str, &str)> = found["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["name"].as_str().unwrap(), tag["value"].as_str().unwrap()))
        .collect();
    let chain = message.id().to_string();
    assert!(tags.contains(&("Pushed-For", &chain)) && tags.contains(&("Type", "Message")), "{tags:?}");
    assert!(found["block"]["height"].as_u64().unwrap() > 0);

    let inner = upload(&running, 3);
    let data = ao::bundle::encode(std::slice::from_ref(&inner));
    let bundle = DataItem::sign(&running.wallet, None, None, ao::bundle::bundle_tags(), data).unwrap();
    assert_eq!(running.post("/tx", bundle.to_bytes()).await.status, 200);
    let text = "query ($id: ID!) { transaction(id: $id) { parent { id } bundledIn { id } } }";
    for (id, expected) in [(inner.id(), json!({ "id": bundle.id() })), (bundle.id(), Value::Null)] {
        let answer = query(&running, text, json!({ "id": id })).await;
        let found = &answer["data"]["transaction"];
        assert_eq!((&found["parent"], &found["bundledIn"]), (&expected, &expected), "{answer}");
    }
}
