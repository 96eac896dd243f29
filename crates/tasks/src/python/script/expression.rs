//! Expressions: from words and signs to a tree.

use std::sync::Arc;

use super::parser::Parser;
use super::tokens::{Token, tokens, unescaped};
use super::tree::{Clause, Comparison, Comprehension, Expression, Function, Made, Operator, Piece, Statement};

impl Parser<'_> {
    /// One expression, or several with commas, which are a tuple.
    pub(super) fn expressions(&mut self) -> Result<Expression, String> {
        let first = self.expression()?;
        if !self.sees(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(",") {
            if matches!(self.next(), None | Some(Token::Line | Token::Sign("=" | ")" | ";"))) {
                break;
            }
            items.push(self.expression()?);
        }
        Ok(Expression::Tuple(items))
    }

    pub(super) fn expression(&mut self) -> Result<Expression, String> {
        self.deeper(|parser| {
            if parser.sees_word("lambda") {
                return parser.lambda();
            }
            let value = parser.or()?;
            if !parser.take_word("if") {
                return Ok(value);
            }
            let condition = parser.or()?;
            parser.want_word("else")?;
            let otherwise = parser.expression()?;
            Ok(Expression::Conditional(Box::new([condition, value, otherwise])))
        })
    }

    fn lambda(&mut self) -> Result<Expression, String> {
        self.want_word("lambda")?;
        let parameters = self.parameters(":", false)?;
        self.want(":")?;
        let body = vec![Statement::Return(Some(self.expression()?))];
        Ok(Expression::Lambda(Arc::new(Function { name: "lambda".to_owned(), parameters, body })))
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut items = vec![self.and()?];
        while self.take_word("or") {
            items.push(self.and()?);
        }
        Ok(one_or(items, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut items = vec![self.not()?];
        while self.take_word("and") {
            items.push(self.not()?);
        }
        Ok(one_or(items, Expression::And))
    }

    fn not(&mut self) -> Result<Expression, String> {
        if self.take_word("not") {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.not()?))));
        }
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison() {
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Compare(Box::new(first), rest) })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        for (sign, comparison) in [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<", Comparison::Less),
            ("<=", Comparison::LessEqual),
            (">", Comparison::Greater),
            (">=", Comparison::GreaterEqual),
        ] {
            if self.take(sign) {
                return Some(comparison);
            }
        }
        if self.take_word("in") {
            return Some(Comparison::In);
        }
        if self.take_word("is") {
            return Some(if self.take_word("not") { Comparison::IsNot } else { Comparison::Is });
        }
        if self.take_word("not") {
            // Behind an operand only `not in` can stand; anything else fails at the next word.
            return self.take_word("in").then_some(Comparison::NotIn);
        }
        None
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let first = self.product()?;
        let mut rest = Vec::new();
        loop {
            let operator = if self.take("+") {
                Operator::Add
            } else if self.take("-") {
                Operator::Subtract
            } else {
                break;
            };
            rest.push((operator, self.product()?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Chain(Box::new(first), rest) })
    }

    fn product(&mut self) -> Result<Expression, String> {
        let first = self.signed()?;
        let mut rest = Vec::new();
        'all: loop {
            for (sign, operator) in [
                ("*", Operator::Multiply),
                ("/", Operator::Divide),
                ("//", Operator::FloorDivide),
                ("%", Operator::Remainder),
            ] {
                if self.take(sign) {
                    rest.push((operator, self.signed()?));
                    continue 'all;
                }
            }
            break;
        }
        Ok(if rest.is_empty() { first } else { Expression::Chain(Box::new(first), rest) })
    }

    fn signed(&mut self) -> Result<Expression, String> {
        if self.take("-") {
            return self.deeper(|parser| Ok(Expression::Minus(Box::new(parser.signed()?))));
        }
        self.with_ends()
    }

    /// An atom with calls, items and attributes behind it.
    fn with_ends(&mut self) -> Result<Expression, String> {
        let mut value = self.atom()?;
        let mut count = 0;
        loop {
            count += 1;
            if count > 40 {
                return Err("it is nested too deep".to_owned());
            }
            value = if self.take(".") {
                Expression::Attribute(Box::new(value), self.name()?)
            } else if self.take("(") {
                self.call(value)?
            } else if self.take("[") {
                self.item(value)?
            } else {
                return Ok(value);
            };
        }
    }

    fn call(&mut self, called: Expression) -> Result<Expression, String> {
        let (mut given, mut named) = (Vec::new(), Vec::new());
        while !self.sees(")") {
            let value = self.expression()?;
            match value {
                Expression::Name(name) if self.take("=") => named.push((name, self.expression()?)),
                value if self.sees_word("for") => given.push(self.comprehension(Made::List, value, None)?),
                value => given.push(value),
            }
            if !self.take(",") {
                break;
            }
        }
        self.want(")")?;
        Ok(Expression::Call(Box::new(called), given, named))
    }

    fn item(&mut self, of: Expression) -> Result<Expression, String> {
        let first = if self.sees(":") { None } else { Some(self.expressions()?) };
        let item = match first {
            Some(item) if self.take("]") => return Ok(Expression::Item(Box::new(of), Box::new(item))),
            other => other,
        };
        self.want(":")?;
        let ends = |parser: &Self| parser.sees("]") || parser.sees(":");
        let end = if ends(self) { None } else { Some(self.expression()?) };
        let step = if self.take(":") && !self.sees("]") { Some(self.expression()?) } else { None };
        self.want("]")?;
        Ok(Expression::Slice(Box::new(of), Box::new([item, end, step])))
    }

    fn atom(&mut self) -> Result<Expression, String> {
        let Some(token) = self.next() else { return Err(self.wrong()) };
        match token {
            Token::Integer(number) => {
                self.advance();
                Ok(Expression::Integer(*number))
            }
            Token::Float(number) => {
                self.advance();
                Ok(Expression::Float(*number))
            }
            Token::Text(_) | Token::Formatted { .. } => self.texts(),
            Token::Name(name) => {
                let constant = match name.as_str() {
                    "None" => Expression::None,
                    "True" => Expression::Flag(true),
                    "False" => Expression::Flag(false),
                    _ => return self.name().map(Expression::Name),
                };
                self.advance();
                Ok(constant)
            }
            Token::Sign("(") => {
                self.advance();
                self.bracket()
            }
            Token::Sign("[") => {
                self.advance();
                let items = self.items("]", Made::List)?;
                Ok(items)
            }
            Token::Sign("{") => {
                self.advance();
                self.braces()
            }
            _ => Err(self.wrong()),
        }
    }

    fn bracket(&mut self) -> Result<Expression, String> {
        if self.take(")") {
            return Ok(Expression::Tuple(Vec::new()));
        }
        let value = self.expressions()?;
        let value = if self.sees_word("for") { self.comprehension(Made::List, value, None)? } else { value };
        self.want(")")?;
        Ok(value)
    }

    fn items(&mut self, end: &str, made: Made) -> Result<Expression, String> {
        let mut items = Vec::new();
        while !self.sees(end) {
            let item = self.expression()?;
            if items.is_empty() && self.sees_word("for") {
                let all = self.comprehension(made, item, None)?;
                self.want(end)?;
                return Ok(all);
            }
            items.push(item);
            if !self.take(",") {
                break;
            }
        }
        self.want(end)?;
        Ok(if made == Made::Set { Expression::Set(items) } else { Expression::List(items) })
    }

    fn braces(&mut self) -> Result<Expression, String> {
        if self.take("}") {
            return Ok(Expression::Dictionary(Vec::new()));
        }
        let mut pairs = Vec::new();
        let mut singles = Vec::new();
        while !self.sees("}") {
            let key = self.expression()?;
            let is_first = pairs.is_empty() && singles.is_empty();
            if self.take(":") {
                let value = self.expression()?;
                if is_first && self.sees_word("for") {
                    let all = self.comprehension(Made::Dictionary, key, Some(value))?;
                    self.want("}")?;
                    return Ok(all);
                }
                pairs.push((key, value));
            } else if is_first && self.sees_word("for") {
                let all = self.comprehension(Made::Set, key, None)?;
                self.want("}")?;
                return Ok(all);
            } else {
                singles.push(key);
            }
            if !self.take(",") {
                break;
            }
        }
        self.want("}")?;
        match (pairs.is_empty(), singles.is_empty()) {
            (false, true) => Ok(Expression::Dictionary(pairs)),
            (true, false) => Ok(Expression::Set(singles)),
            _ => Err("a dictionary is not understood".to_owned()),
        }
    }

    fn comprehension(&mut self, made: Made, item: Expression, value: Option<Expression>) -> Result<Expression, String> {
        let mut clauses = Vec::new();
        while self.take_word("for") {
            let target = self.target_list()?;
            self.want_word("in")?;
            let over = self.or()?;
            let mut conditions = Vec::new();
            while self.take_word("if") {
                conditions.push(self.or()?);
            }
            clauses.push(Clause { target, over, conditions });
        }
        Ok(Expression::Comprehension(Box::new(Comprehension { made, item, value, clauses })))
    }

    /// Texts beside each other are one.
    fn texts(&mut self) -> Result<Expression, String> {
        let mut pieces = Vec::new();
        loop {
            match self.next() {
                Some(Token::Text(text)) => pieces.push(Piece::Text(text.clone())),
                Some(Token::Formatted { body, raw }) => formatted(body, *raw, &mut pieces)?,
                _ => break,
            }
            self.advance();
        }
        if pieces.iter().any(|piece| matches!(piece, Piece::Value { .. })) {
            return Ok(Expression::Formatted(pieces));
        }
        let text = |piece| if let Piece::Text(text) = piece { text } else { String::new() };
        Ok(Expression::Text(pieces.into_iter().map(text).collect()))
    }
}

fn one_or(mut items: Vec<Expression>, several: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    match items.pop() {
        Some(only) if items.is_empty() => only,
        Some(last) => {
            items.push(last);
            several(items)
        }
        None => Expression::None,
    }
}

/// The parts of a formatted text.
fn formatted(body: &str, raw: bool, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut text = String::new();
    let mut rest = body;
    while let Some(place) = rest.find(['{', '}']) {
        text.push_str(&rest[..place]);
        let brace = &rest[place..=place];
        rest = &rest[place + 1..];
        if rest.starts_with(brace) {
            text.push_str(brace);
            rest = &rest[1..];
            continue;
        }
        if brace == "}" {
            return Err("a single '}' stands in a formatted text".to_owned());
        }
        push_text(&mut text, raw, pieces)?;
        let end = end_of_value(rest).ok_or("a formatted text is not understood")?;
        pieces.push(piece(&rest[..end])?);
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    push_text(&mut text, raw, pieces)
}

fn push_text(text: &mut String, raw: bool, pieces: &mut Vec<Piece>) -> Result<(), String> {
    if !text.is_empty() {
        pieces.push(Piece::Text(if raw { text.clone() } else { unescaped(text)? }));
        text.clear();
    }
    Ok(())
}

/// Where the brace is that closes a value, past brackets and texts within it.
fn end_of_value(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut quote = None;
    for (place, character) in text.char_indices() {
        match (quote, character) {
            (Some(end), _) if end == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '(' | '[' | '{') => open += 1,
            (None, '}') if open == 0 => return Some(place),
            (None, ')' | ']' | '}') => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// `value`, `value!r` or `value:.2f`.
fn piece(inside: &str) -> Result<Piece, String> {
    let refused = || format!("the formatted value '{{{inside}}}' is not understood");
    let (written, digits) = match inside.rsplit_once(":.") {
        Some((value, form)) => {
            let digits = form.strip_suffix('f').and_then(|digits| digits.parse().ok()).filter(|digits| *digits < 20);
            (value, Some(digits.ok_or_else(refused)?))
        }
        None => (inside, None),
    };
    let (written, quoted) = match written.strip_suffix("!r") {
        Some(value) => (value, true),
        None => (written.strip_suffix("!s").unwrap_or(written), false),
    };
    if written.contains('\\') {
        return Err(refused());
    }
    // In brackets, so that line ends within it do not count.
    let found = tokens(&format!("({})", written.trim()))?;
    let found = found.strip_suffix(&[Token::Line]).unwrap_or(&found);
    let mut parser = Parser::new(found);
    let value = parser.expression().map_err(|_| refused())?;
    if parser.is_at_end() { Ok(Piece::Value { value, quoted, digits }) } else { Err(refused()) }
}
