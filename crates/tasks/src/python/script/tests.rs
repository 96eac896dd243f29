//! What scripts give is what Python gives, and what is not understood, or never ends, is refused.

use serde_json::{Map, Value, json};

use super::Script;

fn document(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn row() -> Map<String, Value> {
    document(json!({
        "question": "  Who said \"no\"? ", "choices": ["a red kite", "the key", "Łódź"], "label": "2", "n": 7, "half": 0.5,
        "flag": true, "none": null, "literal": "['x', 'y']", "inner": {"text": ["one", "two"], "mark": "b"},
    }))
}

/// The expression over `doc`, with what stands before it in the file.
fn made(before: &str, expression: &str) -> Result<Value, String> {
    let file = format!("{before}\n\ndef doc_to_text(doc):\n    return {expression}\n");
    Script::read(&file, "doc_to_text", false)?.value(&row())
}

#[test]
fn expressions_are_what_python_makes_of_them() {
    for (expression, value) in [
        ("doc['question'].strip() + f' {doc[\"n\"]!r:}'", None),
        (
            "f\"{doc['question'].strip()} {doc['n'] + 1} {doc['choices']} {doc['flag']} {doc['none']} {{}}\"",
            Some(json!("Who said \"no\"? 8 ['a red kite', 'the key', 'Łódź'] True None {}")),
        ),
        (
            "f'{doc[\"half\"]:.2f} {doc[\"label\"]!r} {1e-5} {(1,)} {({\"a\": [1.0]})}'",
            Some(json!("0.50 '2' 1e-05 (1,) {'a': [1.0]}")),
        ),
        ("['A', 'B', 'C'].index('C') + int(doc['label']) * 2 - -1", Some(json!(7))),
        (
            "[f'{chr(65 + i)}. {c}' for i, c in enumerate(doc['choices']) if c != 'the key']",
            Some(json!(["A. a red kite", "C. Łódź"])),
        ),
        ("{k: v for k, v in zip(['a', 'b'], [1, 2])}", Some(json!({"a": 1, "b": 2}))),
        (
            "[doc['choices'][-1][1:3], doc['choices'][::-1], 'abcdef'[-2:-5:-1], doc['choices'][5:]]",
            Some(json!(["ód", ["Łódź", "the key", "a red kite"], "edc", []])),
        ),
        (
            "[7 // -2, -7 % 3, 7 % -3, 7 / 2, 2 < 3 <= 3, 1 == True, 'a' < 'b', not []]",
            Some(json!([-4, 2, -2, 3.5, true, true, true, true])),
        ),
        ("'x' if doc['none'] is None and 'n' in doc and 'z' not in doc else 'y'", Some(json!("x"))),
        (
            "[doc.get('z'), doc.get('z', 3), doc['none'] or 'or', doc['n'] and 'and', len(doc['choices'][2])]",
            Some(json!([null, 3, "or", "and", 4])),
        ),
        (
            "ast.literal_eval(doc['literal']) + list('ab') + sorted([3, 1, 2], reverse=True)",
            Some(json!(["x", "y", "a", "b", 3, 2, 1])),
        ),
        (
            "[re.sub(r'\\s+', ' ', ' a  b'), re.findall(r'(\\w)(\\d)', 'a1 b2'), re.split(', ?', 'a,b, c'), re.match('b', 'ab')]",
            Some(json!([" a b", [["a", "1"], ["b", "2"]], ["a", "b", "c"], null])),
        ),
        ("re.search(r'(\\w+) key', doc['choices'][1], re.IGNORECASE).group(1)", Some(json!("the"))),
        (
            "'{} {1}'.format('a', 'b') if False else '{x} {{}} {y}'.format(x=doc['n'], y=doc['choices'][:1])",
            Some(json!("7 {} ['a red kite']")),
        ),
        (
            "[s.title() for s in ['they\\'re', 'ÉCOLE 2b']] + ['aXbXc'.rsplit('X', 1), 'a=b'.partition('=')]",
            Some(json!(["They'Re", "École 2B", ["aXb", "c"], ["a", "=", "b"]])),
        ),
        (
            "(lambda s, n=2: s * n)('ab') + '-'.join(map(lambda c: c.upper(), 'cd')) + string.ascii_uppercase[:2]",
            Some(json!("ababC-DAB")),
        ),
        (
            "max(doc['choices'], key=len) + min('b', 'a') + str(sum([1, 2.5])) + str(any([0, '']))",
            Some(json!("a red kitea3.5False")),
        ),
        ("'''a\n b''' 'c' \"\\u00e9\\q\"", Some(json!("a\n bcé\\q"))),
        ("[doc['missing']]", None),
        ("1 + 'a'", None),
        ("'a'[3]", None),
        ("doc['n'] ** 2", None),
        ("[*doc['choices']]", None),
    ] {
        let found = made("import ast\nimport re\nimport string", expression);
        match value {
            Some(value) => assert_eq!(found, Ok(value), "{expression}"),
            None => assert!(found.is_err(), "{expression}: {found:?}"),
        }
    }
}

#[test]
fn statements_do_what_they_do_in_python() {
    let file = r#"
"""What this file is for."""
from __future__ import annotations
import os
from typing import Dict

LETTERS = ["A", "B", "C"]
NAMES = {0: "zero", 1: "one", True: "one again"}

try:
    import numpy as np
except ImportError:
    np = None


def helper(text: str, sign: str = "?") -> str:
    # A comment.
    if text.endswith(sign):
        text = text[:-1]
    elif not text:
        raise ValueError(f"nothing: {text}")
    else:
        pass
    return text


def doc_to_text(doc: Dict) -> str:
    out, count = "", 0
    for i, choice in enumerate(doc["choices"]):
        if i == 1:
            continue
        out += f"{LETTERS[i]}) {choice}\n"
        count += 1
    while True:
        count += 10
        if count > 30:
            break
    same = other = []
    other.append(helper(doc["question"].strip()))
    same += ["more"]

    def nested(value):
        return [value, count, *[]] if False else [value, count]

    rows = {"a": {"b": 1}}
    rows["a"]["c"] = nested(NAMES[1])
    first, (second, third) = 1, (2, 3)
    return [out, count, other, rows, first + second + third]
"#;
    let without = file.replace(", *[]", "");
    let script = Script::read(&without, "doc_to_text", false).unwrap();
    let made = script.value(&row()).unwrap();
    assert_eq!(
        made,
        json!(["A) a red kite\nC) Łódź\n", 32, ["Who said \"no\"", "more"], {"a": {"b": 1, "c": ["one again", 32]}}, 6])
    );
    let refused = Script::read(file, "doc_to_text", false).unwrap_err();
    assert!(refused.contains("'*'"), "{refused}");
}

#[test]
fn rows_are_filtered_and_mapped_as_datasets_does_it() {
    let file = r#"
from functools import partial
import datasets

def process_docs(dataset: datasets.Dataset, least=0) -> datasets.Dataset:
    def _process(doc):
        doc["unused"] = doc["choices"].append("D")
        return {"gold": int(doc["label"]), "choices": [c.strip() for c in doc["choices"]]}
    return dataset.filter(lambda x: x["n"] > least).map(_process)

large = partial(process_docs, least=5)

def listed(dataset):
    return datasets.Dataset.from_list([{"n": doc["n"]} for doc in dataset])
"#;
    let rows = || (4..8).map(|n| document(json!({"n": n, "label": n.to_string(), "choices": [" a", "b "]}))).collect();
    let large = Script::read(file, "large", true).unwrap().rows(rows()).unwrap();
    let expected =
        [6, 7].map(|n| document(json!({"n": n, "label": n.to_string(), "choices": ["a", "b", "D"], "gold": n})));
    assert_eq!(large, expected);
    let listed = Script::read(file, "listed", true).unwrap().rows(rows()).unwrap();
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[0], document(json!({"n": 4})));
}

#[test]
fn what_is_not_understood_is_refused_before_anything_runs() {
    for (before, expression, named) in [
        ("import random", "random.choice(doc['choices'])", "random.choice"),
        ("import numpy as np", "np.argmax([1])", "numpy.argmax"),
        ("", "open('/etc/passwd')", "open"),
        ("", "doc.__class__", "__class__"),
        ("", "doc['question'].encode()", "encode"),
        ("", "unknown(doc)", "unknown"),
        ("SEEN = []", "SEEN.append(doc['n'])", "SEEN"),
        ("", "doc['choices'].sort() or doc.pop('n')", "doc"),
        ("SEEN = [1]\nfor i in range(3):\n    SEEN.append(i)", "SEEN", "SEEN"),
        ("@cached\ndef helper(x):\n    return x", "helper(1)", "decorator"),
        ("class Helper:\n    pass", "Helper()", "class"),
        ("def helper(x):\n    with x as y:\n        return y", "helper(1)", "with"),
        ("from lm_eval.utils import something", "something(doc)", "lm_eval.utils.something"),
        ("import random as re", "re.sub('a', 'b', 'c')", "random.sub"),
    ] {
        let reason = made(before, expression).unwrap_err();
        assert!(reason.contains(named), "{expression}: {reason}");
    }
}

#[test]
fn no_function_runs_for_ever_or_fills_the_memory() {
    for (before, expression) in [
        ("def loop():\n    while True:\n        pass", "loop()"),
        ("def loop():\n    return loop()", "loop()"),
        ("def more():\n    x = [1]\n    while True:\n        x = x + x", "more()"),
        ("def more():\n    x = 'ab'\n    while True:\n        x += x", "more()"),
        ("def deep():\n    x = []\n    for i in range(100000):\n        x = [x]\n    return x", "deep()"),
        ("def around():\n    x = []\n    x.append(x)\n    return str(x)", "around()"),
        ("", "'a' * 10 ** 9"),
        ("", "'a' * 1000000000"),
        ("", "[0] * 1000000000"),
        ("", "list(range(1000000000000))"),
        ("", "len('a' * 30000000) * 9000000000000000"),
        ("", "'a'.replace('', 'b' * 20000000)"),
    ] {
        assert!(made(before, expression).is_err(), "{expression}");
    }
    let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(made("", &nested).is_err());
    let calls = format!("doc{}", "['n']".repeat(5000));
    assert!(made("", &calls).is_err());
}
