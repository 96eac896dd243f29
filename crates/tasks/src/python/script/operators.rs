//! What operators, items and slices do.

use super::machine::Machine;
use super::object::{Object, text};
use super::tree::{Comparison, Operator};
use crate::limits::HARNESS_RENDERED_BYTES_MAX;
use crate::python::literal;

fn unfit(what: &str, one: &Object, other: &Object) -> String {
    format!("{what} is not there for a {} and a {}", one.kind(), other.kind())
}

const TOO_LARGE: &str = "a whole number is too large";

pub(super) fn negative(value: &Object) -> Result<Object, String> {
    match value {
        Object::Float(number) => Ok(Object::Float(-number)),
        other => {
            let number = other.as_integer().ok_or_else(|| format!("a {} has no negative", other.kind()))?;
            number.checked_neg().map(Object::Integer).ok_or_else(|| TOO_LARGE.to_owned())
        }
    }
}

pub(super) fn binary(
    machine: &mut Machine,
    operator: Operator,
    one: &Object,
    other: &Object,
) -> Result<Object, String> {
    match (operator, one, other) {
        (Operator::Add, Object::Text(one), Object::Text(other)) => machine.made(&format!("{one}{other}")),
        (Operator::Add, Object::List(one), Object::List(other)) => {
            let items = [machine.memory.items(*one), machine.memory.items(*other)].concat();
            machine.spend(items.len())?;
            Ok(machine.memory.list(items))
        }
        (Operator::Add, Object::Tuple(one), Object::Tuple(other)) => {
            machine.spend(one.len() + other.len())?;
            Ok(Object::Tuple(one.iter().chain(other.iter()).cloned().collect()))
        }
        (Operator::Multiply, Object::Text(repeated), times) | (Operator::Multiply, times, Object::Text(repeated)) => {
            let times = times.as_integer().ok_or_else(|| unfit("'*'", one, other))?;
            let times = usize::try_from(times).unwrap_or_default();
            if repeated.len().saturating_mul(times) > HARNESS_RENDERED_BYTES_MAX {
                return Err("a text becomes too long".to_owned());
            }
            machine.made(&repeated.repeat(times))
        }
        (Operator::Multiply, Object::List(place), times) => {
            let times = times.as_integer().ok_or_else(|| unfit("'*'", one, other))?;
            let times = usize::try_from(times).unwrap_or_default();
            machine.spend(machine.memory.items(*place).len().saturating_mul(times))?;
            let items = machine.memory.items(*place);
            let repeated = items.iter().cycle().take(items.len() * times).cloned().collect();
            Ok(machine.memory.list(repeated))
        }
        _ => match (one.as_integer(), other.as_integer()) {
            (Some(one), Some(other)) => of_integers(operator, one, other),
            _ => match (one.as_float(), other.as_float()) {
                (Some(one), Some(other)) => of_floats(operator, one, other),
                _ => Err(unfit(&format!("{operator:?}").to_lowercase(), one, other)),
            },
        },
    }
}

const BY_ZERO: &str = "it divides by zero";

fn of_integers(operator: Operator, one: i64, other: i64) -> Result<Object, String> {
    let divides = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder);
    if divides && other == 0 {
        return Err(BY_ZERO.to_owned());
    }
    let whole = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        Operator::Multiply => one.checked_mul(other),
        Operator::Divide => return Ok(Object::Float(one as f64 / other as f64)),
        // Towards the smaller number, and the rest has the sign of the divisor.
        Operator::FloorDivide => one
            .checked_div(other)
            .map(|quotient| if one % other != 0 && (one < 0) != (other < 0) { quotient - 1 } else { quotient }),
        Operator::Remainder => {
            one.checked_rem(other).map(|rest| if rest != 0 && (rest < 0) != (other < 0) { rest + other } else { rest })
        }
    };
    whole.map(Object::Integer).ok_or_else(|| TOO_LARGE.to_owned())
}

fn of_floats(operator: Operator, one: f64, other: f64) -> Result<Object, String> {
    Ok(Object::Float(match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide if other == 0.0 => return Err(BY_ZERO.to_owned()),
        Operator::Divide => one / other,
        Operator::FloorDivide | Operator::Remainder => {
            return Err("'//' and '%' are only there for whole numbers".to_owned());
        }
    }))
}

/// As `+=`: a list is changed where it is.
pub(super) fn augmented(
    machine: &mut Machine,
    operator: Operator,
    before: &Object,
    value: &Object,
) -> Result<Object, String> {
    if let (Operator::Add, Object::List(place)) = (operator, before) {
        let more = machine.iterate(value)?;
        machine.spend(more.len())?;
        if let Some(items) = machine.memory.lists.get_mut(*place) {
            items.extend(more);
        }
        return Ok(before.clone());
    }
    binary(machine, operator, before, value)
}

pub(super) fn compare(
    machine: &mut Machine,
    comparison: Comparison,
    one: &Object,
    other: &Object,
) -> Result<bool, String> {
    let memory = &machine.memory;
    Ok(match comparison {
        Comparison::Equal => memory.equal(one, other),
        Comparison::NotEqual => !memory.equal(one, other),
        Comparison::Less => memory.order(one, other)?.is_lt(),
        Comparison::LessEqual => memory.order(one, other)?.is_le(),
        Comparison::Greater => memory.order(one, other)?.is_gt(),
        Comparison::GreaterEqual => memory.order(one, other)?.is_ge(),
        Comparison::In => contains(machine, other, one)?,
        Comparison::NotIn => !contains(machine, other, one)?,
        Comparison::Is => is(one, other)?,
        Comparison::IsNot => !is(one, other)?,
    })
}

/// Whether two values are one and the same, for those of which there is only one each.
fn is(one: &Object, other: &Object) -> Result<bool, String> {
    match (one, other) {
        (Object::None, Object::None) => Ok(true),
        (Object::Flag(one), Object::Flag(other)) => Ok(one == other),
        (Object::None | Object::Flag(_), _) | (_, Object::None | Object::Flag(_)) => Ok(false),
        _ => Err("'is' is only understood with None, True and False".to_owned()),
    }
}

fn contains(machine: &mut Machine, all: &Object, one: &Object) -> Result<bool, String> {
    match (all, one) {
        (Object::Text(all), Object::Text(part)) => Ok(all.contains(&**part)),
        (Object::Text(_), other) => Err(format!("a {} is not looked for in a text", other.kind())),
        (Object::Dictionary(place), key) => Ok(machine.memory.get(*place, key).is_some()),
        (Object::Set(items), one) => Ok(items.iter().any(|item| machine.memory.equal(item, one))),
        (all, one) => {
            let items = machine.iterate(all)?;
            machine.spend(items.len())?;
            Ok(items.iter().any(|item| machine.memory.equal(item, one)))
        }
    }
}

/// A place of so many, where a negative one counts from the end.
pub(super) fn place(index: &Object, count: usize) -> Result<usize, String> {
    let number = index.as_integer().ok_or_else(|| format!("a {} is no place in a list", index.kind()))?;
    let place = if number < 0 { number.checked_add(count as i64) } else { Some(number) };
    let place = place.and_then(|place| usize::try_from(place).ok()).filter(|place| *place < count);
    place.ok_or_else(|| format!("there is no item {number} among {count}"))
}

pub(super) fn item(machine: &mut Machine, of: &Object, index: &Object) -> Result<Object, String> {
    let missing = || "an item is not there".to_owned();
    match of {
        Object::Dictionary(place) => machine.memory.get(*place, index).ok_or_else(|| match index.as_text() {
            Some(name) => format!("the document has no field '{name}'"),
            None => format!("a dictionary has no {}", machine.memory.repr(index).unwrap_or_default()),
        }),
        Object::List(list) | Object::Rows(list) => {
            let items = machine.memory.items(*list);
            items.get(place(index, items.len())?).cloned().ok_or_else(missing)
        }
        Object::Tuple(items) => items.get(place(index, items.len())?).cloned().ok_or_else(missing),
        Object::Text(string) => {
            let count = string.chars().count();
            machine.spend(count / 64)?;
            let letter = string.chars().nth(place(index, count)?).ok_or_else(missing)?;
            Ok(text(letter.encode_utf8(&mut [0; 4])))
        }
        Object::Match(groups) => {
            let group = groups.get(place(index, groups.len())?).ok_or_else(missing)?;
            Ok(group.as_deref().map_or(Object::None, text))
        }
        other => Err(format!("a {} has no items", other.kind())),
    }
}

pub(super) fn set_item(machine: &mut Machine, of: &Object, index: Object, value: Object) -> Result<(), String> {
    match of {
        Object::Dictionary(place) => machine.memory.set(*place, index, value),
        Object::List(list) => {
            let place = place(&index, machine.memory.items(*list).len())?;
            if let Some(item) = machine.memory.lists.get_mut(*list).and_then(|items| items.get_mut(place)) {
                *item = value;
            }
            Ok(())
        }
        other => Err(format!("an item of a {} cannot be changed", other.kind())),
    }
}

/// The places of a slice among so many.
fn places([start, end, step]: [Option<i64>; 3], count: usize) -> Result<Vec<usize>, String> {
    let count = count as i64;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err("a slice has the step 0".to_owned());
    }
    let (lowest, highest) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let within = |number: i64| (if number < 0 { number.saturating_add(count) } else { number }).clamp(lowest, highest);
    let mut next = start.map_or(if step > 0 { lowest } else { highest }, within);
    let end = end.map_or(if step > 0 { highest } else { lowest }, within);
    let mut found = Vec::new();
    while if step > 0 { next < end } else { next > end } {
        found.extend(usize::try_from(next));
        next = next.saturating_add(step);
    }
    Ok(found)
}

pub(super) fn slice(machine: &mut Machine, of: &Object, numbers: [Option<i64>; 3]) -> Result<Object, String> {
    let chosen = |items: &[Object]| {
        places(numbers, items.len())
            .map(|places| places.into_iter().filter_map(|place| items.get(place).cloned()).collect::<Vec<Object>>())
    };
    match of {
        Object::List(place) => {
            let items = chosen(machine.memory.items(*place))?;
            machine.spend(items.len())?;
            Ok(machine.memory.list(items))
        }
        Object::Tuple(items) => Ok(Object::Tuple(chosen(items)?.into())),
        Object::Text(string) => {
            let letters: Vec<char> = string.chars().collect();
            let places = places(numbers, letters.len())?;
            machine.made(&places.into_iter().filter_map(|place| letters.get(place)).collect::<String>())
        }
        other => Err(format!("a {} has no slices", other.kind())),
    }
}

/// As `int(value)`.
pub(super) fn integer(value: &Object) -> Result<Object, String> {
    match value {
        Object::Text(text) => {
            let stripped = crate::python::text::strip(text);
            let digits = stripped.strip_prefix(['-', '+']).unwrap_or(stripped);
            let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            let number = stripped.parse().ok().filter(|_| plain).map(Object::Integer);
            number.ok_or_else(|| format!("{} is not a whole number", literal::repr(&(&**text).into())))
        }
        Object::Float(number) if number.abs() < 9e15 => Ok(Object::Integer(number.trunc() as i64)),
        other => other.as_integer().map(Object::Integer).ok_or_else(|| format!("a {} is no number", other.kind())),
    }
}

/// As `float(value)`.
pub(super) fn float(value: &Object) -> Result<Object, String> {
    match value {
        Object::Text(text) => {
            let stripped = crate::python::text::strip(text);
            let plain = stripped.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
            let number = stripped.parse().ok().filter(|_| plain).map(Object::Float);
            number.ok_or_else(|| format!("{} is not a number", literal::repr(&(&**text).into())))
        }
        other => other.as_float().map(Object::Float).ok_or_else(|| format!("a {} is no number", other.kind())),
    }
}
