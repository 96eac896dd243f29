//! The metrics and aggregations by name, and which of them fit which output.

pub(super) mod bleu;
pub(super) mod chrf;
pub(super) mod classification;
pub(super) mod exact_match;
pub(super) mod ter;

use serde_json::Value;

pub use exact_match::ExactMatch;

use super::config::{MetricConfig, Output};
use super::fields::Fields;
use super::load::Source;
use super::yaml;
use crate::TaskError;

macro_rules! named {
    ($(#[$about:meta])* $enum:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $enum { $($(#[$doc])* $variant,)+ }

        impl $enum {
            /// Its name in task files and results.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            fn known() -> String {
                [$($name,)+].join(", ")
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

named! {
    /// A metric: what is computed for each document.
    Metric, "metric", {
        /// The likeliest choice is a right one; the text is the likeliest.
        Acc = "acc",
        /// The same, after dividing by the characters of each choice.
        AccNorm = "acc_norm",
        /// The same, after dividing by the bytes of each choice.
        AccBytes = "acc_bytes",
        /// The same, after taking off how likely each choice is without the context.
        AccMutualInfo = "acc_mutual_info",
        /// The answer is a right text; the right choice is the likeliest text.
        ExactMatch = "exact_match",
        /// Harmonic mean of precision and recall of choice 1.
        F1 = "f1",
        /// Matthews' correlation coefficient.
        Mcc = "mcc",
        /// Squared distance of the choices' probabilities from the truth.
        BrierScore = "brier_score",
        /// e to the mean negative log-likelihood of a document.
        Perplexity = "perplexity",
        /// e to the negative log-likelihood per word.
        WordPerplexity = "word_perplexity",
        /// e to the negative log-likelihood per byte.
        BytePerplexity = "byte_perplexity",
        /// Negative log2-likelihood per byte.
        BitsPerByte = "bits_per_byte",
        /// BLEU of sacrebleu.
        Bleu = "bleu",
        /// chrF of sacrebleu.
        Chrf = "chrf",
        /// chrF++ of sacrebleu.
        ChrfPlusPlus = "chrf++",
        /// Translation edit rate of sacrebleu.
        Ter = "ter",
    }
}

named! {
    /// An aggregation: what is computed from the values of all documents.
    Aggregation, "aggregation", {
        /// The mean.
        Mean = "mean",
        /// The mean of the values that are numbers.
        NanMean = "nanmean",
        /// The middle value, of two the upper one.
        Median = "median",
        /// e to the negative mean.
        Perplexity = "perplexity",
        /// e to the negative sum over the sum of weights.
        WeightedPerplexity = "weighted_perplexity",
        /// The negative sum over the sum of weights, in bits.
        BitsPerByte = "bits_per_byte",
        /// F1 of class 1.
        F1 = "f1",
        /// F1 of all classes, weighted by how often they are right.
        WeightedF1 = "weighted_f1",
        /// F1 of all classes, each counted once.
        MacroF1 = "macro_f1",
        /// F1 of all classes together: the share of right ones.
        MicroF1 = "micro_f1",
        /// Matthews' correlation coefficient.
        MatthewsCorrcoef = "matthews_corrcoef",
        /// The mean squared distance.
        BrierScore = "brier_score",
        /// BLEU of sacrebleu.
        Bleu = "bleu",
        /// chrF of sacrebleu.
        Chrf = "chrf",
        /// chrF++ of sacrebleu.
        ChrfPlusPlus = "chrf++",
        /// Translation edit rate of sacrebleu.
        Ter = "ter",
    }
}

impl Metric {
    fn default_aggregation(self) -> Aggregation {
        match self {
            Self::Acc | Self::AccNorm | Self::AccBytes | Self::AccMutualInfo | Self::ExactMatch => Aggregation::Mean,
            Self::F1 => Aggregation::F1,
            Self::Mcc => Aggregation::MatthewsCorrcoef,
            Self::BrierScore => Aggregation::BrierScore,
            Self::Perplexity => Aggregation::Perplexity,
            Self::WordPerplexity | Self::BytePerplexity => Aggregation::WeightedPerplexity,
            Self::BitsPerByte => Aggregation::BitsPerByte,
            Self::Bleu => Aggregation::Bleu,
            Self::Chrf => Aggregation::Chrf,
            Self::ChrfPlusPlus => Aggregation::ChrfPlusPlus,
            Self::Ter => Aggregation::Ter,
        }
    }

    fn higher_is_better(self) -> bool {
        !matches!(
            self,
            Self::BrierScore
                | Self::Perplexity
                | Self::WordPerplexity
                | Self::BytePerplexity
                | Self::BitsPerByte
                | Self::Ter
        )
    }

    fn fits(self, output: Output) -> bool {
        match output {
            Output::MultipleChoice => matches!(
                self,
                Self::Acc
                    | Self::AccNorm
                    | Self::AccBytes
                    | Self::AccMutualInfo
                    | Self::ExactMatch
                    | Self::F1
                    | Self::Mcc
                    | Self::BrierScore
            ),
            Output::GenerateUntil => {
                matches!(self, Self::ExactMatch | Self::Bleu | Self::Chrf | Self::ChrfPlusPlus | Self::Ter)
            }
            Output::Loglikelihood => matches!(self, Self::Perplexity | Self::Acc),
            Output::LoglikelihoodRolling => {
                matches!(self, Self::WordPerplexity | Self::BytePerplexity | Self::BitsPerByte)
            }
        }
    }
}

/// What kind of value an aggregation takes; see [`super::Score`].
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Weighted,
    Classes,
    Distribution,
    Texts,
}

fn made_by(metric: Metric) -> Kind {
    match metric {
        Metric::F1 | Metric::Mcc => Kind::Classes,
        Metric::BrierScore => Kind::Distribution,
        Metric::WordPerplexity | Metric::BytePerplexity | Metric::BitsPerByte => Kind::Weighted,
        Metric::Bleu | Metric::Chrf | Metric::ChrfPlusPlus | Metric::Ter => Kind::Texts,
        _ => Kind::Number,
    }
}

fn taken_by(aggregation: Aggregation) -> Kind {
    match aggregation {
        Aggregation::Mean | Aggregation::NanMean | Aggregation::Median | Aggregation::Perplexity => Kind::Number,
        Aggregation::WeightedPerplexity | Aggregation::BitsPerByte => Kind::Weighted,
        Aggregation::F1
        | Aggregation::WeightedF1
        | Aggregation::MacroF1
        | Aggregation::MicroF1
        | Aggregation::MatthewsCorrcoef => Kind::Classes,
        Aggregation::BrierScore => Kind::Distribution,
        Aggregation::Bleu | Aggregation::Chrf | Aggregation::ChrfPlusPlus | Aggregation::Ter => Kind::Texts,
    }
}

/// The metrics of a task: those of `metric_list`, or the default ones of its output.
pub(super) fn configs(
    list: Option<Value>,
    output: Output,
    source: &dyn Source,
) -> Result<Vec<MetricConfig>, TaskError> {
    let list = match list {
        None => {
            let defaults: &[Metric] = match output {
                Output::MultipleChoice => &[Metric::Acc, Metric::AccNorm],
                Output::GenerateUntil => &[Metric::ExactMatch],
                Output::Loglikelihood => &[Metric::Perplexity, Metric::Acc],
                Output::LoglikelihoodRolling => &[Metric::WordPerplexity, Metric::BytePerplexity, Metric::BitsPerByte],
            };
            return Ok(defaults.iter().map(|metric| standard(*metric)).collect());
        }
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    list.into_iter().map(|entry| config(entry, output, source)).collect()
}

fn standard(metric: Metric) -> MetricConfig {
    MetricConfig {
        metric,
        aggregation: metric.default_aggregation(),
        higher_is_better: metric.higher_is_better(),
        exact_match: ExactMatch::default(),
    }
}

/// Options that stand in task files whose output is not generated, where nothing reads them.
const WITHOUT_EFFECT: [&str; 6] =
    ["hf_evaluate", "weight_by_size", "average", "ignore_case", "ignore_punctuation", "regexes_to_ignore"];

fn config(entry: Value, output: Output, source: &dyn Source) -> Result<MetricConfig, TaskError> {
    let mut fields = Fields::of("metric_list.", entry)?;
    let name = fields.take("metric").unwrap_or_default();
    let Some(metric) = name.as_str().and_then(Metric::named) else {
        return Err(fields.refused("metric", &name, &format!("there is {}", Metric::known())));
    };
    if !metric.fits(output) {
        return Err(fields.unsupported("metric", &name, &format!("it cannot be computed for {output:?}")));
    }
    let aggregation = match fields.take("aggregation") {
        None => metric.default_aggregation(),
        Some(value) => aggregation(&fields, &value, source)?,
    };
    if taken_by(aggregation) != made_by(metric) {
        let value = Value::from(aggregation.name());
        return Err(fields.unsupported("aggregation", &value, &format!("it does not fit the metric {metric}")));
    }
    let higher_is_better = fields.flag("higher_is_better")?.unwrap_or_else(|| metric.higher_is_better());
    let exact_match = if output == Output::GenerateUntil {
        if fields.flag("hf_evaluate")? == Some(true) && metric != Metric::ExactMatch {
            return Err(fields.unsupported(
                "hf_evaluate",
                &Value::Bool(true),
                "metrics of Hugging Face are not loaded",
            ));
        }
        if metric == Metric::ExactMatch { ExactMatch::from_fields(&mut fields)? } else { ExactMatch::default() }
    } else {
        // Options of a metric have no effect there on what is not generated.
        WITHOUT_EFFECT.iter().for_each(|key| drop(fields.take(key)));
        ExactMatch::default()
    };
    fields.finish()?;
    Ok(MetricConfig { metric, aggregation, higher_is_better, exact_match })
}

fn aggregation(fields: &Fields, value: &Value, source: &dyn Source) -> Result<Aggregation, TaskError> {
    if let Some(function) = yaml::function(value)
        && let Some(aggregation) = classification::averaged(function, source)
    {
        return Ok(aggregation);
    }
    let known = value.as_str().and_then(Aggregation::named);
    known.ok_or_else(|| fields.refused("aggregation", value, &format!("there is {}", Aggregation::known())))
}
