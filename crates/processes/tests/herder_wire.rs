//! The messages between dataset, herder and worker: what is read, what is refused, and that both sides hash alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod herd;

use herd::{batch, honest, json};
use processes::herder::wire::{
    Answer, Finish, InferenceRequest, InferenceResponse, PromptResult, Request, RequestKind, WireError, results_hash,
};

#[test]
fn the_json_is_that_of_the_protocol() {
    let text = r#"{"kind":"generate","system_prompt":null,"max_tokens":4,"stop":["\n"],"prompts":[{"id":17,"prompt":"2 + 2 ="}]}"#;
    let request = InferenceRequest::read(text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&request).unwrap(), text);
    let text = r#"{"kind":"loglikelihood","prompts":[{"id":1,"prompt":"Q:","continuations":[" A"," B"]}]}"#;
    let request = InferenceRequest::read(text.as_bytes()).unwrap();
    assert_eq!(
        (request.kind, request.max_tokens, request.prompts[0].continuations.len()),
        (RequestKind::Loglikelihood, 0, 2)
    );

    let results = r#"[{"id":1,"loglikelihoods":[[-1.25,true],[-3.5,false]]},{"id":2,"output":"A","tokens":1,"finish":"context_exceeded"}]"#;
    let read: Vec<PromptResult> = serde_json::from_str(results).unwrap();
    assert_eq!(read[0].answer, Answer::Scored { loglikelihoods: vec![(-1.25, true), (-3.5, false)] });
    assert!(matches!(read[1].answer, Answer::Generated { finish: Finish::ContextExceeded, .. }));
    assert_eq!(serde_json::to_string(&read).unwrap(), results);
}

#[test]
fn text_that_is_no_batch_is_one_plain_prompt() {
    for text in ["What is AO?", r#"{"question":"What is AO?","context":"AO is a computer."}"#, "42", "{ not json"] {
        assert_eq!(Request::read(text.as_bytes()), Ok(Request::Plain(text.to_owned())));
    }
    assert_eq!(Request::read(&json(&batch(&[1, 2]))).unwrap().prompts(), 2);
    for bad in [&b""[..], b"  \n", &[0xff, 0xfe], &vec![b'x'; 32 * 1024 + 1]] {
        assert!(Request::read(bad).is_err());
    }
    assert!(matches!(Request::read(br#"{"kind":"dance"}"#), Err(WireError::Json(_))));
}

#[test]
fn a_batch_that_nobody_could_answer_is_refused() {
    type Change = fn(&mut InferenceRequest);
    let changes: [(&str, Change); 12] = [
        ("no prompts", |request| request.prompts.clear()),
        ("257 prompts", |request| request.prompts = batch(&(0..257).collect::<Vec<_>>()).prompts),
        ("the same id twice", |request| request.prompts[1].id = 1),
        ("a prompt of 32 KiB and 1", |request| request.prompts[0].prompt = "x".repeat(32 * 1024 + 1)),
        ("no tokens", |request| request.max_tokens = 0),
        ("1025 tokens", |request| request.max_tokens = 1025),
        ("an empty stop text", |request| request.stop = vec![String::new()]),
        ("17 stop texts", |request| request.stop = vec!["a".to_owned(); 17]),
        ("continuations when generating", |request| request.prompts[0].continuations = vec![" A".to_owned()]),
        ("no continuations", |request| request.kind = RequestKind::Loglikelihood),
        ("an empty continuation", |request| {
            request.kind = RequestKind::Loglikelihood;
            request.prompts.iter_mut().for_each(|prompt| prompt.continuations = vec![String::new()]);
        }),
        ("a long system prompt", |request| request.system_prompt = Some("x".repeat(32 * 1024 + 1))),
    ];
    assert_eq!(batch(&[1, 2]).validate(), Ok(()));
    for (what, change) in changes {
        let mut request = batch(&[1, 2]);
        change(&mut request);
        assert!(request.validate().is_err(), "{what}");
    }
}

#[test]
fn the_hashes_depend_on_everything_that_decides_the_results() {
    let base = batch(&[1, 2]);
    let mut others = vec![base.clone(); 6];
    others[0].system_prompt = Some(String::new());
    others[1].max_tokens = 5;
    others[2].stop.push("x".to_owned());
    others[3].prompts[0].id = 3;
    others[4].prompts[0].prompt.push(' ');
    others[5].prompts.swap(0, 1);
    for other in &others {
        assert_ne!(other.prompts_hash(), base.prompts_hash(), "{other:?}");
    }
    let results = honest(&base).results;
    let swapped: Vec<_> = results.iter().rev().cloned().collect();
    assert_eq!(results_hash(&swapped), results_hash(&results), "the order of the results does not matter");
}

#[test]
fn log_likelihoods_keep_their_hash_through_json() {
    let values = [-0.1 - 0.2, -1.0 / 3.0, -123.456_789_012_345_67, -1e-9, -5e8, 0.0];
    let answer = Answer::Scored { loglikelihoods: values.iter().map(|value| (*value, false)).collect() };
    let results = vec![PromptResult { id: 1, answer }];
    let read: Vec<PromptResult> = serde_json::from_slice(&json(&results)).unwrap();
    assert_eq!(results_hash(&read), results_hash(&results));
}

#[test]
fn what_is_no_number_is_no_log_likelihood() {
    let request =
        InferenceRequest::read(br#"{"kind":"loglikelihood","prompts":[{"id":1,"prompt":"Q","continuations":[" A"]}]}"#)
            .unwrap();
    let response = |value: f64| {
        let results = vec![PromptResult { id: 1, answer: Answer::Scored { loglikelihoods: vec![(value, false)] } }];
        let receipt = processes::herder::wire::Receipt {
            prompts_hash: request.prompts_hash(),
            output_hash: results_hash(&results),
            ..honest(&batch(&[1])).receipt
        };
        InferenceResponse { results, receipt }
    };
    assert_eq!(response(-1.0).validate(&request), Ok(()));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(response(value).validate(&request).is_err(), "{value}");
    }
    assert!(InferenceResponse::read(br#"{"results":[{"id":1,"loglikelihoods":[[NaN,true]]}]}"#).is_err());
}
