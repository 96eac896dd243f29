//! Results on the same documents side by side: how far apart they are, and whether chance alone could have done it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;
use tasks::statistics;

/// Fields of a document that several questions are often about, in the order in which they are looked for: such questions
/// say less than as many that have nothing in common.
const SHARED: [&str; 5] = ["context", "passage", "article", "story", "paragraph"];

/// The level at which one model counts as better than another: 5 % over all pairs that are compared.
const LEVEL: (u64, u64) = (5, 100);

/// Half of a 95 % interval, in standard errors.
const Z_95: f64 = 1.96;

/// Metrics that say of each document whether it was right, in the order in which they are looked for.
const RIGHT_OR_WRONG: [&str; 4] = ["acc", "exact_match", "acc_norm", "acc_bytes"];

/// The comparison of two results on one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// Which metric was compared.
    pub(crate) metric: String,
    /// Documents that both have.
    pub(crate) documents: u64,
    /// Documents that only one of them has.
    pub(crate) unmatched: u64,
    /// Right by both, by the first only, by the second only, by neither.
    pub(crate) both: u64,
    pub(crate) first_only: u64,
    pub(crate) second_only: u64,
    pub(crate) neither: u64,
    /// Share of the first less share of the second.
    pub(crate) difference: f64,
    /// Its 95 % interval, from the paired documents.
    pub(crate) interval: [f64; 2],
    /// The exact two-sided p of McNemar's test.
    pub(crate) p: f64,
    /// The least difference that so many documents would show at 95 % with a power of 80 %.
    pub(crate) detectable: f64,
    /// Documents that share a field, if there are some.
    pub(crate) clusters: Option<Clusters>,
    /// The two protocol ids, where the results say them.
    pub(crate) protocols: Option<[String; 2]>,
}

/// Documents that have a text in common, and what that does to the interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Clusters {
    /// The field that they share.
    pub(crate) field: String,
    /// How many different texts there are.
    pub(crate) count: usize,
    /// The 95 % interval of the difference, documents of one text taken together.
    pub(crate) interval: [f64; 2],
}

/// One of several results, with where it may stand among them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Standing {
    /// The result, as it was named.
    pub(crate) name: String,
    pub(crate) correct: u64,
    pub(crate) documents: u64,
    pub(crate) score: f64,
    /// Its 95 % interval.
    pub(crate) interval: [f64; 2],
    /// The best and the worst rank that it may have: it is behind those only that are significantly better.
    pub(crate) ranks: [usize; 2],
}

/// What is compared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// The metric, instead of the first that all have.
    pub(crate) metric: Option<String>,
    /// The task, where a folder has several.
    pub(crate) task: Option<String>,
    /// The field by which documents belong together, instead of a usual one.
    pub(crate) cluster: Option<String>,
}

/// Whether each document was right under the first filter of the file, by the hash of the document; and the text that it
/// shares with others, if there is such a field.
struct Samples {
    right: BTreeMap<String, bool>,
    shared: BTreeMap<String, String>,
    /// The field of that text.
    field: Option<String>,
    protocol: Option<String>,
}

/// All results on the documents that all of them have, the best first.
pub(crate) fn rank(paths: &[PathBuf], selection: &Selection) -> anyhow::Result<Vec<Standing>> {
    let (_, samples) = read_all(paths, selection)?;
    let Some((first, others)) = samples.split_first() else { return Ok(Vec::new()) };
    let in_all = |key: &&String| others.iter().all(|other| other.right.contains_key(*key));
    let common: Vec<&String> = first.right.keys().filter(in_all).collect();
    if common.is_empty() {
        bail!("the results have no document in common (documents are matched by their hash)");
    }
    let rows: Vec<Vec<bool>> =
        samples.iter().map(|samples| common.iter().map(|key| samples.right[*key]).collect()).collect();
    let pairs = (rows.len() * (rows.len() - 1) / 2).max(1) as u64;
    let ranges = statistics::rank_ranges(rows.len(), |one, other| {
        let pairs_of = || rows[one].iter().zip(&rows[other]);
        let only = pairs_of().filter(|(one, other)| **one && !**other).count() as u64;
        let lost = pairs_of().filter(|(one, other)| !**one && **other).count() as u64;
        only > lost && statistics::mcnemar_exact_below(only, lost, LEVEL.0, LEVEL.1 * pairs)
    });
    let documents = common.len() as u64;
    let standing = |((path, row), range): ((&PathBuf, &Vec<bool>), &statistics::RankRange)| {
        let correct = row.iter().filter(|right| **right).count() as u64;
        let (low, high) = statistics::wilson(correct, documents);
        Standing {
            name: path.display().to_string(),
            correct,
            documents,
            score: statistics::share(correct, documents),
            interval: [low, high],
            ranks: [range.best, range.worst],
        }
    };
    let mut standings: Vec<Standing> = paths.iter().zip(&rows).zip(&ranges).map(standing).collect();
    standings.sort_by_key(|standing| std::cmp::Reverse(standing.correct));
    Ok(standings)
}

/// The samples of all results, under the metric that was chosen for all.
fn read_all(paths: &[PathBuf], selection: &Selection) -> anyhow::Result<(String, Vec<Samples>)> {
    let task = common_task(paths, selection.task.as_deref())?;
    let files = paths.iter().map(|path| samples_file(path, task.as_deref())).collect::<anyhow::Result<Vec<_>>>()?;
    let metric = match &selection.metric {
        Some(metric) => metric.clone(),
        None => common_metric(&files)?,
    };
    let read = |file: &PathBuf| Samples::read(file, &metric, selection.cluster.as_deref());
    let samples = files.iter().map(read).collect::<anyhow::Result<_>>()?;
    Ok((metric, samples))
}

/// Compares two files of samples, or the newest samples in two folders.
pub(crate) fn compare(first: &Path, second: &Path, selection: &Selection) -> anyhow::Result<Comparison> {
    let (metric, samples) = read_all(&[first.to_owned(), second.to_owned()], selection)?;
    let [first, second] = samples.as_slice() else { bail!("two results are compared") };
    let mut counts = [0_u64; 4];
    let mut differences = Vec::new();
    for (key, right) in &first.right {
        if let Some(other) = second.right.get(key) {
            counts[usize::from(!right) * 2 + usize::from(!other)] += 1;
            let shared = first.shared.get(key).unwrap_or(key);
            differences.push((shared.as_str(), f64::from(u8::from(*right)) - f64::from(u8::from(*other))));
        }
    }
    let [both, first_only, second_only, neither] = counts;
    let documents = counts.iter().sum::<u64>();
    if documents == 0 {
        bail!("the two results have no document in common (documents are matched by their hash)");
    }
    let unmatched = (first.right.len() + second.right.len()) as u64 - 2 * documents;
    let paired = statistics::paired_difference(both, first_only, second_only, documents);
    let protocols = first.protocol.clone().zip(second.protocol.clone()).map(|(first, second)| [first, second]);
    let clusters = first.field.clone().and_then(|field| clusters(field, &differences));
    let discordant = (first_only + second_only) * 1000 / documents;
    Ok(Comparison {
        metric,
        documents,
        unmatched,
        both,
        first_only,
        second_only,
        neither,
        difference: paired.difference,
        interval: [paired.low, paired.high],
        p: statistics::mcnemar_exact(first_only, second_only),
        detectable: statistics::minimum_detectable_difference(documents, discordant),
        clusters,
        protocols,
    })
}

/// The interval of the difference where documents share a text; nothing if each has its own.
fn clusters(field: String, differences: &[(&str, f64)]) -> Option<Clusters> {
    let count = differences.iter().map(|(shared, _)| shared).collect::<BTreeSet<_>>().len();
    if count == differences.len() {
        return None;
    }
    let mean = differences.iter().map(|(_, difference)| difference).sum::<f64>() / differences.len() as f64;
    let error = statistics::clustered_standard_error(differences.iter().copied())?;
    Some(Clusters { field, count, interval: [mean - Z_95 * error, mean + Z_95 * error] })
}

/// The task and the date of a file of samples, by its name.
fn task_and_date(path: &Path) -> Option<(&str, &str)> {
    path.file_name()?.to_str()?.strip_prefix("samples_")?.strip_suffix(".jsonl")?.rsplit_once('_')
}

/// The files of samples in a folder.
fn samples_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} is no file and no folder", folder.display()))?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| task_and_date(path).is_some()).collect();
    files.sort();
    if files.is_empty() {
        bail!(
            "{} holds no samples_*.jsonl; run 'aobench eval' with --log-samples, or name the folder of a model",
            folder.display()
        );
    }
    Ok(files)
}

/// The task that all folders have samples of. Nothing if files were named.
fn common_task(paths: &[PathBuf], chosen: Option<&str>) -> anyhow::Result<Option<String>> {
    let mut common: Option<BTreeSet<String>> = None;
    for folder in paths.iter().filter(|path| !path.is_file()) {
        let files = samples_files(folder)?;
        let tasks: BTreeSet<String> =
            files.iter().filter_map(|path| task_and_date(path)).map(|(task, _)| task.to_owned()).collect();
        common = Some(match common {
            None => tasks,
            Some(common) => common.intersection(&tasks).cloned().collect(),
        });
    }
    let Some(common) = common else { return Ok(None) };
    let known = || common.iter().cloned().collect::<Vec<_>>().join(", ");
    match chosen {
        Some(task) if common.contains(task) => Ok(Some(task.to_owned())),
        Some(task) => bail!("not all results have samples of the task '{task}'; all have {}", known()),
        None if common.len() > 1 => {
            bail!("the results have several tasks in common; name one with --task: {}", known())
        }
        None => match common.first() {
            Some(task) => Ok(Some(task.clone())),
            None => bail!("the results have no task in common"),
        },
    }
}

/// A file, or the newest file of samples of a task in a folder. Their names sort by time.
fn samples_file(path: &Path, task: Option<&str>) -> anyhow::Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let of_task = |path: &PathBuf| task_and_date(path).is_some_and(|(name, _)| task.is_none_or(|task| task == name));
    let newest = samples_files(path)?
        .into_iter()
        .filter(of_task)
        .max_by_key(|path| task_and_date(path).map(|(_, date)| date.to_owned()));
    newest.with_context(|| format!("{} holds no samples of the task", path.display()))
}

/// The protocol id of a file of samples, from the results beside it.
fn protocol(samples: &Path) -> Option<String> {
    let (task, date) = task_and_date(samples)?;
    let text = std::fs::read_to_string(samples.with_file_name(format!("results_{date}.json"))).ok()?;
    let results: Value = serde_json::from_str(&text).ok()?;
    Some(results["aobench"]["protocols"][task].as_str()?.to_owned())
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Value>>> {
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    Ok(BufReader::new(file)
        .lines()
        .map(move |line| serde_json::from_str(&line?).with_context(|| format!("a line of {shown} is no JSON object"))))
}

fn common_metric(files: &[PathBuf]) -> anyhow::Result<String> {
    let head = |path: &PathBuf| lines(path)?.next().with_context(|| format!("{} is empty", path.display()))?;
    let heads = files.iter().map(head).collect::<anyhow::Result<Vec<_>>>()?;
    let found = RIGHT_OR_WRONG.into_iter().find(|metric| heads.iter().all(|head| head.get(metric).is_some()));
    let missing = || format!("neither of {} is in all results; name one with --metric", RIGHT_OR_WRONG.join(", "));
    Ok(found.with_context(missing)?.to_owned())
}

impl Samples {
    fn read(path: &Path, metric: &str, cluster: Option<&str>) -> anyhow::Result<Self> {
        let (mut right, mut shared) = (BTreeMap::new(), BTreeMap::new());
        let mut filter = None;
        let mut field = cluster.map(str::to_owned);
        for line in lines(path)? {
            let line = line?;
            if *filter.get_or_insert_with(|| line["filter"].clone()) != line["filter"] {
                continue;
            }
            let is_right = match line[metric].as_f64() {
                Some(1.0) => true,
                Some(0.0) => false,
                _ => bail!("{}: '{metric}' of a document is {}, and not 0 or 1", path.display(), line[metric]),
            };
            let hash = line["doc_hash"].as_str().unwrap_or_default().to_owned();
            // A dataset may have a document twice.
            let key = if right.contains_key(&hash) { format!("{hash} {}", line["doc_id"]) } else { hash };
            let document = &line["doc"];
            if field.is_none() {
                field = SHARED.into_iter().find(|field| document[*field].is_string()).map(str::to_owned);
            }
            match field.as_deref().map(|field| &document[field]) {
                Some(Value::Null) if cluster.is_some() => {
                    bail!("a document in {} has no field '{}'", path.display(), cluster.unwrap_or_default())
                }
                Some(text) => drop(shared.insert(key.clone(), text.to_string())),
                None => {}
            }
            right.insert(key, is_right);
        }
        Ok(Self { right, shared, field, protocol: protocol(path) })
    }
}
