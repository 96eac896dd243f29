//! Chat templates of models, written as the tokenizers of Hugging Face write them: Jinja with `trim_blocks` and
//! `lstrip_blocks`, `raise_exception`, methods of Python's values.
//!
//! A template comes with a model, from a stranger, and what it writes is told apart from what it was given, because only
//! the template's own words may become special tokens. For that it is filled in twice: with the messages, and with
//! stand-ins for them; where the two do not fit together, the template changes what it is given and is refused. Steps and
//! output are limited, memory within is not: the person who runs the evaluation chose the model.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as Any;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, context};

use super::context::{Message, Role};
use super::template::{method, python_text, told};
use crate::TaskError;
use crate::error::within;
use crate::limits::{
    CHAT_TEMPLATE_BYTES_MAX, CHAT_TEMPLATE_TAG_TOKENS_MAX, CHAT_TEMPLATE_TAGS_MAX, HARNESS_RENDERED_BYTES_MAX,
    HARNESS_TEMPLATE_STEPS_MAX, TEMPLATE_DEPTH_MAX,
};
use crate::python::text::strip;

/// A chat template, ready to be used.
#[derive(Debug, Clone)]
pub struct ChatWriter {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

/// A part of what a chat template wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its text.
    pub text: String,
    /// Whether the template wrote it; else it was given.
    pub is_template: bool,
}

const NAME: &str = "chat_template";

fn refused(reason: impl Into<String>) -> TaskError {
    TaskError::Template { key: NAME.to_owned(), reason: reason.into() }
}

impl ChatWriter {
    /// Reads a template; `begin` and `end` are the texts of the tokens that begin and end a text.
    pub fn new(template: &str, begin: &str, end: &str) -> Result<Self, TaskError> {
        within("the chat template in bytes", template.len(), CHAT_TEMPLATE_BYTES_MAX)?;
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().unwrap_or_default();
        check_tokens(template, &syntax).map_err(refused)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_syntax(syntax);
        environment.set_fuel(Some(HARNESS_TEMPLATE_STEPS_MAX));
        environment.set_recursion_limit(TEMPLATE_DEPTH_MAX);
        environment.set_debug(false);
        environment.set_unknown_method_callback(method);
        environment.set_formatter(|output, _, value| {
            if value.is_undefined() { Ok(()) } else { output.write_str(&python_text(value)).map_err(Error::from) }
        });
        environment.remove_filter("indent");
        environment.remove_filter("format");
        environment.add_function("raise_exception", |reason: String| -> Result<Any, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        let added = environment.add_template_owned(NAME.to_owned(), template.to_owned());
        added.map_err(|error| refused(told(&error)))?;
        Ok(Self { environment, begin: begin.to_owned(), end: end.to_owned() })
    }

    /// Writes a conversation. Without `begin_answer` its last message is an answer that goes on, and the text ends with
    /// it. A template that takes no instructions gets the conversation without them, as lm-evaluation-harness does it.
    pub fn write(&self, messages: &[Message], begin_answer: bool) -> Result<Vec<Part>, TaskError> {
        match (self.parts(messages, begin_answer), messages) {
            (Err(_), [first, rest @ ..]) if first.role == Role::System => self.parts(rest, begin_answer),
            (written, _) => written,
        }
    }

    fn parts(&self, messages: &[Message], begin_answer: bool) -> Result<Vec<Part>, TaskError> {
        let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
        let stand_ins: Vec<String> = (0..messages.len()).map(|place| format!("aobench-stand-in-{place}-")).collect();
        let written = self.filled(messages, &contents, begin_answer)?;
        let names: Vec<&str> = stand_ins.iter().map(String::as_str).collect();
        let frame = self.filled(messages, &names, begin_answer)?;
        let mut parts = Vec::new();
        let (mut frame, mut rest) = (frame.as_str(), written.as_str());
        for (stand_in, content) in names.iter().zip(&contents) {
            let (before, after) = frame.split_once(stand_in).ok_or_else(|| refused(CHANGES))?;
            rest = taken(&mut parts, before, true, rest)?;
            let content = if rest.starts_with(content) { content } else { strip(content) };
            rest = taken(&mut parts, content, false, rest)?;
            frame = after;
        }
        if begin_answer {
            let rest = taken(&mut parts, frame, true, rest)?;
            if !rest.is_empty() {
                return Err(refused(CHANGES));
            }
        }
        Ok(parts)
    }

    fn filled(&self, messages: &[Message], contents: &[&str], begin_answer: bool) -> Result<String, TaskError> {
        let turn =
            |(message, content): (&Message, &&str)| context! { role => message.role.name(), content => *content };
        let turns: Vec<Any> = messages.iter().zip(contents).map(turn).collect();
        let values = context! {
            messages => turns,
            add_generation_prompt => begin_answer,
            bos_token => self.begin.clone(),
            eos_token => self.end.clone(),
        };
        let template = self.environment.get_template(NAME).map_err(|error| refused(told(&error)))?;
        let text = template.render(values).map_err(|error| refused(told(&error)))?;
        within("a conversation in bytes", text.len(), HARNESS_RENDERED_BYTES_MAX)?;
        Ok(text)
    }
}

const CHANGES: &str =
    "it changes the messages it is given or leaves one out, so their words cannot be told apart from its own";

/// Adds a part that the text begins with; the rest of the text.
fn taken<'t>(parts: &mut Vec<Part>, part: &str, is_template: bool, text: &'t str) -> Result<&'t str, TaskError> {
    let rest = text.strip_prefix(part).ok_or_else(|| refused(CHANGES))?;
    if !part.is_empty() {
        parts.push(Part { text: part.to_owned(), is_template });
    }
    Ok(rest)
}

/// Whether a template is short enough to be parsed.
fn check_tokens(source: &str, syntax: &SyntaxConfig) -> Result<(), String> {
    let (mut tags, mut tokens) = (0, 0);
    for token in tokenize(source, false, syntax.clone()) {
        match token.map_err(|error| told(&error))?.0 {
            Token::VariableStart | Token::BlockStart => {
                tags += 1;
                tokens = 0;
            }
            _ => tokens += 1,
        }
        if tags > CHAT_TEMPLATE_TAGS_MAX || tokens > CHAT_TEMPLATE_TAG_TOKENS_MAX {
            return Err(format!(
                "it has more than {CHAT_TEMPLATE_TAGS_MAX} tags, or {CHAT_TEMPLATE_TAG_TOKENS_MAX} words in one"
            ));
        }
    }
    Ok(())
}
