//! Counts how many of the task files that come with lm-evaluation-harness can be used, by family, and why the others
//! cannot. `compat/lm_eval/count.sh` brings the files and runs it.
//!
//!     cargo run -p tasks --example count_lm_eval_tasks -- <folder of lm_eval/tasks>
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

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
    if files.is_empty() {
        eprintln!("there are no task files in {}; nothing was counted", root.display());
        return ExitCode::FAILURE;
    }
    let source = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let (mut groups, mut usable, mut tasks) = (0_usize, 0_usize, 0_usize);
    let mut families: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut reasons: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
    for file in &files {
        let path = file.strip_prefix(&root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let made = match load(&path, &source) {
            Ok(File::Group(_)) => {
                groups += 1;
                continue;
            }
            Ok(File::Task(config)) => Task::new(config).map(|_| ()),
            Err(error) => Err(error),
        };
        tasks += 1;
        let family = path.split('/').next().unwrap_or_default().to_owned();
        let counts = families.entry(family.clone()).or_default();
        counts.1 += 1;
        match made {
            Ok(()) => {
                usable += 1;
                counts.0 += 1;
            }
            Err(error) => {
                let entry = reasons.entry(reason(&error)).or_default();
                entry.0 += 1;
                entry.1.insert(family);
            }
        }
    }
    println!("by family: tasks that can be used, of all");
    let shown: Vec<String> =
        families.iter().map(|(family, (usable, all))| format!("{family} {usable}/{all}")).collect();
    shown.chunks(5).for_each(|line| println!("  {}", line.join("  ")));
    println!();
    println!("{} files: {groups} groups, {tasks} tasks, of which {usable} can be used", files.len());
    println!("{:.1} % of the tasks", 100.0 * usable as f64 / tasks.max(1) as f64);
    let whole = families.values().filter(|(usable, all)| usable == all).count();
    let some = families.values().filter(|(usable, _)| *usable > 0).count();
    println!("{} families: {whole} as a whole, {some} at least one task", families.len());
    println!("why the others cannot");
    let mut sorted: Vec<_> = reasons.into_iter().collect();
    sorted.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, families)) in sorted.into_iter().take(SHOWN) {
        let families: Vec<String> = families.into_iter().take(6).collect();
        println!("{count:6}  {reason}  [{}]", families.join(", "));
    }
    ExitCode::SUCCESS
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
