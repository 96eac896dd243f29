//! Groups of tasks: which tasks they are, and the mean of their metrics.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use tasks::harness::{self, Aggregate, Config, File, Group, GroupMetric, Member, MemberResult};

use super::source::{FoundTask, found, task_file};

/// Task files that are looked at for the members of a group.
const FILES_MAX: usize = 20_000;
/// Groups within groups.
const DEPTH_MAX: usize = 8;

/// A group whose tasks were found.
#[derive(Debug, Clone)]
pub(crate) struct FoundGroup {
    /// Its name.
    pub(crate) name: String,
    /// What is shown instead.
    pub(crate) alias: String,
    /// Its version.
    pub(crate) version: Value,
    /// What is computed over its tasks.
    pub(crate) metrics: Vec<GroupMetric>,
    /// The tasks and groups that are in it.
    pub(crate) members: Vec<String>,
}

/// One metric of a group under one filter pipeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Total {
    pub(crate) metric: String,
    pub(crate) filter: String,
    pub(crate) result: MemberResult,
    pub(crate) higher_is_better: bool,
}

/// The task files of a folder, by what they hold.
struct Catalogue {
    files: Vec<(String, File)>,
}

impl Catalogue {
    /// All task files below a folder. One that cannot be read is as if it were not there: it may be of another program.
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        collect(folder, 0, &mut paths)?;
        paths.sort();
        let read = |path: String| harness::load(&path, &task_file).ok().map(|file| (path, file));
        Ok(Self { files: paths.into_iter().filter_map(read).collect() })
    }

    /// The paths of the tasks that are meant.
    fn tasks(&self, is_meant: impl Fn(&Config) -> bool) -> Vec<&str> {
        let mut paths = Vec::new();
        for (path, file) in &self.files {
            if matches!(file, File::Task(config) if is_meant(config)) {
                paths.push(path.as_str());
            }
        }
        paths
    }

    fn group(&self, name: &str) -> Option<&Group> {
        self.files.iter().find_map(|(_, file)| match file {
            File::Group(group) if group.name == name => Some(group),
            _ => None,
        })
    }
}

fn collect(folder: &Path, depth: usize, paths: &mut Vec<String>) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("the folder {} cannot be read", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth + 1, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path.display().to_string());
        }
        if paths.len() > FILES_MAX {
            bail!("{} holds more than {FILES_MAX} task files", folder.display());
        }
    }
    Ok(())
}

/// The tasks of a group, and the groups it is made of, itself the first. Its members are looked for in its folder.
pub(crate) fn of(group: &Group, folder: &Path) -> anyhow::Result<(Vec<FoundTask>, Vec<FoundGroup>)> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut members = Members { catalogue: Catalogue::of(folder)?, tasks: Vec::new(), groups: Vec::new() };
    members.group(group, &Map::new(), 0).with_context(|| format!("the group '{}'", group.name))?;
    Ok((members.tasks, members.groups))
}

/// The members of a group while they are looked for.
struct Members {
    catalogue: Catalogue,
    tasks: Vec<FoundTask>,
    groups: Vec<FoundGroup>,
}

impl Members {
    fn group(&mut self, group: &Group, keys: &Map<String, Value>, depth: usize) -> anyhow::Result<()> {
        if depth > DEPTH_MAX {
            bail!("groups are within groups more than {DEPTH_MAX} deep");
        }
        let place = self.groups.len();
        self.groups.push(FoundGroup {
            name: group.name.clone(),
            alias: group.alias.clone().unwrap_or_else(|| group.name.clone()),
            version: group.metadata.get("version").cloned().unwrap_or_else(|| json!("N/A")),
            metrics: group.metrics.clone(),
            members: Vec::new(),
        });
        for member in &group.members {
            let names = self.member(member, keys, depth)?;
            self.groups[place].members.extend(names);
        }
        Ok(())
    }

    /// Adds what a member stands for: a task, a group, or all tasks of a tag. Their names.
    fn member(&mut self, member: &Member, keys: &Map<String, Value>, depth: usize) -> anyhow::Result<Vec<String>> {
        let (name, own) = match member {
            Member::Group(group) => return self.group(group, keys, depth + 1).map(|()| vec![group.name.clone()]),
            Member::Named(name, own) => (name, own),
        };
        let mut keys = keys.clone();
        keys.extend(own.clone());
        let mut paths = self.catalogue.tasks(|config| config.task == *name);
        paths.truncate(1);
        if paths.is_empty()
            && let Some(group) = self.catalogue.group(name).cloned()
        {
            return self.group(&group, &keys, depth + 1).map(|()| vec![group.name.clone()]);
        }
        if paths.is_empty() {
            paths = self.catalogue.tasks(|config| config.tags.contains(name));
        }
        if paths.is_empty() {
            bail!("no task file below the group's folder is of the task, group or tag '{name}'");
        }
        let mut names = Vec::new();
        for path in paths {
            let File::Task(config) = harness::load_with(path, &task_file, &keys)? else { continue };
            names.push(config.task.clone());
            self.tasks.push(found(config)?);
        }
        Ok(names)
    }
}

/// The means of a group over its tasks, however deep they are in it. `results` has those of all tasks.
pub(crate) fn totals(group: &FoundGroup, groups: &[FoundGroup], results: &BTreeMap<&str, &[Aggregate]>) -> Vec<Total> {
    let members = tasks_of(group, groups, 0);
    let of_members = || members.iter().filter_map(|name| results.get(name).copied());
    let mut totals: Vec<Total> = Vec::new();
    for wanted in &group.metrics {
        let all = || of_members().flatten().filter(|aggregate| aggregate.metric.name() == wanted.metric);
        let mut filters: Vec<&str> = wanted.filters.iter().map(String::as_str).collect();
        if filters.is_empty() {
            filters = all().map(|aggregate| aggregate.filter.as_str()).collect();
            filters.sort_unstable();
            filters.dedup();
        }
        for filter in filters {
            let found: Vec<&Aggregate> = all().filter(|aggregate| aggregate.filter == filter).collect();
            let member = |aggregate: &&Aggregate| MemberResult {
                value: aggregate.value,
                standard_error: aggregate.standard_error,
                documents: aggregate.documents,
            };
            let results: Vec<MemberResult> = found.iter().map(member).collect();
            if let Some(result) = harness::pooled(&results, wanted.weight_by_size) {
                let higher_is_better = found.iter().all(|aggregate| aggregate.higher_is_better);
                let metric = wanted.metric.clone();
                totals.push(Total { metric, filter: filter.to_owned(), result, higher_is_better });
            }
        }
    }
    totals
}

/// The tasks of a group and of the groups in it.
pub(super) fn tasks_of<'g>(group: &'g FoundGroup, groups: &'g [FoundGroup], depth: usize) -> Vec<&'g str> {
    let mut tasks = Vec::new();
    for member in &group.members {
        match groups.iter().find(|group| group.name == *member) {
            Some(inner) if depth < DEPTH_MAX => tasks.extend(tasks_of(inner, groups, depth + 1)),
            Some(_) => {}
            None => tasks.push(member.as_str()),
        }
    }
    tasks
}

/// A group's entry under `results`, as lm-evaluation-harness has it.
pub(crate) fn entry(group: &FoundGroup, totals: &[Total], documents: usize) -> Value {
    let mut entry = Map::new();
    entry.insert("alias".to_owned(), json!(group.alias));
    entry.insert("name".to_owned(), json!(group.name));
    entry.insert("sample_len".to_owned(), json!(documents));
    let mut counts = Map::new();
    for total in totals {
        let key = format!("{},{}", total.metric, total.filter);
        entry.insert(key.clone(), json!(total.result.value));
        let error = total.result.standard_error.map_or_else(|| json!("N/A"), |error| json!(error));
        entry.insert(format!("{}_stderr,{}", total.metric, total.filter), error);
        counts.insert(key, json!(total.result.documents));
    }
    entry.insert("sample_count".to_owned(), Value::Object(counts));
    Value::Object(entry)
}

/// The groups and tasks in the order of lm-evaluation-harness's table, each with how deep it is in groups: by name, and
/// below each group its members.
pub(crate) fn order<'n>(groups: &'n [FoundGroup], tasks: &[&'n str]) -> Vec<(&'n str, usize)> {
    let is_member = |name: &str| groups.iter().any(|group| group.members.iter().any(|member| member == name));
    let mut first: Vec<&str> = groups.iter().map(|group| group.name.as_str()).filter(|name| !is_member(name)).collect();
    first.sort_unstable();
    let mut ordered = Vec::new();
    for name in first {
        visit(name, 0, groups, &mut ordered);
    }
    let mut others: Vec<&str> =
        tasks.iter().copied().filter(|task| ordered.iter().all(|(name, _)| name != task)).collect();
    others.sort_unstable();
    ordered.extend(others.into_iter().map(|name| (name, 0)));
    ordered
}

fn visit<'n>(name: &'n str, depth: usize, groups: &'n [FoundGroup], ordered: &mut Vec<(&'n str, usize)>) {
    ordered.push((name, depth));
    let Some(group) = groups.iter().find(|group| group.name == name).filter(|_| depth < DEPTH_MAX) else { return };
    let mut members: Vec<&str> = group.members.iter().map(String::as_str).collect();
    members.sort_unstable();
    for member in members {
        visit(member, depth + 1, groups, ordered);
    }
}
