//! The text of Python's values, and the values of Python's texts: `str`, `repr` and `ast.literal_eval`. Templates of
//! lm-evaluation-harness write lists as text and read them again, so both directions count.

use serde_json::{Map, Number, Value};

/// How deep a literal may be nested.
const DEPTH_MAX: usize = 32;

/// As `str(value)`: a text is itself, everything else is as in [`repr`].
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// As `repr(value)`.
pub(crate) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => repr_number(number),
        Value::String(text) => repr_text(text),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", repr_text(key), repr(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

fn repr_number(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), _, _) => whole.to_string(),
        (_, Some(whole), _) => whole.to_string(),
        (_, _, Some(float)) => repr_float(float),
        _ => number.to_string(),
    }
}

/// As `repr(float)`: the shortest digits that give the number again, with an exponent outside of 1e-4 to 1e16.
pub(crate) fn repr_float(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if float != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = float.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// As `repr(str)`: single quotes, unless there is a single quote in it and no double one.
fn repr_text(text: &str) -> String {
    use std::fmt::Write as _;
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if character == quote => {
                quoted.push('\\');
                quoted.push(character);
            }
            _ if is_printable(character) => quoted.push(character),
            _ => {
                let code = u32::from(character);
                let _ = match code {
                    0..=0xff => write!(quoted, "\\x{code:02x}"),
                    0x100..=0xffff => write!(quoted, "\\u{code:04x}"),
                    _ => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push(quote);
    quoted
}

/// As `str.isprintable` for the characters that occur in texts: no controls, no separators but the space.
fn is_printable(character: char) -> bool {
    character == ' '
        || !(character.is_control()
            || character.is_whitespace()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'))
}

/// As `ast.literal_eval(text)`, for `None`, booleans, numbers, texts, lists, tuples and dictionaries with text keys.
/// Nothing if it is something else. A tuple becomes a list.
pub(crate) fn evaluate(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim_matches([' ', '\t']) };
    let value = reader.value(0)?;
    reader.skip();
    if reader.rest.starts_with(',') {
        // A bare row of values is a tuple.
        let mut items = vec![value];
        while reader.take(",") {
            reader.skip();
            if reader.rest.is_empty() {
                break;
            }
            items.push(reader.value(0)?);
            reader.skip();
        }
        return reader.rest.is_empty().then_some(Value::Array(items));
    }
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip();
        let found = self.rest.strip_prefix(sign);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip();
        let first = self.rest.chars().next()?;
        match first {
            '[' | '(' => self.list(depth),
            '{' => self.dictionary(depth),
            '\'' | '"' => self.texts(),
            '0'..='9' | '.' | '-' | '+' => self.number(),
            _ => self.word(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let (tuple, close) = if self.take("(") { (true, ")") } else { (!self.take("["), "]") };
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(close) {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            comma = self.take(",");
        }
        match items.as_slice() {
            // Brackets around one value without a comma are only brackets.
            [only] if tuple && !comma => Some(only.clone()),
            _ => Some(Value::Array(items)),
        }
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        self.take("{");
        let mut fields = Map::new();
        let mut comma = true;
        while !self.take("}") {
            if !comma {
                return None;
            }
            let key = text(&self.value(depth + 1)?);
            if !self.take(":") {
                return None;
            }
            fields.insert(key, self.value(depth + 1)?);
            comma = self.take(",");
        }
        Some(Value::Object(fields))
    }

    fn word(&mut self) -> Option<Value> {
        for (word, value) in [("None", Value::Null), ("True", Value::Bool(true)), ("False", Value::Bool(false))] {
            if let Some(rest) = self.rest.strip_prefix(word)
                && !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            {
                self.rest = rest;
                return Some(value);
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let signs = self.rest.len() - self.rest.trim_start_matches(['-', '+', ' ']).len();
        let (sign, body) = self.rest.split_at(signs);
        let negative = sign.matches('-').count() % 2 == 1;
        let end = body
            .char_indices()
            .find(|(place, next)| {
                let after_exponent = *place > 0 && matches!(body.as_bytes()[place - 1], b'e' | b'E');
                !(next.is_ascii_digit()
                    || matches!(next, '.' | 'e' | 'E' | '_')
                    || after_exponent && matches!(next, '-' | '+'))
            })
            .map_or(body.len(), |(place, _)| place);
        let digits = body[..end].replace('_', "");
        self.rest = &body[end..];
        if self.rest.starts_with(|next: char| next.is_alphanumeric()) {
            return None;
        }
        if digits.bytes().all(|digit| digit.is_ascii_digit()) {
            if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|digit| digit != b'0') {
                return None; // Python refuses such numbers, which were octal once.
            }
            let whole: i64 = digits.parse().ok()?;
            return Some(Value::from(if negative { -whole } else { whole }));
        }
        let float: f64 = digits.parse().ok()?;
        Number::from_f64(if negative { -float } else { float }).map(Value::Number)
    }

    /// One or more texts in quotes; several beside each other are one.
    fn texts(&mut self) -> Option<Value> {
        let mut joined = String::new();
        while self.rest.starts_with(['\'', '"']) {
            self.one_text(&mut joined)?;
            self.skip();
        }
        Some(Value::String(joined))
    }

    fn one_text(&mut self, joined: &mut String) -> Option<()> {
        let quote = self.rest.chars().next()?;
        let triple = quote.to_string().repeat(3);
        let long = self.rest.starts_with(&triple);
        self.rest = &self.rest[if long { 3 } else { 1 }..];
        loop {
            if long && self.rest.starts_with(&triple) {
                self.rest = &self.rest[3..];
                return Some(());
            }
            let next = self.rest.chars().next()?;
            self.rest = &self.rest[next.len_utf8()..];
            match next {
                '\\' => self.escape(joined)?,
                _ if next == quote && !long => return Some(()),
                '\n' if !long => return None,
                _ => joined.push(next),
            }
        }
    }

    fn escape(&mut self, joined: &mut String) -> Option<()> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        let character = match next {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '\'' | '"' => next,
            'x' => self.code(2, 16)?,
            'u' => self.code(4, 16)?,
            'U' => self.code(8, 16)?,
            '0'..='7' => {
                let more = self.rest.bytes().take(2).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
                let octal = format!("{next}{}", &self.rest[..more]);
                self.rest = &self.rest[more..];
                char::from_u32(u32::from_str_radix(&octal, 8).ok()?)?
            }
            '\n' => return Some(()),
            _ => {
                // An escape that is none stands for itself.
                joined.push('\\');
                next
            }
        };
        joined.push(character);
        Some(())
    }

    /// The character whose code is written in so many digits.
    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let code = self.rest.get(..digits)?;
        self.rest = &self.rest[digits..];
        char::from_u32(u32::from_str_radix(code, radix).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        for (value, written) in [
            (
                json!(["it's", "say \"no\"", "both ' and \"", "a\\b\n\u{a0}é\u{1}"]),
                r#"["it's", 'say "no"', 'both \' and "', 'a\\b\n\xa0é\x01']"#,
            ),
            (
                json!({"a": [1, 2.0, -0.5, 1e-5, 1e16, 1.5e300, 123_456_789.0, 0.0001], "b": null, "c": true}),
                "{'a': [1, 2.0, -0.5, 1e-05, 1e+16, 1.5e+300, 123456789.0, 0.0001], 'b': None, 'c': True}",
            ),
        ] {
            assert_eq!(repr(&value), written);
            assert_eq!(evaluate(written).unwrap(), value);
        }
        assert_eq!(text(&json!("it's")), "it's");
    }

    #[test]
    fn literals_are_read_as_python_reads_them() {
        for (written, value) in [
            ("['a' 'b', \"c\"]", Some(json!(["ab", "c"]))),
            (" [1, -2, 3.5,]", Some(json!([1, -2, 3.5]))),
            ("('a', ('b',), ('c'))", Some(json!(["a", ["b"], "c"]))),
            ("'a', 'b'", Some(json!(["a", "b"]))),
            (r"'\x41\u00e9\q\101'", Some(json!("Aé\\qA"))),
            ("'''a'b\n'''", Some(json!("a'b\n"))),
            ("00", Some(json!(0))),
            ("007", None),
            ("[a]", None),
            ("['a'", None),
            ("['a' 1]", None),
            ("1 2", None),
            ("'a\nb'", None),
            ("", None),
            ("True_", None),
        ] {
            assert_eq!(evaluate(written), value, "{written}");
        }
        assert_eq!(evaluate(&"[".repeat(5000)), None);
    }
}
