//! Task files of lm-evaluation-harness as a whole: whatever in them is declarative, with the prompts, per-sample metrics
//! and aggregates of that program (version 0.4.13).
//!
//! [`PoolTask`] is the part of this that may decide about money: one metric that counts right answers, no chance,
//! strangers' files. With [`Task`] the person who runs the evaluation has chosen the file, and results are floats made
//! with logarithms and powers, whose last bit may differ between machines. What is not supported is refused by its name,
//! because a key that is passed over silently changes what a score means.
//!
//! ```
//! use tasks::Question;
//! use tasks::harness::{Options, Response, Splits, Task, no_files};
//!
//! let yaml = "
//! task: colours
//! output_type: multiple_choice
//! test_split: test
//! doc_to_text: 'The {{thing}} is'
//! doc_to_choice: [green, blue]
//! doc_to_target: label
//! metric_list: [{metric: acc}]
//! ";
//! let task = Task::from_yaml(yaml, "colours.yaml", &no_files)?;
//! let rows = Question::all_from(br#"[{"thing": "sky", "label": 1}]"#)?;
//! let evaluation = task.evaluation(&Splits::from([("test".to_owned(), rows)]), &Options::default())?;
//! let requests = evaluation.requests(0)?; // One for each choice: "The sky is" + " green", "The sky is" + " blue".
//! assert_eq!(requests.len(), 2);
//! let responses = vec![vec![
//!     vec![Response::Loglikelihood { loglikelihood: -4.0, greedy: false }],
//!     vec![Response::Loglikelihood { loglikelihood: -1.0, greedy: true }],
//! ]];
//! let samples = evaluation.judge(&responses)?;
//! let results = evaluation.aggregate(&samples, 1000)?;
//! assert_eq!(results[0].value, 1.0);
//! # Ok::<(), tasks::TaskError>(())
//! ```

pub use crate::python::literal::text as python_text;

mod aggregate;
mod chat_template;
mod config;
mod context;
mod continued;
mod document;
mod evaluation;
mod few_shot;
mod fields;
mod filter;
mod group;
mod lint;
mod load;
mod metric;
mod pool_task;
mod ports;
mod protocol;
mod report;
mod request;
mod score;
mod stranger;
mod task;
mod template;
mod yaml;

pub use chat_template::{ChatWriter, Part};
pub use config::{
    Config, FewShotConfig, FieldSource, FilterStep, GenerationConfig, MetricConfig, Output, PipelineConfig,
};
pub use context::{Chat, ChatTemplate, Message, Role};
pub use evaluation::{Aggregate, Evaluation, Sample};
pub use group::{Group, GroupMetric, Member, MemberResult, pooled};
pub use lint::{Finding, Problem};
pub use load::{File, Source, load, load_with, no_files, parse, whole};
pub use metric::{Aggregation, ExactMatch, Metric};
pub use pool_task::{PoolTask, Prepared};
pub use ports::{FieldsPort, KeepsPort, ProcessDocs, ResultsPort, RowsScript, ValuePort};
pub use protocol::Profile;
pub use report::results_entry;
pub use request::{Request, Response};
pub use score::Score;
pub use task::{Options, Splits, Task};
