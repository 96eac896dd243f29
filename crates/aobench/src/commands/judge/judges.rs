//! Who judges: the workers of a herd, or a model of this machine in a child process.

use ao::Id;
use indicatif::ProgressBar;
use inference::{ChildEngine, ChildOptions, ChildProgram, Engine, ModelFile};
use tasks::judge::{JudgeRequest, SCORE_MAX};

use super::ByArguments;
use crate::arguments::GlobalArguments;
use crate::herd::Herd;
use crate::session::Session;
use crate::worker::{Service, judging};

/// Questions that are with the herd at a time.
const TOGETHER: usize = 64;

/// Judges.
pub(super) enum Judges {
    /// A model of this machine.
    Here(Box<ChildEngine>),
    /// Workers.
    Herd(Box<Herd>, Id),
}

impl Judges {
    /// Loads the model that was named, or finds the herder.
    pub(super) async fn open(global: &GlobalArguments, by: &ByArguments) -> anyhow::Result<Self> {
        if let Some(path) = &by.model {
            let mut engine = ChildEngine::new(ChildProgram::this()?, ChildOptions::default());
            engine.load(&ModelFile::at(path))?;
            return Ok(Self::Here(Box::new(engine)));
        }
        let session = Session::signing(global).await?;
        let herder = session.process(&by.herder)?;
        Ok(Self::Herd(Box::new(Herd::new(session, by.wait())), herder))
    }

    /// The score of each request, or why there is none; in the order of the requests.
    pub(super) async fn scores(
        &mut self,
        requests: &[JudgeRequest],
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Result<u8, String>>> {
        let mut scores = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(TOGETHER) {
            match self {
                Self::Here(engine) => {
                    for request in chunk {
                        let said = judging::judge(&mut **engine, request, &mut |_| ());
                        scores.push(said.map_err(|error| error.to_string()).and_then(|said| read(&said)));
                        bar.inc(1);
                    }
                }
                Self::Herd(herd, herder) => {
                    let mut references = Vec::new();
                    for request in chunk {
                        let data = serde_json::to_string(request)?;
                        references.push(herd.ask(*herder, Service::Evaluate, &data).await?);
                    }
                    for reference in references {
                        let answer = herd.answer("Inference-Response", &reference).await;
                        let said = answer.map_err(|error| error.to_string());
                        scores.push(said.and_then(|answer| read(answer.text().unwrap_or_default())));
                        bar.inc(1);
                    }
                }
            }
        }
        Ok(scores)
    }
}

/// The answer as a score, and nothing else.
fn read(said: &str) -> Result<u8, String> {
    let score = said.parse().ok().filter(|score| *score <= SCORE_MAX);
    score.ok_or_else(|| format!("'{}' is no score from 0 to {SCORE_MAX}", said.escape_debug()))
}
