//! What a model has answered so far, so that an evaluation that was killed asks nothing twice. One line for each document;
//! a line counts only for the same requests.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use anyhow::Context as _;
use ao::sha256;
use serde::{Deserialize, Serialize};
use tasks::harness::Response;

use super::ask::{Answers, Asked};

/// The journal of one task on one model.
pub(super) struct Journal {
    file: File,
    answered: BTreeMap<usize, Line>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    document: usize,
    /// SHA-256 of the requests that were answered.
    requests: String,
    answers: Vec<Kept>,
}

/// An answer. Floats are kept as their bits: JSON numbers are not always read back to the last one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Loglikelihood { bits: u64, greedy: bool },
    Rolling { bits: u64 },
    Text(String),
}

impl Journal {
    /// Opens the journal at a path. A last line that was not written to its end is as if it had not been written.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("the journal {} cannot be used", path.display());
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        let file = options.open(path).with_context(failed)?;
        let mut answered = BTreeMap::new();
        let mut ends_in_line = true;
        for line in BufReader::new(&file).split(b'\n') {
            let line = line.with_context(failed)?;
            match serde_json::from_slice::<Line>(&line) {
                Ok(line) => {
                    answered.insert(line.document, line);
                    ends_in_line = true;
                }
                Err(_) => ends_in_line = false,
            }
        }
        let mut journal = Self { file, answered };
        if !ends_in_line {
            journal.file.write_all(b"\n").with_context(failed)?;
        }
        Ok(journal)
    }

    /// The answers to a document, if they are here.
    pub(super) fn answers(&self, asked: &Asked) -> Option<Answers> {
        let line = self.answered.get(&asked.document)?;
        (line.requests == requests_hash(asked)).then(|| line.answers.iter().map(Kept::response).collect())
    }

    /// Adds answers; they are on their way to the disk when this returns.
    pub(super) fn add(&mut self, asked: &[Asked], answers: &[Answers]) -> anyhow::Result<()> {
        let mut text = Vec::new();
        for (asked, answers) in asked.iter().zip(answers) {
            let answers = answers.iter().map(Kept::of).collect();
            let line = Line { document: asked.document, requests: requests_hash(asked), answers };
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
            self.answered.insert(line.document, line);
        }
        self.file.write_all(&text).context("the journal of the evaluation cannot be written; is the disk full?")
    }
}

fn requests_hash(asked: &Asked) -> String {
    sha256(format!("{:?}", asked.requests).as_bytes()).to_hex()
}

impl Kept {
    fn of(response: &Response) -> Self {
        match response {
            Response::Loglikelihood { loglikelihood, greedy } => {
                Self::Loglikelihood { bits: loglikelihood.to_bits(), greedy: *greedy }
            }
            Response::Rolling(value) => Self::Rolling { bits: value.to_bits() },
            Response::Text(text) => Self::Text(text.clone()),
        }
    }

    fn response(&self) -> Response {
        match self {
            Self::Loglikelihood { bits, greedy } => {
                Response::Loglikelihood { loglikelihood: f64::from_bits(*bits), greedy: *greedy }
            }
            Self::Rolling { bits } => Response::Rolling(f64::from_bits(*bits)),
            Self::Text(text) => Response::Text(text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasks::harness::Request;

    fn asked(document: usize, text: &str) -> Asked {
        Asked { document, requests: vec![Request::LoglikelihoodRolling { text: text.to_owned() }] }
    }

    #[test]
    fn what_was_answered_is_there_again_to_the_last_bit_and_what_was_cut_off_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let value = -0.1 - 0.2;
        let mut journal = Journal::open(&path).unwrap();
        journal
            .add(&[asked(0, "a"), asked(1, "b")], &[vec![Response::Rolling(value)], vec![Response::Rolling(-2.0)]])
            .unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.answers(&asked(0, "a")), Some(vec![Response::Rolling(value)]));
        assert_eq!(journal.answers(&asked(0, "another question")), None);
        assert_eq!(journal.answers(&asked(1, "b")), None);
        journal.add(&[asked(1, "b")], &[vec![Response::Rolling(-2.0)]]).unwrap();
        assert_eq!(Journal::open(&path).unwrap().answers(&asked(1, "b")), Some(vec![Response::Rolling(-2.0)]));
    }
}
