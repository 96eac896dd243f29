//! Where an evaluation takes its task files and its documents from: this machine's disk.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use ao::sha256;
use tasks::Question;
use tasks::harness::{self, File, Member, Splits, Task};

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

/// The task of a name or a path; all of its tasks if it is of a group.
pub(crate) fn find(name: &str) -> anyhow::Result<Vec<FoundTask>> {
    let built_in = if name == DEMO { "siqa" } else { name };
    if let Ok(text) = tasks::built_in(built_in) {
        // It says nothing of splits: in a pool a dataset is one set of questions.
        let text = format!("{text}\ntest_split: test\n");
        let task =
            Task::from_yaml(&text, built_in, &harness::no_files).with_context(|| format!("the task '{name}'"))?;
        let own_data = (name == DEMO).then_some(assets::QUESTIONS);
        return Ok(vec![FoundTask { task, name: name.to_owned(), own_data }]);
    }
    if !Path::new(name).is_file() {
        bail!(
            "there is no task file '{name}'; name a YAML file of lm-evaluation-harness, or one of the built-in tasks \
             'siqa' and '{DEMO}'"
        );
    }
    match harness::load(name, &on_disk).with_context(|| format!("the task file {name}"))? {
        File::Task(config) => Ok(vec![found(config)?]),
        File::Group(group) => {
            let folder = Path::new(name).parent().unwrap_or(Path::new(""));
            group.members.iter().map(|member| of_group(member, folder)).collect()
        }
    }
}

fn found(config: harness::Config) -> anyhow::Result<FoundTask> {
    let name = config.task.clone();
    let task = Task::new(config).with_context(|| format!("the task '{name}'"))?;
    Ok(FoundTask { task, name, own_data: None })
}

/// A member of a group: the file in the group's folder that has its name.
fn of_group(member: &Member, folder: &Path) -> anyhow::Result<FoundTask> {
    let name = match member {
        Member::Named(name, keys) if keys.is_empty() => name,
        Member::Named(name, _) => bail!("the group sets keys for its task '{name}', which is not supported"),
        Member::Group(group) => bail!("the group '{}' is within another one, which is not supported", group.name),
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("the folder {} cannot be read", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"))
        .collect();
    files.sort();
    for file in files {
        if let Ok(File::Task(config)) = harness::load(&file.display().to_string(), &on_disk)
            && config.task == *name
        {
            return found(config);
        }
    }
    Err(anyhow!("no task file in {} is of the task '{name}', which its group names", folder.display()))
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
