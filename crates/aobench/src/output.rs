//! The two channels: standard output is the result of a command, standard error is the talk about it.
#![expect(clippy::print_stderr, reason = "the one place where the program prints")]

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

/// A column of a table: its head, and whether it holds numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Text, on the left.
    Text(&'static str),
    /// Numbers, on the right.
    Number(&'static str),
}

impl Output {
    /// Text for people, or one JSON object.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The result: as JSON, or as the text that `text` makes of it.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let shown = if self.json { serde_json::to_string(value)? } else { text(value).trim_end().to_owned() };
        print(&(shown + "\n")).context("standard output cannot be written")
    }

    /// A part of the result that only people read.
    pub(crate) fn text(self, text: impl std::fmt::Display) {
        if !self.json {
            print_part(&format!("{text}\n"));
        }
    }

    /// Raw text that is the whole result: a file, completions.
    pub(crate) fn raw(self, text: &str) {
        print_part(text);
    }

    /// A remark, on standard error.
    pub(crate) fn talk(self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// An error with its causes, on standard error; with `--json` as an object.
    pub(crate) fn error(self, error: &anyhow::Error) {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        if self.json {
            eprintln!("{}", serde_json::json!({ "error": causes.join(": ") }));
        } else {
            eprintln!("error: {}", causes.join("\n  because: "));
        }
    }

    /// A bar on standard error; hidden where nobody watches.
    pub(crate) fn bar(self, total: u64, what: &'static str) -> ProgressBar {
        let bar = if self.watched() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        bar.set_length(total);
        let template = "{prefix:<22} [{bar:32}] {human_pos}/{human_len} {msg} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(what);
        bar
    }

    /// A bar that counts bytes.
    pub(crate) fn byte_bar(self, total: u64, what: &'static str) -> ProgressBar {
        let bar = self.bar(total, what);
        let template = "{prefix:<22} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar
    }

    /// A turning sign on standard error while something of unknown length is waited for.
    pub(crate) fn spinner(self, what: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
        let spinner = if self.watched() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        spinner.set_message(what);
        spinner.enable_steady_tick(Duration::from_millis(120));
        spinner
    }

    fn watched(self) -> bool {
        std::io::stderr().is_terminal()
    }
}

/// Writes to standard output. That a reader has seen enough (`| head`) is no error, and ends no node that runs.
fn print(text: &str) -> std::io::Result<()> {
    let mut channel = std::io::stdout().lock();
    match channel.write_all(text.as_bytes()).and_then(|()| channel.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The same for what is not the whole result: that it is lost is said, and the command goes on.
fn print_part(text: &str) {
    if let Err(error) = print(text) {
        eprintln!("error: standard output cannot be written: {error}");
    }
}

/// A table for people.
pub(crate) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(columns.iter().map(|column| match column {
        Column::Text(head) | Column::Number(head) => *head,
    }));
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in columns.iter().enumerate() {
        if let (Column::Number(_), Some(column)) = (column, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
