//! Runs functions: statements, expressions and calls. There is nothing outside that a script could reach, and what it may
//! do is counted, so that each run ends and gives the same.

use std::sync::Arc;

use super::object::{Closure, Memory, Object, Scope, dotted, text};
use super::program::{Global, Program};
use super::tree::{Clause, Comparison, Comprehension, Expression, Function, Made, Piece, Statement, Target};
use super::{builtins, methods, operators};
use crate::limits::{HARNESS_RENDERED_BYTES_MAX, SCRIPT_CALLS_MAX, SCRIPT_STEPS_MAX};

/// What a statement leads to.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Object),
}

/// What runs a script.
pub(super) struct Machine {
    program: Arc<Program>,
    pub(super) memory: Memory,
    /// The values of names of the file that were asked for.
    globals: Vec<(String, Object)>,
    steps: u64,
    calls: usize,
}

impl Machine {
    pub(super) fn new(program: Arc<Program>) -> Self {
        let mut memory = Memory::default();
        memory.scopes.push(Scope::default());
        Self { program, memory, globals: Vec::new(), steps: 0, calls: 0 }
    }

    /// Counts so many steps.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), String> {
        self.steps += steps as u64;
        if self.steps > SCRIPT_STEPS_MAX { Err(format!("it takes more than {SCRIPT_STEPS_MAX} steps")) } else { Ok(()) }
    }

    /// Begins to count anew: for the next row of a dataset.
    pub(super) fn rest(&mut self) {
        self.steps = 0;
    }

    /// A text that was made, if it is not too long.
    pub(super) fn made(&mut self, made: &str) -> Result<Object, String> {
        self.spend(1 + made.len() / 32)?;
        if made.len() > HARNESS_RENDERED_BYTES_MAX {
            return Err(format!("a text has more than {HARNESS_RENDERED_BYTES_MAX} bytes"));
        }
        Ok(text(made))
    }

    /// What a name of the file stands for.
    pub(super) fn global(&mut self, name: &str) -> Result<Object, String> {
        if let Some((_, known)) = self.globals.iter().find(|(known, _)| known == name) {
            return Ok(known.clone());
        }
        let program = Arc::clone(&self.program);
        let value = match program.global(name) {
            Some(Global::Function(function)) => self.closure(Arc::clone(function), None),
            Some(Global::Value(expression)) => self.deeper(|machine| machine.evaluate(expression, 0))?,
            Some(Global::Module(path)) => builtins::known(path).ok_or_else(|| format!("'{path}' is not there"))?,
            Some(Global::Unread(reason)) => return Err(format!("'{name}' is not understood: {reason}")),
            None => builtins::known(name).ok_or_else(|| format!("the name '{name}' is not defined"))?,
        };
        self.globals.push((name.to_owned(), value.clone()));
        Ok(value)
    }

    /// The items that a loop goes through, each a step.
    pub(super) fn iterate(&mut self, object: &Object) -> Result<Vec<Object>, String> {
        self.spend(match object {
            Object::Text(text) => text.len(),
            Object::List(place) | Object::Rows(place) => self.memory.items(*place).len(),
            _ => 1,
        })?;
        self.memory.iterate(object)
    }

    fn closure(&mut self, function: Arc<Function>, scope: Option<usize>) -> Object {
        self.memory.closures.push(Closure { function, scope, given: Vec::new(), named: Vec::new() });
        Object::Function(self.memory.closures.len() - 1)
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.calls >= SCRIPT_CALLS_MAX {
            return Err(format!("functions call each other more than {SCRIPT_CALLS_MAX} deep"));
        }
        self.calls += 1;
        let made = run(self);
        self.calls -= 1;
        made
    }

    fn look_up(&mut self, name: &str, scope: usize) -> Result<Object, String> {
        let mut next = Some(scope);
        while let Some(scope) = next.and_then(|place| self.memory.scopes.get(place)) {
            if let Some((_, value)) = scope.names.iter().find(|(known, _)| known == name) {
                return Ok(value.clone());
            }
            next = scope.outer;
        }
        self.global(name)
    }

    fn bind(&mut self, name: &str, value: Object, scope: usize) {
        let Some(scope) = self.memory.scopes.get_mut(scope) else { return };
        match scope.names.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => scope.names.push((name.to_owned(), value)),
        }
    }

    fn scope(&mut self, outer: Option<usize>) -> usize {
        self.memory.scopes.push(Scope { names: Vec::new(), outer });
        self.memory.scopes.len() - 1
    }

    /// Calls something with what it is given.
    pub(super) fn call(
        &mut self,
        called: &Object,
        given: Vec<Object>,
        named: Vec<(String, Object)>,
    ) -> Result<Object, String> {
        self.spend(1)?;
        let place = match called {
            Object::Function(place) => *place,
            Object::Known(path) => return builtins::call(self, path, given, named),
            other => return Err(format!("a {} cannot be called", other.kind())),
        };
        let closure = self.memory.closures.get(place).cloned().ok_or("a function is not there")?;
        let given: Vec<Object> = closure.given.into_iter().chain(given).collect();
        let mut all_named = closure.named;
        all_named.retain(|(name, _)| !named.iter().any(|(new, _)| new == name));
        all_named.extend(named);
        self.deeper(|machine| machine.run(&closure.function, closure.scope, given, all_named))
    }

    /// A function with some of what it is given already.
    pub(super) fn partial(
        &mut self,
        called: &Object,
        given: Vec<Object>,
        named: Vec<(String, Object)>,
    ) -> Result<Object, String> {
        let Object::Function(place) = called else { return Err("partial needs a function of this file".to_owned()) };
        let mut closure = self.memory.closures.get(*place).cloned().ok_or("a function is not there")?;
        closure.given.extend(given);
        closure.named.extend(named);
        self.memory.closures.push(closure);
        Ok(Object::Function(self.memory.closures.len() - 1))
    }

    fn run(
        &mut self,
        function: &Function,
        outer: Option<usize>,
        given: Vec<Object>,
        mut named: Vec<(String, Object)>,
    ) -> Result<Object, String> {
        let name = &function.name;
        if given.len() > function.parameters.len() {
            return Err(format!("'{name}' is given {} values and takes {}", given.len(), function.parameters.len()));
        }
        let scope = self.scope(outer);
        let mut given = given.into_iter();
        for (parameter, usual) in &function.parameters {
            let by_name = named.iter().position(|(known, _)| known == parameter);
            let value = match (given.next(), by_name, usual) {
                (Some(_), Some(_), _) => return Err(format!("'{name}' is given '{parameter}' twice")),
                (Some(value), None, _) => value,
                (None, Some(place), _) => named.swap_remove(place).1,
                (None, None, Some(usual)) => self.evaluate(usual, outer.unwrap_or(0))?,
                (None, None, None) => return Err(format!("'{name}' is not given '{parameter}'")),
            };
            self.bind(parameter, value, scope);
        }
        if let Some((unknown, _)) = named.first() {
            return Err(format!("'{name}' has no parameter '{unknown}'"));
        }
        match self.block(&function.body, scope)? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Object::None),
        }
    }

    fn block(&mut self, statements: &[Statement], scope: usize) -> Result<Flow, String> {
        for statement in statements {
            match self.statement(statement, scope)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement, scope: usize) -> Result<Flow, String> {
        self.spend(1)?;
        match statement {
            Statement::Return(None) => return Ok(Flow::Return(Object::None)),
            Statement::Return(Some(value)) => return self.evaluate(value, scope).map(Flow::Return),
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::If(branches) => {
                for (condition, body) in branches {
                    if self.holds(condition, scope)? {
                        return self.block(body, scope);
                    }
                }
            }
            Statement::For(target, over, body) => return self.each(target, over, body, scope),
            Statement::While(condition, body) => {
                while self.holds(condition, scope)? {
                    match self.block(body, scope)? {
                        Flow::Break => break,
                        Flow::Return(value) => return Ok(Flow::Return(value)),
                        Flow::Next | Flow::Continue => self.spend(1)?,
                    }
                }
            }
            Statement::Assign(targets, value) => {
                let value = self.evaluate(value, scope)?;
                for target in targets {
                    self.assign(target, value.clone(), scope)?;
                }
            }
            Statement::Augment(target, operator, value) => {
                let before = match target {
                    Target::Name(name) => self.look_up(name, scope)?,
                    Target::Item(of, item) => {
                        let (of, item) = (self.evaluate(of, scope)?, self.evaluate(item, scope)?);
                        operators::item(self, &of, &item)?
                    }
                    Target::Several(_) => return Err("several names cannot be changed at once".to_owned()),
                };
                let value = self.evaluate(value, scope)?;
                let after = operators::augmented(self, *operator, &before, &value)?;
                self.assign(target, after, scope)?;
            }
            Statement::Expression(value) => drop(self.evaluate(value, scope)?),
            Statement::Define(function) => {
                let closure = self.closure(Arc::clone(function), Some(scope));
                self.bind(&function.name, closure, scope);
            }
            Statement::Import(names) => {
                for (name, path) in names {
                    let known = builtins::known(path).ok_or_else(|| format!("'{path}' is not there"))?;
                    self.bind(name, known, scope);
                }
            }
            Statement::Assert(condition) => {
                if !self.holds(condition, scope)? {
                    return Err("an assertion does not hold".to_owned());
                }
            }
            Statement::Raise => return Err("it raises an error of its own".to_owned()),
            Statement::Pass => {}
        }
        Ok(Flow::Next)
    }

    fn each(&mut self, target: &Target, over: &Expression, body: &[Statement], scope: usize) -> Result<Flow, String> {
        let over = self.evaluate(over, scope)?;
        for item in self.iterate(&over)? {
            self.spend(1)?;
            self.assign(target, item, scope)?;
            match self.block(body, scope)? {
                Flow::Break => break,
                Flow::Return(value) => return Ok(Flow::Return(value)),
                Flow::Next | Flow::Continue => {}
            }
        }
        Ok(Flow::Next)
    }

    fn assign(&mut self, target: &Target, value: Object, scope: usize) -> Result<(), String> {
        match target {
            Target::Name(name) => {
                self.bind(name, value, scope);
                Ok(())
            }
            Target::Several(targets) => {
                let items = self.iterate(&value)?;
                if items.len() != targets.len() {
                    return Err(format!("{} values cannot be given to {} names", items.len(), targets.len()));
                }
                targets.iter().zip(items).try_for_each(|(target, item)| self.assign(target, item, scope))
            }
            Target::Item(of, item) => {
                let (of, item) = (self.evaluate(of, scope)?, self.evaluate(item, scope)?);
                operators::set_item(self, &of, item, value)
            }
        }
    }

    fn holds(&mut self, condition: &Expression, scope: usize) -> Result<bool, String> {
        let value = self.evaluate(condition, scope)?;
        Ok(self.memory.is_true(&value))
    }

    fn all(&mut self, expressions: &[Expression], scope: usize) -> Result<Vec<Object>, String> {
        expressions.iter().map(|expression| self.evaluate(expression, scope)).collect()
    }

    pub(super) fn evaluate(&mut self, expression: &Expression, scope: usize) -> Result<Object, String> {
        self.spend(1)?;
        match expression {
            Expression::None => Ok(Object::None),
            Expression::Flag(flag) => Ok(Object::Flag(*flag)),
            Expression::Integer(number) => Ok(Object::Integer(*number)),
            Expression::Float(number) => Ok(Object::Float(*number)),
            Expression::Text(string) => Ok(text(string)),
            Expression::Name(name) => self.look_up(name, scope),
            Expression::Formatted(pieces) => self.formatted(pieces, scope),
            Expression::List(items) => {
                let items = self.all(items, scope)?;
                Ok(self.memory.list(items))
            }
            Expression::Tuple(items) => Ok(Object::Tuple(self.all(items, scope)?.into())),
            Expression::Set(items) => {
                let items = self.all(items, scope)?;
                Ok(self.memory.distinct(items))
            }
            Expression::Dictionary(pairs) => self.dictionary(pairs, scope),
            Expression::Comprehension(comprehension) => self.comprehension(comprehension, scope),
            Expression::Not(inner) => Ok(Object::Flag(!self.holds(inner, scope)?)),
            Expression::Minus(inner) => {
                let inner = self.evaluate(inner, scope)?;
                operators::negative(&inner)
            }
            Expression::Chain(first, rest) => {
                let mut value = self.evaluate(first, scope)?;
                for (operator, other) in rest {
                    let other = self.evaluate(other, scope)?;
                    value = operators::binary(self, *operator, &value, &other)?;
                }
                Ok(value)
            }
            Expression::Compare(first, rest) => self.compare(first, rest, scope),
            Expression::And(items) => self.first(items, scope, false),
            Expression::Or(items) => self.first(items, scope, true),
            Expression::Conditional(parts) => {
                let [condition, value, otherwise] = parts.as_ref();
                let chosen = if self.holds(condition, scope)? { value } else { otherwise };
                self.evaluate(chosen, scope)
            }
            Expression::Lambda(function) => Ok(self.closure(Arc::clone(function), Some(scope))),
            Expression::Attribute(..) => self.attribute(expression, scope),
            Expression::Item(of, item) => {
                let (of, item) = (self.evaluate(of, scope)?, self.evaluate(item, scope)?);
                operators::item(self, &of, &item)
            }
            Expression::Slice(of, parts) => self.slice(of, parts, scope),
            Expression::Call(called, given, named) => self.called(called, given, named, scope),
        }
    }

    /// The first item that is true, or that is not; else the last.
    fn first(&mut self, items: &[Expression], scope: usize, truth: bool) -> Result<Object, String> {
        let mut value = Object::None;
        for item in items {
            value = self.evaluate(item, scope)?;
            if self.memory.is_true(&value) == truth {
                break;
            }
        }
        Ok(value)
    }

    fn dictionary(&mut self, pairs: &[(Expression, Expression)], scope: usize) -> Result<Object, String> {
        let made = self.memory.dictionary(Vec::new());
        let Object::Dictionary(place) = made else { return Ok(made) };
        for (key, value) in pairs {
            let (key, value) = (self.evaluate(key, scope)?, self.evaluate(value, scope)?);
            self.memory.set(place, key, value)?;
        }
        Ok(made)
    }

    fn slice(&mut self, of: &Expression, parts: &[Option<Expression>; 3], scope: usize) -> Result<Object, String> {
        let of = self.evaluate(of, scope)?;
        let mut numbers = [None; 3];
        for (number, part) in numbers.iter_mut().zip(parts) {
            if let Some(part) = part {
                let value = self.evaluate(part, scope)?;
                if !matches!(value, Object::None) {
                    *number = Some(value.as_integer().ok_or("a slice needs whole numbers")?);
                }
            }
        }
        operators::slice(self, &of, numbers)
    }

    fn formatted(&mut self, pieces: &[Piece], scope: usize) -> Result<Object, String> {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value { value, quoted, digits } => {
                    let value = self.evaluate(value, scope)?;
                    let written = match (digits, quoted) {
                        (Some(digits), _) => {
                            let number = value.as_float().ok_or("only a number has digits behind the point")?;
                            format!("{number:.digits$}")
                        }
                        (None, true) => self.memory.repr(&value)?,
                        (None, false) => self.memory.text(&value)?,
                    };
                    out.push_str(&written);
                }
            }
        }
        self.made(&out)
    }

    fn compare(
        &mut self,
        first: &Expression,
        rest: &[(Comparison, Expression)],
        scope: usize,
    ) -> Result<Object, String> {
        let mut left = self.evaluate(first, scope)?;
        for (comparison, right) in rest {
            let right = self.evaluate(right, scope)?;
            if !operators::compare(self, *comparison, &left, &right)? {
                return Ok(Object::Flag(false));
            }
            left = right;
        }
        Ok(Object::Flag(true))
    }

    fn comprehension(&mut self, comprehension: &Comprehension, scope: usize) -> Result<Object, String> {
        let scope = self.scope(Some(scope));
        let (mut items, mut pairs) = (Vec::new(), Vec::new());
        self.clauses(&comprehension.clauses, scope, &mut |machine: &mut Self| {
            let item = machine.evaluate(&comprehension.item, scope)?;
            match &comprehension.value {
                Some(value) => pairs.push((item, machine.evaluate(value, scope)?)),
                None => items.push(item),
            }
            Ok(())
        })?;
        match comprehension.made {
            Made::List => Ok(self.memory.list(items)),
            Made::Set => Ok(self.memory.distinct(items)),
            Made::Dictionary => {
                let made = self.memory.dictionary(Vec::new());
                let Object::Dictionary(place) = made else { return Ok(made) };
                pairs.into_iter().try_for_each(|(key, value)| self.memory.set(place, key, value))?;
                Ok(made)
            }
        }
    }

    fn clauses(
        &mut self,
        clauses: &[Clause],
        scope: usize,
        each: &mut dyn FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some((clause, others)) = clauses.split_first() else { return each(self) };
        let over = self.evaluate(&clause.over, scope)?;
        'items: for item in self.iterate(&over)? {
            self.spend(1)?;
            self.assign(&clause.target, item, scope)?;
            for condition in &clause.conditions {
                if !self.holds(condition, scope)? {
                    continue 'items;
                }
            }
            self.clauses(others, scope, each)?;
        }
        Ok(())
    }

    /// The path of what stands for something of a module, unless a name of a function hides it.
    fn path(&self, expression: &Expression, scope: usize) -> Option<String> {
        dotted(expression, &|name| {
            let mut next = Some(scope);
            while let Some(scope) = next.and_then(|place| self.memory.scopes.get(place)) {
                if let Some((_, value)) = scope.names.iter().find(|(known, _)| known == name) {
                    return if let Object::Known(path) = value { Some((*path).to_owned()) } else { None };
                }
                next = scope.outer;
            }
            match self.program.global(name) {
                Some(Global::Module(path)) => Some(path.clone()),
                _ => None,
            }
        })
    }

    fn attribute(&mut self, expression: &Expression, scope: usize) -> Result<Object, String> {
        let path = self.path(expression, scope).ok_or("attributes of values are not understood")?;
        if let Some(constant) = builtins::constant(&path) {
            return Ok(text(constant));
        }
        builtins::known(&path).ok_or_else(|| format!("'{path}' is not there"))
    }

    fn called(
        &mut self,
        called: &Expression,
        given: &[Expression],
        named: &[(String, Expression)],
        scope: usize,
    ) -> Result<Object, String> {
        let method = match called {
            Expression::Attribute(of, name) if self.path(called, scope).is_none() => {
                Some((self.evaluate(of, scope)?, name))
            }
            _ => None,
        };
        let function = if method.is_none() { self.evaluate(called, scope)? } else { Object::None };
        let given = self.all(given, scope)?;
        let mut by_name = Vec::with_capacity(named.len());
        for (name, value) in named {
            by_name.push((name.clone(), self.evaluate(value, scope)?));
        }
        match method {
            Some((of, name)) => methods::call(self, &of, name, given, by_name),
            None => self.call(&function, given, by_name),
        }
    }
}
