//! What an evaluation leaves behind: the table, `results_*.json` and `samples_*.jsonl` of lm-evaluation-harness, with the
//! same names, keys and hashes, so that what reads its results reads these.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ao::sha256;
use serde_json::{Map, Value, json};
use tasks::harness::{Aggregate, python_text};

use super::groups::{self, FoundGroup, Total};

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
    /// Documents whose likeliest choices are equally likely, so that the first of them was a guess.
    pub(super) ties: usize,
    pub(super) seconds: f64,
}

/// A group over the tasks that were evaluated.
pub(super) struct GroupReport {
    pub(super) group: FoundGroup,
    pub(super) totals: Vec<Total>,
    /// Documents of all its tasks.
    documents: usize,
}

impl GroupReport {
    /// What the tasks of each group come to.
    pub(super) fn all(found: &[FoundGroup], tasks: &[TaskReport]) -> Vec<Self> {
        let results = tasks.iter().map(|task| (task.name.as_str(), task.aggregates.as_slice())).collect();
        let report = |group: &FoundGroup| {
            let members = groups::tasks_of(group, found, 0);
            let of_group = tasks.iter().filter(|task| members.contains(&task.name.as_str()));
            let documents = of_group.map(|task| task.effective).sum();
            Self { group: group.clone(), totals: groups::totals(group, found, &results), documents }
        };
        found.iter().map(report).collect()
    }

    fn entry(&self) -> Value {
        groups::entry(&self.group, &self.totals, self.documents)
    }
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
    /// The chat template, and whether each example was a question and an answer of its own.
    pub(super) chat_template: Option<(String, bool)>,
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
pub(super) fn results(facts: &RunFacts, tasks: &[TaskReport], groups: &[GroupReport]) -> Value {
    let mut results = of_tasks(facts, tasks);
    if groups.is_empty() {
        return results;
    }
    let mut add = |key: &str, value: &dyn Fn(&GroupReport) -> Value| {
        for report in groups {
            results[key][&report.group.name] = value(report);
        }
    };
    add("results", &GroupReport::entry);
    add("groups", &GroupReport::entry);
    add("group_subtasks", &|report| json!(report.group.members));
    add("versions", &|report| report.group.version.clone());
    add("higher_is_better", &|report| {
        report
            .totals
            .iter()
            .map(|total| (total.metric.clone(), json!(total.higher_is_better)))
            .collect::<Map<_, _>>()
            .into()
    });
    results
}

fn of_tasks(facts: &RunFacts, tasks: &[TaskReport]) -> Value {
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
        "group_subtasks": {},
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
        "chat_template": facts.chat_template.as_ref().map(|(template, _)| template),
        "chat_template_sha": facts.chat_template.as_ref().map(|(template, _)| hash(template)),
        "fewshot_as_multiturn": facts.chat_template.as_ref().map(|(_, multiturn)| multiturn),
        "total_evaluation_time_seconds": facts.seconds.to_string(),
        "aobench": {
            "version": env!("CARGO_PKG_VERSION"),
            "engine": facts.engine,
            "model": facts.loaded,
            "protocols": each(&|task| json!(task.protocol)),
            "ties": each(&|task| json!(task.ties)),
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

/// A line of the table before it is laid out.
struct Line<'r> {
    metric: &'r str,
    filter: &'r str,
    value: f64,
    error: Option<f64>,
    higher_is_better: bool,
}

impl<'r> From<&'r Aggregate> for Line<'r> {
    fn from(one: &'r Aggregate) -> Self {
        let (value, error, higher_is_better) = (one.value, one.standard_error, one.higher_is_better);
        Self { metric: one.metric.name(), filter: &one.filter, value, error, higher_is_better }
    }
}

impl<'r> From<&'r Total> for Line<'r> {
    fn from(total: &'r Total) -> Self {
        let (value, error) = (total.result.value, total.result.standard_error);
        let higher_is_better = total.higher_is_better;
        Self { metric: &total.metric, filter: &total.filter, value, error, higher_is_better }
    }
}

/// The table of lm-evaluation-harness, and behind it that of its groups.
pub(super) fn markdown(tasks: &[TaskReport], reports: &[GroupReport]) -> String {
    let groups: Vec<FoundGroup> = reports.iter().map(|report| report.group.clone()).collect();
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let (mut all, mut of_groups) = (Vec::new(), Vec::new());
    for (name, depth) in groups::order(&groups, &names) {
        let indented =
            |alias: &str| if depth == 0 { alias.to_owned() } else { format!("{}- {alias}", " ".repeat(depth)) };
        if let Some(task) = tasks.iter().find(|task| task.name == name) {
            let lines = task.aggregates.iter().map(Line::from).collect();
            rows(&mut all, &indented(&task.alias), &task.version, &task.num_fewshot.to_string(), lines);
        } else if let Some(report) = reports.iter().find(|report| report.group.name == name) {
            let lines = || report.totals.iter().map(Line::from).collect();
            rows(&mut all, &indented(&report.group.alias), &report.group.version, "", lines());
            rows(&mut of_groups, &indented(&report.group.alias), &report.group.version, "", lines());
        }
    }
    let mut text = laid_out("Tasks", &all);
    if !of_groups.is_empty() {
        text.push('\n');
        text.push_str(&laid_out("Groups", &of_groups));
    }
    text
}

fn rows(rows: &mut Vec<[String; 9]>, name: &str, version: &Value, shots: &str, mut lines: Vec<Line<'_>>) {
    lines.sort_by_key(|line| format!("{},{}", line.metric, line.filter));
    for (place, line) in lines.iter().enumerate() {
        let first = |text: &str| if place == 0 { text.to_owned() } else { String::new() };
        rows.push([
            first(name),
            first(&python_text(version)),
            line.filter.to_owned(),
            shots.to_owned(),
            line.metric.to_owned(),
            if line.higher_is_better { "↑" } else { "↓" }.to_owned(),
            format!("{:.4}", line.value),
            "±".to_owned(),
            line.error.map_or_else(|| "   N/A".to_owned(), |error| format!("{error:.4}")),
        ]);
    }
}

/// Rows as a table of Markdown, laid out as the writer of tables does that is used there.
fn laid_out(what: &str, rows: &[[String; 9]]) -> String {
    let head = [what, "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];
    let columns: Vec<(Vec<String>, bool)> =
        (0..head.len()).map(|column| as_numbers(rows.iter().map(|row| row[column].as_str()).collect())).collect();
    let width = |(head, (cells, _)): (&&str, &(Vec<String>, bool))| {
        let cells = cells.iter().map(|cell| cell.chars().count());
        // Three dashes, or two and a colon, are the least that makes a column.
        cells.chain([head.chars().count()]).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = head.iter().zip(&columns).map(width).collect();
    let titles: Vec<String> = head.iter().zip(&widths).map(|(title, width)| format!("{title:^width$}")).collect();
    let rule = widths.iter().zip(&columns).map(|(width, (_, is_number))| {
        if *is_number { format!("{}:", "-".repeat(width - 1)) } else { "-".repeat(*width) }
    });
    let mut lines = vec![titles.join("|"), rule.collect::<Vec<_>>().join("|")];
    for row in 0..rows.len() {
        let cells = columns.iter().zip(&widths).map(|((cells, is_number), width)| {
            let cell = cells.get(row).map_or("", String::as_str);
            if *is_number || cell.parse::<f64>().is_ok() {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        lines.push(cells.collect::<Vec<_>>().join("|"));
    }
    format!("|{}|\n", lines.join("|\n|"))
}

/// The cells of a column, and whether it is one of numbers: then all have the decimals that one of them needs, and
/// otherwise each number its own.
fn as_numbers(cells: Vec<&str>) -> (Vec<String>, bool) {
    let is_number = |cell: &str| cell.parse::<f64>().is_ok();
    let is_numbers =
        cells.iter().any(|cell| is_number(cell)) && cells.iter().all(|cell| cell.is_empty() || is_number(cell));
    let decimals = |cell: &str| cell.split_once('.').map_or(0, |(_, decimals)| decimals.trim_end_matches('0').len());
    let most = cells.iter().map(|cell| decimals(cell)).max().unwrap_or_default();
    let shown = |cell: &str| match cell.parse::<f64>() {
        Ok(number) if number.is_nan() => "NaN".to_owned(),
        Ok(number) => format!("{number:.0$}", if is_numbers { most } else { decimals(cell) }),
        Err(_) => cell.to_owned(),
    };
    (cells.into_iter().map(shown).collect(), is_numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasks::harness::Metric;

    fn report(name: &str, member: &Value, shots: &Value) -> TaskReport {
        let metrics = [Metric::Acc, Metric::AccNorm].into_iter().filter_map(|metric| {
            Some(Aggregate {
                metric,
                filter: "none".to_owned(),
                value: member[format!("{metric},none")].as_f64()?,
                standard_error: member[format!("{metric}_stderr,none")].as_f64(),
                higher_is_better: true,
                documents: member["sample_len"].as_u64()? as usize,
            })
        });
        TaskReport {
            name: name.to_owned(),
            alias: name.to_owned(),
            version: json!(1.0),
            num_fewshot: shots.as_u64().unwrap() as usize,
            original: 0,
            effective: member["sample_len"].as_u64().unwrap() as usize,
            protocol: String::new(),
            entry: member.clone(),
            aggregates: metrics.collect(),
            samples: Vec::new(),
            ties: 0,
            seconds: 0.0,
        }
    }

    #[test]
    fn tables_and_totals_of_groups_are_those_of_the_harness() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compat/lm_eval");
        let vectors: Value = serde_json::from_slice(&std::fs::read(folder.join("vectors.json")).unwrap()).unwrap();
        for (name, vector) in vectors["groups"].as_object().unwrap() {
            let path = folder.join("tasks").join(vector["file"].as_str().unwrap());
            let found = super::super::source::find(path.to_str().unwrap()).unwrap();
            let members = vector["members"].as_object().unwrap();
            let names: Vec<&str> = found.tasks.iter().map(|task| task.name.as_str()).collect();
            let tasks: Vec<TaskReport> =
                names.iter().map(|name| report(name, &members[*name], &vector["n-shot"][*name])).collect();
            let groups = GroupReport::all(&found.groups, &tasks);
            assert_eq!(markdown(&tasks, &groups), vector["table"].as_str().unwrap(), "{name}");
            let (own, other) = (groups[0].entry(), &vector["results"]);
            assert_eq!(own.as_object().unwrap().len(), other.as_object().unwrap().len(), "{own} and {other}");
            for (key, value) in own.as_object().unwrap() {
                let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
                let same = value.as_f64().zip(other[key].as_f64()).map_or(*value == other[key], |(a, b)| close(a, b));
                assert!(same, "{name}: {key} is {value} and {}", other[key]);
            }
        }
    }

    #[test]
    fn a_table_is_laid_out_as_the_harness_lays_it_out() {
        let row = |cells: [&str; 9]| cells.map(str::to_owned);
        let rows = [
            row(["a", "1.0", "none", "0", "acc", "↑", "0.5500", "±", "0.0010"]),
            row(["bleu", "2.5", "none", "0", "bleu", "↑", "12.1000", "±", "   N/A"]),
        ];
        assert_eq!(
            laid_out("Tasks", &rows),
            "|Tasks|Version|Filter|n-shot|Metric|   |Value|   |Stderr|\n\
             |-----|------:|------|-----:|------|---|----:|---|------|\n\
             |a    |    1.0|none  |     0|acc   |↑  | 0.55|±  | 0.001|\n\
             |bleu |    2.5|none  |     0|bleu  |↑  |12.10|±  |   N/A|\n"
        );
    }

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
