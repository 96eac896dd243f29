//! AO's own llama module, a WebAssembly program under ao-loader, beside the engine here: prompt tokens a second.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::Serialize;

use super::rivals::{self, Place};

/// Drives ao-loader.
const SCRIPT: &str = include_str!("ao_wasm.cjs");
/// Tokens of the prompt that both compute.
const PROMPT_TOKENS: u32 = 128;
/// Seconds that our engine is measured.
const SECONDS: f64 = 1.0;

/// What both did.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WasmRun {
    /// Prompt tokens a second of AO's module, in the best of some messages.
    prompt_tokens_per_second: f64,
    /// Those of one thread of the engine here.
    ours_per_second: f64,
}

impl WasmRun {
    pub(super) fn ratio(&self) -> f64 {
        self.ours_per_second / self.prompt_tokens_per_second
    }
}

pub(super) fn measure(place: &Place<'_>, module: &Path, packages: &Path, model: &Path) -> anyhow::Result<WasmRun> {
    let script = place.folder.join("ao_wasm.cjs");
    std::fs::write(&script, SCRIPT)?;
    let mut command = Command::new("node");
    command.args(["--experimental-wasm-memory64", "--no-warnings"]).arg(script).arg(module).arg(model);
    command.env("NODE_PATH", packages);
    let printed = rivals::run(command, &place.folder.join("ao-wasm"))?;
    let line = printed.lines().rev().find(|line| line.starts_with('{')).context("it printed no result")?;
    let printed: serde_json::Value = serde_json::from_str(line)?;
    let prompt_tokens_per_second = printed["prompt_tokens_per_second"].as_f64().context("it printed no rate")?;
    let ours_per_second = inference::llama::prompt_tokens_per_second(model, 1, PROMPT_TOKENS, SECONDS)?;
    Ok(WasmRun { prompt_tokens_per_second, ours_per_second })
}
