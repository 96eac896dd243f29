//! Quoted texts over several lines, as PyYAML takes them: their further lines may begin anywhere. YAML wants them behind
//! the key they belong to, so they are moved there, which changes nothing: white space at the beginning of such a line
//! does not count.

/// More than any key is indented by.
const INDENT: &str = "                                                                ";

/// What the end of a line was within.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    /// A quoted text, with its quote.
    Quoted(char),
    /// A block of text (`|` or `>`), with the indentation of its key.
    Block(usize),
}

/// The file with further lines of quoted texts indented.
pub(super) fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1024);
    let mut state = State::Plain;
    for line in text.lines() {
        let bare = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - bare.len();
        if let State::Block(key) = state
            && !bare.is_empty()
            && indent <= key
        {
            state = State::Plain;
        }
        match state {
            State::Quoted(_) if !bare.is_empty() => {
                out.push_str(INDENT);
                out.push_str(bare);
                state = after(bare, state, indent);
            }
            State::Plain => {
                out.push_str(line);
                state = after(bare, state, indent);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// What the end of a line is within.
fn after(line: &str, before: State, indent: usize) -> State {
    let mut state = before;
    // Whether a value may begin here, and with it a quote.
    let mut begins = true;
    let mut previous = ' ';
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match state {
            State::Quoted('"') if character == '\\' => {
                characters.next();
            }
            State::Quoted('\'') if character == '\'' && characters.peek() == Some(&'\'') => {
                characters.next();
            }
            State::Quoted(quote) => {
                if character == quote {
                    state = State::Plain;
                    begins = false;
                }
            }
            _ if character == '#' && previous.is_whitespace() => return state,
            _ if begins && matches!(character, '"' | '\'') => state = State::Quoted(character),
            _ => {
                let spaced = characters.peek().is_none_or(|next| next.is_whitespace());
                begins = matches!(character, '[' | '{' | ',')
                    || matches!(character, ':' | '-' | '?') && spaced
                    || character.is_whitespace() && begins;
            }
        }
        previous = character;
    }
    let last = line.trim_end().rsplit([' ', '\t']).next().unwrap_or_default();
    let block =
        last.strip_prefix(['|', '>']).is_some_and(|rest| rest.chars().all(|sign| "+-0123456789".contains(sign)));
    if state == State::Plain && block { State::Block(indent) } else { state }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_further_lines_of_quoted_texts_are_moved() {
        let text = "a: 'one\ntwo''s\n\nthree'\nb: it's \"plain\"\nc: |\n  'not quoted\n \nd: [\"x \\\"\ny\", 'z'] # it's\ne: 1\n";
        let moved = format!(
            "a: 'one\n{INDENT}two''s\n\n{INDENT}three'\nb: it's \"plain\"\nc: |\n  'not quoted\n \nd: [\"x \\\"\n{INDENT}y\", 'z'] # it's\ne: 1\n"
        );
        assert_eq!(indented(text), moved);
    }
}
