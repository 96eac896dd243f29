//! Searches: exact, in a stable order, answered while documents are still on their way, and never left without an answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod library;

use ao::{MessageKind, sha256};
use harness::{Letter, wallet};
use library::{Library, by_hash, by_words, name_of};
use processes::herder::embedding::Embedding;
use processes::knowledge::nearest;
use processes::{Database, Memo, module_by_name};
use rusqlite::Connection;
use serde_json::{Value, json};

/// So many texts, each another one.
fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text number {number}")).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn a_search_finds_what_comparing_with_everything_finds() {
    let texts = texts(500);
    let contents = borrowed(&texts);
    let hash = name_of(&contents);
    let mut library = Library::with_worker(by_hash);
    library.create("alice", &contents).unwrap();
    library.work();
    for prompt in ["rain", "sun", "text number 77", "ö 北京"] {
        let wanted = by_hash(prompt);
        let score = |content: &str| -> f64 {
            by_hash(content).iter().zip(&wanted).map(|(&one, &other)| f64::from(one) * f64::from(other)).sum()
        };
        let mut expected: Vec<(f64, u64)> = contents.iter().map(|content| score(content)).zip(1..).collect();
        expected.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));

        let found = library.search(&hash, prompt, 50);
        let documents = found["documents"].as_array().unwrap();
        assert_eq!(documents.len(), 50);
        for (document, (score, number)) in documents.iter().zip(expected) {
            assert_eq!(document["number"], number, "{prompt}");
            assert!((document["score"].as_f64().unwrap() - score).abs() < 1e-12);
            assert_eq!(document["content"], contents[number as usize - 1]);
            assert_eq!(document["meta"], number);
        }
    }
    assert_eq!(library.numbers(&hash, "text number 77", 1), [78]);
}

#[test]
fn equal_scores_stand_in_the_order_of_the_list_also_after_it_was_made_anew() {
    let contents = ["sun a", "rain b", "rain c", "sun d", "rain e", "f"];
    let hash = name_of(&contents);
    let mut library = Library::with_worker(by_words);
    let mut answers = Vec::new();
    for _ in 0..3 {
        library.create("alice", &contents).unwrap();
        library.work();
        assert_eq!(library.numbers(&hash, "rain", 6), [2, 3, 5, 6, 1, 4]);
        answers.push(library.search(&hash, "rain", 6));
        library.delete("alice", &hash).unwrap();
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "to the last digit of the scores");
}

#[test]
fn what_is_embedded_is_found_while_the_rest_is_pending() {
    let texts = texts(40);
    let contents = borrowed(&texts);
    let hash = name_of(&contents);
    let mut library = Library::with_worker(by_hash);
    library.create("alice", &contents).unwrap();
    assert_eq!(library.progress(&hash), [40, 0, 40, 0]);
    library.work_once();
    assert_eq!(library.progress(&hash), [40, 16, 24, 0]);

    library.ask("reader", "early", &json!({"dataset_hash": hash, "prompt": "text number 39", "limit": 50})).unwrap();
    // The search waits behind the batches that were sent before it; one of them fills the worker at a time.
    library.work_once();
    assert!(library.answers("reader").is_empty());
    library.work();
    let early: Value = serde_json::from_slice(&library.answers("reader")[0].data).unwrap();
    assert_eq!(early["total"], 40);
    let embedded = early["embedded"].as_u64().unwrap();
    assert_eq!(early["documents"].as_array().unwrap().len() as u64, embedded);
    assert_eq!(early["pending"].as_u64().unwrap(), 40 - embedded);
    assert_eq!(library.progress(&hash), [40, 40, 0, 0]);
    assert_eq!(library.numbers(&hash, "text number 39", 1), [40]);
}

#[test]
fn a_search_among_documents_without_vectors_finds_none_and_says_why() {
    let mut library = Library::with_played_herder();
    library.create("alice", &["rain", "sun"]).unwrap();
    let hash = name_of(&["rain", "sun"]);
    library.ask("reader", "7", &json!({"dataset_hash": hash, "prompt": "rain"})).unwrap();
    let search = library.last_batch();
    library.answer(&search).unwrap();
    let found: Value = serde_json::from_slice(&library.answers("reader")[0].data).unwrap();
    assert_eq!(
        found,
        json!({
            "dataset_hash": hash, "documents": [], "embedded": 0, "pending": 2, "failed": 0, "total": 2,
            "prompt": "rain", "omitted": 0,
        })
    );
}

#[test]
fn a_search_that_cannot_be_taken_is_answered_with_the_reason() {
    let mut library = Library::with_worker(by_words);
    library.create("alice", &["rain"]).unwrap();
    let hash = name_of(&["rain"]);
    let long = "x".repeat(32 * 1024 + 1);
    let cases = [
        (json!({"dataset_hash": name_of(&["sun"]), "prompt": "rain"}), "there is no dataset"),
        (json!({"dataset_hash": "' OR 1=1 --", "prompt": "rain"}), "there is no dataset"),
        (json!({"dataset_hash": hash, "prompt": " "}), "the prompt is empty"),
        (json!({"dataset_hash": hash, "prompt": long}), "the prompt has 32769 bytes"),
        (json!({"dataset_hash": hash, "prompt": "rain", "limit": 0}), "the limit is 0, and 1 to 50"),
        (json!({"dataset_hash": hash, "prompt": "rain", "limit": 51}), "the limit is 51"),
        (json!({"prompt": "rain"}), "missing field `dataset_hash`"),
    ];
    for (data, expected) in cases {
        let effects = library.ask("reader", "ref", &data).unwrap();
        let said = effects.output.error.unwrap();
        assert!(said.contains(expected), "{said}");
        let letter = library.answers("reader").pop().unwrap();
        assert_eq!(letter.tag("Reference"), Some("ref"));
        assert!(letter.tag("Error").unwrap().contains(expected));
    }
    let effects = library.ask("reader", &"r".repeat(257), &json!({"dataset_hash": hash, "prompt": "rain"})).unwrap();
    assert!(effects.output.error.unwrap().contains("a reference has at most 256 bytes"));
    assert_eq!(library.count("SELECT count(*) FROM searches"), 0);
}

#[test]
fn a_search_without_a_limit_finds_five_and_a_tag_can_say_another_number() {
    let texts = texts(9);
    let contents = borrowed(&texts);
    let mut library = Library::with_worker(by_hash);
    library.create("alice", &contents).unwrap();
    library.work();
    let search = json!({"dataset_hash": name_of(&contents), "prompt": "rain"}).to_string();
    for (limit, expected) in [(None, 5), (Some("7"), 7)] {
        let mut pairs = vec![("Action", "Search-Prompt")];
        pairs.extend(limit.map(|limit| ("Limit", limit)));
        library.world.send(wallet("reader"), library.knowledge, &pairs, search.clone()).unwrap();
        library.work();
        let found: Value = serde_json::from_slice(&library.answers("reader").pop().unwrap().data).unwrap();
        assert_eq!(found["documents"].as_array().unwrap().len(), expected);
    }
    let pairs = [("Action", "Search-Prompt"), ("Limit", "many")];
    let said = library.world.send(wallet("reader"), library.knowledge, &pairs, search).unwrap().output.error.unwrap();
    assert!(said.starts_with("the tag 'Limit' is 'many'"), "{said}");
}

#[test]
fn nobody_takes_all_the_room_for_searches() {
    let mut library = Library::with_played_herder();
    library.create("alice", &["rain"]).unwrap();
    let asked = json!({"dataset_hash": name_of(&["rain"]), "prompt": "sun"});
    for number in 0..64 {
        assert_eq!(library.ask("greedy", &number.to_string(), &asked).unwrap().output.error, None);
    }
    let refused = library.ask("greedy", "65", &asked).unwrap().output.error.unwrap();
    assert!(refused.contains("64 of them of this asker"), "{refused}");
    assert_eq!(library.ask("reader", "1", &asked).unwrap().output.error, None);
}

#[test]
fn a_large_answer_says_how_much_it_leaves_out() {
    let texts: Vec<String> = (0..40).map(|number| format!("{number} {}", "x".repeat(30_000))).collect();
    let contents = borrowed(&texts);
    let mut library = Library::with_worker(by_hash);
    library.create("alice", &contents).unwrap();
    library.work();
    let found = library.search(&name_of(&contents), "rain", 40);
    let shown = found["documents"].as_array().unwrap().len();
    assert_eq!((shown, found["omitted"].as_u64().unwrap()), (17, 23));
}

#[test]
fn a_search_in_a_dataset_that_is_deleted_meanwhile_is_answered() {
    let mut library = Library::with_played_herder();
    library.create("alice", &["rain"]).unwrap();
    let documents = library.last_batch();
    let hash = name_of(&["rain"]);
    library.ask("reader", "9", &json!({"dataset_hash": hash, "prompt": "rain"})).unwrap();
    let search = library.last_batch();
    library.delete("alice", &hash).unwrap();
    library.answer(&search).unwrap();
    let letter: &Letter = &library.answers("reader")[0];
    assert_eq!(
        (letter.tag("Reference"), letter.tag("Error")),
        (Some("9"), Some("the dataset was deleted during the search"))
    );

    // The vectors of the deleted documents come too late for their own dataset and for one of the same name.
    library.create("alice", &["rain"]).unwrap();
    let said = library.answer(&documents).unwrap().output.data;
    assert!(said.contains("no answer to batch 1 is awaited"), "{said}");
    assert_eq!(library.progress(&hash), [1, 0, 1, 0]);
    assert_eq!(library.world.inbox(wallet("reader")).len(), 1);
}

#[test]
fn among_ten_thousand_vectors_the_best_are_those_of_comparing_with_all() {
    let texts = texts(10_000);
    let contents = borrowed(&texts);
    let mut library = Library::with_worker(by_hash);
    library.create("alice", &contents).unwrap();
    library.work();
    let hash = name_of(&contents);
    let mut found = Vec::new();
    for prompt in ["rain", "sun", "text 17"] {
        let asked = by_hash(prompt);
        let score = |text: &String| -> f64 {
            asked.iter().zip(by_hash(text)).map(|(one, other)| f64::from(*one) * f64::from(other)).sum()
        };
        let mut all: Vec<(f64, u64)> = texts.iter().map(score).zip(1..).collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let best: Vec<u64> = all.iter().take(10).map(|(_, number)| *number).collect();
        assert_eq!(library.numbers(&hash, prompt, 10), best, "{prompt}");
        // A number in JSON need not be read to the last bit.
        let (env, asked) = (library.world.env(library.knowledge).clone(), Embedding::new(asked).unwrap());
        let hits = library.world.tables(library.knowledge, |store| nearest(store, &env, &hash, &asked, 10)).unwrap();
        found.extend(hits.iter().map(|hit| format!("{}:{:016x}", hit.number, hit.score.to_bits())));
    }
    assert_eq!(sha256(found.join(" ").as_bytes()).to_hex(), TEN_THOUSAND, "the same order and bits on every machine");
}

/// What is found among the ten thousand, each number with the bits of its score: computed once by a program in Python, whose
/// floats are of 64 bits, never fused, and added in the order that `similarity` writes down.
const TEN_THOUSAND: &str = "87342a49a41ef9cfcf695b2951b77216bda364070fecc76b60131b30ae425e28";

#[test]
fn a_replay_of_the_log_gives_the_same_answers_to_the_last_bit() {
    let texts = texts(300);
    let contents = borrowed(&texts);
    let mut library = Library::with_worker(by_hash);
    library.create("alice", &contents).unwrap();
    for prompt in ["rain", "sun", "snow"] {
        library.search(&name_of(&contents), prompt, 20);
    }
    let (env, module) = (library.world.env(library.knowledge), module_by_name("knowledge").unwrap());
    let database = Database::new(Connection::open_in_memory().unwrap(), Memo::new(0)).unwrap();
    let mut answers = 0;
    for (message, outcome) in library.world.history(library.knowledge) {
        let again = database.handle(|store| match message.kind {
            MessageKind::Spawn => module.spawn(store, message, env),
            _ => module.handle(store, message, env),
        });
        let again = again.map_err(|fault| fault.to_string());
        assert_eq!(&again, outcome, "{}", message.action());
        let sent = again.into_iter().flat_map(|effects| effects.messages);
        answers += sent.filter(|sent| sent.tags.get("Action") == Some("Search-Prompt-Response")).count();
    }
    assert_eq!(answers, 3);
}
