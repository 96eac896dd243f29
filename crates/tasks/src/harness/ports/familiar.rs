//! More ported functions of single benchmarks.

use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::{Value, json};

use super::functions::{list, string, strings, value};
use super::{Document, Function, PortedFile, Results};
use crate::harness::score::Score;
use crate::python::regex::{Found, compiled, find_all, substituted};
use crate::python::{literal, text};

pub(super) const FILES: &[PortedFile] = &[
    PortedFile {
        path: "wikitext/preprocess_wikitext",
        sha256: "a44020374b172159bf5be80a64d2c4194c9d5c77284f696ac666361338c8da7d",
        functions: &[
            ("wikitext_detokenizer", Function::Value(wikitext_target)),
            ("process_results", Function::Results(wikitext_results)),
        ],
    },
    PortedFile {
        path: "medmcqa/utils_medmcqa",
        sha256: "b9cbe33d51b95624b9317cab8ffb917b32c178aaa100fd9ce4aac0a9c467479b",
        functions: &[("doc_to_text", Function::Value(medmcqa_text))],
    },
    PortedFile {
        path: "mathqa/utils",
        sha256: "345aa27870efd145f970456632622efc617b299a4d00abc9459242d2c696d342",
        functions: &[("doc_to_choice", Function::Value(mathqa_choice))],
    },
    PortedFile {
        path: "glue/mnli/utils",
        sha256: "db3099bba72b47a29018221bbca9a9d44f043b5bf4fbc9df93b8081687ba895e",
        functions: &[("doc_to_text", Function::Value(mnli_text))],
    },
    PortedFile {
        path: "arithmetic/utils",
        sha256: "55c93da7005300ce496a18bce8251febab8acd36b8c4d8875679ff432c2031f9",
        functions: &[("process_docs", Function::Fields(arithmetic))],
    },
    PortedFile {
        path: "pubmedqa/preprocess_pubmedqa",
        sha256: "43528eee61666d94ae9ac3d58bcd3a0c38182a8898f996f536be9de1d3655740",
        functions: &[("doc_to_text", Function::Value(pubmedqa_text))],
    },
    PortedFile {
        path: "wsc273/utils",
        sha256: "2c295d37e8d75f58a5ce948839d20cb9971d1c0d7627878291bebd4584c63507",
        functions: &[("process_doc", Function::Fields(wsc273))],
    },
    PortedFile {
        path: "leaderboard/mmlu_pro/utils",
        sha256: "49a014c4dc39902071760182858e6b4d42aaaa917a440e71a165bdff75085487",
        functions: &[
            ("doc_to_text", Function::Value(lettered_text)),
            ("doc_to_choice", Function::Value(lettered_choice)),
        ],
    },
];

/// What undoes the tokenizing of WikiText, in this order: texts first, then pairs of brackets and quotes, then texts
/// again.
const WIKITEXT_FIRST: [(&str, &str); 10] = [
    ("s '", "s'"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    (" : ", ": "),
    (" ; ", "; "),
    (" . ", ". "),
    (" ! ", "! "),
    (" ? ", "? "),
    (" , ", ", "),
];
const WIKITEXT_PAIRS: [(&str, &str); 5] = [
    (r"\(\s*([^\)]*?)\s*\)", r"(\1)"),
    (r"\[\s*([^\]]*?)\s*\]", r"[\1]"),
    (r"{\s*([^}]*?)\s*}", r"{\1}"),
    ("\"\\s*([^\"]*?)\\s*\"", "\"\\1\""),
    (r"'\s*([^']*?)\s*'", r"'\1'"),
];
const WIKITEXT_LAST: [(&str, &str); 8] = [
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
];

static WIKITEXT_REGEXES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let pairs = WIKITEXT_PAIRS.iter();
    pairs.filter_map(|(pattern, new)| Some((compiled("wikitext", pattern).ok()?, *new))).collect()
});

/// Digits between slashes behind a quote become this text, which was meant as an expression.
static WIKITEXT_SLASHES: LazyLock<Option<Regex>> = LazyLock::new(|| compiled("wikitext", "/' [0-9]/").ok());

fn wikitext_target(document: &Document) -> Result<Value, String> {
    let replaced =
        |text: String, pairs: &[(&str, &str)]| pairs.iter().fold(text, |text, (old, new)| text.replace(old, new));
    let mut page = replaced(string(document, "page")?.to_owned(), &WIKITEXT_FIRST[..1]);
    if let Some(slashes) = WIKITEXT_SLASHES.as_ref() {
        page = substituted(slashes, &page, "/'[0-9]/", usize::MAX);
    }
    page = replaced(page, &WIKITEXT_FIRST[1..]);
    for (regex, new) in WIKITEXT_REGEXES.iter() {
        page = substituted(regex, &page, new, usize::MAX);
    }
    Ok(json!(replaced(page, &WIKITEXT_LAST)))
}

/// Words and bytes are those of the page as it was.
fn wikitext_results(document: &Document, values: &[f64]) -> Results {
    let [value] = *values else { return Err("there is not one log-likelihood".to_owned()) };
    let page = string(document, "page")?;
    let per = |weight: usize| Score::Weighted { value, weight: weight as f64 };
    Ok(vec![
        ("word_perplexity", per(text::count_split(page))),
        ("byte_perplexity", per(page.len())),
        ("bits_per_byte", per(page.len())),
    ])
}

fn medmcqa_text(document: &Document) -> Result<Value, String> {
    let mut out = format!("Question: {}\nChoices:\n", string(document, "question")?);
    for (letter, field) in ["A", "B", "C", "D"].into_iter().zip(["opa", "opb", "opc", "opd"]) {
        out.extend([format!("{letter}. {}\n", literal::text(value(document, field)?))]);
    }
    Ok(json!(out + "Answer:"))
}

static MATHQA_OPTION: LazyLock<Option<Regex>> = LazyLock::new(|| compiled("mathqa", r"[abcd] \) .*?, |e \) .*?$").ok());

fn mathqa_choice(document: &Document) -> Result<Value, String> {
    let regex = MATHQA_OPTION.as_ref().ok_or("the expression cannot be used")?;
    let found = find_all(regex, string(document, "options")?, usize::MAX);
    let choice = |found: &Found| match found {
        Found::One(one) => one.chars().skip(4).collect::<String>().trim_end_matches([' ', ',']).to_owned(),
        Found::Groups(_) => String::new(),
    };
    Ok(found.iter().map(choice).collect())
}

fn mnli_text(document: &Document) -> Result<Value, String> {
    let hypothesis = text::strip(string(document, "hypothesis")?);
    let stop = if hypothesis.ends_with('.') { "" } else { "." };
    let premise = string(document, "premise")?;
    Ok(json!(format!("{premise}\nQuestion: {hypothesis}{stop} True, False or Neither?\nAnswer:")))
}

fn arithmetic(document: &Document) -> Result<Document, String> {
    let context = text::strip(string(document, "context")?).replace("\n\n", "\n");
    let context = context.replace("Q:", "Question:").replace("A:", "Answer:");
    Ok(Document::from_iter([("context".to_owned(), json!(context))]))
}

fn pubmedqa_text(document: &Document) -> Result<Value, String> {
    let contexts = strings(document, "CONTEXTS")?.join("\n");
    let question = literal::text(value(document, "QUESTION")?);
    Ok(json!(format!("Abstract: {contexts}\nQuestion: {question}\nAnswer:")))
}

const PRONOUNS: [&str; 11] = ["A", "An", "The", "She", "He", "It", "They", "My", "His", "Her", "Their"];

fn wsc273(document: &Document) -> Result<Document, String> {
    let text = string(document, "text")?.replace("  ", " ");
    let mut options = strings(document, "options")?;
    for option in options.iter_mut().take(2) {
        *option = wsc273_option(document, &text, option)?;
    }
    Ok([("text", json!(text)), ("options", json!(options))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// An option as it stands in the place of the pronoun.
fn wsc273_option(document: &Document, text: &str, option: &str) -> Result<String, String> {
    let pronoun = string(document, "pronoun")?.to_lowercase();
    let possessive = ["my", "his", "her", "our", "their"].contains(&pronoun.as_str());
    let option = if possessive { format!("{option}'s") } else { option.to_owned() };
    let first = text::words(&option).next().ok_or("an option is empty")?;
    let place = value(document, "pronoun_loc")?.as_i64().ok_or("'pronoun_loc' is not a number")? - 2;
    let characters: Vec<char> = text.chars().collect();
    let place = if place < 0 { place + characters.len() as i64 } else { place };
    let before = usize::try_from(place).ok().and_then(|place| characters.get(place));
    let before = before.ok_or("'pronoun_loc' is outside of the text")?;
    let changes = *before != '.' && PRONOUNS.contains(&first);
    Ok(if changes { option.replace(first, &first.to_lowercase()) } else { option.clone() })
}

fn lettered_text(document: &Document) -> Result<Value, String> {
    let mut out = format!("{}\n", literal::text(value(document, "question")?));
    for (letter, option) in ('A'..='Z').zip(strings(document, "options")?) {
        out.extend([format!("{letter}. {option}\n")]);
    }
    Ok(json!(out + "Answer:"))
}

fn lettered_choice(document: &Document) -> Result<Value, String> {
    let count = list(document, "options")?.len();
    Ok(('A'..='Z').take(count).map(|letter| json!(letter.to_string())).collect())
}
