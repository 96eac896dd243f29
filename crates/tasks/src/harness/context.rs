//! The context of a document: the description, the examples and its own text, as turns of a conversation. Without a chat
//! template the turns are written one behind the other.

use serde_json::Value;

use super::document::Writer;
use super::evaluation::Evaluation;
use super::ports::Document;
use crate::TaskError;
use crate::python::literal;
use crate::python::text::{delimited, is_space, needs_delimiter};

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The instructions.
    System,
    /// Who asks.
    User,
    /// Who answers.
    Assistant,
}

impl Role {
    /// Its name in chat templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation, as a chat template takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: String,
}

/// A chat template: the messages, and whether the beginning of an answer is to be added. It is not if the answer has
/// begun already, which is then the last message.
pub type ChatTemplate<'a> = dyn Fn(&[Message], bool) -> Result<String, TaskError> + 'a;

/// How contexts are written for a model that was trained on conversations.
#[derive(Clone, Copy)]
pub struct Chat<'a> {
    /// Whether each example is a question and an answer of its own; else all stands in one question.
    pub multiturn: bool,
    /// The chat template.
    pub template: &'a ChatTemplate<'a>,
}

impl std::fmt::Debug for Chat<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Chat").field("multiturn", &self.multiturn).finish_non_exhaustive()
    }
}

/// A turn, and what stands behind it where turns are written one behind the other.
#[derive(Debug, Clone)]
struct Turn {
    role: Role,
    content: String,
    delimiter: String,
}

impl Turn {
    fn new(role: Role, content: impl Into<String>, delimiter: &str) -> Self {
        Self { role, content: content.into(), delimiter: delimiter.to_owned() }
    }
}

impl Evaluation<'_> {
    /// The whole context of a document.
    pub(super) fn context(&self, number: usize, chat: Option<Chat<'_>>) -> Result<String, TaskError> {
        let reading = self.reading(self.document(number)?);
        let text = as_text("doc_to_text", &self.task.writer.text(&reading)?)?;
        let prefix = self.task.writer.gen_prefix(&reading)?;
        let mut turns = self.before(number)?;
        turns.extend(asked(text, &prefix, &self.task.config.target_delimiter));
        written(turns, !prefix.is_empty(), chat)
    }

    /// One context for each choice, where each choice is one.
    pub(super) fn contexts(
        &self,
        number: usize,
        choices: &[String],
        chat: Option<Chat<'_>>,
    ) -> Result<Vec<String>, TaskError> {
        let prefix = self.task.writer.gen_prefix(&self.reading(self.document(number)?))?;
        let before = self.before(number)?;
        let context = |choice: &String| {
            let turns = before.iter().cloned().chain(asked(choice.clone(), &prefix, "")).collect();
            written(turns, !prefix.is_empty(), chat)
        };
        choices.iter().map(context).collect()
    }

    /// What stands between context and choice. A chat template ends with a delimiter of its own.
    pub(super) fn delimiter(&self, chat: Option<Chat<'_>>) -> &str {
        let config = &self.task.config;
        let begun =
            config.gen_prefix.as_deref().is_some_and(|prefix| !prefix.is_empty() && !prefix.ends_with(is_space));
        if chat.is_some() && !begun { "" } else { &config.target_delimiter }
    }

    /// What stands before a document's own text.
    fn before(&self, number: usize) -> Result<Vec<Turn>, TaskError> {
        let config = &self.task.config;
        let document = self.document(number)?;
        let description = match document.get(&config.description) {
            Some(field) if !config.description.is_empty() => literal::text(field),
            _ => self.task.templates.render("description", document)?,
        };
        let system = delimited(&self.system_instruction, &description, &config.fewshot_delimiter);
        let mut turns = Vec::new();
        if !system.is_empty() {
            turns.push(Turn::new(Role::System, system, ""));
        }
        for example in self.examples(number)? {
            turns.extend(self.example(example)?);
        }
        Ok(turns)
    }

    fn example(&self, document: &Document) -> Result<Vec<Turn>, TaskError> {
        let config = &self.task.config.fewshot;
        let writer: &Writer = &self.task.few_shot_writer;
        let reading = self.reading(document);
        let choices = writer.choices(&reading)?;
        let text = match writer.text(&reading)? {
            number if self.multiple_input => chosen(&choices, &number)?.to_owned(),
            text => as_text("doc_to_text", &text)?,
        };
        let prefix = writer.gen_prefix(&reading)?;
        let answer = match writer.target(&reading)? {
            Value::Array(several) => match several.first() {
                Some(first) => as_text("doc_to_target", first)?,
                None => return Err(not_a_text("doc_to_target", &Value::Array(Vec::new()))),
            },
            number @ (Value::Number(_) | Value::Bool(_)) if !choices.is_empty() && !self.multiple_input => {
                chosen(&choices, &number)?.to_owned()
            }
            target => as_text("doc_to_target", &target)?,
        };
        if answer.is_empty() {
            return Ok(asked(text, &prefix, &config.target_delimiter));
        }
        let delimited_here = prefix.is_empty() || needs_delimiter(&text, &prefix);
        let delimiter = if delimited_here { config.target_delimiter.as_str() } else { "" };
        let answer = delimited(&prefix, &answer, " ");
        Ok(vec![Turn::new(Role::User, text, delimiter), Turn::new(Role::Assistant, answer, &config.fewshot_delimiter)])
    }
}

/// A question, and behind it what the answer begins with.
fn asked(text: String, prefix: &str, delimiter: &str) -> Vec<Turn> {
    let delimiter = if needs_delimiter(&text, prefix) { delimiter } else { "" };
    let mut turns = vec![Turn::new(Role::User, text, delimiter)];
    if !prefix.is_empty() {
        turns.push(Turn::new(Role::Assistant, prefix, ""));
    }
    turns
}

fn joined(turns: &[Turn]) -> String {
    turns.iter().flat_map(|turn| [turn.content.as_str(), turn.delimiter.as_str()]).collect()
}

fn written(turns: Vec<Turn>, begun: bool, chat: Option<Chat<'_>>) -> Result<String, TaskError> {
    let Some(chat) = chat else { return Ok(joined(&turns)) };
    let turns = if chat.multiturn { turns } else { in_one_question(turns) };
    let message = |turn: Turn| Message { role: turn.role, content: turn.content };
    let messages: Vec<Message> = turns.into_iter().map(message).collect();
    (chat.template)(&messages, !begun)
}

/// All turns in one question, but for the instructions and an answer that has begun.
fn in_one_question(mut turns: Vec<Turn>) -> Vec<Turn> {
    let system = turns.first().is_some_and(|turn| turn.role == Role::System).then(|| turns.remove(0));
    let begun = if turns.last().is_some_and(|turn| turn.role == Role::Assistant) { turns.pop() } else { None };
    if let Some(last) = turns.last_mut() {
        last.delimiter.clear();
    }
    let question = Turn::new(Role::User, joined(&turns), "");
    system.into_iter().chain([question]).chain(begun).collect()
}

fn not_a_text(key: &str, value: &Value) -> TaskError {
    let shown: String = literal::repr(value).chars().take(80).collect();
    TaskError::Render { key: key.to_owned(), reason: format!("it is {shown} and not a text") }
}

fn as_text(key: &str, value: &Value) -> Result<String, TaskError> {
    value.as_str().map(str::to_owned).ok_or_else(|| not_a_text(key, value))
}

/// The choice of a number; a negative one counts from the end.
fn chosen<'c>(choices: &'c [String], number: &Value) -> Result<&'c str, TaskError> {
    let place = number.as_i64().or_else(|| number.as_bool().map(i64::from));
    let place = place.map(|place| if place < 0 { place + choices.len() as i64 } else { place });
    let choice = place.and_then(|place| usize::try_from(place).ok()).and_then(|place| choices.get(place));
    choice.map(String::as_str).ok_or_else(|| {
        let shown: String = literal::repr(number).chars().take(80).collect();
        let reason = format!("{shown} is none of the {} choices (the first has number 0)", choices.len());
        TaskError::Render { key: "doc_to_target".to_owned(), reason }
    })
}
