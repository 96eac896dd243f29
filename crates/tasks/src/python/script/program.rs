//! A file of Python: what its names stand for, and whether all that a function needs is understood. A statement that is
//! not understood takes away the names in it, so that nothing is computed with half of what the file says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::object::dotted;
use super::parser::{Parser, is_keyword};
use super::tokens::{Token, tokens};
use super::tree::{Expression, Function, Seen, Statement, Target};
use super::{builtins, methods};

/// What a name of the file stands for.
#[derive(Debug)]
pub(super) enum Global {
    Function(Arc<Function>),
    /// It is computed when it is asked for.
    Value(Expression),
    /// Something of another file, by its path.
    Module(String),
    /// It cannot be known what it is.
    Unread(String),
}

#[derive(Debug)]
pub(super) struct Program {
    globals: BTreeMap<String, Global>,
}

/// Methods that change what they belong to.
const CHANGING: [&str; 9] = ["append", "extend", "insert", "pop", "remove", "sort", "reverse", "update", "setdefault"];

/// Goes through a part of the tree, and shows what it meets.
type Walk<'a> = dyn Fn(&mut dyn FnMut(Seen<'_>)) + 'a;

impl Program {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut reader = Reader { globals: BTreeMap::new(), touched: BTreeSet::new(), decorated: false };
        let mut rest = tokens.as_slice();
        while !rest.is_empty() {
            let (statement, after) = rest.split_at(length(rest));
            reader.statement(statement);
            rest = after;
        }
        for name in reader.touched {
            let reason = "a statement of the file that is not understood may change it".to_owned();
            reader.globals.insert(name, Global::Unread(reason));
        }
        Ok(Self { globals: reader.globals })
    }

    pub(super) fn global(&self, name: &str) -> Option<&Global> {
        self.globals.get(name)
    }

    /// Fails with what is not understood of a function and of all that it uses. Only the rows of a dataset may be changed.
    pub(super) fn check(&self, function: &str, may_change: bool) -> Result<(), String> {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&str> = vec![function];
        while let Some(name) = waiting.pop() {
            if !seen.insert(name) {
                continue;
            }
            match self.globals.get(name) {
                None if builtins::known(name).is_some() => {}
                None => return Err(format!("the name '{name}' is not defined in it")),
                Some(Global::Unread(reason)) => return Err(format!("'{name}': {reason}")),
                Some(Global::Module(path)) if builtins::known(path).is_some() => {}
                Some(Global::Module(path)) => return Err(format!("'{path}' is not there")),
                Some(Global::Function(definition)) => {
                    let walk = |see: &mut dyn FnMut(Seen<'_>)| definition.walk(see);
                    let document = definition.parameters.first().map(|(name, _)| name.as_str());
                    let kept = document.filter(|_| name == function && !may_change);
                    waiting.extend(self.checked(&walk, kept)?);
                }
                Some(Global::Value(expression)) => {
                    let walk = |see: &mut dyn FnMut(Seen<'_>)| expression.walk(see);
                    waiting.extend(self.checked(&walk, None)?);
                }
            }
        }
        Ok(())
    }

    /// The names of the file that are used in a walk, or what is not understood there. `kept` must not be changed.
    fn checked(&self, walk: &Walk<'_>, kept: Option<&str>) -> Result<BTreeSet<&str>, String> {
        let (mut bound, mut imported) = (BTreeSet::new(), BTreeMap::new());
        walk(&mut |seen| match seen {
            Seen::Bound(name) => drop(bound.insert(name.to_owned())),
            Seen::Imported(name, path) => drop(imported.insert(name.to_owned(), path.to_owned())),
            Seen::Expression(_) | Seen::Changed(_) => {}
        });
        let module = |name: &str| match (imported.get(name), self.globals.get(name)) {
            (Some(path), _) => Some(path.clone()),
            (None, Some(Global::Module(path))) if !bound.contains(name) => Some(path.clone()),
            _ => None,
        };
        let is_outside = |name: &str| !bound.contains(name) && !imported.contains_key(name);
        let mut used = BTreeSet::new();
        let mut wrong: Option<String> = None;
        let mut fails = |reason: String| wrong = wrong.take().or(Some(reason));
        walk(&mut |seen| match seen {
            Seen::Imported(_, path) if builtins::known(path).is_none() => fails(format!("'{path}' is not there")),
            Seen::Changed(name) if is_outside(name) || kept == Some(name) => {
                fails(format!("it changes '{name}', which others see"));
            }
            Seen::Expression(expression) => match expression {
                Expression::Name(name) if is_outside(name) => drop(used.insert(name.clone())),
                Expression::Attribute(_, name) => match dotted(expression, &module) {
                    Some(path) if builtins::known(&path).is_none() => fails(format!("'{path}' is not there")),
                    None if !methods::METHODS.contains(&name.as_str()) => fails(format!("'.{name}' is not understood")),
                    _ => {}
                },
                Expression::Call(called, ..) => {
                    if let Expression::Attribute(of, method) = called.as_ref()
                        && let Expression::Name(name) = of.as_ref()
                        && CHANGING.contains(&method.as_str())
                        && (is_outside(name) && module(name).is_none() || kept == Some(name))
                    {
                        fails(format!("it changes '{name}', which others see"));
                    }
                }
                _ => {}
            },
            _ => {}
        });
        match wrong {
            Some(reason) => Err(reason),
            None => used.iter().map(|name| self.name(name)).collect(),
        }
    }

    /// The name as this file holds it, or Python itself.
    fn name(&self, name: &str) -> Result<&str, String> {
        if let Some((known, _)) = self.globals.get_key_value(name) {
            return Ok(known);
        }
        match builtins::known_name(name) {
            Some(known) => Ok(known),
            None => Err(format!("the name '{name}' is not defined in it")),
        }
    }
}

/// How many words and signs the first statement has, with the lines that are indented under it.
fn length(tokens: &[Token]) -> usize {
    let line = tokens.iter().position(|token| *token == Token::Line).map_or(tokens.len(), |place| place + 1);
    if tokens.get(line) != Some(&Token::Indent) {
        return line.max(1);
    }
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(line) {
        match token {
            Token::Indent => depth += 1,
            Token::Dedent if depth <= 1 => return place + 1,
            Token::Dedent => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

struct Reader {
    globals: BTreeMap<String, Global>,
    /// Names in statements that are not understood.
    touched: BTreeSet<String>,
    decorated: bool,
}

impl Reader {
    fn statement(&mut self, tokens: &[Token]) {
        let word = |place: usize| match tokens.get(place) {
            Some(Token::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        let decorated = std::mem::take(&mut self.decorated);
        match (word(0), word(1)) {
            (None, _) if matches!(tokens.first(), Some(Token::Sign("@"))) => self.decorated = true,
            // What is done when the file is a program, or for those who check kinds.
            (Some("if"), Some("__name__" | "TYPE_CHECKING")) => {}
            (Some("class"), Some(name)) => self.unread(name, "it is a class".to_owned()),
            (Some("def"), Some(name)) if decorated => self.unread(name, "it has a decorator".to_owned()),
            (first, second) => {
                let mut parser = Parser::new(tokens);
                let mut statements = Vec::new();
                match parser.statement(&mut statements) {
                    Ok(()) if parser.is_at_end() => {
                        statements.into_iter().for_each(|statement| self.keep(statement, tokens));
                    }
                    outcome => {
                        let reason = outcome.err().unwrap_or_else(|| parser.wrong());
                        match (first, second, tokens.get(1)) {
                            (Some("def"), Some(name), _) => {
                                self.unread(name, reason);
                                if tokens.contains(&Token::Name("global".to_owned())) {
                                    self.touch(tokens);
                                }
                            }
                            (Some(name), _, Some(Token::Sign("="))) => self.unread(name, reason),
                            _ => self.touch(tokens),
                        }
                    }
                }
            }
        }
    }

    fn unread(&mut self, name: &str, reason: String) {
        self.globals.insert(name.to_owned(), Global::Unread(reason));
    }

    /// Takes away the names in a statement, but for those of Python itself.
    fn touch(&mut self, tokens: &[Token]) {
        for token in tokens {
            if let Token::Name(name) = token
                && !is_keyword(name)
                && builtins::known(name).is_none()
            {
                self.touched.insert(name.clone());
            }
        }
    }

    fn keep(&mut self, statement: Statement, tokens: &[Token]) {
        match statement {
            Statement::Define(function) => {
                self.globals.insert(function.name.clone(), Global::Function(function));
            }
            Statement::Import(names) => {
                let modules = names.into_iter().map(|(name, path)| (name, Global::Module(path)));
                self.globals.extend(modules);
            }
            Statement::Assign(targets, value) => match targets.as_slice() {
                [Target::Name(name)] => drop(self.globals.insert(name.clone(), Global::Value(value))),
                _ => self.touch(tokens),
            },
            Statement::Expression(Expression::Text(_)) | Statement::Pass => {}
            _ => self.touch(tokens),
        }
    }
}
