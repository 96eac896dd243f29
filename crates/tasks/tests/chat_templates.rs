//! Chat templates are filled in as Jinja fills them in where the tokenizers of Hugging Face set it up
//! (`compat/lm_eval/chat_templates.py` wrote down how), and what they write is told apart from what they are given.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tasks::harness::{ChatWriter, Message, Part, Role};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compat/lm_eval")
}

fn message(role: &str, content: &str) -> Message {
    let role = match role {
        "system" => Role::System,
        "user" => Role::User,
        _ => Role::Assistant,
    };
    Message { role, content: content.to_owned() }
}

fn text(parts: &[Part]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect()
}

#[test]
fn conversations_are_those_of_jinja() {
    let vectors: Value = serde_json::from_slice(&std::fs::read(folder().join("chat_vectors.json")).unwrap()).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= 16);
    for vector in vectors {
        let name = vector["template"].as_str().unwrap();
        let template = std::fs::read_to_string(folder().join("chat").join(name)).unwrap();
        let writer = ChatWriter::new(&template, "<bos>", "<eos>").unwrap();
        let turns = vector["messages"].as_array().unwrap().iter();
        let turns: Vec<Message> =
            turns.map(|turn| message(turn[0].as_str().unwrap(), turn[1].as_str().unwrap())).collect();
        let begin_answer = vector["begin_answer"].as_bool().unwrap();
        let parts = writer.write(&turns, begin_answer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text(&parts), vector["text"].as_str().unwrap(), "{name}");
        // What was given is text, even if it looks like a border of the conversation.
        let given: Vec<&str> = parts.iter().filter(|part| !part.is_template).map(|part| part.text.as_str()).collect();
        for turn in turns.iter().filter(|turn| turn.role == Role::User) {
            assert!(
                given.contains(&turn.content.as_str()) || given.contains(&turn.content.trim()),
                "{name}: {given:?}"
            );
        }
        assert!(!given.concat().contains("<bos>"), "{name}");
    }
}

#[test]
fn a_template_that_changes_what_it_is_given_or_never_ends_is_refused() {
    let asked = [message("user", "What's next?")];
    for (template, reason) in [
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "changes the messages"),
        ("{% for m in messages %}{{ m.content[:5] }}{% endfor %}", "changes the messages"),
        ("{{ bos_token }}", "changes the messages"),
        (
            "{% for m in messages %}{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}{% endfor %}",
            "fuel",
        ),
        ("{{ raise_exception('no conversations') }}", "no conversations"),
        ("{% for m in messages %}", "cannot be used"),
    ] {
        let written = ChatWriter::new(template, "", "").and_then(|writer| writer.write(&asked, true));
        let error = written.unwrap_err().to_string();
        assert!(error.contains(reason), "{template}: {error}");
    }
    assert!(ChatWriter::new(&"{".repeat(100_000), "", "").is_err());
    assert!(ChatWriter::new(&"{{ a }}".repeat(2_000), "", "").is_err());
}
