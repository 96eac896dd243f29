//! What an evaluation leaves behind: the table, `results_*.json` and `samples_*.jsonl` of lm-evaluation-harness, with the
//! same names, keys and hashes, so that what reads its results reads these.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ao::sha256;
use serde_json::{Map, Value, json};
use tasks::harness::{Aggregate, python_text};

/// Everything about one task that was evaluated on one model.
pub(super) struct TaskReport {
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) version: Value,
    pub(super) num_fewshot: usize,
    pub(super) original: usize,
    pub(super) effective: usize,
    pub(super) protocol: String,
    /// Its entry under `results`.
    pub(super) entry: Value,
    pub(super) aggregates: Vec<Aggregate>,
    /// One object for each document and filter pipeline, as `samples_*.jsonl` has them.
    pub(super) samples: Vec<Value>,
    pub(super) seconds: f64,
}

/// What the whole evaluation of a model was.
pub(super) struct RunFacts {
    pub(super) model: String,
    pub(super) file_hash: String,
    pub(super) limit: Option<usize>,
    pub(super) batch: String,
    pub(super) seed: u64,
    pub(super) resamples: usize,
    pub(super) system_instruction: String,
    pub(super) engine: inference::Description,
    pub(super) loaded: inference::LoadedModel,
    /// `gguf` or `openai`.
    pub(super) model_source: &'static str,
    /// Milliseconds since 1970.
    pub(super) began_ms: u64,
    pub(super) seconds: f64,
}

fn hash(text: &str) -> String {
    sha256(text.as_bytes()).to_hex()
}

/// The object of `results_*.json`.
pub(super) fn results(facts: &RunFacts, tasks: &[TaskReport]) -> Value {
    let each = |value: &dyn Fn(&TaskReport) -> Value| -> Value {
        tasks.iter().map(|task| (task.name.clone(), value(task))).collect::<Map<_, _>>().into()
    };
    let hashes = |task: &TaskReport| {
        let parts = ["doc_hash", "prompt_hash", "target_hash"];
        let all: String = task
            .samples
            .iter()
            .flat_map(|sample| parts.map(|part| sample[part].as_str().unwrap_or_default()))
            .collect();
        json!(hash(&all))
    };
    let has_system = !facts.system_instruction.is_empty();
    json!({
        "results": each(&|task| task.entry.clone()),
        "group_subtasks": each(&|_| json!([])),
        "configs": each(&|task| json!({ "task": task.name, "num_fewshot": task.num_fewshot, "metadata": { "version": task.version } })),
        "versions": each(&|task| task.version.clone()),
        "n-shot": each(&|task| json!(task.num_fewshot)),
        "higher_is_better": each(&|task| {
            task.aggregates.iter().map(|one| (one.metric.name().to_owned(), json!(one.higher_is_better))).collect::<Map<_, _>>().into()
        }),
        "n-samples": each(&|task| json!({ "original": task.original, "effective": task.effective })),
        "config": {
            "model": "aobench",
            "model_args": format!("model={}", facts.model),
            "model_sha": facts.file_hash,
            "model_num_parameters": facts.loaded.parameters,
            "batch_size": facts.batch,
            "batch_sizes": [],
            "device": "cpu",
            "use_cache": null,
            "limit": facts.limit,
            "bootstrap_iters": facts.resamples,
            "gen_kwargs": null,
            "fewshot_seed": facts.seed,
        },
        "git_hash": null,
        "date": facts.began_ms as f64 / 1000.0,
        "lm_eval_version": null,
        "task_hashes": each(&hashes),
        "model_source": facts.model_source,
        "model_name": facts.model,
        "model_name_sanitized": sanitized(&facts.model),
        "system_instruction": has_system.then_some(&facts.system_instruction),
        "system_instruction_sha": has_system.then(|| hash(&facts.system_instruction)),
        "chat_template": null,
        "chat_template_sha": null,
        "total_evaluation_time_seconds": facts.seconds.to_string(),
        "aobench": {
            "version": env!("CARGO_PKG_VERSION"),
            "engine": facts.engine,
            "model": facts.loaded,
            "protocols": each(&|task| json!(task.protocol)),
            "seconds": each(&|task| json!(task.seconds)),
        },
    })
}

/// A name that every file system takes, by the rule of lm-evaluation-harness.
pub(super) fn sanitized(name: &str) -> String {
    let mut clean = String::new();
    let mut replaced = false;
    for character in name.chars() {
        let bad = "\"<>:/|\\?*[]".contains(character);
        if !bad {
            clean.push(character);
        } else if !replaced {
            clean.push_str("__");
        }
        replaced = bad;
    }
    clean
}

/// Writes the files; where the results are.
pub(super) fn write(
    folder: &Path,
    results: &Value,
    tasks: &[TaskReport],
    began_ms: u64,
    with_samples: bool,
) -> anyhow::Result<PathBuf> {
    let date = date_id(began_ms);
    let failed = || format!("the results cannot be written to {}", folder.display());
    if with_samples {
        for task in tasks {
            let path = folder.join(format!("samples_{}_{date}.jsonl", sanitized(&task.name)));
            let mut file = std::io::BufWriter::new(std::fs::File::create(path).with_context(failed)?);
            for sample in &task.samples {
                serde_json::to_writer(&mut file, sample)?;
                file.write_all(b"\n").with_context(failed)?;
            }
            file.flush().with_context(failed)?;
        }
    }
    let path = folder.join(format!("results_{date}.json"));
    std::fs::write(&path, serde_json::to_string_pretty(results)?).with_context(failed)?;
    Ok(path)
}

/// A time as it stands in file names.
fn date_id(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.map_or_else(|| milliseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H-%M-%S.%6f").to_string())
}

/// The table of lm-evaluation-harness.
pub(super) fn markdown(tasks: &[TaskReport]) -> String {
    const HEAD: [&str; 9] = ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];
    const RIGHT: [bool; 9] = [false, true, false, true, false, false, true, false, true];
    let mut rows: Vec<[String; 9]> = Vec::new();
    for task in tasks {
        for (place, aggregate) in task.aggregates.iter().enumerate() {
            let first = place == 0;
            rows.push([
                if first { task.alias.clone() } else { String::new() },
                if first { python_text(&task.version) } else { String::new() },
                aggregate.filter.clone(),
                task.num_fewshot.to_string(),
                aggregate.metric.name().to_owned(),
                if aggregate.higher_is_better { "↑" } else { "↓" }.to_owned(),
                format!("{:.4}", aggregate.value),
                "±".to_owned(),
                aggregate.standard_error.map_or_else(|| "N/A".to_owned(), |error| format!("{error:.4}")),
            ]);
        }
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count()).chain([HEAD[column].chars().count()]);
        // Three dashes, or two and a colon, are the least that makes a column.
        cells.max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |cells: [&str; 9]| {
        let padded = cells.iter().zip(&widths).zip(RIGHT).map(|((cell, width), right)| {
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            if right { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rule = widths
        .iter()
        .zip(RIGHT)
        .map(|(width, right)| if right { format!("{}:", "-".repeat(width - 1)) } else { "-".repeat(*width) });
    let mut table = line(HEAD) + &format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    for row in &rows {
        table.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_are_those_of_the_harness() {
        assert_eq!(sanitized("models/social-4.gguf"), "models__social-4.gguf");
        assert_eq!(sanitized("http://a:1/b"), "http__a__1__b");
    }

    #[test]
    fn a_date_sorts_as_text() {
        assert_eq!(date_id(1_700_000_000_123), "2023-11-14T22-13-20.123000");
    }
}
