//! A small contest of documents, for the tests of several crates: what is asked, the sets that compete, and how a worker embeds
//! and judges.
#![allow(dead_code, unreachable_pub, reason = "each test takes its own part")]

use ao::sha256;
use processes::herder::embedding::Embedding;
use processes::herder::wire::{
    Answer, InferenceRequest, InferenceResponse, Prompt, PromptResult, Receipt, results_hash,
};
use tasks::judge::JudgeRequest;

/// The questions: what is asked, what is expected, and what a right document holds.
pub const QUESTIONS: &str = r#"[
    {"question": "sun", "expected_response": "warm bright", "evidence": ["the sun is warm", "bright sun"]},
    {"question": "rain", "expected_response": "wet cold", "evidence": ["rain is wet"]},
    {"question": "random doc", "expected_response": "paper", "evidence": []}
]"#;

/// Everything of both questions with evidence; a part; nothing.
pub const BEST: [&str; 3] = ["the sun is warm bright sun", "rain is wet and cold", "a random doc is paper"];
pub const MIDDLE: [&str; 3] = ["bright sun", "rain falls <script>alert(1)</script>", "random doc of paper"];
pub const WORST: [&str; 2] = ["sort nothing", "variable declarations"];

/// Words that the vectors of [`by_words`] know.
const WORDS: [&str; 8] = ["variable", "declarations", "sort", "nothing", "random", "doc", "rain", "sun"];

/// The SHA-256 that the tests take for that of the model's file.
pub fn file_hash() -> String {
    sha256(b"the embedding model").to_hex()
}

/// A vector of length 1 in the direction of these numbers.
pub fn unit(numbers: Vec<f32>) -> Vec<f32> {
    let length = numbers.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt();
    numbers.iter().map(|&number| (f64::from(number) / length) as f32).collect()
}

/// Texts with the same words have the same direction.
pub fn by_words(text: &str) -> Vec<f32> {
    let count = |word: &&str| text.split_whitespace().filter(|found| found == word).count() as f32;
    unit(WORDS.iter().map(count).chain([0.25]).collect())
}

/// A vector as an answer.
pub fn vector(numbers: Vec<f32>) -> Answer {
    Answer::Embedded { embedding: Embedding::new(numbers).unwrap() }
}

/// What a worker answers to a batch.
pub fn response(request: &InferenceRequest, answer: impl Fn(&Prompt) -> Answer) -> InferenceResponse {
    let results: Vec<_> =
        request.prompts.iter().map(|prompt| PromptResult { id: prompt.id, answer: answer(prompt) }).collect();
    let receipt = Receipt {
        model_file_hash: file_hash(),
        engine: "scripted".to_owned(),
        build: "test".to_owned(),
        profile: "exact".to_owned(),
        instruction_set: "none".to_owned(),
        prompts_hash: request.prompts_hash(),
        output_hash: results_hash(&results),
    };
    InferenceResponse { results, receipt }
}

/// What a worker answers that embeds by words.
pub fn embedded(data: &[u8]) -> Vec<u8> {
    let request = InferenceRequest::read(data).unwrap();
    serde_json::to_vec(&response(&request, |prompt| vector(by_words(&prompt.prompt)))).unwrap()
}

/// What a judge answers: ten points shared by the words that are expected. The judges differ a little, and the median is the
/// one in the middle.
pub fn judged(data: &[u8]) -> String {
    let request = JudgeRequest::read(data).unwrap();
    let context = request.context.clone().unwrap_or_default();
    let expected: Vec<&str> = request.expected_response.split_whitespace().collect();
    let found = expected.iter().filter(|word| context.split_whitespace().any(|other| other == **word)).count();
    (10 * found / expected.len()).saturating_sub(request.judge as usize).to_string()
}
