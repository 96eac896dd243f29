//! A message and its process as AO's modules are given them: JSON with the keys of AO's compute unit.

use std::borrow::Cow;

use ao::{Id, Message, MessageKind, Tags};
use processes::Env;
use serde::Serialize;
use serde_json::{Value, json};

use super::crons::{self, Cron};

/// Tags that would speak for the sender; the node has decided who that is.
const STRIPPED: [&str; 2] = ["From", "Owner"];

/// What a process knows of itself and its module.
pub(super) fn environment(env: &Env, module: &Id, owner: &Id, tags: &Tags) -> String {
    let mut process = env.tags.clone();
    // What this node signs for a process of its own is to be trusted as what an authority signs.
    if !process.all("Authority").any(|authority| authority.contains(&env.node.to_string())) {
        process.push("Authority", env.node.to_string());
    }
    json!({
        "Process": { "Id": env.process, "Owner": env.owner, "Tags": process },
        "Module": { "Id": module, "Owner": owner, "Tags": tags },
    })
    .to_string()
}

/// A message.
pub(super) fn message(message: &Message, env: &Env, crons: &[Cron]) -> String {
    if message.kind == MessageKind::Cron {
        return tick(message, env, crons).to_string();
    }
    let mut tags: Tags =
        message.tags.iter().filter(|tag| !STRIPPED.iter().any(|name| tag.is_named(name))).cloned().collect();
    let is_spawn = message.kind == MessageKind::Spawn;
    let mut lacking = |name: &str, value: &str| {
        if tags.get(name).is_none() {
            tags.push(name, value);
        }
    };
    lacking("Data-Protocol", "ao");
    lacking("Variant", "ao.TN.1");
    lacking("Type", if is_spawn { "Process" } else { "Message" });
    let mut from = message.from;
    // A process that another has spawned is told so as well.
    if message.kind == MessageKind::Pushed || (is_spawn && message.pushed_for != message.id) {
        // A parent waits for the news of its child from itself: AO's messenger unit sends it in the parent's name.
        if message.from == env.node && message.action() == "Spawned" {
            from = env.process;
        }
        lacking("From-Process", &from.to_string());
        lacking("Pushed-For", &message.pushed_for.to_string());
    }
    let owner = if from == message.from { message.owner } else { from };
    let given = Given {
        id: message.id,
        signature: "",
        data: String::from_utf8_lossy(&message.data),
        owner,
        anchor: &message.anchor,
        from,
        tags,
        target: message.target,
        epoch: 0,
        nonce: message.slot,
        timestamp: message.timestamp_ms,
        block_height: message.block_height,
        hash_chain: "",
        cron: false,
        forwarded_by: (owner != from).then_some(owner),
        read_only: message.read_only,
    };
    // A struct of texts and numbers always becomes JSON.
    serde_json::to_string(&given).unwrap_or_default()
}

/// A message as a module is given it. The order of the fields is that in which Lua puts them into its tables, so that it
/// stays as it is.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Given<'a> {
    id: Id,
    signature: &'static str,
    data: Cow<'a, str>,
    owner: Id,
    anchor: &'a str,
    from: Id,
    tags: Tags,
    target: Id,
    epoch: u64,
    nonce: u64,
    timestamp: u64,
    #[serde(rename = "Block-Height")]
    block_height: u64,
    #[serde(rename = "Hash-Chain")]
    hash_chain: &'static str,
    cron: bool,
    #[serde(rename = "Forwarded-By", skip_serializing_if = "Option::is_none")]
    forwarded_by: Option<Id>,
    #[serde(rename = "Read-Only", skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
}

/// A tick comes from the owner of the process, with the tags of its clock and nothing else.
fn tick(message: &Message, env: &Env, crons: &[Cron]) -> Value {
    let tags = crons::tags_of(crons, message.action()).cloned().unwrap_or_else(|| message.tags.clone());
    json!({
        "Id": message.id,
        "Owner": env.owner,
        "From": env.owner,
        "Target": message.target,
        "Tags": tags,
        "Data": "",
        "Epoch": 0,
        "Nonce": message.slot,
        "Timestamp": message.timestamp_ms,
        "Block-Height": message.block_height,
        "Cron": true,
    })
}
