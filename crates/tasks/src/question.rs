//! Questions: the rows of a dataset, read strictly from JSON or JSON lines, and the hash that freezes them.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

use crate::TaskError;
use crate::error::within;
use crate::limits::{HARNESS_QUESTION_BYTES_MAX, QUESTION_BYTES_MAX, QUESTION_FIELDS_MAX};

/// One question: the fields of a row in the order in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    fields: Map<String, Value>,
}

impl Question {
    /// Reads one row.
    pub fn from_json(text: &str) -> Result<Self, TaskError> {
        Self::within(text, QUESTION_BYTES_MAX)
    }

    fn within(text: &str, bytes_max: usize) -> Result<Self, TaskError> {
        let Distinct(value) = serde_json::from_str(text).map_err(|error| TaskError::Question(error.to_string()))?;
        Self::from_value(value, bytes_max)
    }

    /// Reads all rows of a JSON array, or of JSON lines. Nothing is returned unless every row is good; the error names
    /// the first bad one. A byte order mark and empty lines are passed over.
    pub fn all_from(data: &[u8]) -> Result<Vec<Self>, TaskError> {
        Self::all_within(data, QUESTION_BYTES_MAX)
    }

    /// The same for rows that go into no pool and may be whole books: each may have
    /// [`HARNESS_QUESTION_BYTES_MAX`](crate::limits::HARNESS_QUESTION_BYTES_MAX) bytes.
    pub fn all_long_from(data: &[u8]) -> Result<Vec<Self>, TaskError> {
        Self::all_within(data, HARNESS_QUESTION_BYTES_MAX)
    }

    fn all_within(data: &[u8], bytes_max: usize) -> Result<Vec<Self>, TaskError> {
        let text = std::str::from_utf8(data).map_err(|error| {
            let row = data[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            TaskError::Row { row, reason: "it is not UTF-8 text".to_owned() }
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        let named = |row: usize, error: TaskError| TaskError::Row { row, reason: error.to_string() };
        if text.starts_with('[') {
            let Rows(rows) = serde_json::from_str(text).map_err(|error| TaskError::Question(error.to_string()))?;
            let rows = rows.into_iter().enumerate();
            rows.map(|(index, row)| Self::from_value(row, bytes_max).map_err(|error| named(index + 1, error))).collect()
        } else {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            lines.map(|(index, line)| Self::within(line, bytes_max).map_err(|error| named(index + 1, error))).collect()
        }
    }

    fn from_value(value: Value, bytes_max: usize) -> Result<Self, TaskError> {
        let Value::Object(fields) = value else {
            return Err(TaskError::Question("it is not a JSON object with the fields of a question".to_owned()));
        };
        within("a question's number of fields", fields.len(), QUESTION_FIELDS_MAX)?;
        let question = Self { fields };
        within("a question in bytes", question.to_json().len(), bytes_max)?;
        Ok(question)
    }

    /// The row as compact JSON, fields in their order.
    pub fn to_json(&self) -> String {
        Value::Object(self.fields.clone()).to_string()
    }

    /// A field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// All fields in their order.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// The row with its keys sorted on every level: what the content hash is made of, so that the same question written
    /// in another order is the same.
    fn canonical(&self) -> String {
        let mut value = Value::Object(self.fields.clone());
        value.sort_all_objects();
        value.to_string()
    }
}

/// The SHA-256 over a list of questions in their order: what "these questions" means once a pool is funded on them.
#[derive(Debug, Clone)]
pub struct ContentHash(Sha256);

impl Default for ContentHash {
    fn default() -> Self {
        Self(Sha256::new_with_prefix(b"aobench questions 1"))
    }
}

impl ContentHash {
    /// Takes the next question in.
    pub fn update(&mut self, question: &Question) {
        let row = question.canonical();
        // With its length before it, no two lists of questions make one text.
        self.0.update((row.len() as u64).to_le_bytes());
        self.0.update(row.as_bytes());
    }

    /// The hash as lower-case hexadecimal.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A JSON value in which no object has a key twice. Readers differ in which of the two they take, so such a row could
/// be one question here and another one elsewhere.
#[derive(Debug, Default)]
struct Distinct(Value);

/// An array of rows; an error in it names the row.
struct Rows(Vec<Value>);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor).map(Self)
    }
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(DistinctVisitor)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(Distinct::default())? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Distinct::default())?;
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the field '{key}' comes twice")));
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor).map(Self)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Vec<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of questions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<Value>, A::Error> {
        let mut rows = Vec::new();
        loop {
            let row = sequence.next_element_seed(Distinct::default());
            match row.map_err(|error| A::Error::custom(format_args!("row {}: {error}", rows.len() + 1)))? {
                Some(row) => rows.push(row),
                None => return Ok(rows),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"{"context": "Ana didn't go.", "result": "1"}

{"context": "Zoë said \"no\".", "result": "2"}"#;

    fn hash(questions: &[Question]) -> String {
        let mut hash = ContentHash::default();
        for question in questions {
            hash.update(question);
        }
        hash.finish()
    }

    #[test]
    fn lines_and_arrays_hold_the_same_questions() {
        let lines = Question::all_from(format!("\u{feff}{ROWS}\r\n").as_bytes()).unwrap();
        let array = format!("[{}]", ROWS.replace("\n\n", ","));
        assert_eq!(lines, Question::all_from(array.as_bytes()).unwrap());
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].to_json(), r#"{"context":"Ana didn't go.","result":"1"}"#);
        assert_eq!(Question::all_from(b"  ").unwrap(), []);
    }

    #[test]
    fn the_error_names_the_row() {
        let row = |data: &[u8]| Question::all_from(data).unwrap_err().to_string();
        assert_eq!(row(b"{}\n[1]\n"), "row 2: it is not a JSON object with the fields of a question");
        assert_eq!(row(b"{}\n{}\n{\xff}"), "row 3: it is not UTF-8 text");
        assert!(row(b"{}\n{\"a\": \n1}").starts_with("row 2: EOF while parsing"), "{}", row(b"{}\n{\"a\": \n1}"));
        assert!(row(br#"[{}, {"a": 1, "a": 2}]"#).starts_with("row 2: the field 'a' comes twice"));
        assert!(row(br#"{"a": {"b": 1, "b": 1}}"#).starts_with("row 1: the field 'b' comes twice"));
        assert!(row(format!("[{{}}, {}]", "[".repeat(500)).as_bytes()).starts_with("row 2: recursion limit"));
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(QUESTION_BYTES_MAX));
        assert_eq!(row(long.as_bytes()), "row 1: a question in bytes has 65544, and 65536 is allowed");
        assert_eq!(Question::all_long_from(long.as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn the_content_hash_is_of_the_content_and_its_order() {
        let questions = Question::all_from(ROWS.as_bytes()).unwrap();
        let other_keys = Question::from_json(r#"{"result": "1", "context": "Ana didn't go."}"#).unwrap();
        assert_eq!(hash(&questions[..1]), hash(&[other_keys]));
        let reversed: Vec<Question> = questions.iter().rev().cloned().collect();
        assert_ne!(hash(&questions), hash(&reversed));
        assert_ne!(hash(&questions), hash(&questions[..1]));
        assert_eq!(hash(&[]).len(), 64);
    }
}
