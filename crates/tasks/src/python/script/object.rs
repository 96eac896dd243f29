//! The values that a script computes with. Lists and dictionaries lie in the memory of the machine, and a value is the
//! place of one, because two names may stand for the same list.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Number, Value, json};

use super::tree::{Expression, Function};
use crate::python::literal;

/// How deep values may lie in each other where they are looked at as a whole.
const DEPTH_MAX: usize = 24;

#[derive(Debug, Clone)]
pub(super) enum Object {
    None,
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(Rc<str>),
    List(usize),
    Tuple(Rc<[Object]>),
    /// Without an order; each item once.
    Set(Rc<[Object]>),
    Dictionary(usize),
    Function(usize),
    /// Something of Python's own, by its path: `re.sub`.
    Known(&'static str),
    /// The rows of a dataset: the place of their list.
    Rows(usize),
    /// A match of a regular expression: its groups, and the first is the whole.
    Match(Rc<[Option<String>]>),
    /// A compiled regular expression.
    Pattern(Rc<str>),
}

/// A function with what it was given before it is called.
#[derive(Debug, Clone)]
pub(super) struct Closure {
    pub(super) function: Arc<Function>,
    /// The scope that it was defined in.
    pub(super) scope: Option<usize>,
    pub(super) given: Vec<Object>,
    pub(super) named: Vec<(String, Object)>,
}

/// The names of a function that runs, and those around it.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) names: Vec<(String, Object)>,
    pub(super) outer: Option<usize>,
}

/// Where lists, dictionaries, functions and scopes lie until the machine is done.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) lists: Vec<Vec<Object>>,
    pub(super) dictionaries: Vec<Vec<(Object, Object)>>,
    pub(super) closures: Vec<Closure>,
    pub(super) scopes: Vec<Scope>,
}

pub(super) fn text(text: &str) -> Object {
    Object::Text(text.into())
}

impl Object {
    /// What Python calls its kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Flag(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::Dictionary(_) => "dict",
            Self::Function(_) | Self::Known(_) => "function",
            Self::Rows(_) => "Dataset",
            Self::Match(_) => "Match",
            Self::Pattern(_) => "Pattern",
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A whole number; a boolean is one, too.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Flag(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }

    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.as_integer().map(|number| number as f64),
        }
    }
}

impl Memory {
    pub(super) fn list(&mut self, items: Vec<Object>) -> Object {
        self.lists.push(items);
        Object::List(self.lists.len() - 1)
    }

    pub(super) fn dictionary(&mut self, pairs: Vec<(Object, Object)>) -> Object {
        self.dictionaries.push(pairs);
        Object::Dictionary(self.dictionaries.len() - 1)
    }

    pub(super) fn items(&self, place: usize) -> &[Object] {
        self.lists.get(place).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pairs(&self, place: usize) -> &[(Object, Object)] {
        self.dictionaries.get(place).map_or(&[], Vec::as_slice)
    }

    pub(super) fn read(&mut self, value: &Value) -> Object {
        match value {
            Value::Null => Object::None,
            Value::Bool(flag) => Object::Flag(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Object::Integer(whole),
                None => Object::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(string) => text(string),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.read(item)).collect();
                self.list(items)
            }
            Value::Object(fields) => {
                let pairs = fields.iter().map(|(name, value)| (text(name), self.read(value))).collect();
                self.dictionary(pairs)
            }
        }
    }

    /// The value as JSON; a tuple is a list there.
    pub(super) fn write(&self, object: &Object) -> Result<Value, String> {
        self.written(object, 0)
    }

    fn written(&self, object: &Object, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err("a value is nested too deep".to_owned());
        }
        let all = |items: &[Object]| items.iter().map(|item| self.written(item, depth + 1)).collect();
        match object {
            Object::None => Ok(Value::Null),
            Object::Flag(flag) => Ok(json!(flag)),
            Object::Integer(number) => Ok(json!(number)),
            Object::Float(number) => {
                Number::from_f64(*number).map(Value::Number).ok_or_else(|| "a number is not finite".to_owned())
            }
            Object::Text(text) => Ok(json!(&**text)),
            Object::List(place) => all(self.items(*place)),
            Object::Tuple(items) => all(items),
            Object::Dictionary(place) => {
                let mut fields = Map::new();
                for (key, value) in self.pairs(*place) {
                    let key = key.as_text().ok_or("a dictionary has a key that is no text")?;
                    fields.insert(key.to_owned(), self.written(value, depth + 1)?);
                }
                Ok(Value::Object(fields))
            }
            other => Err(format!("a {} is no value", other.kind())),
        }
    }

    /// As `str(object)`.
    pub(super) fn text(&self, object: &Object) -> Result<String, String> {
        match object {
            Object::Text(text) => Ok(text.to_string()),
            other => self.quoted(other, 0),
        }
    }

    /// As `repr(object)`.
    pub(super) fn repr(&self, object: &Object) -> Result<String, String> {
        self.quoted(object, 0)
    }

    fn quoted(&self, object: &Object, depth: usize) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err("a value is nested too deep".to_owned());
        }
        let all = |items: &[Object]| {
            let items = items.iter().map(|item| self.quoted(item, depth + 1));
            items.collect::<Result<Vec<_>, _>>().map(|items| items.join(", "))
        };
        match object {
            Object::Float(number) => Ok(literal::repr_float(*number)),
            Object::List(place) => Ok(format!("[{}]", all(self.items(*place))?)),
            Object::Tuple(items) if items.len() == 1 => Ok(format!("({},)", all(items)?)),
            Object::Tuple(items) => Ok(format!("({})", all(items)?)),
            Object::Dictionary(place) => {
                let pair = |(key, value): &(Object, Object)| {
                    Ok(format!("{}: {}", self.quoted(key, depth + 1)?, self.quoted(value, depth + 1)?))
                };
                let pairs: Vec<String> = self.pairs(*place).iter().map(pair).collect::<Result<_, String>>()?;
                Ok(format!("{{{}}}", pairs.join(", ")))
            }
            simple => self.written(simple, depth).map(|value| literal::repr(&value)),
        }
    }

    pub(super) fn is_true(&self, object: &Object) -> bool {
        match object {
            Object::None => false,
            Object::Flag(flag) => *flag,
            Object::Integer(number) => *number != 0,
            Object::Float(number) => *number != 0.0,
            Object::Text(text) => !text.is_empty(),
            Object::List(place) | Object::Rows(place) => !self.items(*place).is_empty(),
            Object::Tuple(items) | Object::Set(items) => !items.is_empty(),
            Object::Dictionary(place) => !self.pairs(*place).is_empty(),
            Object::Function(_) | Object::Known(_) | Object::Match(_) | Object::Pattern(_) => true,
        }
    }

    pub(super) fn equal(&self, one: &Object, other: &Object) -> bool {
        self.same(one, other, 0)
    }

    fn same(&self, one: &Object, other: &Object, depth: usize) -> bool {
        let all = |ones: &[Object], others: &[Object]| {
            ones.len() == others.len()
                && depth < DEPTH_MAX
                && ones.iter().zip(others).all(|(one, other)| self.same(one, other, depth + 1))
        };
        match (one, other) {
            (Object::None, Object::None) => true,
            (Object::Text(one), Object::Text(other)) => one == other,
            (Object::List(one), Object::List(other)) => one == other || all(self.items(*one), self.items(*other)),
            (Object::Tuple(one), Object::Tuple(other)) => all(one, other),
            (Object::Set(one), Object::Set(other)) => {
                let within = |item: &Object| other.iter().any(|known| self.same(item, known, depth + 1));
                one.len() == other.len() && depth < DEPTH_MAX && one.iter().all(within)
            }
            (Object::Dictionary(one), Object::Dictionary(other)) => {
                let (one, other) = (self.pairs(*one), self.pairs(*other));
                let within = |(key, value): &(Object, Object)| {
                    other
                        .iter()
                        .any(|(known, held)| self.same(key, known, depth + 1) && self.same(value, held, depth + 1))
                };
                one.len() == other.len() && depth < DEPTH_MAX && one.iter().all(within)
            }
            (Object::Known(one), Object::Known(other)) => one == other,
            (Object::Function(one), Object::Function(other)) => one == other,
            _ => match (one.as_integer(), other.as_integer()) {
                (Some(one), Some(other)) => one == other,
                _ => one.as_float().is_some_and(|one| other.as_float() == Some(one)),
            },
        }
    }

    /// Which comes first, for what has an order.
    pub(super) fn order(&self, one: &Object, other: &Object) -> Result<Ordering, String> {
        let none = || format!("a {} and a {} have no order", one.kind(), other.kind());
        match (one, other) {
            (Object::Text(one), Object::Text(other)) => Ok(one.cmp(other)),
            (Object::List(one), Object::List(other)) => self.rows_order(self.items(*one), self.items(*other)),
            (Object::Tuple(one), Object::Tuple(other)) => self.rows_order(one, other),
            _ => match (one.as_integer(), other.as_integer()) {
                (Some(one), Some(other)) => Ok(one.cmp(&other)),
                _ => match (one.as_float(), other.as_float()) {
                    (Some(one), Some(other)) => one.partial_cmp(&other).ok_or_else(none),
                    _ => Err(none()),
                },
            },
        }
    }

    fn rows_order(&self, ones: &[Object], others: &[Object]) -> Result<Ordering, String> {
        for (one, other) in ones.iter().zip(others) {
            let nested = |object: &Object| matches!(object, Object::List(_) | Object::Tuple(_));
            if nested(one) || nested(other) {
                return Err("lists of lists have no order here".to_owned());
            }
            if !self.equal(one, other) {
                return self.order(one, other);
            }
        }
        Ok(ones.len().cmp(&others.len()))
    }

    /// The value of a key.
    pub(super) fn get(&self, place: usize, key: &Object) -> Option<Object> {
        self.pairs(place).iter().find(|(known, _)| self.equal(known, key)).map(|(_, value)| value.clone())
    }

    /// Gives a key a value.
    pub(super) fn set(&mut self, place: usize, key: Object, value: Object) -> Result<(), String> {
        if matches!(key, Object::List(_) | Object::Dictionary(_) | Object::Set(_)) {
            return Err(format!("a {} cannot be a key", key.kind()));
        }
        let known = self.pairs(place).iter().position(|(known, _)| self.equal(known, &key));
        let Some(pairs) = self.dictionaries.get_mut(place) else { return Ok(()) };
        match known.and_then(|known| pairs.get_mut(known)) {
            Some(pair) => pair.1 = value,
            None => pairs.push((key, value)),
        }
        Ok(())
    }

    /// The items that a loop goes through.
    pub(super) fn iterate(&self, object: &Object) -> Result<Vec<Object>, String> {
        match object {
            Object::List(place) | Object::Rows(place) => Ok(self.items(*place).to_vec()),
            Object::Tuple(items) => Ok(items.to_vec()),
            Object::Dictionary(place) => Ok(self.pairs(*place).iter().map(|(key, _)| key.clone()).collect()),
            Object::Text(string) => {
                let mut buffer = [0; 4];
                Ok(string.chars().map(|letter| text(letter.encode_utf8(&mut buffer))).collect())
            }
            Object::Set(_) => Err("a set has no order to go through it".to_owned()),
            other => Err(format!("a {} cannot be gone through", other.kind())),
        }
    }

    /// The items without those that came before.
    pub(super) fn distinct(&self, items: Vec<Object>) -> Object {
        let mut kept: Vec<Object> = Vec::new();
        for item in items {
            if !kept.iter().any(|known| self.equal(known, &item)) {
                kept.push(item);
            }
        }
        Object::Set(kept.into())
    }
}

/// The path of a name with attributes behind it, as `re.sub`, if the name stands for something of a module.
pub(super) fn dotted(expression: &Expression, module: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    match expression {
        Expression::Name(name) => module(name),
        Expression::Attribute(of, name) => dotted(of, module).map(|path| format!("{path}.{name}")),
        _ => None,
    }
}
