//! Statements: from words and signs to a tree. What is not understood is an error and never passed over.

use std::sync::Arc;

use super::tokens::Token;
use super::tree::{Expression, Function, Operator, Statement, Target};

/// How deep statements and expressions may lie in each other.
const DEPTH_MAX: usize = 40;

/// Reads words and signs from the first to the last.
pub(super) struct Parser<'t> {
    tokens: &'t [Token],
    place: usize,
    depth: usize,
}

/// The word that is not understood.
fn unknown(token: Option<&Token>) -> String {
    match token {
        None | Some(Token::Line) => "a line ends too early".to_owned(),
        Some(Token::Name(name)) => format!("'{name}' is not understood there"),
        Some(Token::Sign(sign)) => format!("'{sign}' is not understood there"),
        Some(other) => format!("{other:?} is not understood there"),
    }
}

impl<'t> Parser<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        Self { tokens, place: 0, depth: 0 }
    }

    pub(super) fn next(&self) -> Option<&'t Token> {
        self.tokens.get(self.place)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.place >= self.tokens.len()
    }

    pub(super) fn advance(&mut self) {
        self.place += 1;
    }

    pub(super) fn sees(&self, sign: &str) -> bool {
        matches!(self.next(), Some(Token::Sign(next)) if *next == sign)
    }

    pub(super) fn sees_word(&self, word: &str) -> bool {
        matches!(self.next(), Some(Token::Name(next)) if next == word)
    }

    pub(super) fn take(&mut self, sign: &str) -> bool {
        let found = self.sees(sign);
        self.place += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.sees_word(word);
        self.place += usize::from(found);
        found
    }

    pub(super) fn want(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.wrong()) }
    }

    pub(super) fn want_word(&mut self, word: &str) -> Result<(), String> {
        if self.take_word(word) { Ok(()) } else { Err(self.wrong()) }
    }

    pub(super) fn wrong(&self) -> String {
        unknown(self.next())
    }

    pub(super) fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Name(name)) if !is_keyword(name) => {
                self.place += 1;
                Ok(name.clone())
            }
            _ => Err(self.wrong()),
        }
    }

    /// Does one step deeper in the tree.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} deep"));
        }
        self.depth += 1;
        let made = read(self);
        self.depth -= 1;
        made
    }

    /// One statement with all that belongs to it; several on a line are several.
    pub(super) fn statement(&mut self, into: &mut Vec<Statement>) -> Result<(), String> {
        let Some(Token::Name(word)) = self.next() else { return self.simple_line(into) };
        let statement = match word.as_str() {
            "def" => Statement::Define(Arc::new(self.define()?)),
            "if" => {
                self.advance();
                self.branches()?
            }
            "for" => {
                self.advance();
                let target = self.target_list()?;
                self.want_word("in")?;
                let over = self.expressions()?;
                let body = self.block()?;
                self.without_else()?;
                Statement::For(target, over, body)
            }
            "while" => {
                self.advance();
                let condition = self.expression()?;
                let body = self.block()?;
                self.without_else()?;
                Statement::While(condition, body)
            }
            _ => return self.simple_line(into),
        };
        into.push(statement);
        Ok(())
    }

    fn without_else(&self) -> Result<(), String> {
        if self.sees_word("else") { Err(self.wrong()) } else { Ok(()) }
    }

    fn branches(&mut self) -> Result<Statement, String> {
        let mut branches = vec![(self.expression()?, self.block()?)];
        while self.take_word("elif") {
            branches.push((self.expression()?, self.block()?));
        }
        if self.take_word("else") {
            branches.push((Expression::Flag(true), self.block()?));
        }
        Ok(Statement::If(branches))
    }

    /// `: ...` on the same line, or indented on the next ones.
    fn block(&mut self) -> Result<Vec<Statement>, String> {
        self.want(":")?;
        self.deeper(|parser| {
            let mut body = Vec::new();
            if parser.next() != Some(&Token::Line) {
                parser.simple_line(&mut body)?;
                return Ok(body);
            }
            parser.advance();
            if parser.next() != Some(&Token::Indent) {
                return Err(parser.wrong());
            }
            parser.advance();
            while parser.next() != Some(&Token::Dedent) {
                if parser.is_at_end() {
                    return Err(parser.wrong());
                }
                parser.statement(&mut body)?;
            }
            parser.advance();
            Ok(body)
        })
    }

    fn define(&mut self) -> Result<Function, String> {
        self.want_word("def")?;
        let name = self.name()?;
        self.want("(")?;
        let parameters = self.parameters(")", true)?;
        self.want(")")?;
        if self.take("->") {
            self.expression()?;
        }
        Ok(Function { name, parameters, body: self.block()? })
    }

    /// Parameters up to a sign, of a function with what kind they are.
    pub(super) fn parameters(
        &mut self,
        end: &str,
        with_kinds: bool,
    ) -> Result<Vec<(String, Option<Expression>)>, String> {
        let mut all = Vec::new();
        while !self.sees(end) {
            let name = self.name()?;
            if with_kinds && self.take(":") {
                self.expression()?;
            }
            let usual = if self.take("=") { Some(self.expression()?) } else { None };
            all.push((name, usual));
            if !self.take(",") {
                break;
            }
        }
        Ok(all)
    }

    fn simple_line(&mut self, into: &mut Vec<Statement>) -> Result<(), String> {
        loop {
            into.push(self.simple()?);
            if !self.take(";") {
                break;
            }
            if self.next() == Some(&Token::Line) {
                break;
            }
        }
        match self.next() {
            None => Ok(()),
            Some(Token::Line) => {
                self.advance();
                Ok(())
            }
            _ => Err(self.wrong()),
        }
    }

    fn ends(&self) -> bool {
        matches!(self.next(), None | Some(Token::Line | Token::Sign(";")))
    }

    fn simple(&mut self) -> Result<Statement, String> {
        for (word, statement) in
            [("pass", Statement::Pass), ("break", Statement::Break), ("continue", Statement::Continue)]
        {
            if self.take_word(word) {
                return Ok(statement);
            }
        }
        if self.take_word("return") {
            return Ok(Statement::Return(if self.ends() { None } else { Some(self.expressions()?) }));
        }
        if self.take_word("raise") {
            if !self.ends() {
                self.expression()?;
            }
            return Ok(Statement::Raise);
        }
        if self.take_word("assert") {
            let condition = self.expression()?;
            if self.take(",") {
                self.expression()?;
            }
            return Ok(Statement::Assert(condition));
        }
        if self.sees_word("import") || self.sees_word("from") {
            return self.import();
        }
        self.assignment()
    }

    /// `import a.b as c`, `from a import b as c, d`.
    fn import(&mut self) -> Result<Statement, String> {
        let from = self.take_word("from");
        if !from {
            self.want_word("import")?;
        }
        let mut names = Vec::new();
        if from {
            let module = self.module()?;
            self.want_word("import")?;
            let bracket = self.take("(");
            loop {
                let name = self.name()?;
                let known = if self.take_word("as") { self.name()? } else { name.clone() };
                names.push((known, format!("{module}.{name}")));
                if !self.take(",") || self.sees(")") {
                    break;
                }
            }
            if bracket {
                self.want(")")?;
            }
        } else {
            loop {
                let module = self.module()?;
                if self.take_word("as") {
                    names.push((self.name()?, module));
                } else {
                    let first = module.split('.').next().unwrap_or_default().to_owned();
                    names.push((first.clone(), first));
                }
                if !self.take(",") {
                    break;
                }
            }
        }
        Ok(Statement::Import(names))
    }

    fn module(&mut self) -> Result<String, String> {
        let mut module = String::new();
        while self.take(".") {
            module.push('.');
        }
        if !self.sees_word("import") {
            module.push_str(&self.name()?);
        }
        while self.take(".") {
            module.push('.');
            module.push_str(&self.name()?);
        }
        Ok(module)
    }

    fn assignment(&mut self) -> Result<Statement, String> {
        let first = self.expressions()?;
        let augmented = [
            ("+=", Operator::Add),
            ("-=", Operator::Subtract),
            ("*=", Operator::Multiply),
            ("/=", Operator::Divide),
            ("//=", Operator::FloorDivide),
            ("%=", Operator::Remainder),
        ];
        for (sign, operator) in augmented {
            if self.take(sign) {
                return Ok(Statement::Augment(target(first)?, operator, self.expressions()?));
            }
        }
        if self.take(":") {
            self.expression()?;
            if !self.take("=") {
                return Ok(Statement::Pass);
            }
            return Ok(Statement::Assign(vec![target(first)?], self.expressions()?));
        }
        if !self.sees("=") {
            return Ok(Statement::Expression(first));
        }
        let mut values = vec![first];
        while self.take("=") {
            values.push(self.expressions()?);
        }
        let value = values.pop().ok_or("an assignment has no value")?;
        Ok(Statement::Assign(values.into_iter().map(target).collect::<Result<_, _>>()?, value))
    }

    /// What a `for` binds: names, with commas or in brackets.
    pub(super) fn target_list(&mut self) -> Result<Target, String> {
        let mut all = vec![self.one_target()?];
        let mut several = false;
        while self.take(",") {
            several = true;
            if self.sees_word("in") {
                break;
            }
            all.push(self.one_target()?);
        }
        if several { Ok(Target::Several(all)) } else { all.pop().ok_or_else(|| self.wrong()) }
    }

    fn one_target(&mut self) -> Result<Target, String> {
        if self.take("(") {
            let inner = self.deeper(Self::target_list)?;
            self.want(")")?;
            return Ok(inner);
        }
        self.name().map(Target::Name)
    }
}

fn target(expression: Expression) -> Result<Target, String> {
    match expression {
        Expression::Name(name) => Ok(Target::Name(name)),
        Expression::Tuple(items) | Expression::List(items) => {
            items.into_iter().map(target).collect::<Result<_, _>>().map(Target::Several)
        }
        Expression::Item(of, item) => Ok(Target::Item(*of, *item)),
        _ => Err("what is assigned to is not understood".to_owned()),
    }
}

/// Words that cannot be names.
pub(super) fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    KEYWORDS.contains(&word)
}
