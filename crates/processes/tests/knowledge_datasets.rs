//! Datasets come and go: by the commands of the original documentation, within limits, and each for its owner.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod library;

use harness::{upload, wallet};
use library::{Library, ORIGINAL, ORIGINAL_HASH, by_words, dataset, file_hash, name_of};
use serde_json::{Value, json};

#[test]
fn the_commands_of_the_original_work_as_printed() {
    let mut library = Library::with_worker(by_words);
    library.say("alice", "Create-Dataset", ORIGINAL).unwrap();
    library.work();
    assert_eq!(library.progress(ORIGINAL_HASH), [4, 4, 0, 0]);

    let search = format!(r#"{{"dataset_hash": "{ORIGINAL_HASH}","prompt":"variable declarations"}}"#);
    library.say("alice", "Search-Prompt", search).unwrap();
    library.work();
    let letter = library.answers("alice").pop().unwrap();
    let found: Value = serde_json::from_slice(&letter.data).unwrap();
    assert_eq!(found["prompt"], "variable declarations");
    assert_eq!(found["dataset_hash"], ORIGINAL_HASH);
    let titles: Vec<&str> = found["documents"].as_array().unwrap().iter().map(title).collect();
    assert_eq!(titles, ["one", "two", "three", "four"]);
    assert_eq!(found["documents"][0]["content"], "This contains variable declarations");
    assert_eq!((&found["total"], &found["embedded"], &found["pending"]), (&json!(4), &json!(4), &json!(0)));
}

fn title(document: &Value) -> &str {
    document["meta"]["title"].as_str().unwrap()
}

#[test]
fn a_wrong_hash_is_refused_with_the_right_one_and_nothing_is_kept() {
    let mut library = Library::with_worker(by_words);
    let wrong = ORIGINAL.replace("A random doc", "A random dog");
    let error = library.say("alice", "Create-Dataset", wrong).unwrap_err();
    assert!(error.contains(&format!("'{ORIGINAL_HASH}' was given")), "{error}");
    assert!(error.contains("it is the SHA-1 of all contents one after the other"), "{error}");
    assert_eq!(library.count("SELECT count(*) FROM datasets") + library.count("SELECT count(*) FROM documents"), 0);
    assert!(library.jobs().is_empty());
}

#[test]
fn the_same_list_again_changes_nothing() {
    let mut library = Library::with_worker(by_words);
    let first = library.create("alice", &["rain", "sun"]).unwrap();
    assert_eq!(
        first,
        json!({"dataset_hash": name_of(&["rain", "sun"]), "documents": 2, "embedded": 0, "pending": 2, "failed": 0})
    );
    library.work();
    let jobs = library.jobs().len();
    for from in ["alice", "bob"] {
        let again = library.create(from, &["rain", "sun"]).unwrap();
        assert_eq!((&again["documents"], &again["embedded"]), (&json!(2), &json!(2)));
    }
    library.work();
    assert_eq!(library.jobs().len(), jobs);
    assert_eq!(library.datasets()[0]["owner"], wallet("alice").to_string());
}

#[test]
fn another_list_of_the_same_name_is_refused() {
    let mut library = Library::with_worker(by_words);
    library.create("alice", &["rain", "sun"]).unwrap();
    // The hash has no borders: the original's rule. What is not the same list must not be taken for it.
    assert_eq!(name_of(&["rain", "sun"]), name_of(&["rai", "nsun"]));
    let error = library.create("bob", &["rai", "nsun"]).unwrap_err();
    assert!(error.contains("with other documents"), "{error}");
    let other_meta = dataset(&["rain", "sun"]).replace("\"meta\":2", "\"meta\":3");
    assert!(library.say("bob", "Create-Dataset", other_meta).is_err());
    assert_eq!(library.datasets().len(), 1);
}

#[test]
fn only_its_creator_deletes_a_dataset() {
    let mut library = Library::with_worker(by_words);
    let hash = name_of(&["rain", "sun"]);
    library.create("alice", &["rain", "sun"]).unwrap();
    library.work();
    for stranger in ["bob", "operator"] {
        let error = library.delete(stranger, &hash).unwrap_err();
        assert!(error.contains("Delete-Dataset is for who created the dataset only"), "{error}");
    }
    assert_eq!(library.progress(&hash), [2, 2, 0, 0]);
    library.delete("alice", &hash).unwrap();
    assert!(library.delete("alice", &hash).unwrap_err().contains("there is no dataset"));
    for table in ["datasets", "documents", "vectors", "batches"] {
        assert_eq!(
            library
                .world
                .connection(library.knowledge)
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
                .unwrap(),
            0,
            "{table}"
        );
    }
    library.create("bob", &["rain", "sun"]).unwrap();
    assert_eq!(library.datasets()[0]["owner"], wallet("bob").to_string());
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_number() {
    let mut library = Library::with_worker(by_words);
    let many = vec!["x"; 10_001];
    let cases: [(&str, String, &str); 8] = [
        ("no JSON", "hello".to_owned(), "it is not the JSON expected"),
        ("no list", r#"{"hash":"00"}"#.to_owned(), "missing field `list`"),
        ("no documents", dataset(&[]), "the list has no documents"),
        ("too many", dataset(&many), "the list has 10001 documents, and 10000 are allowed"),
        ("empty content", dataset(&["rain", " "]), "document 2 has no content"),
        ("long content", dataset(&[&"x".repeat(32 * 1024 + 1)]), "the content of document 1 has 32769 bytes"),
        (
            "long meta",
            json!({"hash": name_of(&["a"]), "list": [{"content": "a", "meta": "x".repeat(4096)}]}).to_string(),
            "the meta of document 1 has 4098 bytes, and 4096 are allowed",
        ),
        ("content is no text", r#"{"hash":"00","list":[{"content":7}]}"#.to_owned(), "expected a string"),
    ];
    for (case, data, expected) in cases {
        let error = library.say("alice", "Create-Dataset", data).unwrap_err();
        assert!(error.contains(expected), "{case}: {error}");
    }
    assert_eq!(library.count("SELECT count(*) FROM documents"), 0);
    library.create("alice", &many[..10_000]).unwrap();
    assert_eq!(library.count("SELECT count(*) FROM documents"), 10_000);
}

#[test]
fn an_owner_has_a_hundred_datasets() {
    let mut library = Library::with_worker(by_words);
    for number in 0..100 {
        library.create("alice", &[&format!("text {number}")]).unwrap();
    }
    let error = library.create("alice", &["one more"]).unwrap_err();
    assert!(error.contains("this owner has 100 datasets, which is the most"), "{error}");
    library.create("bob", &["one more"]).unwrap();
    library.delete("alice", &name_of(&["text 7"])).unwrap();
    library.create("alice", &["another"]).unwrap();

    let page = [("Action", "Get-Datasets"), ("Limit", "2"), ("From-Id", "7")];
    let rows = library.world.read(library.knowledge, &page, "");
    let ids: Vec<u64> = rows.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [9, 10], "the eighth was deleted");
}

#[test]
fn a_process_says_what_it_is() {
    let mut library = Library::with_worker(by_words);
    library.create("alice", &["rain", "sun"]).unwrap();
    assert_eq!(library.info()["dimensions"], Value::Null);
    library.work();
    let info = library.info();
    assert_eq!((&info["title"], &info["dimensions"], &info["datasets"]), (&json!("Library"), &json!(9), &json!(1)));
    assert_eq!((&info["documents"], &info["embedded"], &info["pending"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(info["file_hash"], file_hash());
    let error = library.say("alice", "Dance", "").unwrap_err();
    assert!(error.contains("this process has no action 'Dance'; it has Info, Get-Datasets"), "{error}");
}

#[test]
fn a_process_with_half_a_model_is_not_spawned() {
    let mut library = Library::with_played_herder();
    let (herder, model, hash) = (library.herder.to_string(), upload("model").to_string(), file_hash());
    let all = [("Herder", herder.as_str()), ("Model", &model), ("File-Hash", &hash)];
    for missing in 0..all.len() {
        let mut pairs = all.to_vec();
        let (name, _) = pairs.remove(missing);
        let error = library.world.try_spawn("knowledge", wallet("operator"), &pairs, "").unwrap_err();
        assert_eq!(error, format!("the tag '{name}' is missing"));
    }
    for (name, value) in [("File-Hash", "ABC"), ("Model", "a model"), ("Dimensions", "0"), ("Dimensions", "4097")] {
        let mut pairs: Vec<_> = all.iter().filter(|(known, _)| *known != name).copied().collect();
        pairs.push((name, value));
        let error = library.world.try_spawn("knowledge", wallet("operator"), &pairs, "").unwrap_err();
        assert!(error.starts_with(&format!("the tag '{name}' is '{value}'")), "{error}");
    }
}

#[test]
fn a_process_without_a_model_waits_until_its_owner_names_one() {
    let mut library = Library::with_worker(by_words);
    let herder = library.herder.to_string();
    library.knowledge = library.world.spawn("knowledge", wallet("operator"), &[("Herder", herder.as_str())], "");
    library.create("alice", &["rain", "sun"]).unwrap();
    library.work();
    let hash = name_of(&["rain", "sun"]);
    assert_eq!((library.progress(&hash), &library.info()["model"]), ([2, 0, 2, 0], &Value::Null));
    library.ask("reader", "1", &json!({ "dataset_hash": hash, "prompt": "rain" })).unwrap();
    let error = library.answers("reader")[0].tag("Error").unwrap().to_owned();
    assert!(
        error.starts_with("this process has no embedding model yet: its owner names one with Set-Model"),
        "{error}"
    );

    let (model, file_hash) = (upload("model").to_string(), file_hash());
    let named = [("Action", "Set-Model"), ("Model", model.as_str()), ("File-Hash", &file_hash)];
    let error = library.world.send(wallet("alice"), library.knowledge, &named, "").unwrap_err();
    assert!(error.starts_with("Set-Model is for the owner of this process only"), "{error}");
    let error = library.world.send(wallet("operator"), library.knowledge, &named[..2], "").unwrap_err();
    assert_eq!(error, "the tag 'File-Hash' is missing");
    library.world.send(wallet("operator"), library.knowledge, &named, "").unwrap();
    library.work();
    assert_eq!((library.progress(&hash), &library.info()["model"]), ([2, 2, 0, 0], &json!(model)));
    assert_eq!(library.numbers(&hash, "sun", 1), [2]);

    library.world.send(wallet("operator"), library.knowledge, &named, "").unwrap();
    let other = upload("another").to_string();
    let another = [("Action", "Set-Model"), ("Model", other.as_str()), ("File-Hash", &file_hash)];
    let error = library.world.send(wallet("operator"), library.knowledge, &another, "").unwrap_err();
    assert!(error.contains("stays so, because vectors of different models cannot be compared"), "{error}");
}
