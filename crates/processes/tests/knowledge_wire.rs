//! Requests for vectors and their answers: what is read, what is refused, and that both sides hash alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod library;

use library::{by_words, response, too_long, unit, vector};
use processes::herder::embedding::{Embedding, EmbeddingError};
use processes::herder::wire::{
    Answer, InferenceRequest, InferenceResponse, Prompt, PromptResult, RequestKind, WireError, results_hash,
};

fn request(count: u64) -> InferenceRequest {
    let prompts = (1..=count).map(|id| Prompt { id, prompt: format!("text {id}"), continuations: Vec::new() });
    let (kind, stop) = (RequestKind::Embed, Vec::new());
    InferenceRequest { kind, system_prompt: None, max_tokens: 0, stop, prompts: prompts.collect() }
}

#[test]
fn the_json_is_that_of_the_protocol() {
    let text =
        r#"{"kind":"embed","system_prompt":null,"max_tokens":0,"stop":[],"prompts":[{"id":1,"prompt":"a text"}]}"#;
    let request = InferenceRequest::read(text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&request).unwrap(), text);
    assert_eq!(InferenceRequest::read(br#"{"kind":"embed","prompts":[{"id":1,"prompt":"a text"}]}"#), Ok(request));
    // 1.0 in little-endian bytes is 00 00 80 3F.
    let text = r#"[{"id":1,"embedding":"AACAPw=="}]"#;
    let results: Vec<PromptResult> = serde_json::from_str(text).unwrap();
    assert_eq!(results[0].answer, vector(vec![1.0]));
    assert_eq!(serde_json::to_string(&results).unwrap(), text);
}

#[test]
fn a_vector_travels_to_the_last_bit() {
    let numbers = unit((0..384_u16).map(|number| 1.0 / (f32::from(number) + 0.3) - 0.1).collect());
    let json = serde_json::to_string(&Embedding::new(numbers.clone()).unwrap()).unwrap();
    let read: Embedding = serde_json::from_str(&json).unwrap();
    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(read.numbers()), bits(&numbers));
}

#[test]
fn what_is_no_vector_cannot_be_made() {
    assert_eq!(Embedding::new(Vec::new()), Err(EmbeddingError::Dimensions(0)));
    assert_eq!(Embedding::new(vec![0.015_625; 4_097]), Err(EmbeddingError::Dimensions(4_097)));
    assert!(Embedding::new(vec![0.015_625; 4_096]).is_ok());
    for numbers in [vec![0.0, 0.0], vec![2.0], vec![f32::NAN], vec![f32::INFINITY], vec![1.0, f32::NEG_INFINITY]] {
        assert_eq!(Embedding::new(numbers), Err(EmbeddingError::Length));
    }
    assert_eq!(Embedding::from_bytes(&[0, 0, 0x80]), Err(EmbeddingError::Encoding));
}

#[test]
fn a_request_that_asks_for_more_than_vectors_is_refused() {
    type Change = fn(&mut InferenceRequest);
    let changes: [(&str, Change); 5] = [
        ("a system prompt", |request| request.system_prompt = Some("You are".to_owned())),
        ("tokens", |request| request.max_tokens = 1),
        ("stop texts", |request| request.stop = vec!["\n".to_owned()]),
        ("continuations", |request| request.prompts[0].continuations = vec![" A".to_owned()]),
        ("no texts", |request| request.prompts.clear()),
    ];
    for (case, change) in changes {
        let mut request = request(2);
        assert_eq!(request.validate(), Ok(()));
        change(&mut request);
        assert!(matches!(request.validate(), Err(WireError::Contradiction(_))), "{case}");
    }
    assert_eq!(request(16).validate(), Ok(()));
    assert!(matches!(request(17).validate(), Err(WireError::OverLimit { actual: 17, limit: 16, .. })));
}

#[test]
fn an_answer_is_vectors_or_that_a_text_does_not_fit() {
    let request = request(2);
    let checked = |change: fn(&mut InferenceResponse)| {
        let mut answer = response(&request, |prompt| vector(by_words(&prompt.prompt)));
        change(&mut answer);
        answer.receipt.output_hash = results_hash(&answer.results);
        InferenceResponse::read(&serde_json::to_vec(&answer).unwrap()).unwrap().validate(&request)
    };
    assert_eq!(checked(|_| ()), Ok(()));
    assert_eq!(checked(|answer| answer.results[1].answer = too_long()), Ok(()));
    let scored = checked(|answer| answer.results[0].answer = Answer::Scored { loglikelihoods: vec![(-1.0, true)] });
    assert!(matches!(scored, Err(WireError::BadResult { id: 1, .. })));

    let mut generating = request.clone();
    (generating.kind, generating.max_tokens) = (RequestKind::Generate, 4);
    let vectors = response(&generating, |_| vector(vec![1.0]));
    assert!(matches!(vectors.validate(&generating), Err(WireError::BadResult { .. })));
    assert_ne!(generating.prompts_hash(), request.prompts_hash());
}

#[test]
fn a_receipt_sees_every_bit_of_a_vector() {
    let request = request(1);
    let numbers = by_words("rain sun");
    let mut answer = response(&request, |_| vector(numbers.clone()));
    assert_eq!(answer.validate(&request), Ok(()));
    let mut bent = numbers.clone();
    bent[0] = f32::from_bits(bent[0].to_bits() ^ 1);
    answer.results[0].answer = vector(bent);
    assert_eq!(answer.validate(&request), Err(WireError::Receipt("output_hash")));
}

#[test]
fn the_largest_answer_fits_into_a_message() {
    let request = request(16);
    let answer = response(&request, |_| vector(vec![0.015_625; 4_096]));
    let data = serde_json::to_vec(&answer).unwrap();
    assert_eq!(InferenceResponse::read(&data).unwrap().validate(&request), Ok(()));
}
