//! `aobench eval`: score models on tasks, without a node or a pool.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use inference::openai::ServerOptions;
use tasks::harness::Options;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::eval::compare::{self, Comparison, Selection, Standing};
use crate::eval::source::DataArgument;
use crate::eval::{self, Evaluated, Plan};
use crate::output::{Column, Output, table};

/// What can be typed after `aobench eval`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct EvalArguments {
    #[command(subcommand)]
    command: Option<EvalCommand>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum EvalCommand {
    /// Compare results on the same documents: difference, interval, exact McNemar p; of more than two the rank ranges
    Compare {
        /// Files of samples, or folders with them; two or more
        #[arg(required = true, num_args = 2..)]
        results: Vec<PathBuf>,
        /// The metric, instead of the first of acc, exact_match, acc_norm that all have
        #[arg(long)]
        metric: Option<String>,
        /// The task, where the folders have several in common
        #[arg(long)]
        task: Option<String>,
        /// The field that documents which belong together share, instead of context, passage, article or story
        #[arg(long, value_name = "FIELD")]
        cluster: Option<String>,
    },
}

/// What answers, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Llama,
    Openai,
}

/// Requests that a server gets at one time where nothing is said: what it batches.
const CONNECTIONS: usize = 8;

/// A profile of the engine as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArgument {
    Exact,
    Fast,
}

impl From<ProfileArgument> for inference::Profile {
    fn from(profile: ProfileArgument) -> Self {
        match profile {
            ProfileArgument::Exact => Self::Exact,
            ProfileArgument::Fast => Self::Fast,
        }
    }
}

/// The instructions of an engine as they are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstructionsArgument {
    Widest,
    Portable,
}

impl From<InstructionsArgument> for inference::InstructionSet {
    fn from(instructions: InstructionsArgument) -> Self {
        match instructions {
            InstructionsArgument::Widest => Self::Widest,
            InstructionsArgument::Portable => Self::Portable,
        }
    }
}

/// What is evaluated, and how.
#[derive(Debug, Args)]
struct RunArguments {
    /// A GGUF file, the id of an uploaded one, the URL of one, or with --base-url what the server calls it; several times
    /// for several models
    #[arg(long, short, required = true)]
    model: Vec<String>,
    /// A task file of lm-evaluation-harness (YAML), or 'siqa' or 'demo'; several times for several tasks
    #[arg(long, short, required = true)]
    task: Vec<String>,
    /// Documents (jsonl, json, csv, tsv): FILE, SPLIT=FILE or TASK/SPLIT=FILE
    #[arg(long, value_name = "FILE")]
    data: Vec<DataArgument>,
    /// Only the first so many documents
    #[arg(long)]
    limit: Option<usize>,
    /// Examples before each document, instead of what the task says
    #[arg(long)]
    num_fewshot: Option<usize>,
    /// Documents in one request to the engine; the results do not depend on it
    #[arg(long, default_value = "auto")]
    batch: String,
    /// Engines side by side, one thread each; one for each processor if left out. Of a server: requests at one time
    #[arg(long)]
    workers: Option<usize>,
    /// Tokens of context at most, where the model allows as many
    #[arg(long, default_value_t = inference::limits::CONTEXT_TOKENS_DEFAULT)]
    context: u32,
    /// What answers: llama.cpp here, or a server with the protocol of OpenAI
    #[arg(long, value_enum, default_value_t = Backend::Llama)]
    backend: Backend,
    /// Where the server's paths begin, as http://127.0.0.1:8000/v1; its key is read from OPENAI_API_KEY
    #[arg(long, value_name = "URL", required_if_eq("backend", "openai"))]
    base_url: Option<String>,
    /// exact: an answer depends on its own document alone; fast: many documents in one computation, equal within a
    /// tolerance only
    #[arg(long, value_enum, default_value_t = ProfileArgument::Exact)]
    profile: ProfileArgument,
    /// widest: whatever this processor has; portable: what each has, so that all of one kind give the same bits
    #[arg(long, value_enum, default_value_t = InstructionsArgument::Widest)]
    instructions: InstructionsArgument,
    /// What examples are drawn with
    #[arg(long, default_value_t = 1234)]
    seed: u64,
    /// A text that stands before everything
    #[arg(long, default_value = "")]
    system_instruction: String,
    /// Write contexts as the model's own chat template has them
    #[arg(long)]
    apply_chat_template: bool,
    /// With --apply-chat-template: put examples and question into one message, instead of a conversation
    #[arg(long, requires = "apply_chat_template")]
    one_question: bool,
    /// Resamples for standard errors that have no formula
    #[arg(long, default_value_t = 100_000)]
    bootstrap: usize,
    /// Write down each prompt with its answer, too
    #[arg(long)]
    log_samples: bool,
    /// Where results go; an evaluation that was killed goes on from what is there
    #[arg(long, short, default_value = "aobench-eval", value_name = "FOLDER")]
    output: PathBuf,
}

pub(crate) async fn run(global: &GlobalArguments, arguments: EvalArguments, output: Output) -> anyhow::Result<()> {
    if let Some(EvalCommand::Compare { results, metric, task, cluster }) = arguments.command {
        let selection = Selection { metric, task, cluster };
        return match results.as_slice() {
            [first, second] => output.result(&compare::compare(first, second, &selection)?, describe),
            several => output.result(&compare::rank(several, &selection)?, |standings| ranking(standings)),
        };
    }
    let arguments = arguments.run;
    let batch = match arguments.batch.as_str() {
        "auto" => None,
        number => Some(
            number
                .parse::<NonZeroUsize>()
                .map_err(|_| anyhow::anyhow!("--batch is 'auto' or a number of documents, and not '{number}'"))?,
        ),
    };
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let server = match arguments.backend {
        Backend::Llama => None,
        Backend::Openai => Some(ServerOptions {
            base_url: arguments.base_url.unwrap_or_default(),
            key: std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty()),
            connections: arguments.workers.unwrap_or(CONNECTIONS),
        }),
    };
    let plan = Plan {
        models: arguments.model,
        tasks: arguments.task,
        data: arguments.data,
        options: Options {
            num_fewshot: arguments.num_fewshot,
            limit: arguments.limit,
            seed: arguments.seed,
            system_instruction: arguments.system_instruction,
        },
        batch: batch.map(NonZeroUsize::get),
        workers: arguments.workers.unwrap_or_else(processors),
        context_tokens: arguments.context,
        chat: arguments.apply_chat_template.then_some(!arguments.one_question),
        profile: arguments.profile.into(),
        instructions: arguments.instructions.into(),
        server,
        resamples: arguments.bootstrap,
        output: arguments.output,
        log_samples: arguments.log_samples,
        url: Config::load(global)?.client.url,
    };
    let evaluated = eval::run(plan, output).await?;
    let results: Vec<_> = evaluated.iter().map(|one| &one.results).collect();
    output.result(&results, |_| evaluated.iter().map(summary).collect::<Vec<_>>().join("\n\n"))
}

/// A model's table in the manner of lm-evaluation-harness, with what it takes to compare it with another.
fn summary(evaluated: &Evaluated) -> String {
    let results = &evaluated.results;
    let (config, engine) = (&results["config"], &results["aobench"]["engine"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    // Scores are compared only under the same protocol, so it stands beside each.
    let protocols = results["aobench"]["protocols"].as_object().into_iter().flatten();
    let protocols =
        protocols.map(|(task, id)| format!("protocol of {task}: {}\n", text(id))).collect::<Vec<_>>().concat();
    format!(
        "aobench (model={}), limit: {}, batch_size: {}, profile: {} ({})\n{}{protocols}results in {}",
        text(&results["model_name"]),
        config["limit"],
        text(&config["batch_size"]),
        text(&engine["profile"]),
        text(&engine["engine"]),
        evaluated.table,
        evaluated.path.display()
    )
}

/// Several results, the best first, each with the ranks that it may have.
fn ranking(standings: &[Standing]) -> String {
    let rows = standings.iter().map(|standing| {
        let [low, high] = standing.interval.map(|share| share * 100.0);
        let [best, worst] = standing.ranks;
        vec![
            if best == worst { best.to_string() } else { format!("{best} to {worst}") },
            standing.name.clone(),
            format!("{}/{}", standing.correct, standing.documents),
            format!("{:.2}", standing.score * 100.0),
            format!("{low:.2} to {high:.2}"),
        ]
    });
    let columns = [
        Column::Text("rank"),
        Column::Text("result"),
        Column::Number("right"),
        Column::Number("score"),
        Column::Text("95 % interval"),
    ];
    table(&columns, rows)
        + "\na rank is behind those only that are significantly better (exact McNemar, 5 % over all pairs)"
}

fn describe(comparison: &Comparison) -> String {
    let count = |what: &str, number: u64| vec![what.to_owned(), number.to_string()];
    let rows = [
        count("documents that both have", comparison.documents),
        count("right by both", comparison.both),
        count("right by the first only", comparison.first_only),
        count("right by the second only", comparison.second_only),
        count("right by neither", comparison.neither),
    ];
    let counts = table(&[Column::Text(""), Column::Number("documents")], rows);
    let [low, high] = comparison.interval.map(|share| share * 100.0);
    let verdict = if comparison.p < 0.05 {
        "the difference is unlikely to be chance"
    } else {
        "chance alone could have made this difference"
    };
    let unmatched = match comparison.unmatched {
        0 => String::new(),
        several => format!("\n{several} documents are in one of the two results only and do not count"),
    };
    let shared = comparison.clusters.as_ref().map_or_else(String::new, |clusters| {
        let [low, high] = clusters.interval.map(|share| share * 100.0);
        let (count, field) = (clusters.count, &clusters.field);
        format!(
            "\ndocuments share {count} texts ('{field}'); with those together the interval is {low:+.2} to {high:+.2}"
        )
    });
    let differs = match &comparison.protocols {
        Some([first, second]) if first != second => {
            "\nthe two were asked in different ways (their protocol ids differ): this compares the ways, too"
        }
        _ => "",
    };
    format!(
        "{counts}\n{}: first less second {:+.2} points, 95 % interval {low:+.2} to {high:+.2}; exact McNemar p = {:.4}: \
         {verdict}\nso many documents show differences of {:.1} points and more (95 %, power 80 %)\
         {shared}{unmatched}{differs}",
        comparison.metric,
        comparison.difference * 100.0,
        comparison.p,
        comparison.detectable * 100.0
    )
}
