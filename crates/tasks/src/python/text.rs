//! Python's `str` methods where they differ from Rust's.

/// What `str.isspace` and `str.split` take for white space: Unicode's, and the four separators of ASCII.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// As `str.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// As `str.rstrip()`.
pub(crate) fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// As `str.split()`: the words between white space.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// As `str.capitalize()`: the first letter in capitals, all others small.
pub(crate) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    first + &characters.as_str().to_lowercase()
}

/// As `len(re.split(r"\s+", text))`: one more than there are runs of white space.
pub(crate) fn count_split(text: &str) -> usize {
    let mut count = 1;
    let mut inside = false;
    for character in text.chars() {
        let space = is_space(character);
        count += usize::from(space && !inside);
        inside = space;
    }
    count
}

/// How many characters (code points) a text has, as `len` counts them.
pub(crate) fn length(text: &str) -> usize {
    text.chars().count()
}

/// Joins two texts with a delimiter, unless one is empty or there is white space between them already.
pub(crate) fn delimited(prefix: &str, suffix: &str, delimiter: &str) -> String {
    if needs_delimiter(prefix, suffix) { format!("{prefix}{delimiter}{suffix}") } else { format!("{prefix}{suffix}") }
}

/// Whether both texts are there and no white space stands between them.
pub(crate) fn needs_delimiter(prefix: &str, suffix: &str) -> bool {
    match (prefix.chars().next_back(), suffix.chars().next()) {
        (Some(last), Some(first)) => !is_space(last) && !is_space(first),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_that_of_python() {
        assert_eq!(strip("\u{1f} a\u{a0}b \u{1c}"), "a\u{a0}b");
        assert_eq!(words(" a\u{1d}b\u{a0}c ").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!([count_split(""), count_split("a b"), count_split(" a  b ")], [1, 2, 4]);
        assert_eq!(capitalize("ßA Éc"), "SSa éc");
    }

    #[test]
    fn a_delimiter_stands_only_where_there_is_none() {
        assert_eq!(delimited("a", "b", " "), "a b");
        assert_eq!(delimited("a\n", "b", " "), "a\nb");
        assert_eq!(delimited("", "b", " "), "b");
        assert_eq!(delimited("a", "", " "), "a");
    }
}
