//! Long chains of messages, and handlers that fail in ways that nobody foresaw: nothing is lost by either.

use ao::{Effects, Id, Message, Outgoing, Tags};
use node::{Config, GenesisProcess};
use processes::{Env, Fault, Module, Store};
use serde_json::Value;

use crate::place::Place;
use crate::running::Running;

/// Sends itself a message as often as the tag `Steps` says, and then one with the tags that begin with `Then-`; or falls.
struct Relay;

impl Module for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn spawn(&self, store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        store.execute_batch("CREATE TABLE seen (number INTEGER PRIMARY KEY)")?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        store.insert("INSERT INTO seen DEFAULT VALUES", ())?;
        let then = || message.tags.iter().filter(|tag| tag.name.starts_with("Then-"));
        match (message.action(), message.tag("Steps").and_then(|steps| steps.parse::<u32>().ok())) {
            ("Fall", _) => panic!("a defect"),
            ("Relay", Some(0)) => {
                let target = message.tag("Then-Target").unwrap().parse().unwrap();
                let mut outgoing = Outgoing::new(target, message.tag("Then-Action").unwrap());
                for tag in then().filter(|tag| !matches!(tag.name.as_str(), "Then-Target" | "Then-Action")) {
                    outgoing.tags.push(&tag.name["Then-".len()..], &tag.value);
                }
                Ok(Effects::message(outgoing))
            }
            ("Relay", Some(steps)) => {
                let outgoing = Outgoing::new(env.process, "Relay").tag("Steps", steps - 1);
                Ok(Effects::message(then().fold(outgoing, |outgoing, tag| outgoing.tag(&tag.name, &tag.value))))
            }
            _ => {
                let seen: u32 = store.value("SELECT count(*) FROM seen", ())?;
                Ok(Effects::output(seen.to_string()))
            }
        }
    }
}

fn with_relay(config: &mut Config) {
    config.modules.push(&Relay);
    let benchmark = Tags::new().with("Token", "${token}");
    for (name, tags) in [("relay", Tags::new()), ("benchmark", benchmark)] {
        let (name, module) = (name.to_owned(), name.to_owned());
        config.genesis.processes.push(GenesisProcess { name, module, tags, ..GenesisProcess::default() });
    }
}

impl Running {
    fn to(&self, target: Id, number: u8, pairs: &[(&str, &str)]) -> ao::DataItem {
        let standard = [("Data-Protocol", "ao"), ("Type", "Message"), ("Variant", "ao.TN.1")];
        let tags = standard.iter().chain(pairs).map(|(name, value)| ao::Tag::new(*name, *value)).collect();
        ao::DataItem::sign(&self.wallet, Some(target), Some([number; 32]), tags, Vec::new()).unwrap()
    }

    async fn result_of(&self, target: Id, number: u8, pairs: &[(&str, &str)]) -> Value {
        let item = self.to(target, number, pairs);
        assert_eq!(self.post("/", item.to_bytes()).await.status, 202);
        self.get(&format!("/result/{}?process-id={target}", item.id())).await.json
    }

    async fn balance(&self, account: Id) -> String {
        self.get(&format!("/{}/now/balances/{account}", self.token)).await.json.to_string().replace('"', "")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_at_the_end_of_a_long_chain_is_booked_or_comes_back() {
    let running = Running::with(with_relay).await;
    let [relay, benchmark] = ["relay", "benchmark"].map(|name| running.node.process(name).unwrap());
    let (relay_text, benchmark_text) = (relay.to_string(), benchmark.to_string());
    let pay = [("Action", "Transfer"), ("Recipient", relay_text.as_str()), ("Quantity", "100")];
    running.result_of(running.token, 1, &pay).await;
    running.node.idle().await;
    let token = running.token.to_string();
    // Wherever in the chain the money is when a program would have to stop: the benchmark cannot use it, and sends it back.
    for steps in 58..=66_u8 {
        let (text, number) = (steps.to_string(), 100 + steps);
        let pairs = [
            ("Action", "Relay"),
            ("Steps", text.as_str()),
            ("Then-Target", token.as_str()),
            ("Then-Action", "Transfer"),
            ("Then-Recipient", benchmark_text.as_str()),
            ("Then-Quantity", "10"),
            ("Then-X-Allocation", "Everything"),
        ];
        running.result_of(relay, number, &pairs).await;
        running.node.idle().await;
        let balances = [running.balance(relay).await, running.balance(benchmark).await];
        assert_eq!(balances, ["100", "0"], "after {steps} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_falls_costs_its_message_and_nothing_else() {
    let running = Running::with(with_relay).await;
    let relay = running.node.process("relay").unwrap();
    let result = running.result_of(relay, 1, &[("Action", "Count")]).await;
    assert_eq!(result["Output"]["data"], "1", "{result}");
    // More often than there are threads.
    for number in 10..30 {
        let result = running.result_of(relay, number, &[("Action", "Fall")]).await;
        assert!(result["Error"].as_str().unwrap().contains("defect"), "{result}");
    }
    let result = running.result_of(relay, 2, &[("Action", "Count")]).await;
    assert_eq!(result["Output"]["data"], "2", "what it wrote before it fell is undone: {result}");
    let pay = [("Action", "Transfer"), ("Recipient", &*relay.to_string()), ("Quantity", "7")];
    running.result_of(running.token, 3, &pay).await;
    assert_eq!(running.balance(relay).await, "7");
    assert_eq!(running.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fell_once_falls_again_in_a_replay_and_the_node_starts() {
    let place = Place::new().await;
    let (mut config, token, alice, bob) = (place.config.clone(), place.token, place.alice.clone(), place.bob);
    place.node.shutdown().await;
    with_relay(&mut config);
    let node = node::Node::start(config.clone()).await.unwrap();
    let relay = node.process("relay").unwrap();
    let place = Place::over(config, node, token, alice, bob);
    let fall = place.item(relay, Tags::new().with("Action", "Fall"), b"");
    let count = place.item(relay, Tags::new().with("Action", "Count"), b"");
    for item in [&fall, &count] {
        assert_eq!(place.post(item).await.0, 202);
    }
    let result = |item: &ao::DataItem| format!("/result/{}?process-id={relay}", item.id());
    let before = [place.get(&result(&fall)).await, place.get(&result(&count)).await];
    place.node.idle().await;
    let Place { config, node, token, alice, bob, .. } = place;
    node.shutdown().await;
    std::fs::remove_dir_all(config.data.join("processes")).unwrap();
    let node = node::Node::start(config.clone()).await.unwrap();
    node.idle().await;
    let place = Place::over(config, node, token, alice, bob);
    assert_eq!([place.get(&result(&fall)).await, place.get(&result(&count)).await], before);
}
