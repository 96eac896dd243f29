//! aos on a node: what its users do, and what a node must not lose of it.

use ao::{Id, Tags};
use node::wasm::WasmSettings;

use crate::wasm_modules::module;
use crate::wasm_place::WasmPlace;

/// A node with a process of aos, if aos was fetched.
async fn aos() -> Option<(WasmPlace, Id)> {
    let file = module("aos2_0_6.wasm")?;
    let place = WasmPlace::with(|_| {}).await;
    let process = place.spawn(place.add(&file), Tags::new().with("Name", "test")).await;
    Some((place, process))
}

#[tokio::test(flavor = "multi_thread")]
async fn aos_evaluates_and_answers_by_its_handlers() {
    let Some((place, process)) = aos().await else { return };
    assert_eq!(place.shows(process, "return 1+1").await, "2");
    let prompt = place.eval(process, "return require('.process')._version").await;
    assert!(prompt["Output"]["prompt"].as_str().unwrap().contains("aos-2.0.4"), "{prompt}");
    place
        .eval(
            process,
            "Count = 0; Handlers.add('Inc', 'Inc', function(msg) Count = Count + tonumber(msg.By); \
        msg.reply({ Data = tostring(Count), Action = 'Inc-Done' }) end)",
        )
        .await;
    let by = |number: &str| Tags::new().with("Action", "Inc").with("By", number);
    place.send(process, by("5"), "").await;
    let result = place.send(process, by("7"), "").await;
    assert_eq!(result["Messages"][0]["Data"], "12", "{result}");
    assert_eq!(result["Messages"][0]["Target"], place.wallet.address().to_string());
    // A dry-run counts as well, and nothing of it stays.
    assert_eq!(place.dry_run(process, by("100"), "").await["Messages"][0]["Data"], "112");
    assert_eq!(place.shows(process, "return Count").await, "12");
    assert_eq!(place.shows(process, "return os.date('!%Y-%m-%d', os.time() // 1000)").await, "2026-01-01");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_leaves_the_state_of_before() {
    let Some(file) = module("aos2_0_6.wasm") else { return };
    let place = WasmPlace::with(|config| {
        config.wasm = WasmSettings { memory_bytes_max: 256 << 20, fuel_max: 3_000_000_000, ..WasmSettings::default() };
    })
    .await;
    let process = place.spawn(place.add(&file), Tags::new()).await;
    place.eval(process, "Kept = 1").await;
    let failed = place.eval(process, "Kept = 2; Send({ Target = ao.id, Action = 'Never' }); error('no')").await;
    assert!(failed["Error"].as_str().unwrap().contains("no"), "{failed}");
    assert_eq!(failed["Messages"].as_array().unwrap().len(), 0);
    assert_eq!(place.shows(process, "return Kept").await, "1");
    let endless = place.eval(process, "Kept = 3; while true do end").await;
    assert!(endless["Error"].as_str().unwrap().contains("compute limit"), "{endless}");
    assert_eq!(place.shows(process, "return Kept").await, "1");
    let hungry = place
        .eval(
            process,
            "Kept = 4; local t = {}; for i = 1, 40 do t[i] = string.rep(string.rep('x', 1000000), 20) .. i end",
        )
        .await;
    assert!(hungry["Error"].as_str().unwrap_or_default().contains("memory"), "{hungry}");
    assert_eq!(place.shows(process, "return Kept").await, "1");
    let slots: i64 = place.stored(process, "SELECT applied FROM node_state");
    assert_eq!(slots, 7, "each message has used its slot up");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_aos_talk() {
    let Some((place, ping)) = aos().await else { return };
    let module = place.get("/processes").await["processes"][0]["module"].as_str().unwrap().to_owned();
    let pong = place.spawn(module.parse().unwrap(), Tags::new().with("Name", "pong")).await;
    place.eval(pong, "Handlers.add('Ping', 'Ping', function(msg) Sender = msg.From; msg.reply({ Data = 'pong ' .. msg.Data }) end)").await;
    place
        .eval(ping, &format!("Answer = Send({{ Target = '{pong}', Action = 'Ping', Data = 'hello' }}).receive().Data"))
        .await;
    place.node.idle().await;
    assert_eq!(place.shows(ping, "return Answer").await, "pong hello");
    assert_eq!(place.shows(pong, "return Sender").await, ping.to_string());
    // A process spawns another, and learns its id.
    place.eval(ping, &format!("Child = Spawn('{module}', {{ Data = '' }}).receive().Process")).await;
    place.node.idle().await;
    let child: Id = place.shows(ping, "return Child").await.parse().unwrap();
    place.eval(ping, "Send({ Target = Child, Action = 'Eval', Data = 'Born = true' })").await;
    place.node.idle().await;
    let summary = place.get("/processes").await;
    let entry = summary["processes"].as_array().unwrap().iter().find(|entry| entry["id"] == child.to_string()).unwrap();
    assert_eq!((&entry["owner"], &entry["head"]), (&ping.to_string().into(), &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn state_survives_a_restart_and_the_loss_of_its_file() {
    let Some((mut place, process)) = aos().await else { return };
    place.eval(process, "Names = {}; Handlers.add('Add', 'Add', function(m) table.insert(Names, m.Data) end)").await;
    for name in ["a", "b"] {
        place.send(process, Tags::new().with("Action", "Add"), name).await;
    }
    place.eval(process, "error('this slot is not run again')").await;
    place = place.restart().await;
    let sql = "SELECT hex(hash) FROM node_snapshot";
    let first: String = place.stored(process, sql);
    assert_eq!(place.shows(process, "return table.concat(Names, ',') .. #Inbox").await, "a,b1");
    place.send(process, Tags::new().with("Action", "Add"), "c").await;
    place = place.restart().await;
    let second: String = place.stored(process, sql);
    assert_ne!(first, second);
    // Without its file, every message is run again from the log, to the same state to the last byte.
    let WasmPlace { config, node, .. } = place;
    node.shutdown().await;
    let folder = config.data.join("processes");
    std::fs::remove_dir_all(&folder).unwrap();
    let node = node::Node::start(config.clone()).await.unwrap();
    node.idle().await;
    node.shutdown().await;
    let path = folder.join(format!("{}.sqlite", process.to_hex()));
    let third: String = rusqlite::Connection::open(path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap();
    assert_eq!(second, third);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_processes_than_may_be_in_memory_take_turns() {
    let Some(file) = module("aos2_0_6.wasm") else { return };
    let place = WasmPlace::with(|config| config.wasm = WasmSettings { hot_max: 2, ..WasmSettings::default() }).await;
    let module = place.add(&file);
    let mut processes = Vec::new();
    for number in 0..4 {
        let process = place.spawn(module, Tags::new()).await;
        place.eval(process, &format!("N = {number}")).await;
        processes.push(process);
    }
    for round in 1..3 {
        for (process, number) in processes.iter().zip(0..) {
            assert_eq!(place.shows(*process, "N = N + 10; return N").await, (number + round * 10).to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_sends_to_itself_for_ever_stops_and_the_money_that_it_pays_then_is_not_lost() {
    let Some((place, process)) = aos().await else { return };
    let spawned = |answer: serde_json::Value| -> Id { answer["processId"].as_str().unwrap().parse().unwrap() };
    let token = spawned(place.try_spawn("token", Tags::new().with("Ticker", "TEST")).await);
    let benchmark = spawned(place.try_spawn("benchmark", Tags::new().with("Token", token.to_string())).await);
    let mint = Tags::new().with("Action", "Mint").with("Quantity", "100").with("Recipient", process.to_string());
    place.send(token, mint, "").await;
    place.eval(process, "Rounds = 0; Handlers.add('Round', 'Round', function(m) Rounds = Rounds + 1; Send({ Target = ao.id, Action = 'Round' }) end)").await;
    place.send(process, Tags::new().with("Action", "Round"), "").await;
    place.node.idle().await;
    assert_eq!(place.shows(process, "return Rounds").await, "64");
    // At every place of a chain near its end: the benchmark cannot use the money, and it comes back.
    let pay = format!(
        "Handlers.add('Pay', 'Pay', function(m) local left = tonumber(m.Steps)
           if left > 0 then Send({{ Target = ao.id, Action = 'Pay', Steps = tostring(left - 1) }}) return end
           Send({{ Target = '{token}', Action = 'Transfer', Recipient = '{benchmark}', Quantity = '10' }}) end)"
    );
    place.eval(process, &pay).await;
    let balance = async |account: Id| {
        let tags = Tags::new().with("Action", "Balance").with("Recipient", account.to_string());
        place.dry_run(token, tags, "").await["Output"]["data"].as_str().unwrap().to_owned()
    };
    for steps in 59..=64 {
        place.send(process, Tags::new().with("Action", "Pay").with("Steps", steps.to_string()), "").await;
        place.node.idle().await;
        assert_eq!([balance(process).await, balance(benchmark).await], ["100", "0"], "after {steps} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_makes_of_one_message_has_an_end() {
    let Some((place, process)) = aos().await else { return };
    let grow = "Grown = 0; Handlers.add('Grow', 'Grow', function(m) Grown = Grown + 1
        for i = 1, 10 do Send({ Target = ao.id, Action = 'Grow' }) end end)";
    place.eval(process, grow).await;
    place.send(process, Tags::new().with("Action", "Grow"), "").await;
    place.node.idle().await;
    assert_eq!(
        place.shows(process, "return Grown").await,
        "111",
        "one, ten and a hundred; a thousand send nothing more"
    );
}
