//! The methods of texts, lists, dictionaries and datasets.

use super::builtins::{self, Given};
use super::machine::Machine;
use super::object::{Object, text};
use super::operators;
use crate::limits::HARNESS_RENDERED_BYTES_MAX;
use crate::python::text::{capitalize, is_space, words};

/// Every method that is understood, of whatever.
pub(super) const METHODS: [&str; 54] = [
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "title",
    "capitalize",
    "replace",
    "split",
    "rsplit",
    "splitlines",
    "join",
    "startswith",
    "endswith",
    "find",
    "rfind",
    "index",
    "count",
    "format",
    "isdigit",
    "isupper",
    "islower",
    "isspace",
    "removeprefix",
    "removesuffix",
    "partition",
    "rpartition",
    "zfill",
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
    "sort",
    "reverse",
    "copy",
    "get",
    "keys",
    "values",
    "items",
    "update",
    "setdefault",
    "map",
    "filter",
    "select",
    "group",
    "groups",
    "sub",
    "findall",
    "search",
    "match",
    "fullmatch",
    "info",
    "warning",
];

pub(super) fn call(
    machine: &mut Machine,
    of: &Object,
    name: &str,
    given: Vec<Object>,
    named: Vec<(String, Object)>,
) -> Result<Object, String> {
    machine.spend(1)?;
    if let (Object::Text(template), "format") = (of, name) {
        return format(machine, template, &given, &named);
    }
    let mut given = Given::new(name, given, named);
    let made = match of {
        Object::Text(string) => of_text(machine, string, name, &mut given)?,
        Object::List(place) => of_list(machine, *place, name, &mut given)?,
        Object::Tuple(_) if matches!(name, "index" | "count") => {
            let items = machine.iterate(of)?;
            let Object::List(place) = machine.memory.list(items) else { return Ok(Object::None) };
            of_list(machine, place, name, &mut given)?
        }
        Object::Dictionary(place) => of_dictionary(machine, *place, name, &mut given)?,
        Object::Rows(place) => of_rows(machine, *place, name, &mut given)?,
        Object::Match(groups) => match name {
            "group" => {
                let place = given.integer("group")?.unwrap_or_default();
                operators::item(machine, of, &Object::Integer(place))?
            }
            "groups" => {
                let groups = groups.iter().skip(1).map(|group| group.as_deref().map_or(Object::None, text));
                Object::Tuple(groups.collect())
            }
            _ => return Err(missing(of, name)),
        },
        Object::Pattern(_) if matches!(name, "sub" | "findall" | "search" | "match" | "fullmatch" | "split") => {
            given.put_first(of.clone());
            builtins::of_texts(machine, &format!("re.{name}"), &mut given)?
        }
        Object::Known("logger") => return Ok(Object::None),
        other => return Err(missing(other, name)),
    };
    given.finish()?;
    Ok(made)
}

fn missing(of: &Object, name: &str) -> String {
    format!("a {} has no method '{name}' here", of.kind())
}

fn of_text(machine: &mut Machine, string: &str, name: &str, given: &mut Given<'_>) -> Result<Object, String> {
    machine.spend(string.len() / 64)?;
    let made = match name {
        "strip" | "lstrip" | "rstrip" => {
            let signs = given.optional("chars").filter(|signs| !matches!(signs, Object::None));
            let signs = match &signs {
                None => None,
                Some(signs) => Some(signs.as_text().ok_or("what is stripped is a text")?),
            };
            let is_cut = |letter: char| signs.map_or_else(|| is_space(letter), |signs| signs.contains(letter));
            let begin = if name == "rstrip" { string } else { string.trim_start_matches(is_cut) };
            let cut = if name == "lstrip" { begin } else { begin.trim_end_matches(is_cut) };
            cut.to_owned()
        }
        "lower" => string.to_lowercase(),
        "upper" => string.to_uppercase(),
        "capitalize" => capitalize(string),
        "title" => title(string),
        "replace" => return replace(machine, string, given),
        "removeprefix" => {
            let prefix = given.text("prefix")?;
            string.strip_prefix(prefix.as_str()).unwrap_or(string).to_owned()
        }
        "removesuffix" => {
            let suffix = given.text("suffix")?;
            string.strip_suffix(suffix.as_str()).unwrap_or(string).to_owned()
        }
        "zfill" => {
            let width = given.integer("width")?.and_then(|width| usize::try_from(width).ok()).unwrap_or_default();
            if string.starts_with(['-', '+']) || width > 1000 {
                return Err("'zfill' is not understood for that".to_owned());
            }
            format!("{}{string}", "0".repeat(width.saturating_sub(string.chars().count())))
        }
        "join" => {
            let items = given.one("iterable")?;
            let items = machine.iterate(&items)?;
            machine.spend(items.len())?;
            let parts: Option<Vec<&str>> = items.iter().map(Object::as_text).collect();
            let parts = parts.ok_or("'join' needs texts")?;
            let length = parts.iter().map(|part| part.len() + string.len()).sum::<usize>();
            if length > HARNESS_RENDERED_BYTES_MAX {
                return Err("a text becomes too long".to_owned());
            }
            parts.join(string)
        }
        _ => return asked(machine, string, name, given),
    };
    machine.made(&made)
}

fn title(string: &str) -> String {
    let mut out = String::with_capacity(string.len());
    let mut begins = true;
    for letter in string.chars() {
        if begins {
            out.extend(letter.to_uppercase());
        } else {
            out.extend(letter.to_lowercase());
        }
        begins = !letter.is_alphabetic();
    }
    out
}

fn replace(machine: &mut Machine, string: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let (old, new) = (given.text("old")?, given.text("new")?);
    let most = given.integer("count")?.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let count = string.matches(old.as_str()).count().min(most);
    if count.saturating_mul(new.len()).saturating_add(string.len()) > HARNESS_RENDERED_BYTES_MAX {
        return Err("a text becomes too long".to_owned());
    }
    machine.made(&string.replacen(old.as_str(), &new, most))
}

/// Methods of a text that make something else.
fn asked(machine: &mut Machine, string: &str, name: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let letters = |test: fn(char) -> bool| !string.is_empty() && string.chars().all(test);
    Ok(match name {
        "startswith" | "endswith" => {
            let parts = given.one("prefix")?;
            let parts = if let Object::Tuple(parts) = &parts { parts.to_vec() } else { vec![parts] };
            let parts: Option<Vec<&str>> = parts.iter().map(Object::as_text).collect();
            let parts = parts.ok_or("texts begin and end with texts")?;
            let fits =
                |part: &&str| if name == "startswith" { string.starts_with(*part) } else { string.ends_with(*part) };
            Object::Flag(parts.iter().any(fits))
        }
        "find" | "rfind" | "index" => {
            let part = given.text("sub")?;
            let found = if name == "rfind" { string.rfind(part.as_str()) } else { string.find(part.as_str()) };
            match found.and_then(|place| string.get(..place)) {
                Some(before) => Object::Integer(before.chars().count() as i64),
                None if name == "index" => return Err(format!("'{part}' is not in the text")),
                None => Object::Integer(-1),
            }
        }
        "count" => {
            let part = given.text("sub")?;
            let count =
                if part.is_empty() { string.chars().count() + 1 } else { string.matches(part.as_str()).count() };
            Object::Integer(count as i64)
        }
        "isspace" => Object::Flag(letters(is_space)),
        "isdigit" if string.chars().any(|letter| !letter.is_ascii() && letter.is_numeric()) => {
            return Err("'isdigit' is not understood for digits of other scripts".to_owned());
        }
        "isdigit" => Object::Flag(letters(|letter| letter.is_ascii_digit())),
        "isupper" => Object::Flag(string.chars().any(char::is_uppercase) && !string.chars().any(char::is_lowercase)),
        "islower" => Object::Flag(string.chars().any(char::is_lowercase) && !string.chars().any(char::is_uppercase)),
        "partition" | "rpartition" => {
            let sign = given.text("sep")?;
            let front = name == "partition";
            let parts = if front { string.split_once(sign.as_str()) } else { string.rsplit_once(sign.as_str()) };
            let parts = match parts {
                Some((before, after)) => [before, &sign, after],
                None if front => [string, "", ""],
                None => ["", "", string],
            };
            Object::Tuple(parts.into_iter().map(text).collect())
        }
        "split" | "rsplit" | "splitlines" => return split(machine, string, name, given),
        _ => return Err(format!("a str has no method '{name}' here")),
    })
}

fn split(machine: &mut Machine, string: &str, name: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let parts: Vec<Object> = if name == "splitlines" {
        if string.contains(['\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}']) {
            return Err("'splitlines' is not understood for such line ends".to_owned());
        }
        machine.spend(string.matches('\n').count())?;
        string.lines().map(text).collect()
    } else {
        let sign = given.optional("sep").filter(|sign| !matches!(sign, Object::None));
        let most = given.integer("maxsplit")?.and_then(|most| usize::try_from(most).ok());
        match sign {
            None if most.is_some() => return Err("'split' at white space so many times is not understood".to_owned()),
            None => {
                machine.spend(words(string).count())?;
                words(string).map(text).collect()
            }
            Some(sign) => {
                let sign = sign.as_text().filter(|sign| !sign.is_empty()).ok_or("a text is split at a text")?;
                machine.spend(string.matches(sign).count())?;
                let pieces = most.map_or(usize::MAX, |most| most.saturating_add(1));
                if name == "split" {
                    string.splitn(pieces, sign).map(text).collect()
                } else {
                    let mut parts: Vec<Object> = string.rsplitn(pieces, sign).map(text).collect();
                    parts.reverse();
                    parts
                }
            }
        }
    };
    machine.spend(parts.len())?;
    Ok(machine.memory.list(parts))
}

/// As `template.format(...)`, with fields that are numbers or names and nothing more.
fn format(
    machine: &mut Machine,
    template: &str,
    given: &[Object],
    named: &[(String, Object)],
) -> Result<Object, String> {
    let mut out = String::new();
    let mut rest = template;
    let mut next = 0;
    while let Some(place) = rest.find(['{', '}']) {
        out.push_str(&rest[..place]);
        let brace = &rest[place..=place];
        rest = &rest[place + 1..];
        if rest.starts_with(brace) {
            out.push_str(brace);
            rest = &rest[1..];
            continue;
        }
        let (field, after) =
            rest.split_once('}').filter(|_| brace == "{").ok_or("a single brace stands in the text of 'format'")?;
        rest = after;
        let value = if field.is_empty() {
            next += 1;
            given.get(next - 1)
        } else if let Ok(place) = field.parse::<usize>() {
            given.get(place)
        } else {
            named.iter().find(|(name, _)| name == field).map(|(_, value)| value)
        };
        let value = value.ok_or_else(|| format!("'format' is not given '{field}'"))?;
        out.push_str(&machine.memory.text(value)?);
        machine.spend(1)?;
    }
    out.push_str(rest);
    machine.made(&out)
}

fn of_list(machine: &mut Machine, place: usize, name: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let items = machine.memory.items(place).to_vec();
    machine.spend(1 + items.len() / 64)?;
    let changed = match name {
        "append" => {
            let one = given.one("object")?;
            if let Some(list) = machine.memory.lists.get_mut(place) {
                list.push(one);
            }
            return Ok(Object::None);
        }
        "index" => {
            let one = given.one("value")?;
            let found = items.iter().position(|item| machine.memory.equal(item, &one));
            let shown = || machine.memory.repr(&one).unwrap_or_default().chars().take(60).collect::<String>();
            return found
                .map(|place| Object::Integer(place as i64))
                .ok_or_else(|| format!("{} is not in list", shown()));
        }
        "count" => {
            let one = given.one("value")?;
            let count = items.iter().filter(|item| machine.memory.equal(item, &one)).count();
            return Ok(Object::Integer(count as i64));
        }
        "copy" => return Ok(machine.memory.list(items)),
        "extend" => {
            let more = given.one("iterable")?;
            let more = machine.iterate(&more)?;
            machine.spend(more.len())?;
            [items, more].concat()
        }
        "insert" => {
            let before = given.integer("index")?.unwrap_or_default();
            let one = given.one("object")?;
            let count = items.len() as i64;
            let before = (if before < 0 { before.saturating_add(count) } else { before }).clamp(0, count);
            let mut items = items;
            items.insert(before as usize, one);
            items
        }
        "pop" => {
            let mut items = items;
            let index = given.integer("index")?.unwrap_or(-1);
            let taken = operators::place(&Object::Integer(index), items.len())?;
            let one = items.remove(taken);
            machine.memory.lists[place] = items;
            return Ok(one);
        }
        "remove" => {
            let one = given.one("value")?;
            let found = items.iter().position(|item| machine.memory.equal(item, &one));
            let mut items = items;
            items.remove(found.ok_or("what is removed is not in the list")?);
            items
        }
        "sort" => {
            let (key, reverse) = (given.named("key"), given.named("reverse"));
            let reverse = reverse.is_some_and(|reverse| machine.memory.is_true(&reverse));
            builtins::sorted(machine, items, key.as_ref(), reverse)?
        }
        "reverse" => items.into_iter().rev().collect(),
        _ => return Err(format!("a list has no method '{name}' here")),
    };
    if let Some(list) = machine.memory.lists.get_mut(place) {
        *list = changed;
    }
    Ok(Object::None)
}

fn of_dictionary(machine: &mut Machine, place: usize, name: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let pairs = machine.memory.pairs(place).to_vec();
    machine.spend(1 + pairs.len() / 64)?;
    match name {
        "get" | "pop" | "setdefault" => {
            let key = given.one("key")?;
            let usual = given.optional("default");
            let found = machine.memory.get(place, &key);
            match (name, found) {
                ("get", found) => Ok(found.or(usual).unwrap_or(Object::None)),
                ("pop", Some(found)) => {
                    let kept = pairs.into_iter().filter(|(known, _)| !machine.memory.equal(known, &key)).collect();
                    machine.memory.dictionaries[place] = kept;
                    Ok(found)
                }
                ("pop", None) => usual.ok_or_else(|| "what is taken is not in the dictionary".to_owned()),
                (_, Some(found)) => Ok(found),
                (_, None) => {
                    let usual = usual.unwrap_or(Object::None);
                    machine.memory.set(place, key, usual.clone())?;
                    Ok(usual)
                }
            }
        }
        "keys" => {
            let keys = pairs.into_iter().map(|(key, _)| key).collect();
            Ok(machine.memory.list(keys))
        }
        "values" => {
            let values = pairs.into_iter().map(|(_, value)| value).collect();
            Ok(machine.memory.list(values))
        }
        "items" => {
            let items = pairs.into_iter().map(|(key, value)| Object::Tuple([key, value].into())).collect();
            Ok(machine.memory.list(items))
        }
        "copy" => Ok(machine.memory.dictionary(pairs)),
        "update" => {
            let Object::Dictionary(from) = given.one("mapping")? else {
                return Err("'update' needs a dictionary".to_owned());
            };
            for (key, value) in machine.memory.pairs(from).to_vec() {
                machine.memory.set(place, key, value)?;
            }
            Ok(Object::None)
        }
        _ => Err(format!("a dict has no method '{name}' here")),
    }
}

/// What is done to the rows of a dataset, as `datasets` does it.
fn of_rows(machine: &mut Machine, place: usize, name: &str, given: &mut Given<'_>) -> Result<Object, String> {
    let rows = machine.memory.items(place).to_vec();
    let function = given.one("function")?;
    for without_effect in ["num_proc", "load_from_cache_file", "desc", "keep_in_memory"] {
        given.named(without_effect);
    }
    let mut made = Vec::with_capacity(rows.len());
    match name {
        "select" => {
            for index in machine.iterate(&function)? {
                made.push(rows.get(operators::place(&index, rows.len())?).cloned().unwrap_or(Object::None));
            }
        }
        "filter" => {
            for row in rows {
                machine.rest();
                let kept = machine.call(&function, vec![row.clone()], Vec::new())?;
                made.extend(machine.memory.is_true(&kept).then_some(row));
            }
        }
        "map" => {
            for row in rows {
                machine.rest();
                made.push(mapped(machine, &function, &row)?);
            }
        }
        _ => return Err(format!("a Dataset has no method '{name}' here")),
    }
    let Object::List(place) = machine.memory.list(made) else { return Ok(Object::None) };
    Ok(Object::Rows(place))
}

/// A row with what a function makes of it: the function has a row of its own to change, and what it returns goes over the
/// row as it was.
fn mapped(machine: &mut Machine, function: &Object, row: &Object) -> Result<Object, String> {
    let before = machine.memory.write(row)?;
    let (own, over) = (machine.memory.read(&before), machine.memory.read(&before));
    let returned = machine.call(function, vec![own.clone()], Vec::new())?;
    match (&returned, &over) {
        (Object::None, _) => Ok(over),
        (Object::Dictionary(new), Object::Dictionary(old)) => {
            let new = machine.memory.pairs(*new).to_vec();
            if matches!((&returned, &own), (Object::Dictionary(one), Object::Dictionary(other)) if one == other)
                && new.len() < machine.memory.pairs(*old).len()
            {
                return Err("it takes fields out of a row, which is not understood".to_owned());
            }
            for (key, value) in new {
                machine.memory.set(*old, key, value)?;
            }
            Ok(over)
        }
        _ => Err(format!("a row became a {}", returned.kind())),
    }
}
