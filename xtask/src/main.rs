//! Commands for working on aobench: `cargo xtask demo`, `cargo xtask test`, `cargo xtask setup`.
//!
//! This program has no dependencies, so that on a fresh machine it runs within seconds and can install what the real
//! build needs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks to its user")]

mod gate;
mod run;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask demo [-- ARGUMENTS]   install what the build needs, build, and run `aobench demo` with the arguments
cargo xtask test [--long] [STEP]  the whole gate: format, lints, licences, spelling, tests, demo, AO's clients, a browser
                                  through the pages; or one step (fmt, clippy, deny, typos, unit, demo, compat, web).
                                  --long adds the slow suites in full length
cargo xtask setup                 only install what the build needs (cmake, libclang)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "setup" => tools::build_environment().map(|_| ()),
        "demo" => demo(rest),
        "test" => gate::run(rest),
        _ => {
            print!("{HELP}");
            return if command == "help" { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the binary and runs the demo with it. What each crate's build took is left in `target/cargo-timings`.
fn demo(arguments: &[String]) -> Result<(), String> {
    let environment = tools::build_environment()?;
    let arguments = arguments.iter().map(String::as_str).filter(|argument| *argument != "--");
    eprintln!(
        "xtask: building aobench (the first build takes some minutes: llama.cpp, SQLite and cryptography are compiled)"
    );
    run::cargo(&environment, ["build", "--locked", "--package", "aobench", "--timings"])?;
    let binary = tools::target_directory().join("debug").join(format!("aobench{}", std::env::consts::EXE_SUFFIX));
    run::program(&environment, &binary, std::iter::once("demo").chain(arguments))
}
