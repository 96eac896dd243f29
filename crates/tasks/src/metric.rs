//! Judging an answer.

use crate::task_file::{MetricEntry, MetricName};

/// Whether an answer is the right one under a metric.
pub(crate) fn is_correct(metric: &MetricEntry, answer: &str, target: &str) -> bool {
    match metric.metric {
        MetricName::Acc => answer == target,
        MetricName::ExactMatch => compared(metric, answer) == compared(metric, target),
    }
}

/// What of a text is compared.
fn compared(metric: &MetricEntry, text: &str) -> String {
    let mut text = text.to_owned();
    if metric.ignore_case {
        text = text.to_lowercase();
    }
    if metric.ignore_punctuation {
        text.retain(|character| !character.is_ascii_punctuation());
    }
    text
}
