//! The engine in a sandboxed child process. This program is both: started with the hidden argument it is the child,
//! otherwise it runs the tests below, which is why it has a main of its own.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a test program with its own runner")]

mod support;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use inference::child::SUBCOMMAND;
use inference::sandbox::Limits;
use inference::{
    Blame, ChildEngine, ChildOptions, ChildProgram, Engine as _, GenerateRequest, Generated, InferenceError, ModelFile,
    Part, Schema, ScorePrompt, ScoreRequest,
};
use support::{demo_model, demo_questions};

type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("a_child_answers_to_the_last_bit_as_an_engine_in_this_process", same_answers),
    (
        "the_widest_instructions_are_taken_unless_the_same_bits_are_wanted_everywhere",
        the_widest_instructions_are_taken_unless_the_same_bits_are_wanted_everywhere,
    ),
    ("a_child_embeds_to_the_last_bit_as_an_engine_in_this_process", same_vectors),
    ("a_child_gives_an_output_part_by_part_and_within_its_schema", parts),
    ("an_output_that_nobody_wants_any_more_is_not_computed_further", stopped),
    ("a_killed_child_costs_one_request_and_no_more", killed),
    ("an_abort_inside_the_engine_is_an_error_of_the_request", aborted),
    ("a_child_that_takes_too_long_is_stopped_and_replaced", too_slow),
    ("a_confined_child_reaches_no_file_no_network_and_no_program", confined),
    ("a_child_has_no_environment", no_environment),
    ("a_model_that_needs_more_memory_than_allowed_is_an_error", short_of_memory),
    ("files_that_make_llama_cpp_abort_are_errors", aborting_files),
    ("bent_models_never_harm_the_parent", bent_models),
    ("a_program_that_is_no_child_is_found_out", no_child),
    ("a_changed_model_file_is_noticed_by_its_hash", changed_file),
    ("a_large_request_goes_through_the_pipe", large_request),
    ("progress_comes_while_the_child_works", progress),
    ("a_dropped_engine_leaves_no_process", dropped),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(SUBCOMMAND) {
        return inference::child::run();
    }
    // What the usual test programs understand: a filter, and `--list`.
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    if cfg!(not(feature = "llama")) {
        println!("skipped: built without llama.cpp");
        return ExitCode::SUCCESS;
    }
    let filter = first.filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(&filter)) {
        let outcome = std::panic::catch_unwind(test);
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += u32::from(outcome.is_err());
    }
    ExitCode::from(u8::from(failed > 0))
}

fn child(options: ChildOptions) -> ChildEngine {
    ChildEngine::new(ChildProgram::this().unwrap(), options)
}

fn loaded(level: u32) -> ChildEngine {
    let mut engine = child(ChildOptions::default());
    engine.load(&ModelFile::at(demo_model(level))).unwrap();
    engine
}

fn request(count: usize) -> GenerateRequest {
    let prompts = demo_questions().into_iter().take(count).map(|question| question.prompt).collect();
    GenerateRequest { stop: vec!["\n".to_owned()], ..GenerateRequest::new(prompts, 4) }
}

fn generate(engine: &mut ChildEngine, count: usize) -> Result<Vec<Generated>, InferenceError> {
    engine.generate(&request(count), &mut |_| ())
}

#[cfg(feature = "llama")]
fn same_answers() {
    let mut here = inference::llama::LlamaEngine::new(&inference::EngineOptions::default()).unwrap();
    here.load(&ModelFile::at(demo_model(4))).unwrap();
    let mut there = loaded(4);
    assert_eq!(generate(&mut there, 50).unwrap(), here.generate(&request(50), &mut |_| ()).unwrap());
    let continuations = [" A", " B\nContext:"].map(str::to_owned).to_vec();
    let prompts = request(50).prompts.into_iter();
    let prompts = prompts.map(|prompt| ScorePrompt { prompt, continuations: continuations.clone() }).collect();
    let request = ScoreRequest { system_prompt: None, prompts };
    assert_eq!(there.score(&request, &mut |_| ()).unwrap(), here.score(&request, &mut |_| ()).unwrap());
    assert_eq!(there.describe().unwrap(), here.describe().unwrap());
    assert_eq!(there.tokenize("the park").unwrap(), here.tokenize("the park").unwrap());
    assert!(matches!(there.embed(&[], &mut |_| ()), Err(InferenceError::Model { .. })));
}

#[cfg(not(feature = "llama"))]
fn same_answers() {}

/// One program on any processor: the wide instructions where there are any, the same bits everywhere where that is wanted.
#[cfg(feature = "llama")]
fn the_widest_instructions_are_taken_unless_the_same_bits_are_wanted_everywhere() {
    let scored = |instructions| {
        let engine = inference::EngineOptions { instructions, ..inference::EngineOptions::default() };
        let mut engine = child(ChildOptions { engine, ..ChildOptions::default() });
        engine.load(&ModelFile::at(demo_model(4))).unwrap();
        let continuations = [" A", " B\nContext:"].map(str::to_owned).to_vec();
        let prompts = request(50).prompts.into_iter();
        let prompts = prompts.map(|prompt| ScorePrompt { prompt, continuations: continuations.clone() }).collect();
        let scored = engine.score(&ScoreRequest { system_prompt: None, prompts }, &mut |_| ()).unwrap();
        (engine.describe().unwrap().instruction_set, scored)
    };
    let (wide, widest) = scored(inference::InstructionSet::Widest);
    let (narrow, portable) = scored(inference::InstructionSet::Portable);
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        assert_eq!(wide, narrow);
        return println!("skipped: one instruction set on this machine");
    }
    #[cfg(target_arch = "x86_64")]
    {
        let has_avx512 = is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vbmi");
        assert_eq!((wide.as_str(), narrow.as_str()), (if has_avx512 { "avx512" } else { "avx2" }, "avx2"));
        assert!(!has_avx512 || widest != portable, "they compute differently");
    }
    let likelihoods = |scored: Vec<inference::Scored>| {
        scored.into_iter().flat_map(|scored| match scored {
            inference::Scored::Likelihoods(likelihoods) => likelihoods,
            inference::Scored::ContextExceeded => Vec::new(),
        })
    };
    assert_eq!(likelihoods(portable.clone()).count(), 100);
    for (one, other) in likelihoods(widest).zip(likelihoods(portable)) {
        let difference = (one.log_probability - other.log_probability).abs();
        assert!(difference < 0.005 * (1.0 - other.log_probability), "{one:?} and {other:?}");
    }
}

#[cfg(not(feature = "llama"))]
fn the_widest_instructions_are_taken_unless_the_same_bits_are_wanted_everywhere() {}

fn parts() {
    let mut engine = loaded(4);
    let schema =
        serde_json::json!({ "type": "object", "properties": { "why": { "type": "string", "maxLength": 40 } } });
    for schema in [None, Some(Schema::new(schema).unwrap())] {
        let request = GenerateRequest { schema, ..GenerateRequest::new(vec!["Context: Kim".to_owned()], 40) };
        let whole = engine.generate(&request, &mut |_| ()).unwrap();
        let mut parts = Vec::new();
        let mut hear = |part: Part| {
            parts.push(part.text);
            ControlFlow::Continue(())
        };
        assert_eq!(engine.generate_in_parts(&request, &mut hear).unwrap(), whole);
        assert!(parts.len() > 2 && parts.concat() == whole[0].text, "{parts:?}");
        assert!(request.schema.is_none_or(|schema| schema.fits(&whole[0].text)));
    }
}

fn stopped() {
    let mut engine = loaded(4);
    let process = engine.process_id();
    let request =
        GenerateRequest::new(demo_questions().into_iter().take(64).map(|question| question.prompt).collect(), 60);
    let began = Instant::now();
    let whole = engine.generate(&request, &mut |_| ()).unwrap();
    let took = began.elapsed();
    let (began, mut heard) = (Instant::now(), 0);
    let stopped = engine.generate_in_parts(&request, &mut |_| {
        heard += 1;
        if heard == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(InferenceError::Stopped)) && heard == 2, "{heard} parts, then {stopped:?}");
    assert!(began.elapsed() < took / 2, "{:?}, and {took:?} for all of it", began.elapsed());
    assert_eq!(engine.generate(&request, &mut |_| ()).unwrap(), whole, "it goes on as if nothing had happened");
    assert_eq!(engine.process_id(), process, "in the same process, with the model loaded");
}

#[cfg(feature = "llama")]
fn same_vectors() {
    let Some(model) = support::shared("models/all-MiniLM-L6-v2-q8_0.gguf") else {
        println!("skipped: the folder of shared data is absent");
        return;
    };
    let mut here = inference::llama::LlamaEngine::new(&inference::EngineOptions::default()).unwrap();
    here.load(&ModelFile::at(&model)).unwrap();
    let mut there = child(ChildOptions::default());
    let loaded = there.load(&ModelFile::at(&model)).unwrap();
    assert_eq!((loaded.architecture.as_str(), loaded.context_tokens), ("bert", 512));
    let mut texts: Vec<String> = demo_questions().into_iter().take(20).map(|question| question.prompt).collect();
    texts.push("word ".repeat(600));
    let mut finished = Vec::new();
    let vectors = there.embed(&texts, &mut |progress| finished.push(progress.finished)).unwrap();
    assert_eq!(vectors, here.embed(&texts, &mut |_| ()).unwrap());
    assert_eq!(vectors[20], inference::Embedded::ContextExceeded);
    assert_eq!(finished, (1..=21).collect::<Vec<_>>());
    assert!(matches!(generate(&mut there, 1), Err(InferenceError::Model { .. })));
    assert!(matches!(there.embed(&[], &mut |_| ()), Ok(none) if none.is_empty()));
}

#[cfg(not(feature = "llama"))]
fn same_vectors() {}

fn killed() {
    let mut engine = loaded(4);
    let answers = generate(&mut engine, 5).unwrap();
    let first = engine.process_id().unwrap();
    let killer = std::process::Command::new("kill").args(["-9", &first.to_string()]).status().unwrap();
    assert!(killer.success());
    std::thread::sleep(Duration::from_millis(100));
    let error = generate(&mut engine, 5).unwrap_err();
    assert!(matches!(&error, InferenceError::ChildDied { how, .. } if how.starts_with("signal 9")), "{error}");
    assert_eq!(error.blame(), Blame::Machine);
    assert_eq!(generate(&mut engine, 5).unwrap(), answers);
    assert_ne!(engine.process_id(), Some(first));
}

fn aborted() {
    let mut engine = loaded(1);
    let error = engine.abort_child().unwrap_err();
    assert!(error.to_string().contains("signal 6: it gave up on the model"), "{error}");
    assert_eq!(generate(&mut engine, 3).unwrap().len(), 3);
}

fn too_slow() {
    let options = ChildOptions { request_time: Duration::from_millis(300), ..ChildOptions::default() };
    let mut engine = child(options);
    engine.load(&ModelFile::at(demo_model(1))).unwrap();
    let long = GenerateRequest { stop: Vec::new(), max_tokens: 4000, ..request(250) };
    let long = GenerateRequest { prompts: long.prompts.iter().map(|prompt| format!("{prompt} A\n")).collect(), ..long };
    let continuations: Vec<String> = (0..60).map(|index| format!(" {index} and so on and on")).collect();
    let prompts = long.prompts.into_iter().map(|prompt| ScorePrompt { prompt, continuations: continuations.clone() });
    let start = Instant::now();
    let error =
        engine.score(&ScoreRequest { system_prompt: None, prompts: prompts.collect() }, &mut |_| ()).unwrap_err();
    assert!(matches!(error, InferenceError::Timeout { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(generate(&mut engine, 2).unwrap().len(), 2);
}

fn confined() {
    let mut engine = loaded(1);
    let sandbox = engine.loaded().unwrap().sandbox.clone();
    println!("  confinement here: {sandbox}");
    let probed = engine.probe().unwrap();
    if sandbox.contains("files") && !sandbox.contains("partly") {
        assert!(probed.opened_other_file.is_err() && probed.created_file.is_err(), "{probed:?}");
    }
    if sandbox.contains("system calls") {
        assert!(probed.used_socket.is_err() && probed.started_program.is_err(), "{probed:?}");
    }
    if sandbox.contains("limits") {
        assert!(!probed.allocated);
    }
    // It can still do what it is there for.
    assert_eq!(generate(&mut engine, 3).unwrap().len(), 3);
}

fn no_environment() {
    let names = loaded(1).probe().unwrap().environment;
    assert_eq!(names, ["GGML_NO_BACKTRACE"]);
}

fn short_of_memory() {
    let limits = Some(Limits { memory_bytes: 100 << 20, cpu_seconds: 60 });
    let mut engine = child(ChildOptions { limits, ..ChildOptions::default() });
    let error = engine.load(&ModelFile::at(demo_model(1))).unwrap_err();
    println!("  {error}");
    assert!(engine.process_id().is_none());
}

/// A copy of a demo model with these bytes after the first occurrence of `mark`.
fn bent(folder: &Path, name: &str, mark: &[u8], skip: usize, bytes: &[u8]) -> PathBuf {
    let mut model = std::fs::read(demo_model(1)).unwrap();
    let at = model.windows(mark.len()).position(|window| window == mark).unwrap() + mark.len() + skip;
    model[at..at + bytes.len()].copy_from_slice(bytes);
    let path = folder.join(name);
    std::fs::write(&path, model).unwrap();
    path
}

fn aborting_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = loaded(4);
    let answers = generate(&mut engine, 3).unwrap();
    for layers in [0u32, 100_000, 3, 5] {
        let path = bent(folder.path(), "layers.gguf", b"llama.block_count", 4, &layers.to_le_bytes());
        let error = engine.load(&ModelFile::at(&path)).unwrap_err();
        assert!(layers < 6 && layers > 0 || error.blame() == Blame::Model, "{error}");
    }
    let heads = bent(folder.path(), "heads.gguf", b"llama.attention.head_count", 4, &7u32.to_le_bytes());
    assert!(engine.load(&ModelFile::at(&heads)).is_err());
    assert!(generate(&mut engine, 3).is_err(), "the model that was chosen last cannot be loaded");
    engine.load(&ModelFile::at(demo_model(4))).unwrap();
    assert_eq!(generate(&mut engine, 3).unwrap(), answers);
}

/// Changes single bytes all over the header; most are refused by the reader, some by llama.cpp, some load and compute.
fn bent_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bent.gguf");
    let model = std::fs::read(demo_model(1)).unwrap();
    let options = ChildOptions { request_time: Duration::from_secs(10), ..ChildOptions::default() };
    let mut engine = child(options);
    let mut outcomes = std::collections::BTreeMap::<&str, u32>::new();
    for step in 0..120usize {
        let mut bytes = model.clone();
        // The first 1,500 bytes hold all numbers of the architecture; then come the vocabulary and the tensor table.
        let at = if step < 90 { 24 + step * 16 } else { step * 601 };
        bytes[at] = bytes[at].wrapping_add((step as u8).wrapping_mul(37) | 1);
        std::fs::write(&path, &bytes).unwrap();
        let result = engine.load(&ModelFile::at(&path)).and_then(|_| generate(&mut engine, 2));
        let kind = match result {
            Ok(_) => "answered",
            Err(InferenceError::ChildDied { .. }) => "died",
            Err(InferenceError::Timeout { .. }) => "too slow",
            Err(_) => "refused",
        };
        *outcomes.entry(kind).or_default() += 1;
    }
    println!("  {outcomes:?}");
    engine.load(&ModelFile::at(demo_model(1))).unwrap();
    assert_eq!(generate(&mut engine, 2).unwrap().len(), 2);
}

fn no_child() {
    let start = |program: &str, arguments: &[&str]| {
        let arguments = arguments.iter().map(Into::into).collect();
        let options = ChildOptions { load_time: Duration::from_millis(500), ..ChildOptions::default() };
        let mut engine = ChildEngine::new(ChildProgram { program: program.into(), arguments }, options);
        engine.load(&ModelFile::at(demo_model(1))).unwrap_err()
    };
    assert!(matches!(start("/no/such/program", &[]), InferenceError::ChildStart { .. }));
    assert!(
        matches!(start("/bin/sh", &["-c", "echo dear me >&2; exit 3"]), InferenceError::ChildDied { how, last_words }
        if how == "exit status: 3" && last_words == "dear me")
    );
    assert!(matches!(start("/bin/sh", &["-c", "echo this is no frame"]), InferenceError::Protocol { .. }));
    assert!(matches!(start("/bin/cat", &[]), InferenceError::Protocol { .. }));
    assert!(matches!(start("/bin/sleep", &["60"]), InferenceError::Timeout { .. }));
}

fn changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::copy(demo_model(1), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let hash = inference::gguf::file_hash(std::io::Cursor::new(&bytes), 0, bytes.len() as u64).unwrap();
    let mut engine = child(ChildOptions::default());
    let model = ModelFile { path: path.clone(), file_hash: Some(hash) };
    engine.load(&model).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::copy(demo_model(2), &path).unwrap();
    // The child holds the file it has checked; the next child sees the other one.
    assert!(generate(&mut engine, 1).is_ok());
    engine.stop();
    assert!(matches!(generate(&mut engine, 1), Err(InferenceError::HashMismatch { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(generate(&mut engine, 1), Err(InferenceError::ModelFile { path: at, .. }) if at == path));
}

fn large_request() {
    let mut engine = loaded(1);
    let prompts = vec!["\u{1}".repeat(32 << 10); 200];
    let answers = engine.generate(&GenerateRequest::new(prompts, 1), &mut |_| ()).unwrap();
    assert_eq!(answers.len(), 200);
    let prompts = vec!["\u{1}".repeat(12 << 20)];
    let error = engine.generate(&GenerateRequest::new(prompts, 1), &mut |_| ()).unwrap_err();
    assert_eq!(error.blame(), Blame::Request, "{error}");
    assert!(generate(&mut engine, 1).is_ok());
}

fn progress() {
    let mut engine = loaded(1);
    let mut seen = Vec::new();
    engine.generate(&request(20), &mut |progress| seen.push(progress.finished)).unwrap();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
}

fn dropped() {
    let engine = loaded(1);
    let process = PathBuf::from(format!("/proc/{}", engine.process_id().unwrap()));
    let had_proc = process.exists();
    drop(engine);
    assert!(!process.exists() || !had_proc);
}
