//! Two results on the same documents side by side: how far apart they are, and whether chance alone could have done it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;
use tasks::statistics;

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
}

/// Whether each document was right under the first filter of the file, by the hash of the document.
struct Samples {
    right: BTreeMap<String, bool>,
}

/// Compares two files of samples, or the newest samples in two folders.
pub(crate) fn compare(first: &Path, second: &Path, metric: Option<&str>) -> anyhow::Result<Comparison> {
    let (first, second) = (samples_file(first)?, samples_file(second)?);
    let metric = match metric {
        Some(metric) => metric.to_owned(),
        None => common_metric(&first, &second)?,
    };
    let (first, second) = (Samples::read(&first, &metric)?, Samples::read(&second, &metric)?);
    let mut counts = [0_u64; 4];
    for (key, right) in &first.right {
        if let Some(other) = second.right.get(key) {
            counts[usize::from(!right) * 2 + usize::from(!other)] += 1;
        }
    }
    let [both, first_only, second_only, neither] = counts;
    let documents = counts.iter().sum::<u64>();
    if documents == 0 {
        bail!("the two results have no document in common (documents are matched by their hash)");
    }
    let unmatched = (first.right.len() + second.right.len()) as u64 - 2 * documents;
    let paired = statistics::paired_difference(both, first_only, second_only, documents);
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
    })
}

/// A file, or the newest file of samples below a folder. Their names sort by time.
fn samples_file(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{} is no file and no folder", path.display()))?;
    let samples = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("samples_") && path.extension().is_some_and(|extension| extension == "jsonl")
    };
    let newest = entries.flatten().map(|entry| entry.path()).filter(samples).max();
    newest.with_context(|| {
        format!(
            "{} holds no samples_*.jsonl; run 'aobench eval' with --log-samples, or name the folder of a model",
            path.display()
        )
    })
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Value>>> {
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    Ok(BufReader::new(file)
        .lines()
        .map(move |line| serde_json::from_str(&line?).with_context(|| format!("a line of {shown} is no JSON object"))))
}

fn common_metric(first: &Path, second: &Path) -> anyhow::Result<String> {
    let head = |path: &Path| lines(path)?.next().with_context(|| format!("{} is empty", path.display()))?;
    let (one, other) = (head(first)?, head(second)?);
    let found = RIGHT_OR_WRONG.into_iter().find(|metric| one.get(metric).is_some() && other.get(metric).is_some());
    Ok(found
        .with_context(|| {
            format!("neither of {} is in both results; name one with --metric", RIGHT_OR_WRONG.join(", "))
        })?
        .to_owned())
}

impl Samples {
    fn read(path: &Path, metric: &str) -> anyhow::Result<Self> {
        let mut right = BTreeMap::new();
        let mut filter = None;
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
            right.insert(key, is_right);
        }
        Ok(Self { right })
    }
}
