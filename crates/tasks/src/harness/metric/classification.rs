//! F1 and Matthews' correlation coefficient over right and chosen classes, as scikit-learn computes them.

use std::collections::BTreeMap;

use super::super::load::{Source, python_file};
use super::Aggregation;

/// How often each class was right, chosen, and both.
#[derive(Debug, Default)]
struct Counts {
    right: f64,
    chosen: f64,
    both: f64,
}

fn counts(pairs: &[(i64, i64)]) -> BTreeMap<i64, Counts> {
    let mut counts: BTreeMap<i64, Counts> = BTreeMap::new();
    for (right, chosen) in pairs {
        counts.entry(*right).or_default().right += 1.0;
        counts.entry(*chosen).or_default().chosen += 1.0;
        if right == chosen {
            counts.entry(*right).or_default().both += 1.0;
        }
    }
    counts
}

fn f1_of(class: &Counts) -> f64 {
    let sum = class.right + class.chosen;
    if sum == 0.0 { 0.0 } else { 2.0 * class.both / sum }
}

/// F1 of class 1. Fails where scikit-learn does: with more than two classes, or two of which none is 1.
pub(in super::super) fn f1(pairs: &[(i64, i64)]) -> Result<f64, String> {
    let counts = counts(pairs);
    match counts.get(&1) {
        _ if counts.len() > 2 => Err(format!("there are {} classes, and f1 is of two", counts.len())),
        Some(class) => Ok(f1_of(class)),
        None if counts.len() == 2 => Err("there are two classes, and none is 1".to_owned()),
        None => Ok(0.0),
    }
}

/// F1 of all classes, weighted by how often each is right.
pub(in super::super) fn weighted_f1(pairs: &[(i64, i64)]) -> f64 {
    let counts = counts(pairs);
    counts.values().map(|class| f1_of(class) * class.right).sum::<f64>() / pairs.len() as f64
}

/// F1 of all classes, each counted once.
pub(in super::super) fn macro_f1(pairs: &[(i64, i64)]) -> f64 {
    let counts = counts(pairs);
    counts.values().map(f1_of).sum::<f64>() / counts.len() as f64
}

/// F1 of all classes together.
pub(in super::super) fn micro_f1(pairs: &[(i64, i64)]) -> f64 {
    pairs.iter().filter(|(right, chosen)| right == chosen).count() as f64 / pairs.len() as f64
}

/// Matthews' correlation coefficient for any number of classes; 0 where it is not defined.
pub(in super::super) fn matthews(pairs: &[(i64, i64)]) -> f64 {
    let counts = counts(pairs);
    let total = pairs.len() as f64;
    let (mut both, mut right_chosen, mut chosen_squared, mut right_squared) = (0.0, 0.0, 0.0, 0.0);
    for class in counts.values() {
        both += class.both;
        right_chosen += class.right * class.chosen;
        chosen_squared += class.chosen * class.chosen;
        right_squared += class.right * class.right;
    }
    let spread = (total * total - right_squared) * (total * total - chosen_squared);
    if spread == 0.0 { 0.0 } else { (both * total - right_chosen) / spread.sqrt() }
}

/// The aggregation that a function of a Python file is, if it is nothing but an average F1 of scikit-learn over the
/// unzipped pairs. It is read from the file, because many files hold a function of that name.
pub(super) fn averaged(function: &str, source: &dyn Source) -> Option<Aggregation> {
    let (file, name) = python_file(function)?;
    let python = source.read(&file)?;
    let imported = |line: &str| {
        let names = line.strip_prefix("from lm_eval.utils import ");
        names.is_some_and(|names| names.split('#').next().unwrap_or(names).split(',').any(|known| known.trim() == name))
    };
    if name == "weighted_f1_score" && python.lines().any(imported) {
        return Some(Aggregation::WeightedF1);
    }
    let start = python.find(&format!("def {name}(items):"))?;
    let body = python[start..].lines().skip(1).take_while(|line| line.trim().is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = body.map(str::trim).filter(|line| !line.is_empty()).collect();
    let known = |average: &str| {
        let computed = format!("fscore = f1_score(golds, preds, average=\"{average}\")");
        let rest: Vec<&str> = lines.iter().copied().filter(|line| !line.contains("import")).collect();
        let head = ["unzipped_list = list(zip(*items))", "golds = unzipped_list[0]", "preds = unzipped_list[1]"];
        let (values, tail) = rest.split_at_checked(3)?;
        (values == head && tail == [computed.as_str(), "return fscore"]).then_some(())
    };
    let averages =
        [("weighted", Aggregation::WeightedF1), ("macro", Aggregation::MacroF1), ("micro", Aggregation::MicroF1)];
    averages.into_iter().find(|(average, _)| known(average).is_some()).map(|(_, aggregation)| aggregation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregation_of_a_python_file_is_read_from_it() {
        let python = "import sklearn\n\n\ndef weighted_f1_score(items):\n    unzipped_list = list(zip(*items))\n    golds = \
                      unzipped_list[0]\n    preds = unzipped_list[1]\n    fscore = f1_score(golds, preds, \
                      average=\"weighted\")\n    return fscore\n\n\ndef other(items):\n    return 1\n";
        let of = |function: &str, python: String| averaged(function, &move |_: &str| Some(python.clone()));
        assert_eq!(of("a/utils.weighted_f1_score", python.to_owned()), Some(Aggregation::WeightedF1));
        let imported = "from lm_eval.utils import weighted_f1_score  # noqa: F401\n".to_owned();
        assert_eq!(of("a/utils.weighted_f1_score", imported), Some(Aggregation::WeightedF1));
        assert_eq!(of("a/utils.other", python.to_owned()), None);
        assert_eq!(of("a/utils.weighted_f1_score", python.replace("return fscore", "return 1 - fscore")), None);
    }

    #[test]
    fn f1_refuses_what_it_is_not_made_for() {
        assert!(f1(&[(0, 1), (2, 0)]).is_err());
        assert!(f1(&[(0, 2), (2, 0)]).is_err());
        assert_eq!(f1(&[(0, 0)]), Ok(0.0));
    }
}
