//! llama.cpp in this process, with real models: they answer as measured, and their answers depend on nothing else.

#![cfg(feature = "llama")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets anything unexpected fails")]

#[path = "support/quantize.rs"]
mod quantize;
mod support;

use std::path::{Path, PathBuf};

use inference::llama::LlamaEngine;
use inference::{
    Blame, Engine as _, EngineOptions, Finish, GenerateRequest, Generated, InferenceError, ModelFile, ScorePrompt,
    ScoreRequest, Scored,
};
use support::{Question, demo_model, demo_questions, questions, shared};

fn engine(model: &Path, threads: u32) -> LlamaEngine {
    let mut engine = LlamaEngine::new(&EngineOptions { threads, ..EngineOptions::default() }).unwrap();
    engine.load(&ModelFile::at(model)).unwrap();
    engine
}

fn generate(engine: &mut LlamaEngine, request: &GenerateRequest) -> Vec<Generated> {
    engine.generate(request, &mut |_| ()).unwrap()
}

fn score(engine: &mut LlamaEngine, prompts: Vec<ScorePrompt>) -> Vec<Scored> {
    engine.score(&ScoreRequest { system_prompt: None, prompts }, &mut |_| ()).unwrap()
}

fn letters_request(questions: &[Question]) -> GenerateRequest {
    let prompts = questions.iter().map(|question| question.prompt.clone()).collect();
    GenerateRequest { stop: vec!["\n".to_owned()], ..GenerateRequest::new(prompts, 4) }
}

/// Percent of the questions whose generated answer is the right letter, and percent whose answer is any letter.
fn answered(engine: &mut LlamaEngine, questions: &[Question]) -> (f64, f64) {
    let answers = generate(engine, &letters_request(questions));
    let letter = |answer: &Generated| answer.text.trim().parse().ok().filter(|letter| ('A'..='C').contains(letter));
    let right = answers.iter().zip(questions).filter(|(answer, question)| letter(answer) == Some(question.letter));
    let percent = |count: usize| 100.0 * count as f64 / questions.len() as f64;
    (percent(right.count()), percent(answers.iter().filter(|answer| letter(answer).is_some()).count()))
}

#[test]
fn the_demo_models_score_what_their_card_says() {
    let questions = demo_questions();
    for (level, expected) in [(1, 34.9), (2, 55.9), (3, 75.4), (4, 90.0)] {
        let (right, _) = answered(&mut engine(&demo_model(level), 1), &questions);
        assert!((right - expected).abs() <= 1.0, "social-{level}: {right} %, the card says {expected} %");
    }
}

#[test]
fn the_shared_models_score_what_an_independent_program_measured() {
    let Some(file) = shared("social/social_train_510.jsonl") else {
        return skipped("the_shared_models_score_what_an_independent_program_measured");
    };
    let questions = questions(&file);
    // Measured with numpy on these files and this set, by demo/reference.py. The set is of the training distribution.
    for (name, expected) in [("l0-chance", 31.8), ("l1-mid", 68.8), ("l2-good", 90.2), ("l3-best", 95.7)] {
        let model = shared(&format!("models/social-{name}-f16.gguf")).unwrap();
        let (right, _) = answered(&mut engine(&model, 1), &questions);
        assert!((right - expected).abs() <= 1.0, "{name}: {right} %, measured was {expected} %");
    }
}

#[test]
fn a_story_model_never_answers_with_a_letter() {
    let (Some(model), Some(file)) =
        (shared("models/tinystories-281k-f32.gguf"), shared("social/social_train_510.jsonl"))
    else {
        return skipped("a_story_model_never_answers_with_a_letter");
    };
    assert_eq!(answered(&mut engine(&model, 1), &questions(&file)), (0.0, 0.0));
}

fn skipped(test: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{test} was skipped: the folder of shared data is absent");
}

/// A copy of a demo model that takes long texts. What it says about them is of no worth, but it is computed.
fn long_context_model(folder: &Path) -> PathBuf {
    let mut model = std::fs::read(demo_model(4)).unwrap();
    let key = b"llama.context_length";
    let at = model.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    model[at..at + 4].copy_from_slice(&2048u32.to_le_bytes());
    let path = folder.join("long.gguf");
    std::fs::write(&path, model).unwrap();
    path
}

/// Prompts of many lengths; most share worked examples, so that whole chunks are taken over.
fn mixed_prompts(example_count: usize, count: usize) -> Vec<ScorePrompt> {
    let questions = demo_questions();
    let examples: Vec<String> = questions[..example_count]
        .iter()
        .map(|question| format!("{} {}\n\n", question.prompt, question.letter))
        .collect();
    let continuations = [" A", " B", " C", " B\nContext: It was a long day", "", " something else entirely"];
    let continuations = continuations.map(str::to_owned).to_vec();
    let prompts = questions[20..20 + count].iter().enumerate().map(|(index, question)| match index % 3 {
        0 => question.prompt.clone(),
        1 => format!("{}{}", examples.concat(), question.prompt),
        _ => format!("{}{} ", examples[..example_count / 2].concat(), &question.prompt[..=index]),
    });
    prompts.map(|prompt| ScorePrompt { prompt, continuations: continuations.clone() }).collect()
}

/// Every bit of every result.
fn bits(results: &[Scored]) -> Vec<Vec<(u64, bool)>> {
    let of_one = |scored: &Scored| match scored {
        Scored::Likelihoods(all) => all.iter().map(|one| (one.log_probability.to_bits(), one.is_greedy)).collect(),
        Scored::ContextExceeded => panic!("the prompts fit"),
    };
    results.iter().map(of_one).collect()
}

#[test]
fn scores_are_bit_equal_over_runs_order_neighbours_threads_and_batching() {
    let folder = tempfile::tempdir().unwrap();
    for (model, prompts) in [
        (Some(demo_model(4)), mixed_prompts(1, 30)),
        (
            Some(quantize::quantized(&demo_model(4), folder.path(), llama_cpp_sys_2::LLAMA_FTYPE_MOSTLY_Q4_0)),
            mixed_prompts(1, 30),
        ),
        (Some(long_context_model(folder.path())), mixed_prompts(8, 9)),
        (shared("models/social-l3-best-f16.gguf"), mixed_prompts(1, 30)),
        (shared("models/tinystories-281k-f32.gguf"), mixed_prompts(0, 15)),
    ] {
        let Some(model) = model else { continue };
        let mut one = engine(&model, 1);
        let expected = bits(&score(&mut one, prompts.clone()));
        assert_eq!(bits(&score(&mut one, prompts.clone())), expected, "the same request again");

        let reversed: Vec<_> = prompts.iter().rev().cloned().collect();
        let mut backwards = bits(&score(&mut one, reversed));
        backwards.reverse();
        assert_eq!(backwards, expected, "the order of the prompts");

        let every_third: Vec<_> = prompts.iter().step_by(3).cloned().collect();
        let alone: Vec<_> = expected.iter().step_by(3).cloned().collect();
        assert_eq!(bits(&score(&mut one, every_third)), alone, "other neighbours");

        // A few only: on a busy machine two threads wait for each other most of the time.
        assert_eq!(bits(&score(&mut engine(&model, 2), prompts[..3].to_vec())), expected[..3], "two threads");

        let one_by_one: Vec<_> =
            prompts.iter().flat_map(|prompt| bits(&score(&mut one, vec![prompt.clone()]))).collect();
        assert_eq!(one_by_one, expected, "one request each, on a used engine");
        let fresh: Vec<_> =
            prompts[..6].iter().flat_map(|prompt| bits(&score(&mut engine(&model, 1), vec![prompt.clone()]))).collect();
        assert_eq!(fresh, expected[..6], "one request each, on a fresh engine");
    }
}

#[test]
fn texts_are_equal_over_order_neighbours_threads_and_batching() {
    let prompts: Vec<String> = mixed_prompts(1, 30).into_iter().map(|prompt| prompt.prompt).collect();
    let mut one = engine(&demo_model(3), 1);
    let expected = generate(&mut one, &GenerateRequest::new(prompts.clone(), 24));
    assert!(expected.iter().all(|generated| generated.finish != Finish::ContextExceeded));
    let mut backwards = generate(&mut one, &GenerateRequest::new(prompts.iter().rev().cloned().collect(), 24));
    backwards.reverse();
    assert_eq!(backwards, expected);
    let few = GenerateRequest::new(prompts[..3].to_vec(), 24);
    assert_eq!(generate(&mut engine(&demo_model(3), 2), &few), expected[..3]);
    for (prompt, expected) in prompts.iter().zip(&expected) {
        assert_eq!(generate(&mut one, &GenerateRequest::new(vec![prompt.clone()], 24)), std::slice::from_ref(expected));
    }
}

#[test]
fn a_continuation_is_greedy_exactly_if_the_model_generates_it() {
    let mut engine = engine(&demo_model(4), 1);
    let questions = &demo_questions()[..20];
    let generated = generate(&mut engine, &letters_request(questions));
    for (question, generated) in questions.iter().zip(&generated) {
        let continuations = [" A", " B", " C"].map(str::to_owned).to_vec();
        let results = score(&mut engine, vec![ScorePrompt { prompt: question.prompt.clone(), continuations }]);
        let Scored::Likelihoods(likelihoods) = &results[0] else { panic!("the prompt is short") };
        for (likelihood, letter) in likelihoods.iter().zip([" A", " B", " C"]) {
            assert_eq!(likelihood.is_greedy, generated.text == letter);
        }
    }
}

#[test]
fn a_long_continuation_is_the_sum_of_its_steps() {
    let mut engine = engine(&demo_model(4), 1);
    let prompt = demo_questions()[0].prompt.clone();
    let mut likelihood = |prompt: &str, continuation: &str| {
        let prompt = ScorePrompt { prompt: prompt.to_owned(), continuations: vec![continuation.to_owned()] };
        match score(&mut engine, vec![prompt]).remove(0) {
            Scored::Likelihoods(likelihoods) => likelihoods[0].log_probability,
            Scored::ContextExceeded => panic!("the prompt is short"),
        }
    };
    let whole = likelihood(&prompt, " A\nContext: It");
    let steps = likelihood(&prompt, " A\nContext:") + likelihood(&format!("{prompt} A\nContext:"), " It");
    assert!((whole - steps).abs() < 0.05 * whole.abs(), "{whole} {steps}");
    // As lm-evaluation-harness: spaces at the end of the context belong to the continuation.
    assert_eq!(likelihood(&format!("{prompt} "), "A").to_bits(), likelihood(&prompt, " A").to_bits());
    assert_eq!(likelihood(&prompt, "").to_bits(), 0.0f64.to_bits());
}

#[test]
fn a_prompt_that_does_not_fit_is_an_outcome_of_its_own_and_never_cut() {
    let mut engine = engine(&demo_model(4), 1);
    let loaded = engine.load(&ModelFile::at(demo_model(4))).unwrap();
    let context = loaded.context_tokens as usize;
    let text = "the park ".repeat(context);
    let long = |tokens: usize, engine: &mut LlamaEngine| {
        // Cut by characters until it has exactly so many tokens, the start token not counted.
        let end = (0..text.len()).find(|&end| engine.tokenize(&text[..end]).unwrap().len() == tokens).unwrap();
        text[..end].to_owned()
    };
    let start = usize::from(generate(&mut engine, &GenerateRequest::new(vec![String::new()], 0))[0].tokens > 0);
    let (fits, exceeds) = (long(context - 1 - start, &mut engine), long(context + 1, &mut engine));
    let request = GenerateRequest::new(vec![fits.clone(), exceeds.clone(), "x".repeat(1 << 20), "It".to_owned()], 8);
    let finishes: Vec<Finish> = generate(&mut engine, &request).iter().map(|generated| generated.finish).collect();
    assert_ne!(finishes[0], Finish::ContextExceeded);
    assert_eq!(finishes[1..3], [Finish::ContextExceeded; 2]);
    assert_ne!(finishes[3], Finish::ContextExceeded);

    let prompt =
        |prompt: String| ScorePrompt { prompt, continuations: vec![" A and so on and on".to_owned(), " B".to_owned()] };
    let results = score(&mut engine, vec![prompt(exceeds), prompt(fits), prompt("It".to_owned())]);
    assert_eq!(results[..2], [Scored::ContextExceeded, Scored::ContextExceeded]);
    assert!(matches!(results[2], Scored::Likelihoods(_)));
}

#[test]
fn text_that_looks_like_a_special_token_stays_text() {
    let mut engine = engine(&demo_model(4), 1);
    for text in ["</s>", "<s>", "<unk>", "<|im_start|>"] {
        assert!(engine.tokenize(text).unwrap().len() > 1, "{text}");
    }
    assert!(engine.tokenize(&"a".repeat(1 << 20)).is_err(), "such a text is not even tokenised");
}

#[test]
fn odd_requests_have_sound_answers() {
    let mut engine = engine(&demo_model(4), 1);
    let prompts = vec![String::new(), "\0".to_owned(), "naïve 🦜\u{200d}".to_owned(), "\n\n".to_owned()];
    for max_tokens in [0, 1, 300] {
        let results = generate(&mut engine, &GenerateRequest::new(prompts.clone(), max_tokens));
        assert!(results.iter().all(|result| result.tokens <= max_tokens && result.text.len() <= 4096));
    }
    assert_eq!(generate(&mut engine, &GenerateRequest::new(Vec::new(), 4)), []);
    let system =
        GenerateRequest { system_prompt: Some("Be brief.".to_owned()), ..letters_request(&demo_questions()[..2]) };
    assert_eq!(generate(&mut engine, &system).len(), 2);
    let empty = ScorePrompt { prompt: String::new(), continuations: vec!["It was".to_owned()] };
    let Scored::Likelihoods(likelihoods) = &score(&mut engine, vec![empty])[0] else { panic!("it is short") };
    assert!(likelihoods[0].log_probability < 0.0);
}

#[test]
fn progress_tells_each_prompt_once() {
    let mut engine = engine(&demo_model(1), 1);
    let mut seen = Vec::new();
    let request = letters_request(&demo_questions()[..9]);
    engine.generate(&request, &mut |progress| seen.push((progress.finished, progress.prompt, progress.total))).unwrap();
    assert!(seen.iter().enumerate().all(|(index, &(finished, _, total))| finished == index + 1 && total == 9));
    let mut prompts: Vec<usize> = seen.iter().map(|&(_, prompt, _)| prompt).collect();
    prompts.sort_unstable();
    assert_eq!(prompts, (0..9).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_loaded_says_why_and_who_is_to_blame() {
    let mut engine = LlamaEngine::new(&EngineOptions::default()).unwrap();
    assert!(matches!(engine.tokenize("x"), Err(InferenceError::NoModel)));
    let missing = engine.load(&ModelFile::at("no/such.gguf")).unwrap_err();
    assert_eq!(missing.blame(), Blame::Machine);
    let no_model = engine.load(&ModelFile::at(support::root().join("Cargo.toml"))).unwrap_err();
    assert_eq!(
        no_model.to_string(),
        "the file is no valid GGUF model: it does not begin with `GGUF`; give a model file in GGUF format"
    );
    assert_eq!(no_model.blame(), Blame::Model);
    let wrong = ModelFile { file_hash: Some("00".repeat(32)), ..ModelFile::at(demo_model(1)) };
    assert!(matches!(engine.load(&wrong), Err(InferenceError::HashMismatch { .. })));

    // Sound GGUF, but llama.cpp misses a tensor: its reason is passed on.
    let folder = tempfile::tempdir().unwrap();
    let bent = folder.path().join("bent.gguf");
    let bytes = std::fs::read(demo_model(1)).unwrap();
    let name = b"output_norm.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    std::fs::write(&bent, [&bytes[..at], b"output_norm.weighs", &bytes[at + name.len()..]].concat()).unwrap();
    let refused = engine.load(&ModelFile::at(&bent)).unwrap_err();
    assert!(refused.to_string().contains("output_norm.weight"), "{refused}");
    assert_eq!(refused.blame(), Blame::Model);
}

#[test]
fn the_engine_names_itself_for_receipts() {
    let description = engine(&demo_model(1), 1).describe().unwrap();
    assert!(description.engine.starts_with("llama.cpp ") && description.engine.contains("llama-cpp-2 0.1.160"));
    assert_eq!(description.profile, "exact");
    #[cfg(target_arch = "x86_64")]
    assert!(["avx2", "avx512"].contains(&description.instruction_set.as_str()), "{}", description.instruction_set);
    assert!(description.build.len() < 256, "{}", description.build);
}
