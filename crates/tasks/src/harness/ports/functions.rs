//! The ported functions themselves. Each says which benchmark it belongs to; what it does is what the file of that
//! benchmark in lm-evaluation-harness 0.4.13 does.

use serde_json::{Value, json};

use super::{Document, Function, PortedFile, Results};
use crate::harness::score::Score;
use crate::python::{literal, text};

/// Every file that was ported.
pub(super) const FILES: &[PortedFile] = &[
    PortedFile {
        path: "hellaswag/utils",
        sha256: "07d23b60b28f2a4f658dcf8440623a63fe6644854ce9b846a114dde980dc1214",
        functions: &[("process_docs", Function::Fields(hellaswag))],
    },
    PortedFile {
        path: "winogrande/preprocess_winogrande",
        sha256: "e55327629264a98f1d383fda24645b6779afb53fa0bce2150042b9416b1ae006",
        functions: &[
            ("doc_to_text", Function::Value(winogrande_text)),
            ("doc_to_target", Function::Value(winogrande_target)),
            ("doc_to_choice", Function::Value(winogrande_choice)),
        ],
    },
    PortedFile {
        path: "super_glue/copa/utils",
        sha256: "0be98a907db647a518c42c916a61385b64f394cf9d0171b5cb86b7a036282de7",
        functions: &[
            ("doc_to_text", Function::Value(copa_text)),
            ("doc_to_target", Function::Value(copa_target)),
            ("doc_to_choice", Function::Value(copa_choice)),
        ],
    },
    PortedFile {
        path: "race/preprocess_race",
        sha256: "15778ab69ca3b96c3d82618500ad59702ff7ea9dbf09e90e4505abc16ac53ad0",
        functions: &[
            ("doc_to_text", Function::Value(race_text)),
            ("doc_to_target", Function::Value(race_target)),
            ("doc_to_choice", Function::Value(race_choice)),
        ],
    },
    PortedFile {
        path: "medqa/preprocess_medqa",
        sha256: "06adc6ef5bda3259fe547355e6b064ca57c674b502fac749d0a0ccc8fee91787",
        functions: &[("doc_to_text", Function::Value(medqa_text)), ("doc_to_target", Function::Value(label))],
    },
    PortedFile {
        path: "logiqa/utils_logiqa",
        sha256: "46399f40065469d234c0c9e1ef3de9b67e50d5fe1c2c4130607eda2dda268260",
        functions: &[("doc_to_text", Function::Value(logiqa_text)), ("doc_to_target", Function::Value(logiqa_target))],
    },
    PortedFile {
        path: "truthfulqa/utils",
        sha256: "d3c827d1e2cd442a1e4738b527a18effd48cbb2aed478c12a652311b5ea4dbc8",
        functions: &[("process_results_mc2", Function::Results(truthfulqa_mc2))],
    },
    PortedFile {
        path: "mmlu_pro/utils",
        sha256: "d47eae06ecf1e9535b033394de62185327a1dca977cb29049003699adeb92801",
        functions: &[
            ("doc_to_text", Function::Value(mmlu_pro_text)),
            ("fewshot_to_text", Function::Value(mmlu_pro_text)),
            ("fewshot_to_target", Function::Value(mmlu_pro_target)),
        ],
    },
];

pub(super) fn value<'a>(document: &'a Document, field: &str) -> Result<&'a Value, String> {
    document.get(field).ok_or_else(|| format!("the document has no field '{field}'"))
}

pub(super) fn string<'a>(document: &'a Document, field: &str) -> Result<&'a str, String> {
    value(document, field)?.as_str().ok_or_else(|| format!("the field '{field}' is not a text"))
}

pub(super) fn list<'a>(document: &'a Document, field: &str) -> Result<&'a [Value], String> {
    value(document, field)?.as_array().map(Vec::as_slice).ok_or_else(|| format!("the field '{field}' is not a list"))
}

pub(super) fn strings(document: &Document, field: &str) -> Result<Vec<String>, String> {
    Ok(list(document, field)?.iter().map(literal::text).collect())
}

fn hellaswag(document: &Document) -> Result<Document, String> {
    let context = format!("{} {}", string(document, "ctx_a")?, text::capitalize(string(document, "ctx_b")?));
    let query = hellaswag_cleaned(&format!("{}: {context}", string(document, "activity_label")?));
    let choices: Vec<String> = strings(document, "endings")?.iter().map(|ending| hellaswag_cleaned(ending)).collect();
    let gold = literal::text(value(document, "label")?);
    let gold: i64 = text::strip(&gold).parse().map_err(|_| format!("the label '{gold}' is not a number"))?;
    let fields = [("query", json!(query)), ("choices", json!(choices)), ("gold", json!(gold))];
    Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Takes out what is left of WikiHow's markup: `[title]` becomes a full stop, other brackets vanish.
fn hellaswag_cleaned(text: &str) -> String {
    let titled = text::strip(text).replace(" [title]", ". ");
    let mut out = String::with_capacity(titled.len());
    let mut rest = titled.as_str();
    while let Some(open) = rest.find('[') {
        let (before, bracketed) = rest.split_at(open);
        out.push_str(before);
        match bracketed.find([']', '\n']) {
            Some(end) if bracketed[end..].starts_with(']') => rest = &bracketed[end + 1..],
            _ => {
                // No bracket closes on this line.
                out.push('[');
                rest = &bracketed[1..];
            }
        }
    }
    out.push_str(rest);
    out.replace("  ", " ")
}

fn winogrande_blank(document: &Document) -> Result<(&str, &str), String> {
    string(document, "sentence")?.split_once('_').ok_or_else(|| "the sentence has no '_'".to_owned())
}

fn winogrande_text(document: &Document) -> Result<Value, String> {
    match string(document, "answer")? {
        "1" => Ok(json!(0)),
        "2" => Ok(json!(1)),
        other => Err(format!("the answer '{other}' is neither '1' nor '2'")),
    }
}

fn winogrande_target(document: &Document) -> Result<Value, String> {
    Ok(json!(text::strip(winogrande_blank(document)?.1)))
}

fn winogrande_choice(document: &Document) -> Result<Value, String> {
    let before = winogrande_blank(document)?.0;
    Ok(json!([
        format!("{before}{}", string(document, "option1")?),
        format!("{before}{}", string(document, "option2")?)
    ]))
}

fn copa_option(document: &Document, field: &str) -> Result<String, String> {
    let option = string(document, field)?;
    let mut characters = option.chars();
    let first = characters.next().ok_or_else(|| format!("the field '{field}' is empty"))?;
    Ok(format!(" {}{}", first.to_lowercase(), characters.as_str()))
}

fn copa_text(document: &Document) -> Result<Value, String> {
    let connector = match string(document, "question")? {
        "cause" => "because",
        "effect" => "therefore",
        other => return Err(format!("the question '{other}' is neither 'cause' nor 'effect'")),
    };
    let mut premise = text::strip(string(document, "premise")?).chars();
    premise.next_back(); // The full stop.
    Ok(json!(format!("{} {connector}", premise.as_str())))
}

fn copa_target(document: &Document) -> Result<Value, String> {
    let first = value(document, "label")?.as_i64() == Some(0);
    copa_option(document, if first { "choice1" } else { "choice2" }).map(Value::from)
}

fn copa_choice(document: &Document) -> Result<Value, String> {
    Ok(json!([copa_option(document, "choice1")?, copa_option(document, "choice2")?]))
}

const RACE_LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// The problems of an article: a text that is a Python list of mappings.
fn race_problems(document: &Document) -> Result<Vec<Document>, String> {
    let problems = literal::evaluate(string(document, "problems")?);
    let Some(Value::Array(problems)) = problems else { return Err("the problems are not a list".to_owned()) };
    let problem = |problem| match problem {
        Value::Object(problem) => Ok(problem),
        _ => Err("a problem is not a mapping".to_owned()),
    };
    problems.into_iter().map(problem).collect()
}

fn race_last(document: &Document) -> Result<Document, String> {
    race_problems(document)?.pop().ok_or_else(|| "there is no problem".to_owned())
}

fn race_answer(problem: &Document) -> Result<usize, String> {
    let answer = string(problem, "answer")?;
    let place = RACE_LETTERS.iter().position(|letter| *letter == answer);
    place.ok_or_else(|| format!("the answer '{answer}' is not one of A to D"))
}

fn race_text(document: &Document) -> Result<Value, String> {
    let mut problems = race_problems(document)?;
    let last = problems.pop().ok_or_else(|| "there is no problem".to_owned())?;
    let mut out = format!("Article: {}\n\n", string(document, "article")?);
    for problem in &problems {
        let question = string(problem, "question")?;
        let options = strings(problem, "options")?;
        let answer = options.get(race_answer(problem)?).ok_or_else(|| "the answer is not an option".to_owned())?;
        match question.strip_suffix("  _  .") {
            // A gap at the end is filled in, with one space before it.
            Some(before) => out.extend([format!("{before} {answer}\n")]),
            None => out.extend([format!("Question: {question}\nAnswer: {answer}\n")]),
        }
    }
    out.push_str(string(&last, "question")?);
    Ok(json!(out))
}

fn race_target(document: &Document) -> Result<Value, String> {
    race_answer(&race_last(document)?).map(|place| json!(place))
}

fn race_choice(document: &Document) -> Result<Value, String> {
    let mut options = strings(&race_last(document)?, "options")?;
    if options.len() < 4 {
        return Err("there are fewer than 4 options".to_owned());
    }
    options.truncate(4);
    Ok(json!(options))
}

fn medqa_text(document: &Document) -> Result<Value, String> {
    let mut out = format!("Question: {}\n", literal::text(value(document, "sent1")?));
    for (letter, field) in ["A", "B", "C", "D"].into_iter().zip(["ending0", "ending1", "ending2", "ending3"]) {
        out.extend([format!("{letter}. {}\n", literal::text(value(document, field)?))]);
    }
    Ok(json!(out + "Answer:"))
}

fn label(document: &Document) -> Result<Value, String> {
    value(document, "label").cloned()
}

fn logiqa_text(document: &Document) -> Result<Value, String> {
    let mut out =
        format!("Passage: {}\nQuestion: {}\nChoices:\n", string(document, "context")?, string(document, "question")?);
    for (letter, option) in ["A", "B", "C", "D"].into_iter().zip(strings(document, "options")?) {
        out.extend([format!("{letter}. {option}\n")]);
    }
    Ok(json!(out + "Answer:"))
}

fn logiqa_target(document: &Document) -> Result<Value, String> {
    let label = text::strip(string(document, "label")?);
    let place = ["a", "b", "c", "d"].iter().position(|letter| *letter == label);
    place.map(|place| json!(place)).ok_or_else(|| format!("the label '{label}' is not one of a to d"))
}

/// The share of the probability that falls on true answers.
fn truthfulqa_mc2(document: &Document, values: &[f64]) -> Results {
    let targets = value(document, "mc2_targets")?.as_object().ok_or("'mc2_targets' is not a mapping")?;
    let labels = list(targets, "labels")?;
    if labels.len() != values.len() {
        return Err(format!("there are {} labels for {} choices", labels.len(), values.len()));
    }
    let probabilities: Vec<f64> = values.iter().map(|value| value.exp()).collect();
    let sum: f64 = probabilities.iter().sum();
    let truths = probabilities.iter().zip(labels).filter(|(_, label)| label.as_i64() == Some(1));
    Ok(vec![("acc", Score::Number(truths.map(|(probability, _)| probability / sum).sum()))])
}

fn mmlu_pro_text(document: &Document) -> Result<Value, String> {
    let mut out = format!("Question:\n{}\nOptions:\n", string(document, "question")?);
    for (letter, option) in ('A'..='J').zip(strings(document, "options")?) {
        out.extend([format!("{letter}. {}\n", text::strip(&option))]);
    }
    Ok(json!(out + "Answer: Let's think step by step."))
}

fn mmlu_pro_target(document: &Document) -> Result<Value, String> {
    Ok(json!(string(document, "cot_content")?.replace("A: Let's think step by step. ", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wikihow_markup_is_taken_out() {
        assert_eq!(hellaswag_cleaned(" How to [title] Do it [step] now  [x "), "How to. Do it now [x");
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(winogrande_text(&Document::new()).unwrap_err(), "the document has no field 'answer'");
    }
}
