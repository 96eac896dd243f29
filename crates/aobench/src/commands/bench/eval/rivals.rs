//! The programs that are measured beside ours. Each is one that the user has installed; one that is not there, or fails, is
//! a reason and not an error.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

/// How long one program may take.
const TIME_MAX: Duration = Duration::from_hours(1);
/// Drives lm-evaluation-harness.
const SCRIPT: &str = include_str!("rivals.py");

/// What lm-evaluation-harness took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct HarnessRun {
    /// For the log-likelihood requests alone.
    pub(super) seconds: f64,
    /// Answered questions.
    pub(super) questions: usize,
    /// Programs and their versions.
    pub(super) versions: serde_json::Value,
    /// The sums for each answer of each question.
    #[serde(skip_serializing)]
    pub(super) log_likelihoods: Vec<Vec<f64>>,
}

/// Where the work of a rival lies.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) model: &'a Path,
    pub(super) threads: usize,
}

/// lm-evaluation-harness in one of the modes of the script: `hf` or `server`.
pub(super) fn harness(
    place: &Place<'_>,
    python: &Path,
    mode: &str,
    task: &str,
    limit: usize,
) -> anyhow::Result<HarnessRun> {
    let script = place.folder.join("rivals.py");
    std::fs::write(&script, SCRIPT)?;
    let mut command = Command::new(python);
    command.arg(script).arg(mode).arg(place.model).arg(place.folder).arg(task);
    command.arg(limit.to_string()).arg(place.threads.to_string());
    let output = run(command, &place.folder.join(format!("lm-eval-{mode}")))?;
    // Libraries print remarks before the result.
    let line = output.lines().rev().find(|line| line.starts_with('{')).context("it printed no result")?;
    serde_json::from_str(line).context("it printed another result than expected")
}

/// `llama-perplexity --multiple-choice`, the whole process, in seconds.
pub(super) fn perplexity(place: &Place<'_>, program: &Path, name: &str, questions: &[u8]) -> anyhow::Result<f64> {
    let file = place.folder.join(format!("{name}.bin"));
    std::fs::write(&file, questions)?;
    let mut command = Command::new(program);
    command.arg("-m").arg(place.model).arg("--multiple-choice").arg("-bf").arg(file);
    command.args(["-c", "2048", "-t"]).arg(place.threads.to_string());
    let began = Instant::now();
    let output = run(command, &place.folder.join(format!("perplexity-{name}")))?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.contains("Final result")
        && !errors(&place.folder.join(format!("perplexity-{name}"))).contains("Final result")
    {
        bail!("it ended without a result");
    }
    Ok(seconds)
}

/// Runs a program to its end; what it printed. Both its channels are kept in files named `log`.
pub(super) fn run(mut command: Command, log: &Path) -> anyhow::Result<String> {
    let program = PathBuf::from(command.get_program());
    let (out, err) = (log.with_extension("out"), log.with_extension("err"));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
    let mut child = command.spawn().with_context(|| format!("{} could not be started", program.display()))?;
    let deadline = Instant::now() + TIME_MAX;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill()?;
                child.wait()?;
                bail!("it took longer than {} s", TIME_MAX.as_secs());
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    if !status.success() {
        return Err(anyhow!("{} ended with {status}: {}", program.display(), reason(&errors(log))));
    }
    Ok(String::from_utf8_lossy(&std::fs::read(out)?).into_owned())
}

fn errors(log: &Path) -> String {
    std::fs::read(log.with_extension("err"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Why a program ended, of all that it said: the last line that names an error, because libraries that are taken down talk
/// on behind it; else the last line.
fn reason(words: &str) -> &str {
    let mut lines = words.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let named = lines.clone().find(|line| line.contains("Error:"));
    named.or_else(|| lines.next()).unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rival_that_fails_is_told_by_its_error_and_not_by_what_is_said_behind_it() {
        let words = "Traceback (most recent call last):\nValueError: no such model\n\nwandb: you can sync this run\n";
        for (words, told) in [(words, "ValueError: no such model"), ("a\n b \n\n", "b"), ("", "it said nothing")] {
            assert_eq!(reason(words), told);
        }
    }
}
