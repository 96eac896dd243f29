//! Templates that a stranger wrote, and that run in the process that keeps the money: bounded in steps, in output and in
//! memory. Steps and output are limited while they run. Memory is limited by what they may say: every expression works
//! on the fields of one question, nothing can be stored and used again (`set`, macros), nothing multiplies a text, and
//! the filters that could make much out of little have their own limit. What remains grows with the length of the
//! template only.

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, Expr, Stmt};
use minijinja::machinery::parse;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, filters};

use super::template::{python_text, syntax, told};
use crate::limits::FILTERED_BYTES_MAX;

/// The names of the filters of [`environment`]: an unknown one is refused when the task is read.
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

/// The methods of Python's texts and lists that make no more than they are given.
const METHODS: &[&str] =
    &["capitalize", "endswith", "index", "lower", "lstrip", "rstrip", "split", "startswith", "strip", "title", "upper"];

/// What a stranger's template may use: the filters that take little time and make little out of little, and no function.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
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
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    add_tests(&mut environment);
    environment
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

/// Whether a template says nothing that can make much out of little.
pub(super) fn check(source: &str) -> Result<(), String> {
    let tree = parse(source, "template", syntax()).map_err(|error| told(&error))?;
    check_statement(&tree)
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
        Expr::Call(call) => check_call(call),
    }
}

/// Whether a call is one of a method that makes no more than it is given.
fn check_call(call: &Call<'_>) -> Result<(), String> {
    let Expr::GetAttr(method) = &call.expr else {
        return Err("calls of functions are not supported".to_owned());
    };
    check_name("method", method.name, METHODS)?;
    check_expression(&method.expr)?;
    check_arguments(&call.args)
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
    use crate::harness::template::{Author, Templates};
    use crate::{Question, TaskError};

    fn rendered(source: &str, row: &str) -> Result<String, TaskError> {
        let mut templates = Templates::new(Author::Stranger);
        templates.add("doc_to_text", source)?;
        templates.render("doc_to_text", Question::from_json(row).unwrap().fields())
    }

    #[test]
    fn templates_are_rendered_as_jinja_does() {
        let row =
            r#"{"question": "Who's <there>?", "choices": ["Zoë", "no one"], "label": 1, "yes": true, "none": null}"#;
        for (source, text) in [
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
            ("{{ (question ~ ' ').strip().lower() }}", "who's <there>?"),
            ("{{ choices.index('no one') }} {{ ['A', 'B'].index('B') }}", "1 1"),
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
            "{{ x.replace('a', x) }}".to_owned(),
            "{{ x.join(list) }}".to_owned(),
            "{{ '{:>99999999}'.format(x) }}".to_owned(),
            "{{ x.zfill(99999999) }}".to_owned(),
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
