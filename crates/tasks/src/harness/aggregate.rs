//! From the values of all documents to a result with its standard error.
//!
//! A mean has the usual standard error. Where lm-evaluation-harness resamples, the same resamples are drawn here with the
//! same random numbers, so the standard errors are equal and not only alike.

use super::metric::{Aggregation, bleu, chrf, classification, ter};
use super::score::Score;
use crate::TaskError;
use crate::limits::BOOTSTRAP_MAX;
use crate::python::random::Random;

/// How many resamples are drawn for BLEU and its like, at most.
const TRANSLATION_RESAMPLES: usize = 100;

/// Resamples that are drawn from one seed; the next so many come from the next seed.
const CHUNK: usize = 1000;

fn failed(aggregation: Aggregation, reason: impl Into<String>) -> TaskError {
    TaskError::Score { what: format!("the aggregation {aggregation}"), reason: reason.into() }
}

/// The values of one metric, in the form its aggregation counts with.
pub(super) enum Values {
    Numbers(Vec<f64>),
    Weighted(Vec<(f64, f64)>),
    Classes(Vec<(i64, i64)>),
    Distributions(Vec<(i64, Vec<f64>)>),
    Bleu(Vec<bleu::Counts>),
    Chrf(Vec<chrf::Counts>),
    Ter(Vec<ter::Counts>),
}

impl Values {
    /// Reads the scores of all documents.
    pub(super) fn new(aggregation: Aggregation, scores: &[&Score]) -> Result<Self, TaskError> {
        let wrong = || failed(aggregation, "the values of the metric are of another kind");
        let texts = || references(aggregation, scores);
        Ok(match aggregation {
            Aggregation::Mean | Aggregation::NanMean | Aggregation::Median | Aggregation::Perplexity => {
                let number = |score: &&Score| if let Score::Number(number) = score { Some(*number) } else { None };
                Self::Numbers(scores.iter().map(number).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            Aggregation::WeightedPerplexity | Aggregation::BitsPerByte => {
                let pair = |score: &&Score| match score {
                    Score::Weighted { value, weight } => Some((*value, *weight)),
                    _ => None,
                };
                Self::Weighted(scores.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            Aggregation::F1
            | Aggregation::WeightedF1
            | Aggregation::MacroF1
            | Aggregation::MicroF1
            | Aggregation::MatthewsCorrcoef => {
                let pair = |score: &&Score| match score {
                    Score::Classes { target, chosen } => Some((*target, *chosen)),
                    _ => None,
                };
                Self::Classes(scores.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            Aggregation::BrierScore => {
                let pair = |score: &&Score| match score {
                    Score::Distribution { target, probabilities } => Some((*target, probabilities.clone())),
                    _ => None,
                };
                Self::Distributions(scores.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            Aggregation::Bleu => {
                Self::Bleu(texts()?.iter().map(|(references, answer)| bleu::counts(answer, references)).collect())
            }
            Aggregation::Chrf => Self::Chrf(
                texts()?.iter().map(|(references, answer)| chrf::counts(answer, references, false)).collect(),
            ),
            Aggregation::ChrfPlusPlus => {
                Self::Chrf(texts()?.iter().map(|(references, answer)| chrf::counts(answer, references, true)).collect())
            }
            Aggregation::Ter => {
                Self::Ter(texts()?.iter().map(|(references, answer)| ter::counts(answer, references)).collect())
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Weighted(values) => values.len(),
            Self::Classes(values) => values.len(),
            Self::Distributions(values) => values.len(),
            Self::Bleu(values) => values.len(),
            Self::Chrf(values) => values.len(),
            Self::Ter(values) => values.len(),
        }
    }

    /// The result over the documents at these places.
    fn over(&self, aggregation: Aggregation, places: &[usize]) -> Result<f64, TaskError> {
        Ok(match self {
            Self::Numbers(values) => {
                of_numbers(aggregation, &places.iter().map(|place| values[*place]).collect::<Vec<_>>())
            }
            Self::Weighted(values) => {
                let (mut value, mut weight) = (0.0, 0.0);
                for place in places {
                    value += values[*place].0;
                    weight += values[*place].1;
                }
                let mean: f64 = value / weight;
                if aggregation == Aggregation::BitsPerByte { -mean / std::f64::consts::LN_2 } else { (-mean).exp() }
            }
            Self::Classes(values) => {
                let pairs: Vec<(i64, i64)> = places.iter().map(|place| values[*place]).collect();
                match aggregation {
                    Aggregation::F1 => classification::f1(&pairs).map_err(|reason| failed(aggregation, reason))?,
                    Aggregation::WeightedF1 => classification::weighted_f1(&pairs),
                    Aggregation::MacroF1 => classification::macro_f1(&pairs),
                    Aggregation::MicroF1 => classification::micro_f1(&pairs),
                    _ => classification::matthews(&pairs),
                }
            }
            Self::Distributions(values) => brier(values)?,
            Self::Bleu(values) => bleu::score(places.iter().map(|place| &values[*place])),
            Self::Chrf(values) => chrf::score(places.iter().map(|place| &values[*place])),
            Self::Ter(values) => ter::score(places.iter().map(|place| &values[*place])),
        })
    }

    /// The result over all documents.
    pub(super) fn result(&self, aggregation: Aggregation) -> Result<f64, TaskError> {
        self.over(aggregation, &(0..self.len()).collect::<Vec<_>>())
    }

    /// The standard error of the result: of a mean by the formula, of others from so many resamples, of some none.
    /// Nothing if there is but one document, or if `resamples` is 0.
    pub(super) fn standard_error(&self, aggregation: Aggregation, resamples: usize) -> Result<Option<f64>, TaskError> {
        if resamples == 0 || self.len() < 2 {
            return Ok(None);
        }
        match (aggregation, self) {
            (Aggregation::Mean, Self::Numbers(values)) => Ok(Some(mean_standard_error(values))),
            (Aggregation::Bleu | Aggregation::Chrf | Aggregation::ChrfPlusPlus | Aggregation::Ter, _) => {
                self.bootstrap(aggregation, resamples.min(TRANSLATION_RESAMPLES)).map(Some)
            }
            (
                Aggregation::Median
                | Aggregation::MatthewsCorrcoef
                | Aggregation::F1
                | Aggregation::Perplexity
                | Aggregation::NanMean,
                _,
            ) => self.bootstrap(aggregation, resamples.min(BOOTSTRAP_MAX)).map(Some),
            _ => Ok(None),
        }
    }

    fn bootstrap(&self, aggregation: Aggregation, resamples: usize) -> Result<f64, TaskError> {
        let chunk = resamples.min(CHUNK);
        let mut results = Vec::with_capacity(resamples);
        for seed in 0..resamples / chunk {
            let mut random = Random::new(seed as u64);
            for _ in 0..chunk {
                results.push(self.over(aggregation, &random.choices(self.len(), self.len()))?);
            }
        }
        Ok(sample_deviation(&results))
    }
}

/// References and answers for scores of translations. A reference that not every document has counts for none.
fn references<'a>(aggregation: Aggregation, scores: &[&'a Score]) -> Result<Vec<(Vec<&'a str>, &'a str)>, TaskError> {
    let mut all = Vec::with_capacity(scores.len());
    for score in scores {
        let Score::Texts { references, answer } = score else {
            return Err(failed(aggregation, "the values of the metric are no texts"));
        };
        all.push((references.iter().map(String::as_str).collect::<Vec<_>>(), answer.as_str()));
    }
    let fewest = all.iter().map(|(references, _)| references.len()).min().unwrap_or_default();
    all.iter_mut().for_each(|(references, _)| references.truncate(fewest));
    Ok(all)
}

fn of_numbers(aggregation: Aggregation, values: &[f64]) -> f64 {
    match aggregation {
        Aggregation::Median => {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
        }
        Aggregation::NanMean => mean(&values.iter().copied().filter(|value| !value.is_nan()).collect::<Vec<_>>()),
        Aggregation::Perplexity => (-mean(values)).exp(),
        _ => mean(values),
    }
}

fn brier(values: &[(i64, Vec<f64>)]) -> Result<f64, TaskError> {
    let classes = values.first().map_or(0, |(_, probabilities)| probabilities.len());
    let mut sum = 0.0;
    for (target, probabilities) in values {
        let known = usize::try_from(*target).is_ok_and(|target| target < classes);
        if probabilities.len() != classes || !known {
            let reason = "every document must have equally many choices, and one of them must be right";
            return Err(failed(Aggregation::BrierScore, reason));
        }
        for (class, probability) in probabilities.iter().enumerate() {
            let truth = f64::from(u8::from(class as i64 == *target));
            sum += (probability - truth) * (probability - truth);
        }
    }
    Ok(sum / values.len() as f64)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn sample_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

fn mean_standard_error(values: &[f64]) -> f64 {
    sample_deviation(values) / (values.len() as f64).sqrt()
}
