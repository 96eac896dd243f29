//! Reading a line that was typed: an action with tags, or the one form of Lua that sends a message.

use ao::{Id, Tags};

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What `aos` asks when it connects.
    Version,
    /// What can be typed here?
    Help,
    /// A message to the process.
    Message {
        /// Its tags.
        tags: Tags,
        /// Its data.
        data: Vec<u8>,
    },
}

/// Reads a line; nothing if it is neither of the forms. `process` is the only receiver that can be named.
pub(super) fn read(text: &str, process: &Id) -> Option<Line> {
    let text = text.trim();
    if text.starts_with("require(") && text.ends_with("_version") {
        return Some(Line::Version);
    }
    if text.is_empty() || text.eq_ignore_ascii_case("help") {
        return Some(Line::Help);
    }
    let text = text.strip_prefix("return ").unwrap_or(text);
    let sent = text.strip_prefix("ao.send").or_else(|| text.strip_prefix("Send"));
    match sent.map(str::trim_start) {
        Some(call) if call.starts_with(['(', '{']) => table(call, process),
        _ => words(text),
    }
}

/// `Action Name=value Name="a value"`.
fn words(text: &str) -> Option<Line> {
    let mut scanner = Scanner { rest: text };
    let mut tags = Tags::new().with("Action", scanner.name()?);
    while !scanner.skip_space().is_empty() {
        let name = scanner.name()?;
        scanner.symbol('=')?;
        let value = scanner.quoted().or_else(|| scanner.until_space())?;
        tags.push(name, value);
    }
    Some(Line::Message { tags, data: Vec::new() })
}

/// `({ Name = "value", ["Name"] = "value", Data = "…" })`, with or without the parentheses.
fn table(text: &str, process: &Id) -> Option<Line> {
    let mut scanner = Scanner { rest: text };
    let in_parentheses = scanner.symbol('(').is_some();
    scanner.symbol('{')?;
    let (mut tags, mut data) = (Tags::new(), Vec::new());
    while scanner.symbol('}').is_none() {
        let name = match scanner.symbol('[') {
            Some(()) => scanner.quoted().and_then(|name| scanner.symbol(']').map(|()| name))?,
            None => scanner.name()?,
        };
        scanner.symbol('=')?;
        let value = scanner.quoted().or_else(|| scanner.word())?;
        match name.as_str() {
            "Target" if value == "ao.id" || value.parse() == Ok(*process) => {}
            "Target" => return None,
            "Data" => data = value.into_bytes(),
            _ => tags.push(name, value),
        }
        if scanner.symbol(',').or_else(|| scanner.symbol(';')).is_none() && !scanner.rest.starts_with('}') {
            return None;
        }
    }
    if in_parentheses {
        scanner.symbol(')')?;
    }
    let is_whole = scanner.skip_space().is_empty() && tags.get("Action").is_some();
    is_whole.then_some(Line::Message { tags, data })
}

/// What is left of a line. Each method takes what it names from the beginning, or nothing.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn skip_space(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn symbol(&mut self, symbol: char) -> Option<()> {
        self.rest = self.skip_space().strip_prefix(symbol)?;
        self.skip_space();
        Some(())
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> Option<String> {
        let end = self.skip_space().find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!taken.is_empty()).then(|| taken.to_owned())
    }

    /// A name: letters, digits, `-` and `_`, a letter first.
    fn name(&mut self) -> Option<String> {
        self.skip_space().starts_with(|first: char| first.is_ascii_alphabetic()).then_some(())?;
        self.take(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
    }

    /// A number, `true`, `ao.id`.
    fn word(&mut self) -> Option<String> {
        self.take(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-'))
    }

    fn until_space(&mut self) -> Option<String> {
        self.take(|character| !character.is_whitespace())
    }

    /// A text in quotes, or in the long brackets of Lua.
    fn quoted(&mut self) -> Option<String> {
        let (rest, end) = match self.skip_space() {
            text if text.starts_with("[[") => (&text[2..], "]]"),
            text if text.starts_with('"') => (&text[1..], "\""),
            text if text.starts_with('\'') => (&text[1..], "'"),
            _ => return None,
        };
        let (text, rest) = rest.split_once(end)?;
        // An escape would have to be undone: whoever needs one writes the text in long brackets.
        if end.len() == 1 && text.contains('\\') {
            return None;
        }
        self.rest = rest;
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(text: &str) -> Option<(Vec<(String, String)>, String)> {
        match read(text, &Id::new([1; 32])) {
            Some(Line::Message { tags, data }) => {
                let tags = tags.iter().map(|tag| (tag.name.clone(), tag.value.clone())).collect();
                Some((tags, String::from_utf8(data).unwrap()))
            }
            _ => None,
        }
    }

    #[test]
    fn both_forms_of_a_message_are_read() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let transfer = vec![pair("Action", "Transfer"), pair("Quantity", "5"), pair("X-Note", "a b")];
        for text in [
            "Transfer Quantity=5 X-Note='a b'",
            "  Transfer   Quantity=5   X-Note=\"a b\"  ",
            "Send({ Action = \"Transfer\", Quantity = 5, [\"X-Note\"] = [[a b]] })",
            "return ao.send({Action='Transfer',Quantity='5',['X-Note']='a b',})",
            "Send { Target = ao.id; Action = 'Transfer'; Quantity = 5; ['X-Note'] = 'a b' }",
        ] {
            assert_eq!(message(text), Some((transfer.clone(), String::new())), "{text}");
        }
        let (tags, data) = message("Send({ Action = 'Add', Data = [[{\"a\": 1}]] })").unwrap();
        assert_eq!((tags, data.as_str()), (vec![pair("Action", "Add")], "{\"a\": 1}"));
    }

    #[test]
    fn other_lines_are_no_messages() {
        for text in
            ["1+1", "Balances[ao.id]", "x = 1", "Info Note", "Info =5", "Send({})", "Send({ Action = 'a' }) .. 1"]
        {
            assert_eq!(message(text), None, "{text}");
        }
        assert_eq!(read("help", &Id::new([1; 32])), Some(Line::Help));
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(text in "\\PC*", call in "Send\\(\\{[ -~]*") {
            let _ = (read(&text, &Id::new([1; 32])), read(&call, &Id::new([1; 32])));
        }
    }
}
