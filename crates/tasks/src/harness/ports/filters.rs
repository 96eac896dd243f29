//! The commonest function of Python in task files keeps the documents whose field has a certain value. It is read from
//! the Python file, if it is written in one of the ways that are recognised here to the letter; anything else is not.

use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::Value;

use crate::python::literal;

fn expression(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// `def process_docs(dataset, subject): return dataset.filter(lambda x: x["subject"] == subject)`, where the value may
/// also be `f"before{subject}behind"`.
static BY_PARAMETER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r#"(?m)^def (?P<name>\w+)\(\w+(?:: [\w.]+)?, (?P<parameter>\w+)(?:: \w+)?\)(?: -> [\w.]+)?:\s*\n\s+return \w+\.filter\(\s*lambda (?P<row>\w+): (?P=row)\["(?P<field>\w+)"\] == (?:(?P=parameter)|f"(?P<before>[^"{}\\]*)\{(?P=parameter)\}(?P<behind>[^"{}\\]*)")\s*\)\n(?=\S|\s*\n\S|\s*$)"#,
    )
});

/// The documents that a function keeps: those whose field has a value. Nothing if the function is written otherwise.
pub(super) fn equality(python: &str, function: &str) -> Option<(String, Value)> {
    BY_PARAMETER.as_ref()?.captures_iter(python).flatten().find_map(|definition| {
        let group = |name: &str| definition.name(name).map(|found| found.as_str());
        let (name, parameter, field) = (group("name")?, group("parameter")?, group("field")?);
        let value = partial(python, function, name, parameter);
        let value = value.or_else(|| generated(python, function, name, parameter))?;
        let value = match (group("before"), group("behind")) {
            (Some(before), Some(behind)) => Value::from(format!("{before}{}{behind}", literal::text(&value))),
            _ => value,
        };
        Some((field.to_owned(), value))
    })
}

/// `process_law = partial(process_docs, subject="law")`.
fn partial(python: &str, function: &str, name: &str, parameter: &str) -> Option<Value> {
    let value = r#"(?P<value>"[^"\\]*"|'[^'\\]*')"#;
    let pattern =
        format!(r"(?m)^{function}\s*=\s*(?:functools\.)?partial\(\s*{name},\s*{parameter}\s*=\s*{value},?\s*\)");
    let captures = expression(&pattern)?.captures(python).ok()??;
    literal::evaluate(captures.name("value")?.as_str())
}

/// A function for each item of a list, named after it:
/// `{f"process_{subject.lower().replace(' ', '_')}": partial(process_docs, subject=subject) for subject in SUBJECTS}`.
fn generated(python: &str, function: &str, name: &str, parameter: &str) -> Option<Value> {
    let pattern = format!(
        r#"f"process_\{{(?P<item>\w+)(?P<changes>(?:\.lower\(\)|\.replace\('[^'\\]*', '[^'\\]*'\))*)\}}":\s*partial\(\s*{name},\s*{parameter}=(?P=item),?\s*\)\s*for (?P=item) in (?P<list>\w+)\s*\}}"#
    );
    let captures = expression(&pattern)?.captures(python).ok()??;
    if !python.contains("globals().update(") {
        return None;
    }
    let list = captures.name("list")?.as_str();
    let changes = captures.name("changes")?.as_str();
    let start = expression(&format!(r"(?m)^{list}\s*=\s*(?=\[)"))?.find(python).ok()??.end();
    let end = start + python[start..].find(']')? + 1;
    let Value::Array(items) = literal::evaluate(&python[start..end])? else { return None };
    let named = |item: &str| {
        let mut changed = item.to_owned();
        let mut rest = changes;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(".lower()") {
                changed = changed.to_lowercase();
                rest = after;
            } else {
                let (from, after) = rest.strip_prefix(".replace('")?.split_once("', '")?;
                let (to, after) = after.split_once("')")?;
                changed = changed.replace(from, to);
                rest = after;
            }
        }
        Some(format!("process_{changed}"))
    };
    items.into_iter().find(|item| item.as_str().and_then(named).as_deref() == Some(function))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PARTIALS: &str = "from functools import partial\n\n\ndef process_docs(dataset, subject):\n    return \
                            dataset.filter(lambda x: x[\"category\"] == subject)\n\n\nprocess_law = \
                            partial(process_docs, subject=\"law\")\nprocess_computer_science = \
                            partial(process_docs, subject=\"computer science\")\n";

    const GENERATED: &str = "CATEGORIES = [\"Business\", \"Social Sciences\"]\n\n\ndef process_docs(dataset, \
                             category):\n    return dataset.filter(lambda x: x[\"subject_category\"] == category)\n\n\n\
                             process_functions = {\n    f\"process_{category.lower().replace(' ', '_')}\": partial(\n        \
                             process_docs, category=category\n    )\n    for category in CATEGORIES\n}\n\n\
                             globals().update(process_functions)\n";

    #[test]
    fn filters_by_a_value_are_recognised() {
        let found = |python, function| equality(python, function);
        assert_eq!(found(PARTIALS, "process_law"), Some(("category".to_owned(), json!("law"))));
        assert_eq!(
            found(PARTIALS, "process_computer_science"),
            Some(("category".to_owned(), json!("computer science")))
        );
        assert_eq!(found(PARTIALS, "process_history"), None);
        let sciences = ("subject_category".to_owned(), json!("Social Sciences"));
        assert_eq!(found(GENERATED, "process_social_sciences"), Some(sciences));
        assert_eq!(found(GENERATED, "process_law"), None);
    }

    #[test]
    fn the_value_may_stand_within_a_text() {
        let python = PARTIALS.replace("== subject)", "== f\"mmlu.{subject}\")");
        assert_eq!(equality(&python, "process_law"), Some(("category".to_owned(), json!("mmlu.law"))));
        let python = GENERATED.replace(".replace(' ', '_')", ".replace(' & ', '_').replace(' ', '_')");
        let python = python.replace("Social Sciences", "Arts & Humanities");
        let arts = ("subject_category".to_owned(), json!("Arts & Humanities"));
        assert_eq!(equality(&python, "process_arts_humanities"), Some(arts));
    }

    #[test]
    fn whatever_does_more_is_not_recognised() {
        for (from, to) in [
            ("== subject)", "== subject).map(clean)"),
            ("== subject)", "== subject or True)"),
            ("== subject)", "== subject)\n    dataset = 1"),
            ("[\"category\"]", "[\"category\"].strip()"),
        ] {
            assert_eq!(equality(&PARTIALS.replace(from, to), "process_law"), None, "{to}");
        }
    }
}
