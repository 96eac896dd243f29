//! What is read of a schema, what is refused, and how documents are written.

use serde_json::json;

use super::*;

fn schema(source: Value) -> Schema {
    Schema::new(source).unwrap()
}

#[test]
fn documents_fit_as_they_are_written_and_every_beginning_can_be_ended() {
    let person = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Person", "type": "object",
        "properties": {
            "name": { "type": "string", "description": "of the person", "maxLength": 8 },
            "name2": { "type": "string" },
            "age": { "type": "integer", "minimum": 0, "maximum": 130 },
            "tags": { "type": "array", "items": { "enum": ["x", "xy"] }, "maxItems": 2 },
        },
        "required": ["name", "age"],
    });
    let person = schema(person);
    for (text, fits) in [
        (r#"{"name":"Ana","age":7}"#, true),
        (r#" {"name": "Ana", "name2": "A", "age": 130, "tags": ["x", "xy"]}"#, true),
        (r#"{"name":"Ana","age":7,"tags":[]}"#, true),
        (r#"{"age":7,"name":"Ana"}"#, false),
        (r#"{"name":"Ana"}"#, false),
        (r#"{"name":"Ana","age":131}"#, false),
        (r#"{"name":"Ana","age":07}"#, false),
        (r#"{"name":"Ana Maria","age":7}"#, false),
        (r#"{"name":"Ana","age":7,"tags":["x","x","x"]}"#, false),
        (r#"{"name":"Ana","age":7,"tags":["z"]}"#, false),
        (r#"{"name":"Ana","age":7,}"#, false),
        (r#"{"name":"Ana","age":7} "#, false),
        (r#"{"name":"Ana","age":7"#, false),
    ] {
        assert_eq!(person.fits(text), fits, "{text}");
        for end in 0..=text.len() {
            let Some(partial) = person.begin().after(&text.as_bytes()[..end]) else { break };
            let whole = [&text.as_bytes()[..end], &partial.ending()].concat();
            let whole = String::from_utf8(whole).unwrap();
            assert!(person.fits(&whole), "{whole}");
        }
    }
    assert_eq!(person.begin().ending(), br#"{"name":"","age":0}"#);
}

#[test]
fn a_number_that_is_a_whole_document_may_end_and_go_on() {
    let number = schema(json!({ "enum": [1, 12, 120] }));
    let one = number.begin().after(b"1").unwrap();
    assert!(one.may_end() && !one.is_whole() && one.after(b"2").is_some() && one.after(b"3").is_none());
    assert!(number.fits("120") && !number.fits("13") && !number.fits(""));
    let list = schema(json!({ "type": "array", "items": { "enum": [1, 12] }, "minItems": 2 }));
    assert!(list.fits("[1,12]") && list.fits("[12, 1,1]") && !list.fits("[1]") && !list.fits("[]"));
}

#[test]
fn a_schema_that_pydantic_writes_is_read() {
    let nested = schema(json!({
        "$defs": {
            "Mood": { "enum": ["good", "bad"], "title": "Mood", "type": "string" },
            "Step": { "properties": { "why": { "title": "Why", "type": "string" } }, "required": ["why"], "type": "object" },
        },
        "properties": {
            "mood": { "$ref": "#/$defs/Mood" },
            "steps": { "items": { "$ref": "#/$defs/Step" }, "type": "array" },
            "last": { "anyOf": [{ "$ref": "#/$defs/Step" }, { "type": "null" }], "default": null },
        },
        "required": ["mood", "steps"],
        "title": "Answer", "type": "object",
    }));
    assert!(nested.fits(r#"{"mood":"bad","steps":[{"why":"so"},{"why":""}],"last":null}"#));
    assert!(nested.fits(r#"{"mood":"good","steps":[]}"#) && !nested.fits(r#"{"mood":"fair","steps":[]}"#));
    let sent: Value = nested.clone().into();
    assert_eq!(serde_json::from_value::<Schema>(sent).unwrap(), nested);
}

#[test]
fn any_object_is_any_object() {
    let any = Schema::any_object().unwrap();
    assert!(any.fits(r#"{"a": [1, {"b": null}], "c": -0.25, "d": "x"}"#) && any.fits("{}"));
    assert!(!any.fits("[]") && !any.fits(r#"{"a":}"#) && !any.fits("{1:2}"));
}

#[test]
fn what_is_not_supported_is_refused_by_its_name_and_place() {
    let deep = (0..20).fold(json!({ "type": "null" }), |inner, _| json!({ "type": "array", "items": inner }));
    let wide = json!({ "type": "array", "items": { "type": "string", "minLength": 900 }, "minItems": 99 });
    for (source, part) in [
        (json!({ "type": "string", "pattern": "^a" }), "at its root has 'pattern'"),
        (json!({ "type": "string", "format": "date" }), "'format'"),
        (json!({ "type": "object", "properties": { "a": { "not": {} } } }), "at /properties/a has 'not'"),
        (json!({ "type": "array", "prefixItems": [] }), "'prefixItems'"),
        (json!({ "type": "array", "uniqueItems": true }), "'uniqueItems'"),
        (json!({ "type": "integer", "multipleOf": 2 }), "'multipleOf'"),
        (json!({ "type": "date" }), "type: date"),
        (json!({ "minLength": 2 }), "'type' is missing"),
        (json!({ "anyOf": [{ "type": "string" }, { "enum": ["a"] }] }), "begin differently"),
        (json!({ "type": ["integer", "number", "null"], "minLength": 1 }), "'minLength'"),
        (json!({ "$ref": "#/$defs/a", "$defs": { "a": { "items": { "$ref": "#/$defs/a" } } } }), "recursive"),
        (json!({ "$ref": "https://example.com/a" }), "the $ref https"),
        (json!({ "$ref": "#/$defs/b" }), "is not there"),
        (json!({ "type": "object", "properties": {}, "required": ["a"] }), "\"a\" is required"),
        (json!({ "type": "integer", "minimum": 3, "maximum": 2 }), "no number"),
        (json!({ "type": "string", "minLength": 3, "maxLength": 2 }), "above its greatest"),
        (json!({ "enum": [] }), "no value"),
        (json!({ "enum": [1], "type": "string" }), "no value"),
        (json!("string"), "a schema is an object"),
        (json!({ "description": "x".repeat(70_000) }), "more than 65536 bytes"),
        (deep, "deep"),
        (wide, "shortest document"),
    ] {
        let error = Schema::new(source.clone()).unwrap_err().to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
}

#[test]
fn a_long_chain_of_references_is_refused_and_ends_nothing() {
    let chain = |links: usize| {
        let mut named: serde_json::Map<String, serde_json::Value> =
            (0..links).map(|link| (format!("a{link}"), json!({ "$ref": format!("#/$defs/a{}", link + 1) }))).collect();
        named.insert(format!("a{links}"), json!({ "type": "null" }));
        json!({ "$ref": "#/$defs/a0", "$defs": named })
    };
    assert!(Schema::new(chain(10)).unwrap().fits("null"));
    let error = Schema::new(chain(2_000)).unwrap_err().to_string();
    assert!(error.contains("references lie in each other"), "{error}");
}
