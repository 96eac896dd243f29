//! From the JSON of a schema to its nodes. What is not known is refused by its name, and never passed over: a document
//! that fits less than its schema says would be no document that fits.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::SchemaError;
use super::node::{Node, NodeId, Nodes, Property};
use super::number::{Bounds, Range};
use crate::limits::{SCHEMA_ANY_DEPTH, SCHEMA_DEPTH_MAX, SCHEMA_ITEMS_MAX, SCHEMA_TEXT_CHARACTERS_MAX};

/// What the whole schema is called in errors.
pub(super) const ROOT: &str = "at its root";

/// What says nothing about which documents fit.
const REMARKS: &[&str] = &[
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
];

/// The keywords of each type.
const OF_TYPES: &[(&str, &[&str])] = &[
    ("object", &["properties", "required", "additionalProperties"]),
    ("array", &["items", "minItems", "maxItems"]),
    ("string", &["minLength", "maxLength"]),
    ("integer", NUMBERS),
    ("number", NUMBERS),
    ("boolean", &[]),
    ("null", &[]),
];
const NUMBERS: &[&str] = &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

/// Reads a schema: its nodes, and which one is the document.
pub(super) fn read(source: &Value) -> Result<(Nodes, NodeId), SchemaError> {
    let mut reader = Reader { source, nodes: Nodes::default(), named: BTreeMap::new(), open: Vec::new() };
    let root = reader.schema(source, "")?;
    Ok((reader.nodes, root))
}

struct Reader<'a> {
    source: &'a Value,
    nodes: Nodes,
    /// What was referred to and is read.
    named: BTreeMap<&'a str, NodeId>,
    /// What is referred to and is being read.
    open: Vec<&'a str>,
}

type Object = Map<String, Value>;

impl<'a> Reader<'a> {
    /// `at` is the path to the schema.
    fn schema(&mut self, schema: &'a Value, at: &str) -> Result<NodeId, SchemaError> {
        if at.bytes().filter(|byte| *byte == b'/').count() > 4 * SCHEMA_DEPTH_MAX as usize {
            return Err(unusable(at, "it lies too deep"));
        }
        match schema {
            Value::Bool(true) => self.any(SCHEMA_ANY_DEPTH, at),
            Value::Object(object) => self.object_schema(object, at),
            _ => Err(unusable(at, "a schema is an object, or true")),
        }
    }

    fn object_schema(&mut self, schema: &'a Object, at: &str) -> Result<NodeId, SchemaError> {
        if let Some(target) = schema.get("$ref") {
            check_keywords(schema, &["$ref"], at)?;
            return self.reference(target, at);
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            if let Some(alternatives) = schema.get(keyword) {
                check_keywords(schema, &[keyword], at)?;
                return self.alternatives(keyword, alternatives, at);
            }
        }
        if let Some(values) = schema.get("enum").or_else(|| schema.get("const")) {
            check_keywords(schema, &["enum", "const", "type"], at)?;
            if schema.contains_key("enum") && schema.contains_key("const") {
                return Err(unusable(at, "it has both 'enum' and 'const'"));
            }
            let one = std::slice::from_ref(values);
            let values = if schema.contains_key("const") { one } else { array(values, "enum", at)? };
            return self.literals(values, schema.get("type"), at);
        }
        let Some(kinds) = schema.get("type") else { return self.untyped(schema, at) };
        let kinds = match kinds {
            Value::Array(kinds) => kinds.as_slice(),
            kind => std::slice::from_ref(kind),
        };
        let named: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
        if named.is_empty() || named.len() < kinds.len() {
            return Err(unusable(at, "'type' is the name of a type, or a list of them"));
        }
        let mut known = vec!["type"];
        for kind in &named {
            let Some((_, keywords)) = OF_TYPES.iter().find(|(name, _)| name == kind) else {
                return Err(SchemaError::Unsupported { at: place(at), what: format!("type: {kind}") });
            };
            known.extend_from_slice(keywords);
        }
        check_keywords(schema, &known, at)?;
        // A number may be whole anyhow.
        let is_double = named.contains(&"number");
        let named: Vec<&str> = named.into_iter().filter(|kind| !(is_double && *kind == "integer")).collect();
        let nodes = named.iter().map(|kind| self.of_type(kind, schema, at)).collect::<Result<Vec<_>, _>>()?;
        self.one_of(nodes, at)
    }

    /// A schema without a type, which its keywords may tell.
    fn untyped(&mut self, schema: &'a Object, at: &str) -> Result<NodeId, SchemaError> {
        let says = |kind: &str| {
            let keywords = OF_TYPES.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, keywords)| keywords);
            keywords.iter().any(|keyword| schema.contains_key(*keyword))
        };
        let told: Vec<&str> = ["object", "array", "string", "number"].into_iter().filter(|kind| says(kind)).collect();
        match told.as_slice() {
            [] => {
                check_keywords(schema, &[], at)?;
                self.any(SCHEMA_ANY_DEPTH, at)
            }
            [kind @ ("object" | "array")] => {
                let keywords = OF_TYPES.iter().find(|(name, _)| name == kind).map_or(&[][..], |(_, keywords)| keywords);
                check_keywords(schema, keywords, at)?;
                self.of_type(kind, schema, at)
            }
            _ => Err(unusable(at, "'type' is missing")),
        }
    }

    fn of_type(&mut self, kind: &str, schema: &'a Object, at: &str) -> Result<NodeId, SchemaError> {
        let node = match kind {
            "object" => self.object(schema, at)?,
            "array" => {
                let least = count(schema, "minItems", 0, at)?;
                let most = count(schema, "maxItems", SCHEMA_ITEMS_MAX.max(least), at)?;
                let at = format!("{at}/items");
                let item = match schema.get("items") {
                    Some(items) => self.schema(items, &at)?,
                    None => self.any(SCHEMA_ANY_DEPTH, &at)?,
                };
                Node::Array(item, least, most)
            }
            "string" => {
                let least = count(schema, "minLength", 0, at)?;
                Node::Text(least, count(schema, "maxLength", SCHEMA_TEXT_CHARACTERS_MAX.max(least), at)?)
            }
            "boolean" => Node::Literal(vec!["false".to_owned(), "true".to_owned()]),
            "null" => Node::Literal(vec!["null".to_owned()]),
            _ => {
                let bounds = Bounds {
                    low: bound(schema, "minimum", at)?,
                    above: bound(schema, "exclusiveMinimum", at)?,
                    high: bound(schema, "maximum", at)?,
                    below: bound(schema, "exclusiveMaximum", at)?,
                };
                let range = Range::new(kind == "integer", &bounds);
                Node::Number(range.ok_or_else(|| unusable(at, "no number lies between its bounds"))?)
            }
        };
        if let Node::Array(_, least, most) | Node::Text(least, most) = node
            && least > most
        {
            return Err(unusable(at, "its least length is above its greatest"));
        }
        self.nodes.add(node, at)
    }

    fn object(&mut self, schema: &'a Object, at: &str) -> Result<Node, SchemaError> {
        let properties = match schema.get("properties") {
            Some(Value::Object(properties)) => Some(properties),
            None => None,
            Some(_) => return Err(unusable(at, "'properties' is no object")),
        };
        let required = match schema.get("required") {
            Some(required) => array(required, "required", at)?,
            None => &[],
        };
        for name in required {
            if !name.as_str().is_some_and(|name| properties.is_some_and(|all| all.contains_key(name))) {
                return Err(unusable(at, &format!("{name} is required and is none of its properties")));
            }
        }
        let more = schema.get("additionalProperties");
        if properties.is_none_or(Map::is_empty) {
            let at = format!("{at}/additionalProperties");
            return match more {
                Some(Value::Bool(false)) => Ok(Node::Object(Vec::new())),
                Some(value) => Ok(Node::Map(self.schema(value, &at)?, SCHEMA_ITEMS_MAX)),
                None => Ok(Node::Map(self.any(SCHEMA_ANY_DEPTH, &at)?, SCHEMA_ITEMS_MAX)),
            };
        }
        // A document without more properties fits a schema that allows them.
        if !matches!(more, None | Some(Value::Bool(_))) {
            return Err(SchemaError::Unsupported {
                at: place(at),
                what: "additionalProperties beside properties".into(),
            });
        }
        let mut read = Vec::new();
        for (name, schema) in properties.into_iter().flatten() {
            let value = self.schema(schema, &format!("{at}/properties/{name}"))?;
            let is_required = required.iter().any(|required| required.as_str() == Some(name));
            read.push(Property { key: Value::from(name.as_str()).to_string(), value, is_required });
        }
        Ok(Node::Object(read))
    }

    fn literals(&mut self, values: &[Value], kinds: Option<&Value>, at: &str) -> Result<NodeId, SchemaError> {
        let kinds: Option<Vec<&str>> = kinds.map(|kinds| match kinds {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        });
        let fits = |value: &&Value| kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| is_of(value, kind)));
        let mut texts: Vec<String> = values.iter().filter(fits).map(Value::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        if texts.is_empty() {
            return Err(unusable(at, "no value is allowed"));
        }
        self.nodes.add(Node::Literal(texts), at)
    }

    fn alternatives(&mut self, keyword: &str, schemas: &'a Value, at: &str) -> Result<NodeId, SchemaError> {
        let schemas = array(schemas, keyword, at)?;
        if keyword == "allOf" && schemas.len() != 1 {
            return Err(SchemaError::Unsupported { at: place(at), what: "allOf of several".to_owned() });
        }
        let mut nodes = Vec::new();
        for (number, schema) in schemas.iter().enumerate() {
            nodes.push(self.schema(schema, &format!("{at}/{keyword}/{number}"))?);
        }
        self.one_of(nodes, at)
    }

    fn one_of(&mut self, nodes: Vec<NodeId>, at: &str) -> Result<NodeId, SchemaError> {
        match nodes.as_slice() {
            [] => Err(unusable(at, "it has no alternative")),
            [only] => Ok(*only),
            _ => self.nodes.add(Node::Either(nodes), at),
        }
    }

    fn reference(&mut self, target: &'a Value, at: &str) -> Result<NodeId, SchemaError> {
        let target = target.as_str().ok_or_else(|| unusable(at, "'$ref' is no text"))?;
        if let Some(&known) = self.named.get(target) {
            return Ok(known);
        }
        if self.open.contains(&target) {
            return Err(SchemaError::Unsupported { at: place(at), what: format!("the recursive $ref {target}") });
        }
        let pointer =
            target.strip_prefix('#').filter(|path| path.starts_with("/$defs/") || path.starts_with("/definitions/"));
        let Some(pointer) = pointer else {
            return Err(SchemaError::Unsupported { at: place(at), what: format!("the $ref {target}") });
        };
        let found = self.source.pointer(pointer).ok_or_else(|| unusable(at, &format!("{target} is not there")))?;
        if self.open.len() == SCHEMA_DEPTH_MAX as usize {
            return Err(unusable(at, &format!("more than {SCHEMA_DEPTH_MAX} references lie in each other")));
        }
        self.open.push(target);
        let node = self.schema(found, pointer)?;
        self.open.pop();
        self.named.insert(target, node);
        Ok(node)
    }

    /// Any value whose lists and objects lie at most so deep.
    fn any(&mut self, depth: u32, at: &str) -> Result<NodeId, SchemaError> {
        let range = Range::new(false, &Bounds::default()).ok_or_else(|| unusable(at, "there are no numbers"))?;
        let words = ["false", "null", "true"].map(str::to_owned).to_vec();
        let mut nodes = Vec::new();
        for node in [Node::Literal(words), Node::Number(range), Node::Text(0, SCHEMA_TEXT_CHARACTERS_MAX)] {
            nodes.push(self.nodes.add(node, at)?);
        }
        let mut any = self.nodes.add(Node::Either(nodes.clone()), at)?;
        for _ in 0..depth {
            let list = self.nodes.add(Node::Array(any, 0, SCHEMA_ITEMS_MAX), at)?;
            let object = self.nodes.add(Node::Map(any, SCHEMA_ITEMS_MAX), at)?;
            any = self.nodes.add(Node::Either([&nodes[..], &[list, object]].concat()), at)?;
        }
        Ok(any)
    }
}

/// Where a part stands, in words.
pub(super) fn place(at: &str) -> String {
    if at.is_empty() { ROOT.to_owned() } else { format!("at {at}") }
}

fn unusable(at: &str, reason: &str) -> SchemaError {
    SchemaError::Unusable { at: place(at), reason: reason.to_owned() }
}

/// Refuses a keyword that is neither known nor a remark.
fn check_keywords(schema: &Object, known: &[&str], at: &str) -> Result<(), SchemaError> {
    let unknown = schema.keys().find(|name| !known.contains(&name.as_str()) && !REMARKS.contains(&name.as_str()));
    match unknown {
        Some(what) => Err(SchemaError::Unsupported { at: place(at), what: what.clone() }),
        None => Ok(()),
    }
}

fn array<'a>(value: &'a Value, name: &str, at: &str) -> Result<&'a [Value], SchemaError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| unusable(at, &format!("'{name}' is no list")))
}

fn count(schema: &Object, name: &str, otherwise: u32, at: &str) -> Result<u32, SchemaError> {
    let Some(value) = schema.get(name) else { return Ok(otherwise) };
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.ok_or_else(|| unusable(at, &format!("'{name}' is no count")))
}

fn bound(schema: &Object, name: &str, at: &str) -> Result<Option<Number>, SchemaError> {
    match schema.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.clone())),
        Some(_) => Err(unusable(at, &format!("'{name}' is no number"))),
    }
}

/// Whether a value is of a type.
fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}
