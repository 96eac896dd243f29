//! AO's own llama module, a WebAssembly program under ao-loader, beside the engine here: prompt tokens a second.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use inference::llama::LlamaEngine;
use inference::{Engine as _, EngineOptions, ModelFile};

use serde::{Deserialize, Serialize};

use super::rivals::{self, Place};

/// Drives ao-loader.
const SCRIPT: &str = include_str!("ao_wasm.cjs");
/// Tokens of the prompt that both compute.
const PROMPT_TOKENS: u32 = 128;

/// What the script prints.
#[derive(Deserialize)]
struct Printed {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
    /// That the fastest message took.
    seconds: f64,
}

/// What both did.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WasmRun {
    /// Prompt tokens a second of AO's module: the best of two lengths, whole messages.
    prompt_tokens_per_second: f64,
    /// Those of the engine here: one engine of one thread for each thread. AO's module has one, and a process of AO
    /// takes one message at a time.
    ours_per_second: f64,
    /// Those of one such engine alone.
    ours_per_second_one_thread: f64,
    ratio_one_thread: f64,
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
    let printed: Printed = serde_json::from_str(line).context("it printed another result than expected")?;
    let options = EngineOptions { context_tokens: PROMPT_TOKENS, ..EngineOptions::default() };
    let mut engine = LlamaEngine::new(&options)?;
    engine.load(&ModelFile::at(model))?;
    let mut fastest = 0.0;
    for prompt in printed.prompts {
        // Its start token is computed, too.
        let tokens = engine.tokenize(&prompt.text)?.len() + 1;
        fastest = f64::max(fastest, tokens as f64 / prompt.seconds);
    }
    let ours_per_second_one_thread = super::side_by_side(model, 1, &options, false)?;
    Ok(WasmRun {
        prompt_tokens_per_second: fastest,
        ours_per_second: super::side_by_side(model, place.threads, &options, false)?,
        ours_per_second_one_thread,
        ratio_one_thread: ours_per_second_one_thread / fastest,
    })
}
