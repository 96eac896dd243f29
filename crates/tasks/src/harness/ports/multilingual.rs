//! Ported functions of benchmarks in many languages, and of collections of many tasks.

use serde_json::{Value, json};

use super::functions::{list, string, value};
use super::{Document, Function, PortedFile};
use crate::harness::load::{Source, python_file};
use crate::python::{literal, text};

pub(super) const FILES: &[PortedFile] = &[
    PortedFile {
        path: "openai-mmmlu/default/utils",
        sha256: "49aaaf0034ee7413385b68533fa22f5d664dc4c97f814985c353156f6ad6a85d",
        functions: &[("process_*", Function::Keeps(mmmlu))],
    },
    PortedFile {
        path: "mmlu_prox/ar/utils",
        sha256: "cfb27b5b32d75fccf7745e19b4b96668856b5a7c44e7e7a4533854e19e6ac5e1",
        functions: &[
            ("doc_to_text", Function::Worded(mmlu_prox_text)),
            ("fewshot_to_text", Function::Worded(mmlu_prox_example)),
        ],
    },
    PortedFile {
        path: "mmlusr/question_and_answer/utils",
        sha256: "f28cc8d405c54ca83e339e3c6deebad195688d8788dbaf511a00c8ebee7f16f5",
        functions: &[("process_docs", Function::Fields(mmlusr))],
    },
    PortedFile {
        path: "bigbench/utils",
        sha256: "ffe5920d8ee35daa9271be669629b928a76ac82ede88bdb21683c56785efa474",
        functions: &[("filter_multiple_choice", Function::Keeps(bigbench))],
    },
];

/// Documents of a subject. Some name it with a file's name behind it.
fn mmmlu(document: &Document, subject: &str) -> Result<bool, String> {
    let Value::String(name) = value(document, "Subject")? else { return Ok(false) };
    let cut = name.find("_test.csv").or_else(|| name.find("_test-"));
    Ok(&name[..cut.unwrap_or(name.len())] == subject)
}

/// Documents that have choices.
fn bigbench(document: &Document, _: &str) -> Result<bool, String> {
    list(document, "multiple_choice_targets").map(|targets| !targets.is_empty())
}

fn mmlusr(document: &Document) -> Result<Document, String> {
    let or_empty =
        |field: &str| value(document, field).map(|value| if value.is_null() { json!("") } else { value.clone() });
    let choices = ["choice1", "choice2", "choice3", "choice4"].map(or_empty);
    let choices: Vec<Value> = choices.into_iter().collect::<Result<_, _>>()?;
    let answer = literal::text(&or_empty("answer")?);
    Ok([("choices", json!(choices)), ("answer", json!(text::strip(&answer)))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

fn mmlu_prox_question(document: &Document, words: &[String]) -> Result<String, String> {
    let [question, options, ..] = words else { return Err("the language has too few words".to_owned()) };
    let mut out = format!("{question}\n{}\n{options}\n", string(document, "question")?);
    for (place, letter) in ('A'..='J').enumerate() {
        let option = value(document, &format!("option_{place}"))?;
        if !option.is_null() {
            out.extend([format!("{letter}. {}\n", literal::text(option))]);
        }
    }
    Ok(out)
}

fn mmlu_prox_text(document: &Document, words: &[String]) -> Result<Value, String> {
    let step_by_step = words.get(2).ok_or("the language has too few words")?;
    Ok(json!(mmlu_prox_question(document, words)? + step_by_step))
}

fn mmlu_prox_example(document: &Document, words: &[String]) -> Result<Value, String> {
    let (Some(step_by_step), Some(begin)) = (words.get(2), words.get(4)) else {
        return Err("the language has too few words".to_owned());
    };
    let thought = string(document, "cot_content")?.replace(begin.as_str(), step_by_step);
    Ok(json!(format!("{}{thought}\n\n", mmlu_prox_question(document, words)?)))
}

/// The words of the language that a function's folder is named after, from the file `lang_libs.py` above it.
pub(super) fn words(function: &str, source: &dyn Source) -> Option<Vec<String>> {
    let (python, _) = python_file(function)?;
    let (folder, _) = python.rsplit_once('/')?;
    let (above, language) = folder.rsplit_once('/')?;
    let text = source.read(&format!("{above}/lang_libs.py"))?;
    let (_, written) = text.split_once("LANG_LIBS = ")?;
    let end = written.find("\n}")? + 2;
    let languages = literal::evaluate(&written[..end])?;
    let words = languages.get(language)?.as_array()?;
    Some(words.iter().map(literal::text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Value) -> Document {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_subject_is_found_behind_a_file_name() {
        for (name, kept) in [("law", true), ("law_test.csv_sw-KE.csv", true), ("law_test-1", true), ("lawful", false)] {
            assert_eq!(mmmlu(&document(json!({"Subject": name})), "law"), Ok(kept), "{name}");
        }
    }

    #[test]
    fn words_are_those_of_the_folder() {
        let libs =
            "LANG_LIBS = {\n    \"de\": [\n        \"Frage:\",\n        'Sag \"ja\"',\n    ],\n}\n\nOTHER = {\n}\n";
        let source = |path: &str| (path == "mmlu_prox/lang_libs.py").then(|| libs.to_owned());
        let found = words("mmlu_prox/de/utils.doc_to_text", &source);
        assert_eq!(found, Some(vec!["Frage:".to_owned(), "Sag \"ja\"".to_owned()]));
        assert_eq!(words("mmlu_prox/fr/utils.doc_to_text", &source), None);
    }
}
