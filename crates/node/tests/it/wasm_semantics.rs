//! AO's semantics as a module sees them: what it is given of a message, and what becomes of what it sends. The module here
//! answers every message with the message itself, and the message `Go` with what the test has written into it.

use std::time::Duration;

use ao::{DataItem, Id, Tags, Wallet, WalletKind};
use serde_json::{Value, json};

use crate::place::tag;
use crate::wasm_place::WasmPlace;

/// A text at an address, with a zero byte behind it.
fn data(at: u32, text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("(data (i64.const {at}) \"{escaped}\\00\")")
}

/// The module; `answer` is its answer to `Go`.
fn mirror(answer: &Value) -> String {
    let texts = [
        data(1024, r#"{"ok":true,"response":{"Output":{"data":"","message":"#),
        data(1200, r#","env":"#),
        data(1300, "}}}"),
        data(2048, &answer.to_string()),
    ];
    format!(
        r#"(module
            (memory (export "memory") i64 16)
            (global $stack (mut i64) (i64.const 131072))
            (func (export "emscripten_stack_get_current") (result i64) (global.get $stack))
            (func (export "_emscripten_stack_restore") (param i64) (global.set $stack (local.get 0)))
            (func (export "_emscripten_stack_alloc") (param i64) (result i64)
                (global.set $stack (i64.and (i64.sub (global.get $stack) (local.get 0)) (i64.const -16)))
                (global.get $stack))
            {}
            (func $append (param $to i64) (param $from i64) (result i64)
                (local $byte i32)
                (block $end (loop $next
                    (local.set $byte (i32.load8_u (local.get $from)))
                    (br_if $end (i32.eqz (local.get $byte)))
                    (i32.store8 (local.get $to) (local.get $byte))
                    (local.set $to (i64.add (local.get $to) (i64.const 1)))
                    (local.set $from (i64.add (local.get $from) (i64.const 1)))
                    (br $next)))
                (local.get $to))
            ;; Whether a text holds "Go", with its quotes.
            (func $is_go (param $at i64) (result i32)
                (block $end (loop $next
                    (br_if $end (i32.eqz (i32.load8_u (local.get $at))))
                    (if (i32.eq (i32.load (local.get $at)) (i32.const 0x226f4722)) (then (return (i32.const 1))))
                    (local.set $at (i64.add (local.get $at) (i64.const 1)))
                    (br $next)))
                (i32.const 0))
            (func (export "handle") (param $message i64) (param $env i64) (result i64)
                (local $at i64)
                (if (call $is_go (local.get $message)) (then (return (i64.const 2048))))
                (local.set $at (call $append (i64.const 262144) (i64.const 1024)))
                (local.set $at (call $append (local.get $at) (local.get $message)))
                (local.set $at (call $append (local.get $at) (i64.const 1200)))
                (local.set $at (call $append (local.get $at) (local.get $env)))
                (local.set $at (call $append (local.get $at) (i64.const 1300)))
                (i32.store8 (local.get $at) (i32.const 0))
                (i64.const 262144)))"#,
        texts.join("\n")
    )
}

/// What the module was given, from its result.
fn given(result: &Value) -> &Value {
    let message = &result["Output"]["message"];
    assert!(message.is_object(), "{result}");
    message
}

fn has(message: &Value, name: &str) -> bool {
    message["Tags"].as_array().unwrap().iter().any(|tag| tag["name"].as_str().unwrap().eq_ignore_ascii_case(name))
}

/// The newest message that a process was given.
async fn newest(place: &WasmPlace, process: Id) -> Value {
    place.node.idle().await;
    let page = place.get(&format!("/results/{process}?sort=DESC&limit=1")).await;
    given(&page["edges"][0]["node"]).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_given_with_the_fields_of_aos_compute_unit() {
    let place = WasmPlace::with(|_| {}).await;
    let module = place.add_text("mirror", &mirror(&Value::Null));
    let process = place.spawn(module, Tags::new().with("Name", "mirror")).await;
    let spawned = place.result(process, &process).await;
    let spawn = given(&spawned);
    assert_eq!((&spawn["Nonce"], tag(spawn, "Type"), &spawn["Id"]), (&json!(0), "Process", &json!(process)));
    let env = &spawned["Output"]["env"];
    assert_eq!((&env["Process"]["Id"], &env["Module"]["Id"]), (&json!(process), &json!(module)));
    assert_eq!(env["Process"]["Owner"], json!(place.wallet.address()));
    let named = env["Process"]["Tags"].as_array().unwrap();
    assert!(named.contains(&json!({ "name": "Name", "value": "mirror" })), "{named:?}");

    let stranger = Id::new([5; 32]).to_string();
    let tags = Tags::new().with("Action", "Show").with("From", &*stranger).with("owner", &*stranger);
    let message = place.send_item(process, tags, "the data").await;
    let result = place.result(process, &message).await;
    let (seen, me) = (given(&result), json!(place.wallet.address()));
    for (name, expected) in [
        ("Id", json!(message)),
        ("From", me.clone()),
        ("Owner", me),
        ("Target", json!(process)),
        ("Data", json!("the data")),
        ("Epoch", json!(0)),
        ("Nonce", json!(1)),
        ("Cron", json!(false)),
        ("Read-Only", Value::Null),
        ("Forwarded-By", Value::Null),
    ] {
        assert_eq!(seen[name], expected, "{name}: {seen}");
    }
    assert!(seen["Timestamp"].as_u64() > spawn["Timestamp"].as_u64(), "times increase");
    assert!(seen["Block-Height"].is_u64() && seen["Hash-Chain"].is_string() && seen["Signature"].is_string());
    assert_eq!(seen["Anchor"].as_str().unwrap().len(), 32);
    assert_eq!((tag(seen, "Action"), tag(seen, "Type"), tag(seen, "Data-Protocol")), ("Show", "Message", "ao"));
    assert!(!has(seen, "From") && !has(seen, "Owner"), "no tag says who speaks: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_the_process_speaks_for_others_and_nobody_else_does() {
    let place = WasmPlace::with(|_| {}).await;
    let (authority, stranger) =
        (Wallet::generate(WalletKind::Ed25519).unwrap(), Wallet::generate(WalletKind::Ed25519).unwrap());
    let module = place.add_text("mirror", &mirror(&Value::Null));
    // Several in one tag, separated by commas.
    let listed = format!("{}, {}", Id::new([8; 32]), authority.address());
    let process = place.spawn(module, Tags::new().with("Authority", listed)).await;
    let other = Id::new([7; 32]).to_string();
    let forward = |wallet: &Wallet| {
        let tags = Tags::new().with("Data-Protocol", "ao").with("Type", "Message").with("From-Process", &*other);
        DataItem::sign(wallet, Some(process), None, tags, Vec::new()).unwrap()
    };
    let item = forward(&authority);
    assert_eq!(place.post(&item).await["warning"], Value::Null);
    let result = place.result(process, &item.id()).await;
    let seen = given(&result);
    let signer = json!(authority.address());
    assert_eq!((&seen["From"], &seen["Owner"], &seen["Forwarded-By"]), (&json!(other), &signer, &signer));
    let item = forward(&stranger);
    // Who forgot the tag Authority is told of it.
    let warning = place.post(&item).await["warning"].as_str().unwrap().to_owned();
    assert!(warning.contains("From-Process was not believed") && warning.contains("Authority"), "{warning}");
    let result = place.result(process, &item.id()).await;
    let (seen, signer) = (given(&result), json!(stranger.address()));
    assert_eq!((&seen["From"], &seen["Owner"], &seen["Forwarded-By"]), (&signer, &signer, &Value::Null));
    assert!(!has(seen, "From-Process"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_module_sends_is_completed_as_by_aos_messenger_unit() {
    let place = WasmPlace::with(|_| {}).await;
    let module = place.add_text("mirror", &mirror(&Value::Null));
    let receiver = place.spawn(module, Tags::new()).await;
    let forged = Id::new([9; 32]);
    let tags = |tags: &[(&str, &str)]| -> Value {
        tags.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let anchor = "00000000000000000000000000000042";
    let forged = forged.to_string();
    let answer = json!({ "ok": true, "response": {
        "Messages": [
            { "Target": receiver, "Anchor": anchor, "Data": "hello", "Tags": tags(&[("Action", "Hello"), ("Variant", "ao.N.9"),
                ("Type", "Assignment"), ("Data-Protocol", "other"), ("From-Process", &forged), ("From-Module", &forged)]) },
            { "Target": receiver, "Anchor": anchor, "Tags": [{ "name": "Table", "value": { "a": 1 } }] },
            { "Anchor": anchor, "Tags": [] },
        ],
        "Spawns": [{ "Data": "child", "Anchor": anchor, "Tags": tags(&[("Module", &module.to_string()), ("Reference", "9"),
            ("X-Order", "seven"), ("Action", "Mine")]) }],
    } });
    let sending = place.add_text("sender", &mirror(&answer));
    let sender = place.spawn(sending, Tags::new()).await;
    let go = place.send_item(sender, Tags::new().with("Action", "Go"), "").await;
    let result = place.result(sender, &go).await;
    assert_eq!(result["Messages"].as_array().unwrap().len(), 1, "what goes nowhere is left out: {result}");

    let seen = newest(&place, receiver).await;
    assert_eq!((&seen["From"], &seen["Data"], &seen["Anchor"]), (&json!(sender), &json!("hello"), &json!(anchor)));
    for (name, expected) in [
        ("Action", "Hello".to_owned()),
        ("Variant", "ao.N.9".to_owned()),
        ("Type", "Message".to_owned()),
        ("Data-Protocol", "ao".to_owned()),
        ("From-Process", sender.to_string()),
        ("From-Module", sending.to_string()),
        ("Pushed-For", go.to_string()),
    ] {
        assert_eq!(tag(&seen, name), expected, "{name}: {seen}");
    }

    // The parent hears of its child as from itself, and can tell which spawn it was by any tag that it gave it.
    let told = newest(&place, sender).await;
    assert_eq!((&told["From"], tag(&told, "Action"), tag(&told, "Reference")), (&json!(sender), "Spawned", "9"));
    assert_eq!((tag(&told, "X-Order"), tag(&told, "Module")), ("seven", &*module.to_string()));
    let child: Id = tag(&told, "Process").parse().unwrap();
    let born = newest(&place, child).await;
    assert_eq!((tag(&born, "Type"), tag(&born, "From-Process")), ("Process", &*sender.to_string()));
    assert_eq!((&born["From"], &born["Nonce"], &born["Data"]), (&json!(sender), &json!(0), &json!("child")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_is_from_the_owner_and_has_the_tags_of_its_clock_only() {
    let place = WasmPlace::with(|_| {}).await;
    let module = place.add_text("mirror", &mirror(&Value::Null));
    let clock = Tags::new().with("Cron-Interval", "5-minutes").with("Cron-Tag-Action", "Tick").with("Cron-Tag-X", "y");
    let process = place.spawn(module, clock).await;
    place.node.idle().await;
    place.node.advance(Duration::from_hours(3)).await.unwrap();
    let seen = newest(&place, process).await;
    let owner = json!(place.wallet.address());
    assert_eq!((&seen["From"], &seen["Owner"], &seen["Cron"]), (&owner, &owner, &json!(true)));
    assert_eq!(seen["Tags"], json!([{ "name": "Action", "value": "Tick" }, { "name": "X", "value": "y" }]));
    assert_eq!(seen["Nonce"], 1, "what was missed comes as one, and stands in the log");
    let ticks = place.get(&format!("/cron/{process}?limit=5")).await;
    assert_eq!(ticks["edges"].as_array().unwrap().len(), 1, "the spawn is no tick: {ticks}");
    assert_eq!(ticks["edges"][0]["node"]["Output"]["message"]["Cron"], true, "{ticks}");
    let after = place.get(&format!("/cron/{process}?from={}", ticks["edges"][0]["cursor"].as_str().unwrap())).await;
    assert_eq!((&after["edges"], &after["pageInfo"]["hasNextPage"]), (&json!([]), &json!(false)));
    for (tags, what) in [
        (Tags::new().with("Cron-Interval", "1-month"), "'1-month' is no period"),
        (Tags::new().with("Cron-Tag-Action", "Tick").with("Cron-Interval", "5-minutes"), "before any Cron-Interval"),
    ] {
        let refused = place.try_spawn(&module.to_string(), tags).await;
        assert!(refused["code"] == "bad-tag" && refused["error"].as_str().unwrap().contains(what), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_marked_and_leaves_nothing() {
    let place = WasmPlace::with(|_| {}).await;
    let process = place.spawn(place.add_text("mirror", &mirror(&Value::Null)), Tags::new()).await;
    place.node.idle().await;
    let answer = place.dry_run(process, Tags::new().with("Action", "Look"), "x").await;
    let seen = given(&answer);
    assert_eq!((&seen["Read-Only"], tag(seen, "Action")), (&json!(true), "Look"));
    assert_eq!(place.get(&format!("/results/{process}")).await["edges"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_process_can_be_read_with_its_place() {
    let place = WasmPlace::with(|_| {}).await;
    let process = place.spawn(place.add_text("mirror", &mirror(&Value::Null)), Tags::new()).await;
    place.send_item(process, Tags::new().with("Action", "Look"), "what stands in memory").await;
    let response = reqwest::get(format!("{}/state/{process}", place.node.url())).await.unwrap();
    assert_eq!(response.headers()["last-ordinate"], "1");
    let memory = response.bytes().await.unwrap();
    assert_eq!(memory.len(), 16 * 65_536);
    assert!(memory.windows(21).any(|bytes| bytes == b"what stands in memory"));
    assert_eq!(place.get(&format!("/state/{process}?to=0")).await["code"], "bad-state");
    let token = place.item(None, "Process", Tags::new().with("Module", "token"), "");
    place.post(&token).await;
    assert_eq!(place.get(&format!("/state/{}", token.id())).await["code"], "no-memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_item_with_a_target_is_given_to_that_process_as_well() {
    let place = WasmPlace::with(|_| {}).await;
    let module = place.add_text("mirror", &mirror(&Value::Null));
    let first = place.spawn(module, Tags::new()).await;
    let tags = Tags::new().with("Module", module.to_string()).with("Scheduler", place.node.address().to_string());
    let item = place.item(Some(first), "Process", tags, "for both");
    assert_eq!(place.post(&item).await["processId"], json!(item.id()));
    let seen = newest(&place, first).await;
    assert_eq!((&seen["Id"], tag(&seen, "Type"), &seen["Data"]), (&json!(item.id()), "Process", &json!("for both")));
    assert_eq!(newest(&place, item.id()).await["Nonce"], 0);
}
