//! Loading: a file, the files it includes, and the Python files its functions are in, through whatever the caller reads
//! them from.

use serde_json::{Map, Value};

use super::config::Config;
use super::group::Group;
use super::yaml::{self, FUNCTION};
use crate::TaskError;
use crate::error::within;
use crate::limits::HARNESS_INCLUDES_MAX;

/// Where files are read from. A closure is one.
pub trait Source {
    /// The text of the file at a path (with `/`, relative to wherever the first path was relative to), if it is there.
    fn read(&self, path: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Source for F {
    fn read(&self, path: &str) -> Option<String> {
        self(path)
    }
}

/// A source without files.
pub fn no_files(_path: &str) -> Option<String> {
    None
}

/// What a file holds.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one of them for each file")]
pub enum File {
    /// A task.
    Task(Config),
    /// A group of tasks.
    Group(Group),
}

/// Loads the file at a path.
pub fn load(path: &str, source: &dyn Source) -> Result<File, TaskError> {
    let text = source.read(path).ok_or_else(|| missing(path, "it cannot be read"))?;
    parse(&text, path, source)
}

/// Loads the file at a path with some keys in place of its own, as a group sets them for its tasks.
pub fn load_with(path: &str, source: &dyn Source, keys: &Map<String, Value>) -> Result<File, TaskError> {
    let text = source.read(path).ok_or_else(|| missing(path, "it cannot be read"))?;
    let mut fields = merged(&text, path, source, &mut vec![path.to_owned()])?;
    fields.extend(keys.clone());
    of_fields(fields, source)
}

/// Loads a file whose text is at hand; `path` says where it is, for what it includes.
pub fn parse(text: &str, path: &str, source: &dyn Source) -> Result<File, TaskError> {
    let mut seen = vec![path.to_owned()];
    of_fields(merged(text, path, source, &mut seen)?, source)
}

fn of_fields(fields: Map<String, Value>, source: &dyn Source) -> Result<File, TaskError> {
    if let Some(class) = fields.get("class") {
        let function = yaml::function(class).map_or_else(|| class.to_string(), str::to_owned);
        return Err(TaskError::Function { key: "class".to_owned(), function, reason: NO_CLASSES.to_owned() });
    }
    if fields.contains_key("group") {
        return Group::from_fields(&fields).map(File::Group);
    }
    Config::from_fields(fields, source).map(File::Task)
}

/// The file at a path with all that it includes, as one text: the file itself where it includes nothing, and otherwise
/// its fields as JSON, which is YAML.
pub fn whole(path: &str, source: &dyn Source) -> Result<String, TaskError> {
    let text = source.read(path).ok_or_else(|| missing(path, "it cannot be read"))?;
    if !yaml::read(&text)?.contains_key("include") {
        return Ok(text);
    }
    let fields = merged(&text, path, source, &mut vec![path.to_owned()])?;
    Ok(Value::Object(fields).to_string())
}

const NO_CLASSES: &str = "a task that is a Python class cannot be run";

/// The fields of a file over those of the files it includes, as lm-evaluation-harness merges them: of several included
/// files the last one wins, and the file itself over all; whole keys, nothing within them.
fn merged(
    text: &str,
    path: &str,
    source: &dyn Source,
    seen: &mut Vec<String>,
) -> Result<Map<String, Value>, TaskError> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut own = yaml::read(text)?;
    own.values_mut().for_each(|value| place_functions(value, folder));
    let includes = match own.shift_remove("include") {
        None | Some(Value::Null) => return Ok(own),
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().map(crate::python::literal::text).collect(),
        Some(other) => return Err(missing(&other.to_string(), "'include' is a path or a list of paths")),
    };
    let mut all = Map::new();
    for include in includes {
        let included = joined(folder, &include);
        if seen.contains(&included) {
            return Err(missing(&included, "it includes itself"));
        }
        seen.push(included.clone());
        within("a task file's included files", seen.len(), HARNESS_INCLUDES_MAX)?;
        let text = source.read(&included).ok_or_else(|| missing(&included, "it cannot be read"))?;
        let mut fields = merged(&text, &included, source, seen)?;
        fields.shift_remove("task_list");
        all.extend(fields);
    }
    own.shift_remove("task_list");
    all.extend(own);
    Ok(all)
}

fn missing(path: &str, reason: &str) -> TaskError {
    TaskError::Include { path: path.chars().take(200).collect(), reason: reason.to_owned() }
}

/// Functions are looked for beside the file that names them, so they keep its folder.
fn place_functions(value: &mut Value, folder: &str) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get_mut(FUNCTION) {
                *name = joined(folder, name);
            }
            fields.values_mut().for_each(|value| place_functions(value, folder));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| place_functions(item, folder)),
        _ => {}
    }
}

/// A path from a folder, without `.` and `..` where they can be resolved.
pub(super) fn joined(folder: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = if folder.is_empty() { Vec::new() } else { folder.split('/').collect() };
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, "" | "..")) => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// The Python file that holds a function (`folder/module.function`), and the function's name in it.
pub(super) fn python_file(function: &str) -> Option<(String, &str)> {
    let (folder, name) = function.rsplit_once('/').unwrap_or(("", function));
    let (module, function) = name.rsplit_once('.')?;
    Some((joined(folder, &format!("{}.py", module.replace('.', "/"))), function))
}
