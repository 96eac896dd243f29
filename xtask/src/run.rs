//! Running other programs, with every command shown before it runs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Variables that the build needs beyond those of the caller, as name and value.
pub(crate) type Environment = Vec<(String, String)>;

/// Runs `cargo` in the repository; an error names the command that failed.
pub(crate) fn cargo<'a>(environment: &Environment, arguments: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    program(environment, Path::new(&cargo), arguments)
}

/// Runs a program in the repository; an error names the command that failed.
pub(crate) fn program(
    environment: &Environment,
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().cloned()).current_dir(crate::tools::repository());
    let shown = format!("{command:?}").replace('"', "");
    let shown = shown.split_once(&*program.to_string_lossy()).map_or(shown.as_str(), |(_, rest)| rest).to_owned();
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    eprintln!("xtask: {name}{shown}");
    let status = command.status().map_err(|error| format!("could not start {}: {error}", program.display()))?;
    if status.success() { Ok(()) } else { Err(format!("`{name}{shown}` ended with {status}")) }
}

/// Whether a program is there and answers to `--version`.
pub(crate) fn is_there(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
