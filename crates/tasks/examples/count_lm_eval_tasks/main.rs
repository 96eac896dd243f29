//! Counts how many of the task files that come with lm-evaluation-harness can be loaded, how many of these render their
//! documents, by family, and why the others do not. Their datasets are not here: the documents are made up, see `rows`.
//! `compat/lm_eval/count.sh` brings the files and runs it.
//!
//!     cargo run -p tasks --example count_lm_eval_tasks -- <folder of lm_eval/tasks> [only each so manieth file]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tasks::TaskError;
use tasks::harness::{File, Task, load};

/// Reasons that are shown.
const SHOWN: usize = 60;

fn main() -> ExitCode {
    let Some(root) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("say where the folder lm_eval/tasks is");
        return ExitCode::FAILURE;
    };
    let mut files = Vec::new();
    collect(&root, &mut files);
    if let Some(each) = std::env::args().nth(2).and_then(|each| each.parse().ok()).filter(|each| *each > 0) {
        files = files.into_iter().step_by(each).collect();
    }
    if files.is_empty() {
        eprintln!("there are no task files in {}; nothing was counted", root.display());
        return ExitCode::FAILURE;
    }
    let source = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let of_ports = rows::of_ports(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../compat/lm_eval/data")));
    let (mut groups, mut usable, mut tasks, mut rendered) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut unrendered: Reasons = BTreeMap::new();
    let mut families: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut reasons: Reasons = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        if number % 500 == 0 {
            eprintln!("{number} of {} files", files.len());
        }
        let path = file.strip_prefix(&root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let made = match load(&path, &source) {
            Ok(File::Group(_)) => {
                groups += 1;
                continue;
            }
            Ok(File::Task(config)) => Task::new(config),
            Err(error) => Err(error),
        };
        tasks += 1;
        let family = path.split('/').next().unwrap_or_default().to_owned();
        let counts = families.entry(family.clone()).or_default();
        counts.1 += 1;
        match made {
            Ok(task) => {
                usable += 1;
                counts.0 += 1;
                match rows::render(&task, &|| beside(file), &of_ports) {
                    Ok(()) => rendered += 1,
                    Err(reason) => note(&mut unrendered, reason.chars().take(110).collect(), family),
                }
            }
            Err(error) => note(&mut reasons, reason(&error), family),
        }
    }
    println!("by family: tasks that can be loaded, of all");
    let shown: Vec<String> =
        families.iter().map(|(family, (usable, all))| format!("{family} {usable}/{all}")).collect();
    shown.chunks(5).for_each(|line| println!("  {}", line.join("  ")));
    println!();
    println!("{} files: {groups} groups, {tasks} tasks, of which {usable} can be loaded", files.len());
    println!("{:.1} % of the tasks", 100.0 * usable as f64 / tasks.max(1) as f64);
    let whole = families.values().filter(|(usable, all)| usable == all).count();
    let some = families.values().filter(|(usable, _)| *usable > 0).count();
    println!("{} families: {whole} as a whole, {some} at least one task", families.len());
    println!("why the others cannot");
    show(reasons);
    println!();
    println!(
        "{rendered} of the {usable} render documents that were made up from their own field names, {:.1} % of all tasks",
        100.0 * rendered as f64 / tasks.max(1) as f64
    );
    println!("what kept the others from rendering such documents (which need not be so with their own)");
    show(unrendered);
    ExitCode::SUCCESS
}

/// How often each reason was met, and in which families.
type Reasons = BTreeMap<String, (usize, BTreeSet<String>)>;

fn note(reasons: &mut Reasons, reason: String, family: String) {
    let entry = reasons.entry(reason).or_default();
    entry.0 += 1;
    entry.1.insert(family);
}

fn show(reasons: Reasons) {
    let mut sorted: Vec<_> = reasons.into_iter().collect();
    sorted.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, families)) in sorted.into_iter().take(SHOWN) {
        let families: Vec<String> = families.into_iter().take(6).collect();
        println!("{count:6}  {reason}  [{}]", families.join(", "));
    }
}

/// What is wrong, without what differs from file to file.
fn reason(error: &TaskError) -> String {
    match error {
        TaskError::Function { key, function, .. } => {
            let name = function.rsplit('/').next().unwrap_or(function);
            let name = if key.ends_with("process_docs") { "..." } else { name };
            format!("{key}: !function {name}")
        }
        TaskError::Unsupported { key, value, .. } => format!("{key}: {value}"),
        TaskError::Key { key, reason, .. } => format!("{key}: {reason}"),
        TaskError::Include { reason, .. } => format!("include: {reason}"),
        TaskError::Template { key, reason } => format!("template {key}: {reason}"),
        other => other.to_string().chars().take(100).collect(),
    }
}

/// The text of the Python files in the folder of a task file and in that above it: they hold its functions.
fn beside(file: &Path) -> String {
    let folders = file.ancestors().skip(1).take(2);
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}
