//! Models and questions for the tests: those of the repository, and more where the folder of shared data is at hand.

#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, reason = "a test without its data fails")]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One of the demo models, 1 (chance) to 4 (best).
pub(crate) fn demo_model(level: u32) -> PathBuf {
    root().join(format!("demo/models/social-{level}.gguf"))
}

/// A path in the folder of shared data, if that is there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("AOBENCH_SHARED_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    Some(folder.join(path)).filter(|path| path.exists())
}

/// A multiple-choice question.
pub(crate) struct Question {
    /// What the model is asked, up to `Answer:`.
    pub(crate) prompt: String,
    /// The letter of the right answer.
    pub(crate) letter: char,
}

/// The questions of a JSONL file in SIQA's form.
pub(crate) fn questions(path: &Path) -> Vec<Question> {
    let rows = std::fs::read_to_string(path).unwrap();
    rows.lines().map(|row| question(&serde_json::from_str(row).unwrap())).collect()
}

fn question(row: &Value) -> Question {
    let field = |name: &str| row[name].as_str().unwrap();
    let prompt = format!(
        "Context: {}\nQuestion: {}\nAnswerA: {}\nAnswerB: {}\nAnswerC: {}\nAnswer:",
        field("context"),
        field("question"),
        field("answerA"),
        field("answerB"),
        field("answerC")
    );
    let letter = match field("result") {
        "1" => 'A',
        "2" => 'B',
        _ => 'C',
    };
    Question { prompt, letter }
}

/// The demo's questions.
pub(crate) fn demo_questions() -> Vec<Question> {
    questions(&root().join("demo/questions.jsonl"))
}
