//! Whatever a model would rather say, and however little room it has, what is written is a document of its schema.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::schema::Schema;

const WORDS: &[&str] = &[
    "{\"",
    "\":",
    "\": ",
    "\",\"",
    "\"}",
    "]}",
    "name",
    "na",
    "age",
    "true",
    "null",
    "12",
    "-",
    "é",
    "\u{1f980}",
    "  ",
    " {",
    "[[",
    "},{",
    "\\\"",
    "\\u00",
    "unit",
];

/// All bytes, and some words.
fn spelling() -> Spelling {
    let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
    pieces.extend((0..=u8::MAX).map(|byte| vec![byte]));
    pieces.extend(WORDS.iter().map(|word| word.as_bytes().to_vec()));
    Spelling::new(pieces, vec![0])
}

/// The longest words first.
fn tokenize(spelling: &Spelling, text: &str) -> Vec<i32> {
    let mut rest = text.as_bytes();
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let begins = (0..).zip(&spelling.pieces).filter(|(_, piece)| !piece.is_empty() && rest.starts_with(piece));
        let (token, piece) = begins.max_by_key(|(_, piece)| piece.len()).unwrap();
        tokens.push(token);
        rest = &rest[piece.len()..];
    }
    tokens
}

fn schemas() -> Vec<Schema> {
    let person = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 12 },
            "names": { "type": "array", "items": { "enum": ["a", "ab", 1, 12, null] }, "minItems": 1, "maxItems": 4 },
            "age": { "type": "integer", "minimum": 0, "maximum": 130 },
            "note": { "anyOf": [{ "$ref": "#/$defs/note" }, { "type": "null" }] },
            "weight": { "type": ["number", "null"], "minimum": -0.5, "exclusiveMaximum": 2 },
        },
        "required": ["names", "note"],
        "additionalProperties": false,
        "$defs": { "note": { "type": "object", "properties": { "é\"": { "const": { "x": [1] } } }, "required": ["é\""] } },
    });
    let others = [
        json!({ "type": "object" }),
        json!({ "type": "integer", "minimum": -12, "maximum": 7 }),
        json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2, "maxItems": 3 }),
        json!({ "type": "object", "additionalProperties": { "type": "number" } }),
        json!(true),
    ];
    others.into_iter().chain([person]).map(|source| Schema::new(source).unwrap()).collect()
}

/// Writes a document with logits that are drawn; how many tokens it has.
fn write(schema: &Schema, room: Room, draw: &mut impl FnMut() -> f32) -> Option<(String, usize)> {
    let spelling = spelling();
    let tokenize = |text: &str| tokenize(&spelling, text);
    let mut forced = Forced::new(schema, &spelling, &tokenize).unwrap();
    let needs = forced.needs();
    if needs.tokens > room.tokens || needs.bytes > room.bytes {
        return None;
    }
    let (mut bytes, mut tokens) = (Vec::new(), 0);
    loop {
        let logits: Vec<f32> = spelling.pieces.iter().map(|_| draw()).collect();
        let left = Room { tokens: room.tokens - tokens, bytes: room.bytes - bytes.len() };
        let Next::Token(token) = forced.next(&logits, left, &tokenize) else { break };
        bytes.extend_from_slice(spelling.piece(token));
        tokens += 1;
        if forced.is_whole() {
            break;
        }
    }
    assert!(bytes.len() <= room.bytes && tokens <= room.tokens);
    Some((String::from_utf8(bytes).unwrap(), tokens))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_output_is_a_document_of_its_schema_however_little_room_it_has(
        which in 0usize..6,
        tokens in 1usize..80,
        bytes in 1usize..400,
        seed in any::<u64>(),
    ) {
        let schema = &schemas()[which];
        let mut state = seed | 1;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32
        };
        if let Some((text, _)) = write(schema, Room { tokens, bytes }, &mut draw) {
            let document: Value = serde_json::from_str(&text).unwrap();
            prop_assert!(schema.fits(&text), "{}", text);
            prop_assert!(valid(&Value::from(schema.clone()), &Value::from(schema.clone()), &document), "{}", text);
        }
    }
}

/// Whether a document fits a schema: written down once more, from the specification, and looking at the document alone.
fn valid(root: &Value, schema: &Value, document: &Value) -> bool {
    if let Some(target) = schema["$ref"].as_str() {
        return valid(root, root.pointer(&target[1..]).unwrap(), document);
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        return alternatives.iter().any(|alternative| valid(root, alternative, document));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.contains(document);
    }
    if !schema["const"].is_null() {
        return schema["const"] == *document;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let is_of = |kind: &&str| match *kind {
        "object" => document.is_object(),
        "array" => document.is_array(),
        "string" => document.is_string(),
        "integer" => document.is_i64(),
        "number" => document.is_number(),
        "boolean" => document.is_boolean(),
        kind => kind == "null" && document.is_null(),
    };
    let within = |low: &str, high: &str, count: usize| {
        schema[low].as_u64().is_none_or(|low| count as u64 >= low)
            && schema[high].as_u64().is_none_or(|high| count as u64 <= high)
    };
    let inner = match document {
        Value::String(text) => within("minLength", "maxLength", text.chars().count()),
        Value::Array(items) => {
            within("minItems", "maxItems", items.len())
                && items.iter().all(|item| schema["items"].is_null() || valid(root, &schema["items"], item))
        }
        Value::Number(number) => {
            let value = number.as_f64().unwrap();
            schema["minimum"].as_f64().is_none_or(|low| value >= low)
                && schema["maximum"].as_f64().is_none_or(|high| value <= high)
                && schema["exclusiveMaximum"].as_f64().is_none_or(|high| value < high)
        }
        Value::Object(entries) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let is_there = |name: &Value| entries.contains_key(name.as_str().unwrap());
            let fits = |(name, value): (&String, &Value)| match schema["properties"].get(name) {
                Some(property) => valid(root, property, value),
                None => match &schema["additionalProperties"] {
                    Value::Bool(more) => *more,
                    Value::Null => true,
                    more => valid(root, more, value),
                },
            };
            required.clone().all(is_there) && entries.iter().all(fits)
        }
        _ => true,
    };
    inner && (kinds.is_empty() || kinds.iter().any(is_of))
}

#[test]
fn of_the_tokens_that_fit_the_most_probable_is_taken() {
    let schema = Schema::new(json!({ "type": "object", "properties": { "age": { "type": "integer" } } })).unwrap();
    let likes = |word: &str| {
        let spelling = spelling();
        let token = tokenize(&spelling, word)[0];
        let mut forced = Forced::new(&schema, &spelling, &|text| tokenize(&spelling, text)).unwrap();
        let mut logits = vec![0.0; spelling.pieces.len()];
        logits[token as usize] = 9.0;
        let room = Room { tokens: 40, bytes: 400 };
        match forced.next(&logits, room, &|text| tokenize(&spelling, text)) {
            Next::Token(token) => String::from_utf8(spelling.piece(token).to_vec()).unwrap(),
            Next::End => String::new(),
        }
    };
    assert_eq!((likes("{\"").as_str(), likes(" {").as_str()), ("{\"", " {"));
    assert_eq!(likes("name"), " ", "of equals the first, and what does not fit has no part in it");
}

#[test]
fn little_room_leads_to_the_end_and_none_is_told() {
    let schema = Schema::new(json!({ "type": "string" })).unwrap();
    let mut always = || 1.0;
    assert_eq!(write(&schema, Room { tokens: 1, bytes: 9 }, &mut always), None);
    let (text, tokens) = write(&schema, Room { tokens: 5, bytes: 9 }, &mut always).unwrap();
    assert!(schema.fits(&text) && tokens <= 5, "{text}");
}

#[test]
fn a_number_that_could_go_on_ends_with_the_last_token() {
    let schema = Schema::new(json!({ "type": "integer", "minimum": -120, "maximum": 70 })).unwrap();
    let mut always = || 1.0;
    let (text, tokens) = write(&schema, Room { tokens: 1, bytes: 9 }, &mut always).unwrap();
    assert!(schema.fits(&text) && tokens == 1, "{text}");
}
