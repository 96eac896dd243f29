//! Templates: how a question becomes a prompt. The rules are those of lm-evaluation-harness (Jinja with
//! `StrictUndefined` and `keep_trailing_newline`; a text that is the name of a field stands for the field).
//!
//! A template comes from a stranger and runs in the process that keeps the money, so it is bounded in steps, in output
//! and in memory. Steps and output are limited while it runs. Memory is limited by what it may say: every expression
//! works on the fields of one question, nothing can be stored and used again (`set`, macros), nothing multiplies a
//! text, and the filters that could make much out of little have their own limit. What remains grows with the length of
//! the template only.

use std::io::{self, Write};

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::{Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, filters};

use crate::limits::{
    CHOICES_MAX, FILTERED_BYTES_MAX, RENDERED_BYTES_MAX, TEMPLATE_DEPTH_MAX, TEMPLATE_STEPS_MAX,
    TEMPLATE_TAG_TOKENS_MAX, TEMPLATE_TAGS_MAX,
};
use crate::{Question, TaskError};

/// The templates of one task, by the key of the task file they stand at.
#[derive(Debug, Clone)]
pub(crate) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// No templates, and the rules for those to come.
    pub(crate) fn new() -> Self {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(syntax());
        environment.set_fuel(Some(TEMPLATE_STEPS_MAX));
        environment.set_recursion_limit(TEMPLATE_DEPTH_MAX);
        environment.set_debug(false);
        environment.set_formatter(write_as_python);
        add_filters(&mut environment);
        add_tests(&mut environment);
        Self { environment }
    }

    /// Adds a template under a key.
    pub(crate) fn add(&mut self, key: &str, source: &str) -> Result<(), TaskError> {
        let refused = |reason: String| TaskError::Template { key: key.to_owned(), reason };
        check_tokens(source).map_err(refused)?;
        let tree = parse(source, "template", syntax()).map_err(|error| refused(told(&error)))?;
        check_statement(&tree).map_err(refused)?;
        self.environment.add_template_owned(key.to_owned(), source.to_owned()).map_err(|error| refused(told(&error)))
    }

    /// Adds a template that stands for a list: the name of a field, or one `{{ expression }}`.
    pub(crate) fn add_list(&mut self, key: &str, source: &str) -> Result<(), TaskError> {
        self.add(key, source)?;
        if source.contains("{{") && expression_of(source).is_none() {
            let reason = "a list is the name of a field or one {{ expression }}".to_owned();
            return Err(TaskError::Template { key: key.to_owned(), reason });
        }
        Ok(())
    }

    /// The texts of a list that was added with [`Templates::add_list`].
    pub(crate) fn render_list(&self, key: &str, question: &Question) -> Result<Vec<String>, TaskError> {
        let refused = |reason: String| TaskError::Render { key: key.to_owned(), reason };
        let told = |error: Error| refused(told(&error));
        let template = self.environment.get_template(key).map_err(told)?;
        let value = match (question.field(template.source()), expression_of(template.source())) {
            (Some(field), _) => Value::from(Serde(field)),
            (None, Some(expression)) => {
                let expression = self.environment.compile_expression(expression).map_err(told)?;
                expression.eval(Value::from(Serde(question.fields()))).map_err(told)?
            }
            (None, None) => return Err(refused(format!("the question has no field '{}'", template.source()))),
        };
        if value.kind() == ValueKind::String {
            return Err(refused("it is a text and not a list".to_owned()));
        }
        let texts = value.try_iter().map_err(told)?.take(CHOICES_MAX + 1).map(|item| python_text(&item));
        Ok(texts.collect())
    }

    /// Fills a template in with a question. The text of a template that is the name of a field gives the field.
    pub(crate) fn render(&self, key: &str, question: &Question) -> Result<String, TaskError> {
        let refused = |reason: String| TaskError::Render { key: key.to_owned(), reason };
        let template = self.environment.get_template(key).map_err(|error| refused(told(&error)))?;
        let mut rendered = Capped::new(RENDERED_BYTES_MAX);
        if let Some(field) = question.field(template.source()) {
            let value = Value::from(Serde(field));
            write!(rendered, "{}", python_text(&value)).map_err(|error| refused(error.to_string()))?;
        } else {
            let context = Value::from(Serde(question.fields()));
            template.render_captured_to(context, &mut rendered).map_err(|error| refused(told(&error)))?;
        }
        String::from_utf8(rendered.into_bytes()).map_err(|_| refused("it is not UTF-8 text".to_owned()))
    }
}

pub(crate) fn syntax() -> SyntaxConfig {
    // The delimiters are the usual ones, so building cannot fail; if it did, the usual ones would be returned anyway.
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// The expression of a template that is nothing else.
pub(crate) fn expression_of(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then_some(inner)
}

/// What went wrong, in one line.
pub(crate) fn told(error: &Error) -> String {
    let text = error.to_string();
    let mut cause = std::error::Error::source(error);
    let mut line = text.lines().next().unwrap_or_default().to_owned();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

/// A buffer that takes no more than it was made for.
pub(crate) struct Capped {
    bytes: Vec<u8>,
    most: usize,
}

impl Capped {
    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::Error::other(format!("the text is longer than {} bytes", self.most)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a value as Python's Jinja does.
fn write_as_python(output: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, "the question has no such field"));
    }
    output.write_str(&python_text(value)).map_err(Error::from)
}

/// The text of a value as Python has it: `True` and `None` with capitals.
fn python_text(value: &Value) -> String {
    match value.kind() {
        ValueKind::Bool if value.is_true() => "True".to_owned(),
        ValueKind::Bool => "False".to_owned(),
        ValueKind::None => "None".to_owned(),
        _ => value.to_string(),
    }
}

/// The names of the filters of [`add_filters`]: an unknown one is refused when the task is read.
const FILTERS: &[&str] = &[
    "abs",
    "capitalize",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "replace",
    "round",
    "split",
    "string",
    "title",
    "trim",
    "upper",
];

/// The names of the tests of [`add_tests`].
const TESTS: &[&str] = &["defined", "undefined", "none", "string", "number", "odd", "even"];

/// The filters that take little time and make little out of little.
fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("join", join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", replace);
    environment.add_filter("round", filters::round);
    environment.add_filter("split", filters::split);
    environment.add_filter("string", filters::string);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
}

fn add_tests(environment: &mut Environment<'static>) {
    use minijinja::tests;
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("string", tests::is_string);
    environment.add_test("number", tests::is_number);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
}

/// Jinja's `join`, up to a limit.
fn join(values: Value, joiner: Option<String>) -> Result<String, Error> {
    let joiner = joiner.unwrap_or_default();
    let mut joined = String::new();
    for (index, value) in values.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&joiner);
        }
        joined.push_str(&python_text(&value));
        filtered_within(joined.len())?;
    }
    Ok(joined)
}

/// Jinja's `replace`, up to a limit.
fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    filtered_within(text.len().saturating_add(text.matches(&from).count().saturating_mul(to.len())))?;
    Ok(text.replace(&from, &to))
}

fn filtered_within(bytes: usize) -> Result<(), Error> {
    if bytes > FILTERED_BYTES_MAX {
        let reason = format!("a filter makes more than {FILTERED_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    Ok(())
}

/// Whether a template is short enough to be parsed: the parser calls itself for some operators, so a long row of them
/// would overflow the stack.
pub(crate) fn check_tokens(source: &str) -> Result<(), String> {
    let (mut tags, mut tokens) = (0, 0);
    for token in tokenize(source, false, syntax()) {
        match token.map_err(|error| told(&error))?.0 {
            Token::VariableStart | Token::BlockStart => {
                tags += 1;
                tokens = 0;
            }
            _ => tokens += 1,
        }
        if tags > TEMPLATE_TAGS_MAX || tokens > TEMPLATE_TAG_TOKENS_MAX {
            return Err(format!(
                "it has more than {TEMPLATE_TAGS_MAX} tags, or {TEMPLATE_TAG_TOKENS_MAX} words in one"
            ));
        }
    }
    Ok(())
}

/// Whether a statement is one that cannot make much out of little.
fn check_statement(statement: &Stmt<'_>) -> Result<(), String> {
    let all = |statements: &[Stmt<'_>]| statements.iter().try_for_each(check_statement);
    match statement {
        Stmt::Template(template) => all(&template.children),
        Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => Ok(()),
        Stmt::EmitExpr(emit) => check_expression(&emit.expr),
        Stmt::IfCond(condition) => {
            check_expression(&condition.expr)?;
            all(&condition.true_body)?;
            all(&condition.false_body)
        }
        Stmt::ForLoop(each) if !each.recursive => {
            check_expression(&each.iter)?;
            each.filter_expr.as_ref().map_or(Ok(()), check_expression)?;
            all(&each.body)?;
            all(&each.else_body)
        }
        _ => Err("of the statements only 'if' and 'for' (not recursive) are supported".to_owned()),
    }
}

/// Whether an expression is one that cannot make much out of little.
fn check_expression(expression: &Expr<'_>) -> Result<(), String> {
    let all = |expressions: &[Expr<'_>]| expressions.iter().try_for_each(check_expression);
    let maybe = |expression: &Option<Expr<'_>>| expression.as_ref().map_or(Ok(()), check_expression);
    match expression {
        Expr::Var(_) | Expr::Const(_) => Ok(()),
        Expr::Slice(slice) => {
            check_expression(&slice.expr)?;
            maybe(&slice.start)?;
            maybe(&slice.stop)?;
            maybe(&slice.step)
        }
        Expr::UnaryOp(operation) => check_expression(&operation.expr),
        Expr::BinOp(operation) if matches!(operation.op, BinOpKind::Mul | BinOpKind::Pow) => {
            Err("'*' and '**' are not supported".to_owned())
        }
        Expr::BinOp(operation) => {
            check_expression(&operation.left)?;
            check_expression(&operation.right)
        }
        Expr::Compare(comparison) => {
            check_expression(&comparison.expr)?;
            comparison.ops.iter().try_for_each(|operation| check_expression(&operation.expr))
        }
        Expr::IfExpr(condition) => {
            check_expression(&condition.test_expr)?;
            check_expression(&condition.true_expr)?;
            maybe(&condition.false_expr)
        }
        Expr::Filter(filter) => {
            check_name("filter", filter.name, FILTERS)?;
            maybe(&filter.expr)?;
            check_arguments(&filter.args)
        }
        Expr::Test(test) => {
            check_name("test", test.name, TESTS)?;
            check_expression(&test.expr)?;
            check_arguments(&test.args)
        }
        Expr::GetAttr(attribute) => check_expression(&attribute.expr),
        Expr::GetItem(item) => {
            check_expression(&item.expr)?;
            check_expression(&item.subscript_expr)
        }
        Expr::List(list) => all(&list.items),
        Expr::Tuple(tuple) => all(&tuple.items),
        Expr::Map(map) => {
            all(&map.keys)?;
            all(&map.values)
        }
        Expr::Call(_) => Err("calls of functions and methods are not supported".to_owned()),
    }
}

fn check_name(kind: &str, name: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&name) {
        return Ok(());
    }
    Err(format!("there is no {kind} '{name}'; there is {}", known.join(", ")))
}

fn check_arguments(arguments: &[CallArg<'_>]) -> Result<(), String> {
    arguments.iter().try_for_each(|argument| match argument {
        CallArg::Pos(expression) | CallArg::Kwarg(_, expression) => check_expression(expression),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => Err("'*' and '**' are not supported".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, row: &str) -> Result<String, TaskError> {
        let mut templates = Templates::new();
        templates.add("doc_to_text", source)?;
        templates.render("doc_to_text", &Question::from_json(row).unwrap())
    }

    #[test]
    fn templates_are_rendered_as_jinja_does() {
        let row =
            r#"{"question": "Who's <there>?", "choices": ["Zoë", "no one"], "label": 1, "yes": true, "none": null}"#;
        for (source, text) in [
            ("question", "Who's <there>?"),
            ("Q: {{question}}\nA:", "Q: Who's <there>?\nA:"),
            ("{{ question }}\n", "Who's <there>?\n"),
            ("{{choices[label]}}", "no one"),
            ("{{ choices[-1] | upper }}", "NO ONE"),
            ("{{ choices | join(', ') }}", "Zoë, no one"),
            ("{% for c in choices %}{{loop.index}}. {{c}}\n{% endfor %}", "1. Zoë\n2. no one\n"),
            ("{% if label == 1 %}one{% else %}other{% endif %}", "one"),
            ("{{ {'1': 'A', '2': 'B'}[(label | string)] }}", "A"),
            ("{{yes}} {{none}} {{label}} {{label + 1}}", "True None 1 2"),
            ("{{question.split}}", ""),
            ("{# nothing #}{{ question | replace('Who', 'What') }}", "What's <there>?"),
            ("{{ 'present' if missing is defined else 'absent' }}", "absent"),
        ] {
            match rendered(source, row) {
                Ok(found) => assert_eq!(found, text, "{source}"),
                Err(error) => assert_eq!(text, "", "{source}: {error}"),
            }
        }
    }

    #[test]
    fn a_wrong_field_name_is_an_error_and_not_an_empty_text() {
        let error = rendered("Q: {{qeustion}}", r#"{"question": "?"}"#).unwrap_err().to_string();
        assert!(error.starts_with("'doc_to_text' cannot be made from this question: undefined value"), "{error}");
        assert!(rendered("{{ {'1': 0}[result] }}", r#"{"result": "4"}"#).is_err());
    }

    #[test]
    fn bombs_are_refused_or_stopped() {
        let row = format!(r#"{{"x": "{}", "list": [{}]}}"#, "a".repeat(4000), vec!["1"; 4000].join(","));
        let doubling = "{% set y = x ~ x %}".to_owned();
        let nested_loops =
            "{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}".to_owned();
        for bomb in [
            doubling,
            nested_loops,
            "{{ x * 100000000 }}".to_owned(),
            "{{ 9 ** 999999 }}".to_owned(),
            "{% for a in range(1000000000) %}{{x}}{% endfor %}".to_owned(),
            "{{ x | replace('a', x) | replace('a', x) | replace('a', x) }}".to_owned(),
            "{{ x | replace('', x) }}".to_owned(),
            "{{ list | join(x) }}".to_owned(),
            "{{ x | indent(99999999999) }}".to_owned(),
            "{{ x | center(99999999999) }}".to_owned(),
            "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
            "{% for a in list recursive %}{{ loop(list) }}{% endfor %}".to_owned(),
            "{% include 'doc_to_text' %}".to_owned(),
            "{% set ns = namespace(y=x) %}".to_owned(),
            "{% filter upper %}{{x}}{% endfilter %}".to_owned(),
            "{{ debug() }}".to_owned(),
            "{{ x }}".repeat(9),
            "{".repeat(60_000),
            format!("{{{{ {}1{} }}}}", "(".repeat(30_000), ")".repeat(30_000)),
            format!("{{{{ {}x }}}}", "-".repeat(30_000)),
            format!("{{{{ {}x }}}}", "not ".repeat(30_000)),
            format!("{{{{ {}x }}}}", "x if x else ".repeat(30_000)),
            format!("{{% if x %}}{}", "{% elif x %}".repeat(30_000)),
            "{% for a in x %}".repeat(2000),
        ] {
            let shown: String = bomb.chars().take(60).collect();
            assert!(rendered(&bomb, &row).is_err(), "{shown}");
        }
    }
}
