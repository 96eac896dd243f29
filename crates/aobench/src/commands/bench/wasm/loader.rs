//! AO's own host of modules, npm's `@permaweb/ao-loader`, as a process that is spoken to by lines of JSON: see
//! `compat/loader/run.mjs`.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// A running loader with one process of a module.
pub(super) struct Loader {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// What the loader made of a message.
#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    /// How long the loader took, without the pipe.
    pub milliseconds: f64,
    /// `Output`, `Messages`, `Spawns`, `Assignments`, `Error`.
    pub answer: Value,
}

#[derive(Deserialize)]
struct Answers {
    answers: Vec<Answered>,
}

/// Why there is no loader here, if there is none.
pub(super) fn absent(folder: &Path) -> Option<String> {
    let package = folder.join("node_modules/@permaweb/ao-loader");
    if !package.is_dir() {
        return Some(format!("{} is absent: run `npm ci` in {}", package.display(), folder.display()));
    }
    let version = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.err().map(|error| format!("node cannot be run: {error}"))
}

impl Loader {
    /// Starts it with a process of the module. Hot, it keeps its memory between messages; else it copies all of it in and
    /// out, as it does by itself.
    pub(super) fn start(folder: &Path, module: &Path, environment: &str, hot: bool) -> anyhow::Result<Self> {
        let module = module.canonicalize()?;
        let narrow = !is_wide(&std::fs::read(&module)?);
        let format = if narrow { "wasm32-unknown-emscripten4" } else { "wasm64-unknown-emscripten-draft_2024_02_15" };
        let mut command = Command::new("node");
        command.args(["--experimental-wasm-memory64", "--no-warnings", "run.mjs"]).current_dir(folder).env("TZ", "UTC");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("node cannot be run")?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).context("node gave no pipe")?;
        let mut loader = Self { child, input, output: BufReader::new(output).lines() };
        loader.say(&json!({ "module": module, "format": format, "environment": environment, "hot": hot }))?;
        Ok(loader)
    }

    /// Lets it handle messages, in order.
    pub(super) fn handle(&mut self, messages: &[String]) -> anyhow::Result<Vec<Answered>> {
        self.say(&json!({ "messages": messages }))?;
        let Some(line) = self.output.next() else { bail!("the loader ended; what it said is above") };
        let answers: Answers = serde_json::from_str(&line?).context("the loader answered with something else")?;
        Ok(answers.answers)
    }

    fn say(&mut self, value: &Value) -> anyhow::Result<()> {
        writeln!(self.input, "{value}").and_then(|()| self.input.flush()).context("the loader does not listen")
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // It has nothing that could be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the memory of a module has addresses of 64 bits.
fn is_wide(module: &[u8]) -> bool {
    node::wasm::default_format(module).starts_with("wasm64")
}
