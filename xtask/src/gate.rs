//! The gate: everything that must hold before a change is taken, in the order in which it fails fastest.

use std::time::Instant;

use crate::run::{self, Environment};
use crate::tools;

/// One step of the gate.
struct Step {
    name: &'static str,
    run: fn(&Environment) -> Result<(), String>,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", run: |environment| run::cargo(environment, ["fmt", "--all", "--check"]) },
    Step { name: "typos", run: |environment| run::program(environment, &tools::typos()?, [""; 0]) },
    Step { name: "deny", run: deny },
    Step { name: "clippy", run: clippy },
    Step { name: "unit", run: unit },
    Step { name: "demo", run: demo },
];

/// Runs the whole gate, or the steps that are named.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut environment = tools::build_environment()?;
    let mut chosen: Vec<&str> = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            // Read by the suites themselves: soak, kill loop and property tests run longer under it.
            "--long" => environment.push(("AOBENCH_LONG_TESTS".to_owned(), "1".to_owned())),
            name if STEPS.iter().any(|step| step.name == name) => chosen.push(name),
            other => return Err(format!("there is no step '{other}'; see `cargo xtask help`")),
        }
    }
    for step in STEPS.iter().filter(|step| chosen.is_empty() || chosen.contains(&step.name)) {
        let started = Instant::now();
        (step.run)(&environment).map_err(|error| format!("step {}: {error}", step.name))?;
        eprintln!("xtask: {} passed in {} s", step.name, started.elapsed().as_secs());
    }
    Ok(())
}

fn deny(environment: &Environment) -> Result<(), String> {
    let checker = tools::cargo_deny()?;
    run::program(environment, &checker, ["--log-level", "error", "check", "licenses", "bans", "sources"])
}

fn clippy(environment: &Environment) -> Result<(), String> {
    run::cargo(
        environment,
        ["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"],
    )
}

fn unit(environment: &Environment) -> Result<(), String> {
    run::cargo(environment, ["test", "--locked", "--workspace"])
}

/// The demo as a newcomer runs it, its one JSON object checked by the program itself.
fn demo(environment: &Environment) -> Result<(), String> {
    run::cargo(environment, ["build", "--locked", "--package", "aobench"])?;
    let binary = tools::target_directory().join("debug/aobench");
    run::program(environment, &binary, ["demo"])
}
