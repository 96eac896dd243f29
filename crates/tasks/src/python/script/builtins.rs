//! What Python has by itself, and the few functions of its modules that are understood.

use fancy_regex::Regex;
use serde_json::Value;

use super::machine::Machine;
use super::object::{Object, text};
use super::operators;
use crate::limits::{REGEX_MATCHES_MAX, SCRIPT_STEPS_MAX};
use crate::python::literal;
use crate::python::regex::{Found, compiled, escaped, find_all, substituted};

/// Everything that is understood, by its path.
const KNOWN: [&str; 63] = [
    "len",
    "str",
    "int",
    "float",
    "bool",
    "list",
    "dict",
    "tuple",
    "set",
    "range",
    "enumerate",
    "zip",
    "sorted",
    "reversed",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "map",
    "filter",
    "isinstance",
    "ord",
    "chr",
    "abs",
    "print",
    "repr",
    "re",
    "re.sub",
    "re.findall",
    "re.split",
    "re.search",
    "re.match",
    "re.fullmatch",
    "re.compile",
    "re.escape",
    "re.IGNORECASE",
    "re.I",
    "re.DOTALL",
    "re.S",
    "re.MULTILINE",
    "re.M",
    "re.UNICODE",
    "re.U",
    "ast",
    "ast.literal_eval",
    "json",
    "json.loads",
    "string",
    "functools",
    "functools.partial",
    "datasets",
    "datasets.Dataset",
    "datasets.Dataset.from_list",
    "logging",
    "logging.getLogger",
    "logger",
    "logger.info",
    "logger.warning",
    "logger.debug",
    "copy",
    "copy.deepcopy",
    "__name__",
];

/// What stands under a path, if it is understood.
pub(super) fn known(path: &str) -> Option<Object> {
    if let Some(constant) = constant(path) {
        return Some(text(constant));
    }
    KNOWN.iter().find(|known| **known == path).map(|known| Object::Known(known))
}

/// A name that Python has by itself.
pub(super) fn known_name(name: &str) -> Option<&'static str> {
    KNOWN.into_iter().find(|known| *known == name)
}

/// Texts of the module `string`.
pub(super) fn constant(path: &str) -> Option<&'static str> {
    Some(match path {
        "string.ascii_lowercase" => "abcdefghijklmnopqrstuvwxyz",
        "string.ascii_uppercase" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "string.ascii_letters" => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "string.digits" => "0123456789",
        "string.punctuation" => "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        _ => return None,
    })
}

/// What a function was given, taken one by one.
pub(super) struct Given<'a> {
    name: &'a str,
    given: std::vec::IntoIter<Object>,
    named: Vec<(String, Object)>,
}

impl<'a> Given<'a> {
    pub(super) fn new(name: &'a str, given: Vec<Object>, named: Vec<(String, Object)>) -> Self {
        Self { name, given: given.into_iter(), named }
    }

    /// The next by its place or its name.
    pub(super) fn optional(&mut self, name: &str) -> Option<Object> {
        if let Some(next) = self.given.next() {
            return Some(next);
        }
        let place = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.swap_remove(place).1)
    }

    /// Puts something before all that is given.
    pub(super) fn put_first(&mut self, first: Object) {
        let rest: Vec<Object> = self.given.by_ref().collect();
        self.given = [vec![first], rest].concat().into_iter();
    }

    /// One that has only a name.
    pub(super) fn named(&mut self, name: &str) -> Option<Object> {
        let place = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.swap_remove(place).1)
    }

    pub(super) fn one(&mut self, name: &str) -> Result<Object, String> {
        self.optional(name).ok_or_else(|| format!("'{}' is not given '{name}'", self.name))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, String> {
        let value = self.one(name)?;
        let kind = value.kind();
        value.as_text().map(str::to_owned).ok_or_else(|| format!("'{}' needs a text and is given a {kind}", self.name))
    }

    /// A whole number, if it is given.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, String> {
        match self.optional(name) {
            None | Some(Object::None) => Ok(None),
            Some(value) => value.as_integer().map(Some).ok_or_else(|| format!("'{}' needs a whole number", self.name)),
        }
    }

    /// Fails if something is left.
    pub(super) fn finish(mut self) -> Result<(), String> {
        match (self.given.next(), self.named.first()) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(format!("'{}' is given too much", self.name)),
            (None, Some((name, _))) => Err(format!("'{}' does not understand '{name}' here", self.name)),
        }
    }
}

pub(super) fn call(
    machine: &mut Machine,
    path: &str,
    given: Vec<Object>,
    named: Vec<(String, Object)>,
) -> Result<Object, String> {
    if path == "functools.partial" {
        let mut given = given.into_iter();
        let function = given.next().ok_or("partial needs a function")?;
        return machine.partial(&function, given.collect(), named);
    }
    if path == "print" || path.starts_with("logger.") {
        return Ok(Object::None);
    }
    let mut given = Given::new(path, given, named);
    let value = match path {
        "dict" => return dictionary(machine, given),
        "min" | "max" => return extreme(machine, path, given),
        "zip" => return zip(machine, given),
        "logging.getLogger" => return Ok(Object::Known("logger")),
        _ if path.starts_with("re.") => of_texts(machine, path, &mut given)?,
        "enumerate" | "sorted" | "sum" | "map" | "filter" | "range" => of_several(machine, path, &mut given)?,
        _ => of_one(machine, path, &mut given)?,
    };
    given.finish()?;
    Ok(value)
}

/// Functions of one value.
fn of_one(machine: &mut Machine, path: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let value = match (path, given.optional("object")) {
        (_, Some(value)) => value,
        ("list", None) => return Ok(machine.memory.list(Vec::new())),
        ("tuple", None) => return Ok(Object::Tuple(Vec::new().into())),
        ("set", None) => return Ok(Object::Set(Vec::new().into())),
        ("str", None) => return Ok(text("")),
        (_, None) => return Err(format!("'{path}' is given nothing")),
    };
    match path {
        "len" => length(machine, &value),
        "str" => {
            let made = machine.memory.text(&value)?;
            machine.made(&made)
        }
        "repr" => {
            let made = machine.memory.repr(&value)?;
            machine.made(&made)
        }
        "int" => operators::integer(&value),
        "float" => operators::float(&value),
        "bool" => Ok(Object::Flag(machine.memory.is_true(&value))),
        "isinstance" => {
            let kinds = given.one("class")?;
            is_instance(&value, &kinds).map(Object::Flag)
        }
        "ord" => {
            let mut letters = value.as_text().ok_or("'ord' needs a letter")?.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => Ok(Object::Integer(i64::from(u32::from(letter)))),
                _ => Err("'ord' needs one letter".to_owned()),
            }
        }
        "chr" => {
            let code = value.as_integer().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
            code.map(|letter| text(letter.encode_utf8(&mut [0; 4]))).ok_or_else(|| "'chr' needs a code".to_owned())
        }
        "abs" => match value {
            Object::Float(number) => Ok(Object::Float(number.abs())),
            other => {
                other.as_integer().and_then(i64::checked_abs).map(Object::Integer).ok_or("'abs' needs a number".into())
            }
        },
        "ast.literal_eval" => {
            let written =
                value.as_text().ok_or_else(|| format!("'{path}' needs a text and is given a {}", value.kind()))?;
            let read = literal::evaluate(written).ok_or_else(|| format!("{path}: the text is no literal"))?;
            Ok(machine.memory.read(&read))
        }
        "json.loads" => {
            let written =
                value.as_text().ok_or_else(|| format!("'{path}' needs a text and is given a {}", value.kind()))?;
            let read: Value = serde_json::from_str(written).map_err(|error| format!("{path}: {error}"))?;
            Ok(machine.memory.read(&read))
        }
        "copy.deepcopy" => {
            let written = machine.memory.write(&value)?;
            Ok(machine.memory.read(&written))
        }
        "datasets.Dataset.from_list" => match value {
            Object::List(place) => Ok(Object::Rows(place)),
            _ => Err("a dataset is made of a list".to_owned()),
        },
        _ => of_items(machine, path, &value),
    }
}

/// Functions of the items of one value.
fn of_items(machine: &mut Machine, path: &str, value: &Object) -> Result<Object, String> {
    match path {
        "list" => {
            let items = machine.iterate(value)?;
            machine.spend(items.len())?;
            Ok(machine.memory.list(items))
        }
        "tuple" => Ok(Object::Tuple(machine.iterate(value)?.into())),
        "set" => {
            let items = machine.iterate(value)?;
            machine.spend(items.len())?;
            Ok(machine.memory.distinct(items))
        }
        "reversed" => {
            let mut items = machine.iterate(value)?;
            machine.spend(items.len())?;
            items.reverse();
            Ok(machine.memory.list(items))
        }
        "any" | "all" => {
            let items = machine.iterate(value)?;
            let is_true = |item: &Object| machine.memory.is_true(item);
            Ok(Object::Flag(if path == "any" { items.iter().any(is_true) } else { items.iter().all(is_true) }))
        }
        other => Err(format!("'{other}' cannot be called here")),
    }
}

fn length(machine: &Machine, value: &Object) -> Result<Object, String> {
    let memory = &machine.memory;
    let length = match value {
        Object::Text(text) => text.chars().count(),
        Object::List(place) | Object::Rows(place) => memory.items(*place).len(),
        Object::Tuple(items) | Object::Set(items) => items.len(),
        Object::Dictionary(place) => memory.pairs(*place).len(),
        other => return Err(format!("a {} has no length", other.kind())),
    };
    Ok(Object::Integer(length as i64))
}

fn is_instance(value: &Object, kinds: &Object) -> Result<bool, String> {
    match kinds {
        Object::Tuple(kinds) => kinds.iter().try_fold(false, |found, kind| Ok(found || is_instance(value, kind)?)),
        Object::Known(kind @ ("str" | "int" | "float" | "bool" | "list" | "dict" | "tuple" | "set")) => {
            Ok(value.kind() == *kind || *kind == "int" && value.kind() == "bool")
        }
        _ => Err("'isinstance' needs a kind that is understood".to_owned()),
    }
}

fn dictionary(machine: &mut Machine, mut given: Given<'_>) -> Result<Object, String> {
    let named = std::mem::take(&mut given.named);
    let made = machine.memory.dictionary(Vec::new());
    let Object::Dictionary(place) = made else { return Ok(made) };
    for (key, value) in match given.optional("mapping") {
        None => Vec::new(),
        Some(Object::Dictionary(from)) => machine.memory.pairs(from).to_vec(),
        Some(pairs) => {
            let mut read = Vec::new();
            for pair in machine.iterate(&pairs)? {
                match machine.iterate(&pair)?.as_slice() {
                    [key, value] => read.push((key.clone(), value.clone())),
                    _ => return Err("'dict' needs pairs".to_owned()),
                }
            }
            read
        }
    } {
        machine.memory.set(place, key, value)?;
    }
    given.finish()?;
    named.into_iter().try_for_each(|(name, value)| machine.memory.set(place, text(&name), value))?;
    Ok(made)
}

/// `min` and `max`: of several values, or of the items of one. Of equals the first.
fn extreme(machine: &mut Machine, path: &str, mut given: Given<'_>) -> Result<Object, String> {
    let key = given.named("key");
    let first = given.one("values")?;
    let others: Vec<Object> = given.given.by_ref().collect();
    given.finish()?;
    let items = if others.is_empty() {
        match &first {
            Object::Set(items) => items.to_vec(),
            other => machine.iterate(other)?,
        }
    } else {
        [vec![first], others].concat()
    };
    let keyed = keyed(machine, items, key.as_ref())?;
    let mut best: Option<(Object, Object)> = None;
    for (key, item) in keyed {
        let better = match &best {
            None => true,
            Some((known, _)) => {
                let order = machine.memory.order(&key, known)?;
                if path == "min" { order.is_lt() } else { order.is_gt() }
            }
        };
        if better {
            best = Some((key, item));
        }
    }
    best.map(|(_, item)| item).ok_or_else(|| format!("'{path}' is given nothing"))
}

/// Each item behind what it is ordered by.
pub(super) fn keyed(
    machine: &mut Machine,
    items: Vec<Object>,
    key: Option<&Object>,
) -> Result<Vec<(Object, Object)>, String> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        machine.spend(1)?;
        let by = match key {
            None | Some(Object::None) => item.clone(),
            Some(key) => machine.call(key, vec![item.clone()], Vec::new())?,
        };
        all.push((by, item));
    }
    Ok(all)
}

/// The items in their order; those of one rank stay as they were.
pub(super) fn sorted(
    machine: &mut Machine,
    items: Vec<Object>,
    key: Option<&Object>,
    reverse: bool,
) -> Result<Vec<Object>, String> {
    let mut ordered: Vec<(Object, Object)> = Vec::with_capacity(items.len());
    for (by, item) in keyed(machine, items, key)? {
        // Behind all that are not behind it. Found by halves and not by the library's sort, because two may have no order.
        let (mut low, mut high) = (0, ordered.len());
        while low < high {
            machine.spend(1)?;
            let middle = usize::midpoint(low, high);
            let Some((known, _)) = ordered.get(middle) else { break };
            let order = machine.memory.order(&by, known)?;
            if if reverse { order.is_gt() } else { order.is_lt() } { high = middle } else { low = middle + 1 }
        }
        ordered.insert(low, (by, item));
    }
    Ok(ordered.into_iter().map(|(_, item)| item).collect())
}

fn zip(machine: &mut Machine, given: Given<'_>) -> Result<Object, String> {
    let Given { given, mut named, .. } = given;
    named.retain(|(name, value)| !(name == "strict" && matches!(value, Object::Flag(false))));
    if let Some((name, _)) = named.first() {
        return Err(format!("'zip' does not understand '{name}' here"));
    }
    let rows = given.map(|row| machine.iterate(&row)).collect::<Result<Vec<_>, _>>()?;
    let count = rows.iter().map(Vec::len).min().unwrap_or_default();
    machine.spend(count.saturating_mul(rows.len()))?;
    let row = |place: usize| Object::Tuple(rows.iter().filter_map(|row| row.get(place).cloned()).collect());
    let items = (0..count).map(row).collect();
    Ok(machine.memory.list(items))
}

/// Functions of the items of something.
fn of_several(machine: &mut Machine, path: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let first = given.one("iterable")?;
    if path == "range" {
        return range(machine, &first, given);
    }
    if matches!(path, "map" | "filter") {
        let over = given.one("iterable")?;
        let mut made = Vec::new();
        for item in machine.iterate(&over)? {
            let result = machine.call(&first, vec![item.clone()], Vec::new())?;
            match path {
                "map" => made.push(result),
                _ if machine.memory.is_true(&result) => made.push(item),
                _ => {}
            }
        }
        return Ok(machine.memory.list(made));
    }
    let items = match (&first, path) {
        (Object::Set(items), "sorted" | "sum") => items.to_vec(),
        _ => machine.iterate(&first)?,
    };
    machine.spend(items.len())?;
    match path {
        "enumerate" => {
            let start = given.integer("start")?.unwrap_or_default();
            let pair =
                |(place, item)| Object::Tuple([Object::Integer(start.saturating_add(place as i64)), item].into());
            let pairs = items.into_iter().enumerate().map(pair).collect();
            Ok(machine.memory.list(pairs))
        }
        "sorted" => {
            let (key, reverse) = (given.named("key"), given.named("reverse"));
            let reverse = reverse.is_some_and(|reverse| machine.memory.is_true(&reverse));
            let items = sorted(machine, items, key.as_ref(), reverse)?;
            Ok(machine.memory.list(items))
        }
        _ => {
            let start = given.optional("start").unwrap_or(Object::Integer(0));
            items.iter().try_fold(start, |sum, item| operators::binary(machine, super::tree::Operator::Add, &sum, item))
        }
    }
}

fn range(machine: &mut Machine, first: &Object, given: &mut Given<'_>) -> Result<Object, String> {
    let first = first.as_integer().ok_or("'range' needs whole numbers")?;
    let second = given.integer("stop")?;
    let step = given.integer("step")?.unwrap_or(1);
    let (start, end) = second.map_or((0, first), |end| (first, end));
    if step == 0 {
        return Err("'range' has the step 0".to_owned());
    }
    let most = SCRIPT_STEPS_MAX as i64;
    let count = if (step > 0) == (end > start) && end != start {
        end.abs_diff(start).div_ceil(step.unsigned_abs()).min(SCRIPT_STEPS_MAX + 1)
    } else {
        0
    };
    machine.spend(usize::try_from(count).unwrap_or(usize::MAX).min(most as usize + 1))?;
    let number = |place: u64| Object::Integer(start.saturating_add(step.saturating_mul(place as i64)));
    let numbers = (0..count).map(number).collect();
    Ok(machine.memory.list(numbers))
}

/// The expression behind a text or a compiled one, with what its flags say before it.
fn expression(pattern: &Object, flags: Option<&Object>, whole: (&str, &str)) -> Result<Regex, String> {
    let source = match pattern {
        Object::Text(source) | Object::Pattern(source) => source,
        other => return Err(format!("a {} is no regular expression", other.kind())),
    };
    let flag = flag(flags)?;
    compiled("regular expression", &format!("{flag}{}{source}{}", whole.0, whole.1)).map_err(|error| error.to_string())
}

fn flag(flags: Option<&Object>) -> Result<&'static str, String> {
    Ok(match flags {
        None | Some(Object::Integer(0) | Object::Known("re.UNICODE" | "re.U")) => "",
        Some(Object::Known("re.IGNORECASE" | "re.I")) => "(?i)",
        Some(Object::Known("re.DOTALL" | "re.S")) => "(?s)",
        Some(Object::Known("re.MULTILINE" | "re.M")) => "(?m)",
        Some(_) => return Err("the flags of a regular expression are not understood".to_owned()),
    })
}

/// The functions of the module `re`.
pub(super) fn of_texts(machine: &mut Machine, path: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let pattern = given.one("pattern")?;
    machine.spend(16)?;
    match path {
        "re.escape" => {
            let written = pattern.as_text().ok_or("'re.escape' needs a text")?;
            return machine.made(&escaped(written));
        }
        "re.compile" => {
            let flags = given.optional("flags");
            let source = pattern.as_text().ok_or("'re.compile' needs a text")?;
            expression(&pattern, flags.as_ref(), ("", ""))?;
            return Ok(Object::Pattern(format!("{}{source}", flag(flags.as_ref())?).into()));
        }
        _ => {}
    }
    let replacement = if path == "re.sub" { Some(given.text("repl")?) } else { None };
    if replacement.as_ref().is_some_and(|replacement| replacement.contains(r"\g<")) {
        return Err("groups by their names are not understood in a replacement".to_owned());
    }
    let string = given.text("string")?;
    machine.spend(string.len() / 64)?;
    let count = match path {
        "re.sub" => given.integer("count")?.unwrap_or_default(),
        "re.split" => given.integer("maxsplit")?.unwrap_or_default(),
        _ => 0,
    };
    let flags = given.optional("flags");
    let whole = match path {
        "re.match" => (r"\A(?:", ")"),
        "re.fullmatch" => (r"\A(?:", r")\Z"),
        _ => ("", ""),
    };
    let regex = expression(&pattern, flags.as_ref(), whole)?;
    let most = usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
    if matches!(path, "re.sub" | "re.findall" | "re.split") {
        within_matches(&regex, &string)?;
    }
    match path {
        "re.sub" => {
            let replaced = substituted(&regex, &string, &replacement.unwrap_or_default(), most);
            machine.made(&replaced)
        }
        "re.findall" => {
            let found = find_all(&regex, &string, usize::MAX).into_iter().map(|found| match found {
                Found::One(one) => text(&one),
                Found::Groups(groups) => Object::Tuple(groups.iter().map(|group| text(group)).collect()),
            });
            let found: Vec<Object> = found.collect();
            machine.spend(found.len())?;
            Ok(machine.memory.list(found))
        }
        "re.split" => split(machine, &regex, &string, most),
        _ => {
            let captures = regex.captures(&string).map_err(|error| error.to_string())?;
            Ok(captures.map_or(Object::None, |captures| {
                let groups = captures.iter().map(|group| group.map(|group| group.as_str().to_owned()));
                Object::Match(groups.collect())
            }))
        }
    }
}

/// Fails if there are more matches than are looked at, which would pass over the others, or if looking takes too long.
fn within_matches(regex: &Regex, string: &str) -> Result<(), String> {
    let mut count = 0;
    for found in regex.find_iter(string) {
        found.map_err(|error| error.to_string())?;
        count += 1;
        if count >= REGEX_MATCHES_MAX {
            return Err(format!("a regular expression matches {REGEX_MATCHES_MAX} times or more"));
        }
    }
    Ok(())
}

fn split(machine: &mut Machine, regex: &Regex, string: &str, most: usize) -> Result<Object, String> {
    if regex.captures_len() > 1 {
        return Err("'re.split' with groups is not understood".to_owned());
    }
    let (mut parts, mut end) = (Vec::new(), 0);
    for found in regex.find_iter(string).take(most.min(REGEX_MATCHES_MAX)) {
        let found = found.map_err(|error| error.to_string())?;
        parts.push(text(&string[end..found.start()]));
        end = found.end();
    }
    parts.push(text(&string[end..]));
    machine.spend(parts.len())?;
    Ok(machine.memory.list(parts))
}
