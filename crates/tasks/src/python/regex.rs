//! Python's regular expressions on a Rust engine. The expressions come from strangers, and some of those in use need
//! look-around, which may backtrack for ever. Hence the limits, which count steps and bytes and not time, so that every
//! node stops at the same place.

use fancy_regex::{Regex, RegexBuilder};

use crate::TaskError;
use crate::limits::{REGEX_BYTES_MAX, REGEX_MATCHES_MAX, REGEX_STEPS_MAX};
use crate::python::text::strip;

/// Compiles an expression of Python. `key` is where the task file has it.
pub(crate) fn compiled(key: &'static str, pattern: &str) -> Result<Regex, TaskError> {
    let mut builder = RegexBuilder::new(&translated(pattern));
    builder
        .backtrack_limit(REGEX_STEPS_MAX)
        .delegate_size_limit(REGEX_BYTES_MAX)
        .delegate_dfa_size_limit(REGEX_BYTES_MAX);
    builder.build().map_err(|error| TaskError::Key {
        key,
        value: format!("{:?}", pattern.chars().take(80).collect::<String>()),
        reason: error.to_string(),
    })
}

/// The expression as Rust's engine reads it: what Python takes literally and Rust does not is escaped.
fn translated(pattern: &str) -> String {
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let is_multiline = has_flag(pattern, 'm');
    let mut class = None; // Where the class began that we are in.
    let mut place = 0;
    while let Some(&character) = characters.get(place) {
        let next = characters.get(place + 1).copied();
        match (character, class) {
            ('\\', _) => {
                place += 1;
                push_escape(&mut out, next);
            }
            ('[', None) => {
                out.push('[');
                let negated = next == Some('^');
                if negated {
                    out.push('^');
                    place += 1;
                }
                if characters.get(place + 1) == Some(&']') {
                    out.push_str("\\]");
                    place += 1;
                }
                class = Some(place);
            }
            (']', Some(_)) => {
                out.push(']');
                class = None;
            }
            ('[' | '&' | '~', Some(_)) => {
                out.push('\\');
                out.push(character);
            }
            ('-', Some(_)) if next == Some('-') => out.push_str("\\-"),
            // Python's also matches before a line feed that ends the text.
            ('$', None) if !is_multiline => out.push_str("(?=\\n?\\z)"),
            ('{', None) if !is_repetition(&characters[place..]) => out.push_str("\\{"),
            ('}', None) if !ends_repetition(&characters[..=place]) => out.push_str("\\}"),
            _ => out.push(character),
        }
        place += 1;
    }
    out
}

/// Whether the expression begins with a group of flags that has this one.
fn has_flag(pattern: &str, flag: char) -> bool {
    let flags = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    flags.is_some_and(|(flags, _)| flags.chars().all(|flag| flag.is_ascii_alphabetic()) && flags.contains(flag))
}

fn push_escape(out: &mut String, escaped: Option<char>) {
    match escaped {
        Some('Z') => out.push_str("\\z"),
        Some(escaped) if escaped.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(escaped);
        }
        Some(escaped @ ('<' | '>' | ' ' | '_')) => out.push(escaped),
        Some(escaped) if escaped.is_ascii_punctuation() => {
            out.push('\\');
            out.push(escaped);
        }
        Some(escaped) => out.push(escaped),
        None => out.push('\\'),
    }
}

/// Whether the text begins with `{m}`, `{m,}`, `{,n}` or `{m,n}`.
fn is_repetition(text: &[char]) -> bool {
    let Some(end) = text.iter().position(|character| *character == '}') else { return false };
    let inner = &text[1..end];
    let commas = inner.iter().filter(|character| **character == ',').count();
    let plain = inner.iter().all(|character| character.is_ascii_digit() || *character == ',');
    plain && commas <= 1 && inner.iter().any(char::is_ascii_digit)
}

fn ends_repetition(text: &[char]) -> bool {
    let begin = text.iter().rposition(|character| *character == '{');
    begin.is_some_and(|begin| is_repetition(&text[begin..]))
}

/// As `findall`: for each match its only group, or all its groups if there are several, or the whole match if there are
/// none. An expression that needs too many steps has not matched.
/// The first so many are looked for.
pub(crate) fn find_all(regex: &Regex, text: &str, most: usize) -> Vec<Found> {
    let mut all = Vec::new();
    for captures in regex.captures_iter(text).take(REGEX_MATCHES_MAX.min(most)) {
        let Ok(captures) = captures else { return Vec::new() };
        let group = |place: usize| captures.get(place).map_or("", |found| found.as_str()).to_owned();
        all.push(match captures.len() {
            1 => Found::One(group(0)),
            2 => Found::One(group(1)),
            count => Found::Groups((1..count).map(group).collect()),
        });
    }
    all
}

/// The match that filters of lm-evaluation-harness select: the one of this number, negative from the end. Of several
/// groups the first that is not empty. `Ok` with nothing if there is no match or all its groups are empty; an error with
/// the number of matches if there are some, and not so many.
pub(crate) fn selected(regex: &Regex, group_select: i64, text: &str) -> Result<Option<String>, usize> {
    let most = usize::try_from(group_select).map_or(usize::MAX, |place| place.saturating_add(1));
    let found = find_all(regex, text, most);
    let count = found.len();
    if count == 0 {
        return Ok(None);
    }
    let place = if group_select < 0 { group_select + count as i64 } else { group_select };
    match usize::try_from(place).ok().and_then(|place| found.into_iter().nth(place)) {
        None => Err(count),
        Some(Found::One(one)) => Ok(Some(strip(&one).to_owned())),
        Some(Found::Groups(groups)) => {
            Ok(groups.iter().find(|group| !group.is_empty()).map(|group| strip(group).to_owned()))
        }
    }
}

/// One match of [`find_all`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The match, or its only group.
    One(String),
    /// Its groups; empty those that took no part.
    Groups(Vec<String>),
}

/// As `re.sub(pattern, replacement, text)`, where the replacement may name groups as `\1` or `\g<1>`. An expression that
/// needs too many steps replaces nothing.
pub(crate) fn substituted(regex: &Regex, text: &str, replacement: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for captures in regex.captures_iter(text).take(REGEX_MATCHES_MAX.min(most)) {
        let Ok(captures) = captures else { return text.to_owned() };
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        expand(&mut out, replacement, |group| captures.get(group).map_or("", |found| found.as_str()));
    }
    out.push_str(&text[end..]);
    out
}

fn expand<'t>(out: &mut String, replacement: &str, group: impl Fn(usize) -> &'t str) {
    let mut rest = replacement;
    while let Some(place) = rest.find('\\') {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        if digits > 0 {
            let taken = digits.min(2);
            out.push_str(group(rest[..taken].parse().unwrap_or_default()));
            rest = &rest[taken..];
        } else if let Some((number, after)) = rest.strip_prefix("g<").and_then(|rest| rest.split_once('>')) {
            out.push_str(group(number.parse().unwrap_or_default()));
            rest = after;
        } else if let Some(next) = rest.chars().next() {
            match next {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                other => out.push(other),
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    out.push_str(rest);
}

/// The expression that matches a text and nothing else.
pub(crate) fn escaped(text: &str) -> String {
    fancy_regex::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Vec<Found> {
        find_all(&compiled("regex_pattern", pattern).unwrap(), text, usize::MAX)
    }

    fn one(text: &str) -> Found {
        Found::One(text.to_owned())
    }

    #[test]
    fn expressions_mean_what_they_mean_in_python() {
        for (pattern, text, matches) in [
            (r"\boxed{(.*?)}", "\u{8}", vec![]),
            (r"\\boxed{(\d+)}", r"so \boxed{42}!", vec![one("42")]),
            (r"[[](\w)[]]", "[a]", vec![one("a")]),
            (r"a{2,3}", "aaaa", vec![one("aaa")]),
            (r"a{,2}b", "aab", vec![one("aab")]),
            (r"{'a'}", "{'a'}", vec![one("{'a'}")]),
            (r"[&&]", "&", vec![one("&")]),
            (r"(?<=A)b(?!c)", "AbcAb", vec![one("b")]),
            (r"\<a\>\_\ ", "<a>_ ", vec![one("<a>_ ")]),
            (r"答案[：\:](\w)", "答案：A", vec![one("A")]),
            (r"x\Z", "x\n", vec![]),
            (r"(\d)\.$", "4.\n", vec![one("4")]),
            (r"\d$", "4\n\n", vec![]),
            (r"(?m)\d$", "4\n\n5", vec![one("4"), one("5")]),
            (r"[$]\d\$", "$4$", vec![one("$4$")]),
        ] {
            assert_eq!(found(pattern, text), matches, "{pattern}");
        }
        assert_eq!(found(r"(a)|(b)", "b"), [Found::Groups(vec![String::new(), "b".to_owned()])]);
    }

    #[test]
    fn replacing_takes_groups() {
        let regex = compiled("regex_pattern", r"(\w)(\d)").unwrap();
        assert_eq!(substituted(&regex, "a1 b2", r"\2-\g<1>", usize::MAX), "1-a 2-b");
        assert_eq!(substituted(&regex, "a1 b2", "", 1), " b2");
    }
}
