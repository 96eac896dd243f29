//! Log-likelihoods beside a reference that computes each text whole and alone, and tokens beside what llama.cpp's authors
//! expect of each vocabulary.

#![cfg(feature = "llama")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets anything unexpected fails")]

#[path = "support/agreement.rs"]
mod agreement;
#[path = "support/quantize.rs"]
mod quantize;
#[path = "support/reference.rs"]
mod reference;
mod support;

use std::path::{Path, PathBuf};

use agreement::{engine, largest_difference, prompts};
use inference::llama::LlamaEngine;
use inference::random_model::{self, Quantization, Shape};
use inference::{Engine as _, Profile, ScorePrompt, ScoreRequest, Scored};
use reference::Reference;
use support::{demo_model, shared};

const SMALL: Shape = Shape { width: 128, layers: 3, heads: 4, inner_width: 256, context_tokens: 1024 };

#[test]
fn log_likelihoods_are_those_of_the_whole_text_computed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let precise = folder.path().join("f32.gguf");
    random_model::write(&precise, &demo_model(4), &SMALL, Quantization::F32).unwrap();
    for profile in [Profile::Exact, Profile::Fast] {
        let difference = largest_difference(&precise, profile);
        assert!(difference.absolute < 1e-3, "{profile:?}: {difference:?}");
    }
    // Numbers of few bits are rounded in other places when other tokens are computed with them.
    for (model, tolerance) in [
        (demo_model(4), 0.002),
        (quantize::quantized(&demo_model(4), folder.path(), llama_cpp_sys_2::LLAMA_FTYPE_MOSTLY_Q4_0), 0.1),
    ] {
        for profile in [Profile::Exact, Profile::Fast] {
            let difference = largest_difference(&model, profile);
            assert!(difference.relative < tolerance, "{} {profile:?}: {difference:?}", model.display());
        }
    }
}

#[test]
fn fast_answers_as_exact_does_within_a_tolerance_whatever_the_order() {
    let model = demo_model(4);
    let prompts = prompts();
    let score = |engine: &mut LlamaEngine, prompts: Vec<ScorePrompt>| {
        engine.score(&ScoreRequest { system_prompt: None, prompts }, &mut |_| ()).unwrap()
    };
    let expected = score(&mut engine(&model, Profile::Exact), prompts.clone());
    let mut fast = engine(&model, Profile::Fast);
    assert_eq!(fast.describe().unwrap().profile, "fast");
    let mut backwards = score(&mut fast, prompts.iter().rev().cloned().collect());
    backwards.reverse();
    for results in [score(&mut fast, prompts.clone()), backwards] {
        for (fast, exact) in results.iter().zip(&expected) {
            let (Scored::Likelihoods(fast), Scored::Likelihoods(exact)) = (fast, exact) else { panic!("they fit") };
            assert_eq!(fast.len(), exact.len());
            for (fast, exact) in fast.iter().zip(exact) {
                let difference = (fast.log_probability - exact.log_probability).abs();
                assert!(difference < 0.005 * (1.0 - exact.log_probability), "{fast:?} {exact:?}");
            }
        }
    }
    // What does not fit, has no continuation, or has more than a pack holds is in its place all the same.
    let odd = vec![
        ScorePrompt { prompt: "the park ".repeat(4000), continuations: vec![" A".to_owned()] },
        ScorePrompt { prompt: prompts[1].prompt.clone(), continuations: Vec::new() },
        ScorePrompt { prompt: prompts[1].prompt.clone(), continuations: vec![" A".to_owned(); 200] },
        prompts[0].clone(),
    ];
    let results = score(&mut fast, odd);
    assert_eq!(results[0], Scored::ContextExceeded);
    assert_eq!(results[1], Scored::Likelihoods(Vec::new()));
    assert!(matches!(&results[2], Scored::Likelihoods(all) if all.len() == 200 && all[0] == all[199]));
    assert!(matches!(&results[3], Scored::Likelihoods(all) if all.len() == 4));
}

#[test]
fn what_must_be_computed_is_counted_once_for_all_that_share_it() {
    let mut engine = engine(&demo_model(4), Profile::Exact);
    let mut count = |texts: &[(&str, &[&str])]| {
        let prompts = texts.iter().map(|(prompt, continuations)| ScorePrompt {
            prompt: (*prompt).to_owned(),
            continuations: continuations.iter().map(|&text| text.to_owned()).collect(),
        });
        engine.distinct_tokens(&ScoreRequest { system_prompt: None, prompts: prompts.collect() }).unwrap()
    };
    let one = count(&[("Context: It was a long day.", &[" A", " B"])]);
    assert_eq!(count(&[("Context: It was a long day.", &[" A"]), ("Context: It was a long day.", &[" B"])]), one);
    assert!(count(&[("Context: It was a long day.", &[" A and so on"])]) > one);
}

#[test]
fn a_text_longer_than_the_context_is_scored_in_windows_each_token_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("short.gguf");
    let short = Shape { context_tokens: 24, ..SMALL };
    random_model::write(&model, &demo_model(4), &short, Quantization::F32).unwrap();
    let mut engine = engine(&model, Profile::Exact);
    let text = prompts()[0].prompt.clone();
    let tokens = engine.tokenize(&text[..20]).unwrap().len();
    assert!(tokens < 24);
    let rolled = engine.score_rolling(&[text.clone(), text[..20].to_owned(), String::new()], &mut |_| ()).unwrap();
    // What fits is what it is as a continuation of nothing.
    let prompt = |text: &str| ScorePrompt { prompt: String::new(), continuations: vec![text.to_owned()] };
    let scored = engine
        .score(&ScoreRequest { system_prompt: None, prompts: vec![prompt(&text[..20]), prompt(&text)] }, &mut |_| ());
    let scored = scored.unwrap();
    assert_eq!(scored[0], Scored::Likelihoods(vec![rolled[1]]));
    assert_eq!(scored[1], Scored::ContextExceeded, "a continuation is never cut");
    assert_eq!(rolled[2].log_probability.to_bits(), 0f64.to_bits());

    // The windows, one by one, through the reference.
    let mut reference = Reference::open(&model);
    let whole: Vec<i32> = reference.start_token().into_iter().chain(long_tokens(&text)).collect();
    let (mut scored, mut sum) = (1, 0.0);
    while scored < whole.len() {
        let end = whole.len().min(scored + 24);
        let start = if scored == 1 { 0 } else { end - 25 };
        sum += reference.log_probability(&whole[start..end], scored - start);
        scored = end;
    }
    assert!(whole.len() > 60 && (rolled[0].log_probability - sum).abs() < 1e-3, "{} {sum}", rolled[0].log_probability);
}

/// The tokens of a text that is too long for a short context.
fn long_tokens(text: &str) -> Vec<i32> {
    // The vocabulary is that of the demo, whose models take longer texts.
    engine(&demo_model(4), Profile::Exact).tokenize(text).unwrap()
}

/// Vocabularies with the authors' expectations, and whose file each is read from.
const VOCABULARIES: [(&str, &str); 8] = [
    ("bert-bge", "bert-bge"),
    ("gpt-2", "gpt-2"),
    ("llama-spm", "llama-spm"),
    ("phi-3", "phi-3"),
    ("starcoder", "starcoder"),
    ("llama-bpe", "llama-bpe"),
    ("qwen2", "qwen2"),
    // The ordinary tokens are Qwen2's; how a text is cut before they are looked for has a rule of its own.
    ("deepseek-r1-qwen", "qwen2"),
];

/// A file of the vocabularies: those kept beside the repository, or what `compat/vocab.sh` brought.
fn vocabulary_file(name: &str) -> Option<PathBuf> {
    let brought = support::root().join("target/vocab").join(name);
    shared(&format!("vocab/{name}")).or_else(|| brought.exists().then_some(brought))
}

/// A copy of a vocabulary that names another rule for cutting texts.
fn with_rule(vocabulary: &Path, rule: &str, folder: &Path) -> PathBuf {
    let bytes = std::fs::read(vocabulary).unwrap();
    let key = b"tokenizer.ggml.pre";
    // After the key its kind (a text, 4 bytes), its length (8 bytes) and the text.
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let named = [&(rule.len() as u64).to_le_bytes()[..], rule.as_bytes()].concat();
    let path = folder.join(format!("{rule}.vocabulary"));
    std::fs::write(&path, [&bytes[..at], &named, &bytes[at + 8 + length..]].concat()).unwrap();
    path
}

#[test]
fn tokenizers_do_what_the_authors_of_llama_cpp_expect() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    for (name, of) in VOCABULARIES {
        let file = |name: &str, end: &str| vocabulary_file(&format!("ggml-vocab-{name}.gguf{end}"));
        let (Some(vocabulary), Some(texts), Some(expected)) = (file(of, ""), file(name, ".inp"), file(name, ".out"))
        else {
            let _ = writeln!(std::io::stderr(), "{name} was skipped: compat/vocab.sh brings its files");
            continue;
        };
        let vocabulary = if name == of { vocabulary } else { with_rule(&vocabulary, name, folder.path()) };
        let model = folder.path().join(format!("{name}.gguf"));
        let shape = Shape { width: 32, layers: 1, heads: 1, inner_width: 32, context_tokens: 512 };
        random_model::write(&model, &vocabulary, &shape, Quantization::Q8_0).unwrap();
        let mut engine = engine(&model, Profile::Exact);
        let texts = std::fs::read_to_string(texts).unwrap();
        let expected = std::fs::read_to_string(expected).unwrap();
        let mut cases = 0;
        for (text, line) in texts.split("\n__ggml_vocab_test__\n").zip(expected.lines()) {
            let tokens: Vec<i32> = line.split_whitespace().map(|token| token.parse().unwrap()).collect();
            assert_eq!(engine.tokenize(text).unwrap(), tokens, "{name}: {text:?}");
            cases += 1;
        }
        assert!(cases >= 46, "{name}: {cases}");
    }
}
