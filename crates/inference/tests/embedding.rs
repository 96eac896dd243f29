//! Vectors of texts, with a real model: they are those of an independent program, and depend on nothing but the text.

#![cfg(feature = "llama")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets anything unexpected fails")]

mod support;

use std::path::{Path, PathBuf};

use inference::llama::LlamaEngine;
use inference::{
    Blame, Embedded, Engine as _, EngineOptions, GenerateRequest, InferenceError, ModelFile, ScorePrompt, ScoreRequest,
};
use support::{demo_model, shared};

/// Numbers of a vector of the model.
const DIMENSIONS: usize = 384;

/// Tokens that the model takes, the marks at both ends included.
const CONTEXT_TOKENS: usize = 512;

/// A text with its vector.
type Row = (String, Vec<f64>);

/// The model with its texts and the vectors that numpy computed for them from the unquantised weights.
fn reference() -> Option<(PathBuf, Vec<Row>)> {
    let model = shared("models/all-MiniLM-L6-v2-q8_0.gguf")?;
    let file = std::fs::read(shared("models/reference-embeddings.json")?).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&file).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let vector = |row: &serde_json::Value| row["embedding"].as_array().unwrap().iter().map(number).collect();
    Some((model, rows.iter().map(|row| (row["text"].as_str().unwrap().to_owned(), vector(row))).collect()))
}

fn engine(model: &Path, threads: u32) -> LlamaEngine {
    let mut engine = LlamaEngine::new(&EngineOptions { threads, ..EngineOptions::default() }).unwrap();
    engine.load(&ModelFile::at(model)).unwrap();
    engine
}

fn embed(engine: &mut LlamaEngine, texts: &[&str]) -> Vec<Vec<f32>> {
    let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    let vector = |embedded| match embedded {
        Embedded::Vector(vector) => vector,
        Embedded::ContextExceeded => panic!("the texts fit"),
    };
    engine.embed(&texts, &mut |_| ()).unwrap().into_iter().map(vector).collect()
}

fn bits(vectors: &[Vec<f32>]) -> Vec<Vec<u32>> {
    vectors.iter().map(|vector| vector.iter().map(|value| value.to_bits()).collect()).collect()
}

fn skipped(test: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{test} was skipped: the folder of shared data is absent");
}

#[test]
fn vectors_are_those_of_an_independent_program() {
    let Some((model, rows)) = reference() else {
        return skipped("vectors_are_those_of_an_independent_program");
    };
    let texts: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
    for ((text, expected), vector) in rows.iter().zip(embed(&mut engine(&model, 1), &texts)) {
        assert_eq!((vector.len(), expected.len()), (DIMENSIONS, DIMENSIONS));
        let length: f64 = vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-6, "{text}: the length is {length}");
        let cosine: f64 = vector.iter().zip(expected).map(|(&one, other)| f64::from(one) * other).sum();
        assert!(cosine > 0.999, "{text}: the cosine is {cosine}");
    }
}

#[test]
fn texts_about_the_same_are_near_each_other() {
    let Some((model, _)) = reference() else {
        return skipped("texts_about_the_same_are_near_each_other");
    };
    // The documents and the prompt of the original's documentation.
    let documents = [
        "This contains variable declarations",
        "This contains another sort of variable declarations",
        "This has nothing to do with variable declarations",
        "A random doc",
    ];
    let mut engine = engine(&model, 1);
    let prompt = embed(&mut engine, &["variable declarations"]).remove(0);
    let alike = |vector: &Vec<f32>| vector.iter().zip(&prompt).map(|(one, other)| one * other).sum::<f32>();
    let scores: Vec<f32> = embed(&mut engine, &documents).iter().map(alike).collect();
    // It hears what a text is about, not whether it denies it.
    assert!(scores[..3].iter().all(|score| *score > 0.8) && scores[3] < 0.2, "{scores:?}");
}

#[test]
fn a_vector_depends_on_its_text_alone() {
    let Some((model, rows)) = reference() else {
        return skipped("a_vector_depends_on_its_text_alone");
    };
    let long = "the long text goes on and on ".repeat(60);
    let mut texts: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
    texts.push(&long);
    let together = bits(&embed(&mut engine(&model, 1), &texts));

    let backwards: Vec<&str> = texts.iter().rev().copied().collect();
    let mut reversed = bits(&embed(&mut engine(&model, 1), &backwards));
    reversed.reverse();
    assert_eq!(reversed, together);
    let mut two_threads = engine(&model, 2);
    let alone: Vec<_> = texts.iter().flat_map(|text| bits(&embed(&mut two_threads, &[text]))).collect();
    assert_eq!(alone, together);
    assert_eq!(
        bits(&embed(&mut engine(&model, 1), &texts[2..3])),
        together[2..3],
        "by an engine that did nothing else"
    );
}

#[test]
fn a_text_that_does_not_fit_is_said_and_never_cut() {
    let Some((model, _)) = reference() else {
        return skipped("a_text_that_does_not_fit_is_said_and_never_cut");
    };
    let mut engine = engine(&model, 1);
    let words = |count: usize| vec!["word"; count].join(" ");
    let texts = [words(CONTEXT_TOKENS - 2), words(CONTEXT_TOKENS - 1), "x".repeat(1 << 20), "short".to_owned()];
    let results = engine.embed(&texts, &mut |_| ()).unwrap();
    let fits: Vec<bool> = results.iter().map(|result| *result != Embedded::ContextExceeded).collect();
    assert_eq!(fits, [true, false, false, true], "a word is a token, and the marks at both ends count");
}

#[test]
fn what_looks_like_a_mark_in_a_text_is_text() {
    let Some((model, _)) = reference() else {
        return skipped("what_looks_like_a_mark_in_a_text_is_text");
    };
    let mut engine = engine(&model, 1);
    let vectors = embed(&mut engine, &["good [SEP] morning", "good sep morning", "good [ sep ] morning", ""]);
    assert_ne!(vectors[0], vectors[1]);
    assert_eq!(vectors[0], vectors[2], "the model's own rules split it at the brackets");
    assert_eq!(vectors[3].len(), DIMENSIONS, "of the two marks alone");
}

#[test]
fn a_model_does_only_what_it_is_made_for() {
    let Some((model, _)) = reference() else {
        return skipped("a_model_does_only_what_it_is_made_for");
    };
    let mut embedder = engine(&model, 1);
    let prompt = ScorePrompt { prompt: "a".to_owned(), continuations: vec![" b".to_owned()] };
    let generate = embedder.generate(&GenerateRequest::new(vec!["a".to_owned()], 1), &mut |_| ()).unwrap_err();
    let score = embedder.score(&ScoreRequest { system_prompt: None, prompts: vec![prompt] }, &mut |_| ()).unwrap_err();
    for error in [generate, score] {
        assert_eq!(error.blame(), Blame::Model);
        assert_eq!(error.to_string(), "the model cannot be used: the architecture `bert` does not continue texts");
    }
    assert!(!embed(&mut embedder, &["still there"]).is_empty());
}

#[test]
fn a_model_that_continues_texts_embeds_none() {
    let error = engine(&demo_model(1), 1).embed(&["a".to_owned()], &mut |_| ()).unwrap_err();
    assert!(matches!(error, InferenceError::Model { .. }));
    assert_eq!(error.to_string(), "the model cannot be used: the architecture `llama` does not embed texts");
}
