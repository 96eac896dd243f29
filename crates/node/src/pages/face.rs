//! In which form a page is wanted: for a reader, as JSON, as comma-separated values, or as a picture. A page and its JSON
//! are made of the same data, so that a number on one is the number in the other.

use askama::Template;
use axum::Json;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use ao::Id;

use crate::http::error::{HttpError, quoted};

/// How a page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Json,
    Csv,
    Svg,
}

/// Who asks for a page, and how.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    wants_json: bool,
    reads_html: bool,
    /// Where this node was asked, as `http://localhost:4000`: what is shared elsewhere needs whole addresses.
    pub(super) origin: String,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    reason: &'a str,
    text: &'a str,
}

impl Caller {
    /// Reads the headers of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let accept = text(&ACCEPT);
        let reads_html = accept.contains("text/html");
        let host = Some(text(&HOST)).filter(|host| is_host(host)).unwrap_or("localhost");
        let is_secure = text(&HeaderName::from_static("x-forwarded-proto")) == "https";
        let scheme = if is_secure { "https" } else { "http" };
        Self {
            wants_json: accept.contains("application/json") && !reads_html,
            reads_html,
            origin: format!("{scheme}://{host}"),
        }
    }

    /// The form of a page whose path does not say it.
    pub(super) fn form(&self) -> Form {
        if self.wants_json { Form::Json } else { Form::Html }
    }

    /// The id at the end of a path, and the form that its ending says: `ID`, `ID.json`, `ID.csv`, `ID.svg`.
    pub(super) fn id_and_form(&self, text: &str) -> Result<(Id, Form), HttpError> {
        let (id, form) = self.name_and_form(text)?;
        Ok((crate::http::extract::parse_id(id)?, form))
    }

    /// The same for any name.
    pub(super) fn name_and_form<'a>(&self, text: &'a str) -> Result<(&'a str, Form), HttpError> {
        match text.split_once('.') {
            None => Ok((text, self.form())),
            Some((name, "json")) => Ok((name, Form::Json)),
            Some((name, "csv")) => Ok((name, Form::Csv)),
            Some((name, "svg")) => Ok((name, Form::Svg)),
            Some((_, ending)) => {
                let text = format!("a page ends in .json, .csv or .svg, and not in '{}'", quoted(ending));
                Err(HttpError::not_found(text))
            }
        }
    }

    /// The answer, or the error as the caller can read it.
    pub(super) fn answer(&self, outcome: Result<Response, HttpError>) -> Response {
        let error = match outcome {
            Ok(response) => return response,
            Err(error) if self.reads_html => error,
            Err(error) => return error.into_response(),
        };
        let text = error.text().to_owned();
        let mut response = error.into_response();
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        if let Ok(html) = (ErrorPage { status: status.as_u16(), reason, text: &text }).render() {
            let headers = std::mem::take(response.headers_mut());
            response = (status, Html(html)).into_response();
            if let Some(wait) = headers.get(axum::http::header::RETRY_AFTER) {
                response.headers_mut().insert(axum::http::header::RETRY_AFTER, wait.clone());
            }
        }
        response
    }
}

/// A name or address with a port, and nothing that could stand for something else in a page.
fn is_host(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (1..=255).contains(&host.len()) && host.bytes().all(is_plain)
}

/// A page in one of the two forms that every page has.
pub(super) fn show<T: Template + DeserializeOwned>(form: Form, data: Value) -> Result<Response, HttpError> {
    let mut response = match form {
        Form::Json => Json(data).into_response(),
        Form::Html => html(&read::<T>(data)?)?,
        Form::Csv | Form::Svg => return Err(HttpError::not_found("this page has no such form; it has .json")),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// What a page shows, from its data.
pub(super) fn read<T: DeserializeOwned>(data: Value) -> Result<T, HttpError> {
    serde_json::from_value(data)
        .map_err(|error| HttpError::internal(format!("the process answered what the page cannot show: {error}")))
}

/// A template as a page.
pub(super) fn html(template: &impl Template) -> Result<Response, HttpError> {
    Ok(Html(rendered(template)?).into_response())
}

/// A template as text.
pub(super) fn rendered(template: &impl Template) -> Result<String, HttpError> {
    template.render().map_err(|error| HttpError::internal(format!("the page could not be made: {error}")))
}

/// A text of another type than HTML, which may be kept for a while.
pub(super) fn text(kind: &'static str, max_age: &'static str, text: impl IntoResponse) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(max_age));
    response
}

/// A field of comma-separated values (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe.
pub(super) fn field(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(pairs: &[(&'static str, &'static str)]) -> Caller {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Caller::of(&pairs.collect())
    }

    #[test]
    fn a_browser_gets_a_page_and_a_program_what_it_asks_for() {
        assert_eq!(caller(&[("accept", "text/html,application/json;q=0.9")]).form(), Form::Html);
        assert_eq!(caller(&[("accept", "application/json")]).form(), Form::Json);
        assert_eq!(caller(&[("accept", "*/*")]).form(), Form::Html);
        let id = Id::new([1; 32]);
        assert_eq!(caller(&[]).id_and_form(&format!("{id}.csv")).unwrap(), (id, Form::Csv));
        assert!(caller(&[]).id_and_form(&format!("{id}.exe")).is_err());
        assert!(caller(&[]).id_and_form("../etc/passwd").is_err());
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        assert_eq!(caller(&[("host", "node:4000")]).origin, "http://node:4000");
        assert_eq!(caller(&[("host", "a\"><script>")]).origin, "http://localhost");
        assert_eq!(caller(&[("host", "a"), ("x-forwarded-proto", "https")]).origin, "https://a");
    }

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a,b \"c\"\n"), "\"a,b \"\"c\"\"\n\"");
        assert_eq!(field("=HYPERLINK(1)"), "'=HYPERLINK(1)");
    }
}
