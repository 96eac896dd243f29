//! Where an evaluation takes its task files and its documents from: this machine's disk.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use ao::sha256;
use tasks::Question;
use tasks::harness::{self, File, Splits, Task};

use super::groups::{self, FoundGroup};
use crate::demo::assets;

/// Bytes of a task file: real ones have a few kilobytes.
const TASK_FILE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of a file with documents.
const DATA_FILE_BYTES_MAX: u64 = 4 << 30;
/// The name of the shipped task with its shipped, synthetic questions.
const DEMO: &str = "demo";

/// A task that was found.
pub(crate) struct FoundTask {
    /// The task.
    pub(crate) task: Task,
    /// Its name.
    pub(crate) name: String,
    /// The documents that come with it.
    own_data: Option<&'static str>,
}

/// A file beside or below a task file.
fn on_disk(path: &str) -> Option<String> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > TASK_FILE_BYTES_MAX {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// The same, and for what is not there a built-in task file of that name.
pub(super) fn task_file(path: &str) -> Option<String> {
    on_disk(path).or_else(|| tasks::builtin::file(path.rsplit('/').next()?))
}

/// What a name or a path stands for: a task, or all tasks of a group.
pub(crate) struct Found {
    /// The tasks.
    pub(crate) tasks: Vec<FoundTask>,
    /// The groups they are in.
    pub(crate) groups: Vec<FoundGroup>,
}

/// The task of a name or a path; all of its tasks if it is of a group.
pub(crate) fn find(name: &str) -> anyhow::Result<Found> {
    if let Ok(text) = tasks::built_in(name) {
        let task = Task::from_yaml(text, name, &tasks::builtin::file).with_context(|| format!("the task '{name}'"))?;
        let own_data = (name == DEMO).then_some(assets::QUESTIONS);
        let tasks = vec![FoundTask { task, name: name.to_owned(), own_data }];
        return Ok(Found { tasks, groups: Vec::new() });
    }
    if !Path::new(name).is_file() {
        return Err(no_task(name));
    }
    match harness::load(name, &task_file).with_context(|| format!("the task file {name}"))? {
        File::Task(config) => Ok(Found { tasks: vec![found(config)?], groups: Vec::new() }),
        File::Group(group) => {
            let folder = Path::new(name).parent().unwrap_or(Path::new(""));
            let (tasks, groups) = groups::of(&group, folder)?;
            Ok(Found { tasks, groups })
        }
    }
}

pub(super) fn found(config: harness::Config) -> anyhow::Result<FoundTask> {
    let name = config.task.clone();
    let task = Task::new(config).with_context(|| format!("the task '{name}'"))?;
    Ok(FoundTask { task, name, own_data: None })
}

/// The task file of a name or a path with all that it includes, as one text: what a dataset process is told.
pub(crate) fn whole_task(name: &str) -> anyhow::Result<String> {
    if tasks::builtin::names().any(|known| known == name) {
        return Ok(tasks::built_in(name)?.to_owned());
    }
    if !Path::new(name).is_file() {
        return Err(no_task(name));
    }
    harness::whole(name, &task_file).with_context(|| format!("the task file {name}"))
}

fn no_task(name: &str) -> anyhow::Error {
    anyhow!(
        "there is no task file '{name}'; name a YAML file of lm-evaluation-harness, or one of the built-in tasks {}",
        tasks::builtin::names().collect::<Vec<_>>().join(", ")
    )
}

/// The rows of a file of questions.
pub(crate) fn questions(path: &Path) -> anyhow::Result<Vec<Question>> {
    let path = path.display().to_string();
    let bytes = read(&path)?;
    rows(&path, &bytes).with_context(|| format!("the questions in {path}"))
}

/// Whether files of this kind hold questions.
pub(crate) fn is_kind_of_questions(extension: &OsStr) -> bool {
    ["jsonl", "json", "ndjson", "csv", "tsv"].iter().any(|kind| extension == *kind)
}

/// `--data`: a file, or `SPLIT=FILE`, or `TASK/SPLIT=FILE`.
#[derive(Debug, Clone)]
pub(crate) struct DataArgument {
    task: Option<String>,
    split: Option<String>,
    path: String,
}

impl std::str::FromStr for DataArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if Path::new(text).exists() {
            return Ok(Self { task: None, split: None, path: text.to_owned() });
        }
        let Some((key, path)) = text.split_once('=') else {
            return Err("there is no such file; write FILE, SPLIT=FILE or TASK/SPLIT=FILE".to_owned());
        };
        let (task, split) = match key.rsplit_once('/') {
            Some((task, split)) => (Some(task.to_owned()), split.to_owned()),
            None => (None, key.to_owned()),
        };
        Ok(Self { task, split: Some(split), path: path.to_owned() })
    }
}

/// The rows of the splits that a task needs, and the SHA-256 over the files they are from.
pub(crate) fn documents(found: &FoundTask, data: &[DataArgument]) -> anyhow::Result<(Splits, String)> {
    let config = found.task.config();
    let evaluated = config
        .evaluated_split()
        .ok_or_else(|| anyhow!("the task '{}' names neither a test_split nor a validation_split", found.name))?;
    let mut splits = Splits::new();
    let mut bytes_hashed = Vec::new();
    for argument in data.iter().filter(|argument| argument.task.as_ref().is_none_or(|task| *task == found.name)) {
        let split = argument.split.as_deref().unwrap_or(evaluated);
        let bytes = read(&argument.path)?;
        bytes_hashed.extend_from_slice(sha256(&bytes).as_bytes());
        let rows = rows(&argument.path, &bytes).with_context(|| format!("the documents in {}", argument.path))?;
        splits.entry(split.to_owned()).or_default().extend(rows);
    }
    if let (true, Some(own)) = (splits.is_empty(), found.own_data) {
        bytes_hashed.extend_from_slice(sha256(own.as_bytes()).as_bytes());
        splits.insert(evaluated.to_owned(), Question::all_from(own.as_bytes())?);
    }
    if !splits.contains_key(evaluated) {
        bail!(
            "the task '{}' is evaluated on its split '{evaluated}', and no file is given for it; nothing is downloaded, \
             so name one with --data {evaluated}=FILE (jsonl, json or csv)",
            found.name
        );
    }
    Ok((splits, sha256(&bytes_hashed).to_hex()))
}

fn read(path: &str) -> anyhow::Result<Vec<u8>> {
    let length = std::fs::metadata(path).with_context(|| format!("{path} cannot be read"))?.len();
    if length > DATA_FILE_BYTES_MAX {
        bail!("{path} has {length} bytes, and a file of documents may have {DATA_FILE_BYTES_MAX}");
    }
    std::fs::read(path).with_context(|| format!("{path} cannot be read"))
}

fn rows(path: &str, bytes: &[u8]) -> anyhow::Result<Vec<Question>> {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "csv" => from_table(bytes, b','),
        "tsv" => from_table(bytes, b'\t'),
        "json" | "jsonl" | "ndjson" | "" => Ok(Question::all_from(bytes)?),
        other => bail!("files of the kind '{other}' are not read; jsonl, json, csv and tsv are"),
    }
}

/// Rows of a table with a head. A value that is a whole number becomes one, as labels are; everything else is text.
fn from_table(bytes: &[u8], delimiter: u8) -> anyhow::Result<Vec<Question>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(bytes);
    let head = reader.headers()?.clone();
    let mut questions = Vec::new();
    for record in reader.records() {
        let record = record?;
        let fields = head.iter().zip(&record).map(|(name, value)| {
            let number = value.parse::<i64>().ok().filter(|number| number.to_string() == value);
            (name.to_owned(), number.map_or_else(|| serde_json::Value::from(value), serde_json::Value::from))
        });
        let object: serde_json::Map<String, serde_json::Value> = fields.collect();
        questions.push(Question::from_json(&serde_json::Value::Object(object).to_string())?);
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_its_texts_and_its_labels() {
        let rows = rows("x.csv", b"question,label,code\n\"It's \"\"here\"\", no?\",2,007\n").unwrap();
        assert_eq!(rows[0].field("question").unwrap(), "It's \"here\", no?");
        assert_eq!(rows[0].field("label").unwrap(), 2);
        assert_eq!(rows[0].field("code").unwrap(), "007");
        assert!(super::rows("x.xlsx", b"").is_err());
    }

    #[test]
    fn data_is_named_by_file_split_or_task() {
        let parse = |text: &str| text.parse::<DataArgument>();
        assert!(parse("nothing.jsonl").is_err());
        let whole = parse("arc/test=rows.jsonl").unwrap();
        assert_eq!(
            (whole.task.as_deref(), whole.split.as_deref(), &*whole.path),
            (Some("arc"), Some("test"), "rows.jsonl")
        );
    }
}
