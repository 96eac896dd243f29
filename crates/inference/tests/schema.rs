//! Real models under a JSON schema: whatever they would rather say, each output is a whole document that fits. And outputs
//! part by part: together they are the output.

#![cfg(feature = "llama")]
#![expect(clippy::unwrap_used, reason = "a test that meets anything unexpected fails")]

mod support;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use inference::llama::LlamaEngine;
use inference::random_model::{self, Quantization, Shape};
use inference::{
    Engine as _, EngineOptions, Finish, GenerateRequest, Generated, InferenceError, ModelFile, Part, Schema,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{demo_model, demo_questions, shared};

fn engine(model: &Path) -> LlamaEngine {
    let mut engine = LlamaEngine::new(&EngineOptions::default()).unwrap();
    engine.load(&ModelFile::at(model)).unwrap();
    engine
}

fn request(schema: Value, prompts: &[&str], max_tokens: u32) -> GenerateRequest {
    let prompts = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
    GenerateRequest { schema: Some(Schema::new(schema).unwrap()), ..GenerateRequest::new(prompts, max_tokens) }
}

fn feeling() -> Value {
    json!({
        "type": "object",
        "properties": {
            "who": { "type": "string", "maxLength": 10 },
            "feels": { "enum": ["proud", "glad", "sad", "worried"] },
            "how_much": { "type": "integer", "minimum": 1, "maximum": 10 },
            "why": { "type": ["string", "null"], "maxLength": 20 },
        },
        "required": ["who", "feels", "how_much", "why"],
    })
}

/// The shipped models, and others where they are at hand.
fn models(folder: &Path) -> Vec<PathBuf> {
    let mut models: Vec<PathBuf> = (1..=4).map(demo_model).collect();
    models.extend(shared("models/tinystories-281k-f32.gguf"));
    // Byte-pair vocabularies of 50,000 tokens: the weights are random, so every token is as probable as any.
    for name in ["gpt-2", "starcoder"] {
        let Some(vocabulary) = shared(&format!("vocab/ggml-vocab-{name}.gguf")) else { continue };
        let model = folder.join(format!("{name}.gguf"));
        let shape = Shape { width: 32, layers: 1, heads: 1, inner_width: 32, context_tokens: 512 };
        random_model::write(&model, &vocabulary, &shape, Quantization::Q8_0).unwrap();
        models.push(model);
    }
    models
}

#[test]
fn every_model_writes_documents_that_fit_with_much_room_and_with_little() {
    let folder = tempfile::tempdir().unwrap();
    let schemas = [
        feeling(),
        json!({ "type": "object" }),
        json!({ "type": "array", "items": { "type": "number", "minimum": -1, "maximum": 1 }, "maxItems": 5 }),
        json!({ "type": "integer", "minimum": 0, "maximum": 100 }),
        json!({ "enum": ["A", "B", "C"] }),
    ];
    let question = demo_questions().remove(0).prompt;
    for model in models(folder.path()) {
        let mut engine = engine(&model);
        for (schema, tokens) in schemas.iter().flat_map(|schema| [90, 60, 48].map(|tokens| (schema, tokens))) {
            let request = request(schema.clone(), &[&question, "", "{"], tokens);
            let outputs = match engine.generate(&request, &mut |_| ()) {
                Ok(outputs) => outputs,
                Err(InferenceError::Request { reason }) => {
                    assert!(reason.contains("the shortest document"), "{reason}");
                    continue;
                }
                Err(error) => panic!("{}: {error}", model.display()),
            };
            for Generated { text, finish, .. } in outputs {
                assert_eq!(finish, Finish::Stop);
                serde_json::from_str::<Value>(&text).unwrap();
                assert!(request.schema.as_ref().unwrap().fits(&text), "{}: {text}", model.display());
            }
        }
    }
}

#[test]
fn an_output_under_a_schema_depends_on_its_own_prompt_alone() {
    let mut engine = engine(&demo_model(4));
    let questions: Vec<String> = demo_questions().into_iter().take(6).map(|question| question.prompt).collect();
    let all: Vec<&str> = questions.iter().map(String::as_str).collect();
    let together = engine.generate(&request(feeling(), &all, 60), &mut |_| ()).unwrap();
    for (prompt, expected) in all.iter().zip(&together) {
        let alone = engine.generate(&request(feeling(), &[prompt], 60), &mut |_| ()).unwrap();
        assert_eq!(alone, std::slice::from_ref(expected));
    }
    let letters = json!({ "enum": ["A", "B", "C"] });
    let letter = &engine.generate(&request(letters, &all, 8), &mut |_| ()).unwrap()[0];
    assert_eq!(letter.text.trim().len(), 3, "{}", letter.text);
}

#[test]
fn no_room_for_a_document_is_told_and_nothing_is_cut() {
    let mut engine = engine(&demo_model(4));
    let refused = engine.generate(&request(feeling(), &["x"], 3), &mut |_| ()).unwrap_err().to_string();
    assert!(refused.contains("the shortest document that fits the schema has"), "{refused}");
    let mut stopped = request(feeling(), &["x"], 90);
    stopped.stop = vec!["\n".to_owned()];
    assert!(matches!(engine.generate(&stopped, &mut |_| ()), Err(InferenceError::Request { .. })));
    let context = engine.load(&ModelFile::at(demo_model(4))).unwrap().context_tokens as usize;
    let text = "the park ".repeat(context);
    let end = (0..text.len()).find(|&end| engine.tokenize(&text[..end]).unwrap().len() == context - 4).unwrap();
    let full = engine.generate(&request(feeling(), &[&text[..end]], 90), &mut |_| ()).unwrap();
    assert_eq!((full[0].finish, full[0].text.as_str()), (Finish::ContextExceeded, ""));
}

#[test]
fn the_parts_of_an_output_come_while_it_is_computed_and_are_the_output() {
    let mut engine = engine(&demo_model(4));
    let prompts = vec!["Context: Kim".to_owned(), "It was".to_owned()];
    let stop = vec!["\n".to_owned(), " the park".to_owned()];
    for (stop, schema) in [(Vec::new(), None), (stop, None), (Vec::new(), Some(Schema::new(feeling()).unwrap()))] {
        let request = GenerateRequest { stop, schema, ..GenerateRequest::new(prompts.clone(), 60) };
        let expected = engine.generate(&request, &mut |_| ()).unwrap();
        let mut parts = vec![Vec::new(); prompts.len()];
        let mut hear = |part: Part| {
            parts[part.prompt].push(part.text);
            ControlFlow::Continue(())
        };
        let found = engine.generate_in_parts(&request, &mut hear).unwrap();
        assert_eq!(found, expected);
        let joined: Vec<String> = parts.iter().map(|parts| parts.concat()).collect();
        assert_eq!(joined, expected.iter().map(|generated| generated.text.clone()).collect::<Vec<_>>());
        assert!(parts.iter().flatten().all(|part| !part.is_empty()));
        if request.stop.is_empty() {
            assert!(parts.iter().all(|parts| parts.len() > 5), "{parts:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_prompt_and_any_room_give_a_document_or_a_refusal(prompt in ".{0,60}", tokens in 1u32..60, level in 1u32..=4) {
        let request = request(feeling(), &[&prompt], tokens);
        match engine(&demo_model(level)).generate(&request, &mut |_| ()) {
            Ok(outputs) => {
                prop_assert!(outputs[0].tokens <= tokens);
                prop_assert!(request.schema.as_ref().unwrap().fits(&outputs[0].text), "{}", outputs[0].text);
            }
            Err(error) => prop_assert!(error.to_string().contains("the shortest document"), "{}", error),
        }
    }
}
