//! A file of Python, cut into words and signs.

/// A word or a sign.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Integer(i64),
    Float(f64),
    /// A text, with its escapes resolved.
    Text(String),
    /// `f"..."`: what is between the quotes, and whether backslashes are only that.
    Formatted {
        body: String,
        raw: bool,
    },
    Sign(&'static str),
    /// The end of a line that ends a statement.
    Line,
    Indent,
    Dedent,
}

/// The longest first.
const SIGNS: [&str; 46] = [
    "...", "**=", "//=", ">>=", "<<=", "**", "//", "==", "!=", "<=", ">=", "->", "+=", "-=", "*=", "/=", "%=", "&=",
    "|=", "^=", ":=", "<<", ">>", "(", ")", "[", "]", "{", "}", ",", ":", ".", ";", "@", "=", "+", "-", "*", "/", "%",
    "<", ">", "|", "&", "^", "~",
];

/// The words and signs of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut reader = Reader { rest: text, found: Vec::new(), indents: vec![0], open: 0 };
    reader.all()?;
    Ok(reader.found)
}

struct Reader<'t> {
    rest: &'t str,
    found: Vec<Token>,
    indents: Vec<usize>,
    /// Brackets that are not closed yet: within them lines do not count.
    open: usize,
}

impl Reader<'_> {
    fn all(&mut self) -> Result<(), String> {
        self.rest = self.rest.trim_start_matches('\u{feff}');
        self.indent()?;
        while let Some(next) = self.rest.chars().next() {
            match next {
                ' ' | '\t' | '\u{c}' | '\r' => self.rest = &self.rest[1..],
                '#' => self.rest = &self.rest[self.rest.find('\n').unwrap_or(self.rest.len())..],
                '\\' if self.rest.starts_with("\\\n") => self.rest = &self.rest[2..],
                '\n' => {
                    self.rest = &self.rest[1..];
                    if self.open == 0 {
                        self.end_line();
                        self.indent()?;
                    }
                }
                _ => self.one(next)?,
            }
        }
        self.end_line();
        self.found.extend(self.indents.iter().skip(1).map(|_| Token::Dedent));
        Ok(())
    }

    fn end_line(&mut self) {
        if !matches!(self.found.last(), None | Some(Token::Line | Token::Indent | Token::Dedent)) {
            self.found.push(Token::Line);
        }
    }

    /// Reads the beginning of a line; empty ones and those of a comment alone are passed over.
    fn indent(&mut self) -> Result<(), String> {
        loop {
            let width = self.rest.len() - self.rest.trim_start_matches(' ').len();
            let after = &self.rest[width..];
            if after.starts_with(['\n', '#']) || after.starts_with("\r\n") {
                let Some(end) = after.find('\n') else { return Ok(()) };
                self.rest = &after[end + 1..];
                continue;
            }
            if after.is_empty() {
                return Ok(());
            }
            if after.starts_with('\t') {
                return Err("a line begins with a tab".to_owned());
            }
            self.rest = after;
            let level = self.indents.last().copied().unwrap_or_default();
            if width > level {
                self.indents.push(width);
                self.found.push(Token::Indent);
            }
            while self.indents.last().is_some_and(|level| *level > width) {
                self.indents.pop();
                self.found.push(Token::Dedent);
            }
            return if self.indents.last() == Some(&width) {
                Ok(())
            } else {
                Err("a line stands in between".to_owned())
            };
        }
    }

    fn one(&mut self, next: char) -> Result<(), String> {
        if next.is_ascii_digit() || next == '.' && self.rest[1..].starts_with(|digit: char| digit.is_ascii_digit()) {
            return self.number();
        }
        if next.is_alphabetic() || next == '_' {
            let part = |letter: char| !(letter.is_alphanumeric() || letter == '_');
            let word = &self.rest[..self.rest.find(part).unwrap_or(self.rest.len())];
            let after = &self.rest[word.len()..];
            if after.starts_with(['"', '\'']) && word.len() <= 2 {
                self.rest = after;
                return self.text(&word.to_ascii_lowercase());
            }
            self.rest = after;
            self.found.push(Token::Name(word.to_owned()));
            return Ok(());
        }
        if matches!(next, '"' | '\'') {
            return self.text("");
        }
        let sign = SIGNS.iter().find(|sign| self.rest.starts_with(**sign));
        let sign = sign.ok_or_else(|| format!("the sign '{next}' is not understood"))?;
        match *sign {
            "(" | "[" | "{" => self.open += 1,
            ")" | "]" | "}" => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        self.rest = &self.rest[sign.len()..];
        self.found.push(Token::Sign(sign));
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let mut end = 0;
        for (place, character) in self.rest.char_indices() {
            let after_exponent = place > 0 && matches!(self.rest.as_bytes()[place - 1], b'e' | b'E');
            let part = character.is_ascii_alphanumeric() || matches!(character, '.' | '_');
            if !(part || after_exponent && matches!(character, '+' | '-')) {
                break;
            }
            end = place + character.len_utf8();
        }
        let (written, rest) = self.rest.split_at(end);
        let digits = written.replace('_', "");
        let wrong = || format!("the number '{written}' is not understood");
        let token = if digits.bytes().all(|digit| digit.is_ascii_digit()) {
            Token::Integer(digits.parse().map_err(|_| wrong())?)
        } else if digits
            .bytes()
            .all(|digit| digit.is_ascii_digit() || matches!(digit, b'.' | b'e' | b'E' | b'+' | b'-'))
        {
            Token::Float(digits.parse().map_err(|_| wrong())?)
        } else {
            return Err(wrong());
        };
        self.rest = rest;
        self.found.push(token);
        Ok(())
    }

    /// A text in quotes, behind the letters that say how it is read.
    fn text(&mut self, how: &str) -> Result<(), String> {
        if !matches!(how, "" | "r" | "u" | "f" | "fr" | "rf") {
            return Err(format!("a text {how}\"...\" is not understood"));
        }
        let quote = &self.rest[..1];
        let triple = quote.repeat(3);
        let end = if self.rest.starts_with(&triple) { triple.as_str() } else { quote };
        let body = &self.rest[end.len()..];
        let raw = how.contains('r');
        let mut length = 0;
        loop {
            let left = body.get(length..).unwrap_or_default();
            if left.starts_with(end) {
                break;
            }
            match left.chars().next() {
                None => return Err("a text has no end".to_owned()),
                Some('\n') if end.len() == 1 => return Err("a text has no end on its line".to_owned()),
                Some('\\') => length += 1 + left[1..].chars().next().map_or(0, char::len_utf8),
                Some(other) => length += other.len_utf8(),
            }
        }
        let (inside, after) = body.split_at(length);
        let inside = inside.replace("\r\n", "\n");
        self.rest = &after[end.len()..];
        let token = if how.contains('f') {
            Token::Formatted { body: inside, raw }
        } else if raw {
            Token::Text(inside)
        } else {
            Token::Text(unescaped(&inside)?)
        };
        self.found.push(token);
        Ok(())
    }
}

/// A text with its escapes resolved.
pub(super) fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let next = rest.chars().next().ok_or("a text ends with a backslash")?;
        rest = &rest[next.len_utf8()..];
        let mut code = |digits: usize| {
            let written = rest.get(..digits).ok_or("an escape has too few digits")?;
            rest = &rest[digits..];
            let code = u32::from_str_radix(written, 16).ok().and_then(char::from_u32);
            code.ok_or_else(|| format!("the escape '{written}' is none"))
        };
        match next {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '\\' | '\'' | '"' => out.push(next),
            '\n' => {}
            'x' => out.push(code(2)?),
            'u' => out.push(code(4)?),
            'U' => out.push(code(8)?),
            'N' | '0'..='7' => return Err(format!("the escape '\\{next}' is not understood")),
            other => {
                // An escape that is none stands for itself.
                out.push('\\');
                out.push(other);
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}
