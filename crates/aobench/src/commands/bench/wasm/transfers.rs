//! Transfers of a token of aos from end to end: a signed item in through HTTP, its result out; through a node of aobench,
//! and through the local server of npm's `wao`. One client for both, in JavaScript: `compat/wao/run.mjs`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use ao::{Id, Tags};
use node::Node;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The id under which wao has its aos.
const WAO_MODULE: &str = "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s";
/// How many more transfers a node is given than wao, so that both work for about the same time: a few seconds.
const MORE: usize = 50;
/// Requests under way at one time.
const CONNECTIONS: usize = 8;

/// Transfers a second. What could not be measured is null, with the reason.
#[derive(Debug, Serialize)]
pub(super) struct Transfers {
    /// Through a node of aobench.
    pub(super) aobench_per_second: Option<f64>,
    /// Through wao.
    pub(super) wao_per_second: Option<f64>,
    /// `aobench_per_second / wao_per_second`; the goal is 50 or more.
    pub(super) ratio_wao_transfers: Option<f64>,
    /// Why wao is missing.
    pub(super) wao_absent: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    transfers: usize,
    seconds: f64,
    balance: usize,
}

/// Measures both, one after the other; `count` transfers through wao, and [`MORE`] times as many through a node.
pub(super) async fn measure(folder: &Path, module: &Path, setup: &str, count: usize) -> anyhow::Result<Transfers> {
    let absent = absent(folder);
    if absent.is_some() || count == 0 {
        let wao_absent = absent.or_else(|| Some("no transfers were asked for".to_owned()));
        return Ok(Transfers { aobench_per_second: None, wao_per_second: None, ratio_wao_transfers: None, wao_absent });
    }
    let data = super::super::temporary(None)?;
    let id = Id::new([77; 32]);
    node::wasm::add_module(data.path(), id, module, Tags::new())?;
    let mut config = node::Config::new(data.path().to_owned());
    config.listen = ([127, 0, 0, 1], 0).into();
    let node = Node::start(config).await?;
    let plan = |module: &str, transfers: usize| json!({ "module": module, "setup": setup, "transfers": transfers, "connections": CONNECTIONS });
    let mut ours = plan(&id.to_string(), count * MORE);
    if let Some(fields) = ours.as_object_mut() {
        fields.insert("url".to_owned(), json!(node.url()));
    }
    let aobench = drive(folder, &ours).await.context("transfers through a node")?;
    node.shutdown().await;
    let wao = drive(folder, &plan(WAO_MODULE, count)).await.context("transfers through wao")?;
    Ok(Transfers {
        aobench_per_second: Some(aobench),
        wao_per_second: Some(wao),
        ratio_wao_transfers: Some(aobench / wao),
        wao_absent: None,
    })
}

fn absent(folder: &Path) -> Option<String> {
    let package: PathBuf = folder.join("node_modules/wao");
    let text = || format!("{} is absent: run `npm install` in {}", package.display(), folder.display());
    (!package.is_dir()).then(text)
}

/// Runs the client; transfers a second. All of them must have come about.
async fn drive(folder: &Path, plan: &Value) -> anyhow::Result<f64> {
    let mut command = Command::new("node");
    command.arg("run.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("node cannot be run")?;
    let mut input = child.stdin.take().context("node gave no pipe")?;
    input.write_all(plan.to_string().as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("the client ended with {}; what it said is above", output.status);
    }
    let outcome: Outcome = serde_json::from_slice(&output.stdout).context("the client printed something else")?;
    if outcome.balance != outcome.transfers {
        bail!("{} transfers were sent and {} came about", outcome.transfers, outcome.balance);
    }
    Ok(outcome.transfers as f64 / outcome.seconds)
}
