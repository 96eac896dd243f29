//! YAML as data: a tree in which `!function` values are kept as what they are. PyYAML's rules where they differ from
//! YAML 1.2: the last of several equal keys counts, `<<` merges. `yes`, `no`, `on` and `off` stay texts, which are
//! understood where a flag is wanted: PyYAML makes booleans of them, and then refuses them as choices.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Number, Value};
use serde_saphyr::Tagged;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use super::continued::indented;
use crate::TaskError;
use crate::error::within;
use crate::limits::{HARNESS_BYTES_MAX, HARNESS_NODES_MAX, TASK_ALIASES_MAX, TASK_DEPTH_MAX};

/// The key of the one-field object that stands for a `!function` value.
pub(crate) const FUNCTION: &str = "!function";

/// Reads a file that is a mapping.
pub(crate) fn read(text: &str) -> Result<Map<String, Value>, TaskError> {
    within("the task file in bytes", text.len(), HARNESS_BYTES_MAX)?;
    read_strictly(text).or_else(|error| read_strictly(&indented(text)).map_err(|_| error))
}

fn read_strictly(text: &str) -> Result<Map<String, Value>, TaskError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: TASK_DEPTH_MAX,
            max_nodes: HARNESS_NODES_MAX,
            max_events: 2 * HARNESS_NODES_MAX,
            max_aliases: TASK_ALIASES_MAX,
            max_anchors: TASK_ALIASES_MAX,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: HARNESS_NODES_MAX },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        with_snippet: false,
    };
    let read = serde_saphyr::from_str_with_options::<Tagged<Node>>(text, options);
    match read.map_err(|error| TaskError::Yaml(error.to_string()))? {
        Tagged(Node(Value::Object(fields)), _) => Ok(fields),
        _ => Err(TaskError::Yaml("it is not a mapping of keys to values".to_owned())),
    }
}

/// The function that a value names, if it is one.
pub(crate) fn function(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) if fields.len() == 1 => fields.get(FUNCTION)?.as_str(),
        _ => None,
    }
}

/// A value whose own tag is not known to it.
struct Node(Value);

/// A value with its tag taken into account.
fn untagged<E: de::Error>(tagged: Tagged<Node>) -> Result<Value, E> {
    let Tagged(Node(value), tag) = tagged;
    match tag.as_deref() {
        Some("!function") => Ok(Value::Object(Map::from_iter([(FUNCTION.to_owned(), value)]))),
        Some(tag) if tag.starts_with('!') && !tag.starts_with("!!") => {
            Err(E::custom(format_args!("the tag '{tag}' is not known; there is '!function'")))
        }
        _ => Ok(value),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self)
    }
}

struct NodeSeed;

impl<'de> DeserializeSeed<'de> for NodeSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        untagged(Tagged::<Node>::deserialize(deserializer)?)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(NodeSeed)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(Node(key)) = map.next_key::<Node>()? {
            fields.insert(crate::python::literal::text(&key), map.next_value_seed(NodeSeed)?);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_read_as_pyyaml_reads_it() {
        let text = r#"
task: a
process_docs: !function utils.process_docs
flags: [yes, No, on, y, true, "yes"]
numbers: [1, -2, 1.0, 3.1, 1e3x]
empty:
block: |
  !function is only text here
  second
filter_list:
  - {function: !function utils.F, group_select: -1}
base: &base {x: 1, y: 2}
merged: {<<: *base, y: 3}
task: b
"#;
        let fields = read(text).unwrap();
        assert_eq!(
            Value::Object(fields),
            json!({
                "task": "b",
                "process_docs": {"!function": "utils.process_docs"},
                "flags": ["yes", "No", "on", "y", true, "yes"],
                "numbers": [1, -2, 1.0, 3.1, "1e3x"],
                "empty": null,
                "block": "!function is only text here\nsecond\n",
                "filter_list": [{"function": {"!function": "utils.F"}, "group_select": -1}],
                "base": {"x": 1, "y": 2},
                "merged": {"x": 1, "y": 3},
            })
        );
        assert!(read("- a").is_err());
        assert!(read("a: !python/object:os.system x").unwrap_err().to_string().contains("python/object"));
    }
}
