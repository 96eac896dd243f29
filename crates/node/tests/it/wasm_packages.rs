//! A process of aos with the package registry, and with the package that reaches a herder: published, installed, paid and
//! answered by messages alone.

use ao::{Id, Tags};
use serde_json::Value;

use crate::wasm_modules::module;
use crate::wasm_place::WasmPlace;

const LLAMA: &str = include_str!("../../../aobench/packages/llama-herder.lua");

/// What aos' own blueprint does: it asks the registry for its client and runs it.
const BLUEPRINT: &str = "
    Handlers.once('boot', { Action = 'APM.UpdateResponse' }, function(msg)
        load((msg.Data:gsub('%x%x', function(byte) return string.char(tonumber(byte, 16)) end)))()
        apm._version = msg.Version
    end)
    Send({ Target = REGISTRY, Action = 'APM.Update' })";

/// A process of aos with a token, a herder and a registry that it knows by global names.
struct Setting {
    place: WasmPlace,
    process: Id,
    token: Id,
    herder: Id,
}

impl Setting {
    async fn new() -> Option<Self> {
        let file = module("aos2_0_6.wasm")?;
        let place = WasmPlace::with(|_| {}).await;
        let process = place.spawn(place.add(&file), Tags::new().with("Name", "test")).await;
        let spawn = async |module: &str, tags: Tags| -> Id {
            let answer = place.try_spawn(module, tags).await;
            answer["processId"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
        };
        let token = Tags::new().with("Name", "Wrapped AR").with("Ticker", "wAR").with("Denomination", "12");
        let token = spawn("token", token).await;
        let herder = Tags::new()
            .with("Token", token.to_string())
            .with("Workers", place.wallet.address().to_string())
            .with("Fee-Per-Prompt", "1")
            .with("Fee-Per-Token", "1");
        let herder = spawn("herder", herder).await;
        let registry = spawn("packages", Tags::new()).await;
        place.eval(process, &format!("REGISTRY = '{registry}'; TOKEN = '{token}'; HERDER = '{herder}'")).await;
        let setting = Self { place, process, token, herder };
        setting.says(BLUEPRINT).await;
        Some(setting)
    }

    /// Runs Lua, and everything that comes of it.
    async fn says(&self, code: &str) {
        let result = self.place.eval(self.process, code).await;
        assert_eq!(result["Error"], Value::Null, "{code}: {result}");
        self.place.node.idle().await;
    }

    async fn shows(&self, code: &str) -> String {
        self.place.shows(self.process, code).await
    }

    async fn balance(&self, address: Id) -> String {
        let tags = Tags::new().with("Action", "Balance").with("Recipient", address.to_string());
        self.place.dry_run(self.token, tags, "").await["Output"]["data"].as_str().unwrap().to_owned()
    }

    /// The last job in the inbox of the worker.
    async fn job(&self) -> Value {
        let inbox = self.place.get(&format!("/inbox/{}", self.place.wallet.address())).await;
        let jobs = inbox["messages"].as_array().unwrap().iter();
        jobs.rev().find(|message| tag(message, "Action") == "Inference").unwrap_or_else(|| panic!("{inbox}")).clone()
    }
}

fn tag<'a>(message: &'a Value, name: &str) -> &'a str {
    let tags = message["tags"].as_array().unwrap().iter();
    tags.filter(|tag| tag["name"] == name).find_map(|tag| tag["value"].as_str()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_published_installed_and_required() {
    let Some(setting) = Setting::new().await else { return };
    assert_eq!(setting.shows("return tostring(APM.ID == REGISTRY) .. tostring(apm == APM)").await, "truetrue");
    setting
        .says(
            "APM.publish({ name = '@me/base', version = '0.1.0', source = 'return { two = 2 }', description = 'two' })",
        )
        .await;
    setting
        .says(
            "APM.publish({ name = '@me/tool', version = '1.0.0', description = 'adds', \
             dependencies = { ['@me/base'] = { version = '0.1.0' } }, \
             source = 'return { add = function(a) return a + require(\"@me/base\").two end }' })",
        )
        .await;
    setting.says("APM.install('@me/tool')").await;
    setting.place.node.idle().await;
    assert_eq!(setting.shows("return require('@me/tool').add(40)").await, "42");
    assert_eq!(setting.shows("return APM.installed['@me/tool'] .. APM.installed['@me/base']").await, "1.0.00.1.0");
    // What the registry prints of a search is a message of its own with an output that aos shows.
    setting.says("APM.search('ADDS'); APM.info('@me/tool'); APM.list(); APM.popular(); APM.install('@me/none')").await;
    let results = setting.place.get(&format!("/results/{}?sort=DESC&limit=12", setting.process)).await.to_string();
    for shown in ["@me/tool@1.0.0  adds  (1 installs)", "there is no package '@me/none' here", "versions    1.0.0"] {
        assert!(results.contains(shown), "{shown}: {results}");
    }
    setting.says("APM.uninstall('@me/tool')").await;
    assert_eq!(setting.shows("return tostring(pcall(require, '@me/tool'))").await, "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_pays_for_a_prompt_and_its_callback_gets_the_answer() {
    let Some(setting) = Setting::new().await else { return };
    let (place, worker) = (&setting.place, setting.place.wallet.address());
    setting
        .says(&format!("APM.publish({{ name = '@sam/Llama-Herder', version = '1.0.3', source = [=[{LLAMA}]=] }})"))
        .await;
    setting.says("APM.install('@sam/Llama-Herder')").await;
    setting
        .says(
            "Llama = require('@sam/Llama-Herder'); Llama.token = TOKEN; Llama.herder = HERDER; Failed = {}; \
               Llama.onError = function(reason, reference) Failed[reference] = reason end",
        )
        .await;
    let ask = "Llama.run('What is the meaning of life?', 10, function(text) Answer = text end)";
    // No money: the token says so.
    setting.says(ask).await;
    assert_eq!(setting.shows("return Failed['1']").await, "the token refused the fee: Insufficient Balance!");

    let mint = Tags::new().with("Action", "Mint").with("Quantity", "100");
    place.send(setting.token, mint, "").await;
    let give = Tags::new().with("Action", "Transfer").with("Quantity", "50");
    place.send(setting.token, give.with("Recipient", setting.process.to_string()), "").await;
    place.send(setting.herder, Tags::new().with("Action", "Register-Worker"), "").await;
    setting.says(ask).await;
    let job = setting.job().await;
    assert_eq!((job["data"].as_str(), tag(&job, "Tokens")), (Some("What is the meaning of life?"), "10"));
    assert_eq!(setting.balance(setting.process).await, "39", "a prompt and ten tokens cost 11");
    let answer = Tags::new()
        .with("Action", "Inference-Response")
        .with("Job", tag(&job, "Job"))
        .with("Attempt", tag(&job, "Attempt"));
    place.send(setting.herder, answer, "42").await;
    place.node.idle().await;
    assert_eq!(setting.shows("return Answer").await, "42");
    assert_eq!(setting.balance(worker).await, "61", "the worker has the fee");

    // What cannot be answered is paid back.
    setting.says("Llama.run('x', 5, nil, { WorkerType = 'Painter', Fee = 20 })").await;
    assert!(setting.shows("return Failed['3']").await.contains("the kinds of work are"));
    assert_eq!(setting.balance(setting.process).await, "39");
    assert_eq!(setting.shows("return Llama.prices.base + Llama.prices.token").await, "2");
}
