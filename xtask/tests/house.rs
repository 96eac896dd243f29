//! The rules of the house that no compiler checks: which crate may know which, and how long a file or a function may be.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a source file.
const FILE_LINES_MAX: usize = 600;
/// Lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// The arrows of the architecture; an arrow may also skip a room on the way (`aobench` may use `ao`).
const ARROWS: &[(&str, &[&str])] = &[
    ("ao", &[]),
    ("tasks", &[]),
    ("processes", &["tasks", "ao"]),
    ("inference", &[]),
    ("client", &["ao"]),
    ("node", &["processes"]),
    ("aobench", &["node", "client", "inference"]),
    ("xtask", &[]),
];

/// Crates without IO, with what they must never reach for.
const PURE: &[&str] = &["ao", "tasks", "processes"];
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant::now",
    "HashMap",
    "HashSet",
    "thread_rng",
    "tokio",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn reachable(name: &str) -> BTreeSet<String> {
    let direct = ARROWS.iter().find(|(from, _)| *from == name).map_or(&[][..], |(_, to)| *to);
    direct.iter().flat_map(|to| std::iter::once((*to).to_owned()).chain(reachable(to))).collect()
}

#[test]
fn arrows_point_down() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known, "every crate of the workspace has its place in the architecture");

    let mut wrong = Vec::new();
    for package in packages {
        let from = package["name"].as_str().unwrap();
        let allowed = reachable(from);
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            if names.contains(to) && !allowed.contains(to) {
                wrong.push(format!("{from} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the architecture does not have: {wrong:?}");
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "node_modules" {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = repository();
    let mut files = Vec::new();
    rust_files(&root.join("crates"), &mut files);
    rust_files(&root.join("xtask"), &mut files);
    files.sort();
    let name = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn files_and_functions_stay_short() {
    let mut long = BTreeMap::new();
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            long.insert(name.clone(), lines.len());
        }
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
            // The sources are formatted, so a function ends at the first brace that stands under its beginning.
            let indent = line.len() - line.trim_start().len();
            let closing = format!("{}}}", " ".repeat(indent));
            let length = lines[start..]
                .iter()
                .position(|line| *line == closing || line.ends_with(';') && start_of(line) == indent);
            if let Some(length) = length.filter(|length| *length >= FUNCTION_LINES_MAX) {
                long.insert(format!("{name}:{}", start + 1), length + 1);
            }
        }
    }
    assert!(long.is_empty(), "longer than {FILE_LINES_MAX} lines a file or {FUNCTION_LINES_MAX} a function: {long:#?}");
}

fn start_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace().take_while(|word| !word.contains("//"));
    words.by_ref().find(|word| {
        !matches!(*word, "pub" | "pub(crate)" | "pub(super)" | "async" | "const" | "unsafe" | "extern" | "\"C\"")
    }) == Some("fn")
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "files that do not begin with what they are for: {silent:#?}");
}

#[test]
fn pure_crates_reach_for_nothing_outside() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let is_pure = PURE.iter().any(|pure| name.starts_with(&format!("crates/{pure}/src/")));
        if !is_pure {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            found.extend(
                IMPURE_WORDS
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{name}:{}: {word}", number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "pure crates with clocks, files, sockets, randomness or unordered maps: {found:#?}");
}

#[test]
fn the_map_names_only_tests_that_exist() {
    let map = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let rules = fs::read_to_string(repository().join("docs/aos.md")).unwrap();
    let part = |text: &str, from: &str, to: &str| text.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
    let guards = part(&map, "## Invariants", "## Limits") + &part(&rules, "## What holds", "Different on purpose");
    let all: String = sources().into_iter().map(|(_, text)| text).collect();
    let is_name = |word: &&str| {
        word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    let named: Vec<&str> =
        guards.split('`').skip(1).step_by(2).filter(is_name).filter(|name| !name.ends_with('_')).collect();
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !all.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md or docs/aos.md names tests that do not exist: {missing:?}");
}

#[test]
fn sql_is_never_formatted() {
    let suspicious =
        ["format!(\"SELECT", "format!(\"INSERT", "format!(\"UPDATE", "format!(\"DELETE", "format!(\"CREATE"];
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| name.contains("/src/") && suspicious.iter().any(|word| text.contains(word)))
        .map(|(name, _)| name)
        .collect();
    assert!(found.is_empty(), "SQL made from text at run time: {found:?}");
}
