//! What the measurements come to: ratios, and what they are made of.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::ao_wasm::WasmRun;
use super::rivals::HarnessRun;
use crate::output::{Column, table};

/// The result of the command.
#[derive(Debug, Serialize)]
pub(super) struct EvalBench {
    /// Of the profile `fast`.
    #[serde(flatten)]
    pub(super) ratios: Ratios,
    /// Of the profile `exact`.
    pub(super) exact: Ratios,
    /// What ten times the questions cost, in the cost of one time.
    pub(super) cost_of_ten_times: f64,
    pub(super) parameters: u64,
    pub(super) questions: usize,
    pub(super) threads: usize,
    /// The ceiling: the most that llama.cpp computes with the attention that the engine uses.
    pub(super) prompt_tokens_per_second: f64,
    /// The most with flash attention, which is less precise.
    pub(super) prompt_tokens_per_second_flash: f64,
    pub(super) distinct_tokens: usize,
    pub(super) distinct_tokens_prefix: usize,
    pub(super) runs: Vec<OurRun>,
    #[serde(flatten)]
    pub(super) beside: Beside,
}

/// How many times as fast as something else; nothing where that was not there.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Ratios {
    ratio_lm_eval_gguf: Option<f64>,
    ratio_lm_eval_hf: Option<f64>,
    ratio_perplexity: Option<f64>,
    ratio_perplexity_prefix: Option<f64>,
    ratio_ceiling: f64,
    /// The same with the most that llama.cpp computes with flash attention.
    ratio_ceiling_flash: f64,
    ratio_ao_wasm: Option<f64>,
}

/// One run of `aobench eval`.
#[derive(Debug, Serialize)]
pub(super) struct OurRun {
    profile: String,
    task: String,
    pub(super) questions: usize,
    /// From the documents to the scores, without loading the model.
    pub(super) seconds: f64,
    /// The whole process.
    seconds_whole: f64,
    questions_per_second: f64,
    #[serde(skip)]
    log_likelihoods: Vec<Vec<f64>>,
}

impl OurRun {
    pub(super) fn new(
        profile: &str,
        task: &str,
        questions: usize,
        seconds: f64,
        seconds_whole: f64,
        log_likelihoods: Vec<Vec<f64>>,
    ) -> Self {
        let questions_per_second = questions as f64 / seconds;
        let (profile, task) = (profile.to_owned(), task.to_owned());
        Self { profile, task, questions, seconds, seconds_whole, questions_per_second, log_likelihoods }
    }
}

/// What the rivals took, and why some are not there.
#[derive(Debug, Default, Serialize)]
pub(super) struct Beside {
    pub(super) perplexity_seconds: Option<f64>,
    pub(super) perplexity_prefix_seconds: Option<f64>,
    pub(super) lm_eval_gguf: Option<HarnessRun>,
    pub(super) lm_eval_hf: Option<HarnessRun>,
    pub(super) ao_wasm: Option<WasmRun>,
    reasons: BTreeMap<String, String>,
}

impl Beside {
    /// The value, or its absence with the reason kept.
    pub(super) fn keep<T>(&mut self, name: &str, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.reasons.insert(name.to_owned(), format!("{error:#}"))).ok()
    }

    /// Phase beside phase for lm-eval and the ceiling, whole process beside whole process for llama-perplexity.
    pub(super) fn ratios(&self, plain: &OurRun, prefixed: &OurRun, ceiling_seconds: [f64; 2]) -> Ratios {
        let harness = |run: &Option<HarnessRun>| {
            let run = run.as_ref()?;
            Some(plain.questions_per_second * run.seconds / run.questions as f64)
        };
        Ratios {
            ratio_lm_eval_gguf: harness(&self.lm_eval_gguf),
            ratio_lm_eval_hf: harness(&self.lm_eval_hf),
            ratio_perplexity: self.perplexity_seconds.map(|seconds| seconds / plain.seconds_whole),
            ratio_perplexity_prefix: self.perplexity_prefix_seconds.map(|seconds| seconds / prefixed.seconds_whole),
            ratio_ceiling: ceiling_seconds[0] / plain.seconds,
            ratio_ceiling_flash: ceiling_seconds[1] / plain.seconds,
            ratio_ao_wasm: self.ao_wasm.as_ref().map(WasmRun::ratio),
        }
    }

    /// The largest difference between the sums of lm-eval's GGUF route and ours.
    fn difference(&self, ours: &OurRun) -> Option<f64> {
        Some(difference(&self.lm_eval_gguf.as_ref()?.log_likelihoods, &ours.log_likelihoods))
    }
}

/// The largest difference of two lists of sums, as far as both go.
fn difference(one: &[Vec<f64>], other: &[Vec<f64>]) -> f64 {
    let pairs = one.iter().zip(other).flat_map(|(one, other)| one.iter().zip(other));
    pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f64::max)
}

pub(super) fn describe(bench: &EvalBench) -> String {
    let runs = bench.runs.iter().map(|run| {
        let rate = format!("{:.1}", run.questions_per_second);
        vec![
            run.task.clone(),
            run.profile.clone(),
            run.questions.to_string(),
            rate,
            format!("{:.2}", run.seconds_whole),
        ]
    });
    let columns = [
        Column::Text("aobench eval"),
        Column::Text("profile"),
        Column::Number("questions"),
        Column::Number("questions/s"),
        Column::Number("whole process, s"),
    ];
    let mut text = table(&columns, runs);
    let values = |ratios: &Ratios| serde_json::to_value(ratios).unwrap_or_default();
    let (fast, exact) = (values(&bench.ratios), values(&bench.exact));
    let shown = |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let rows = fast.as_object().into_iter().flatten().map(|(name, value)| {
        let reason = name.strip_prefix("ratio_").and_then(|rival| bench.beside.reasons.get(rival));
        vec![name.clone(), shown(value), shown(&exact[name]), reason.cloned().unwrap_or_default()]
    });
    let columns =
        [Column::Text("times as fast as"), Column::Number("fast"), Column::Number("exact"), Column::Text("why not")];
    text += "\n";
    text += &table(&columns, rows);
    let differences = match &bench.runs[..] {
        [fast, _, exact, ..] => {
            let apart = difference(&fast.log_likelihoods, &exact.log_likelihoods);
            let rival = bench.beside.difference(exact);
            let rival = rival.map(|apart| format!(", lm-eval over llama-cpp-python and exact {apart:.4}"));
            format!("largest difference of a log-likelihood: fast and exact {apart:.4}{}", rival.unwrap_or_default())
        }
        _ => String::new(),
    };
    text + &format!(
        "\n{differences}\n{} million weights, {} threads; {:.0} prompt tokens/s at best ({:.0} with flash attention), {} tokens to compute ({} with the shared beginning); \
         ten times the questions cost {:.2} times as much",
        bench.parameters / 1_000_000,
        bench.threads,
        bench.prompt_tokens_per_second,
        bench.prompt_tokens_per_second_flash,
        bench.distinct_tokens,
        bench.distinct_tokens_prefix,
        bench.cost_of_ten_times
    )
}
