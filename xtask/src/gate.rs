//! The gate: everything that must hold before a change is taken, in the order in which it fails fastest.

use std::path::{Path, PathBuf};
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
    Step { name: "compat", run: compat },
    Step { name: "web", run: web },
];

/// Runs the whole gate, or the steps that are named.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut environment = tools::build_environment()?;
    let mut chosen: Vec<&str> = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            // Read by the suites themselves: soak, kill loop and property tests run longer under it.
            "--long" => environment.push(("AOBENCH_LONG_TESTS".to_owned(), "1".to_owned())),
            "--web" => chosen.push("web"),
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
    tools::wasm_modules();
    run::cargo(environment, ["test", "--locked", "--workspace"])
}

/// The demo as a newcomer runs it, its one JSON object checked by the program itself.
fn demo(environment: &Environment) -> Result<(), String> {
    run::cargo(environment, ["build", "--locked", "--package", "aobench"])?;
    let binary = tools::target_directory().join("debug/aobench");
    run::program(environment, &binary, ["demo"])
}

/// AO's own clients against a node. They are npm packages: without npm, or without a network, this says that it was left
/// out, and everything else still counts.
fn compat(environment: &Environment) -> Result<(), String> {
    let folder = tools::repository().join("compat");
    let Some(environment) = npm_packages(environment, &[folder.clone(), folder.join("loader")], "AO's own clients")
    else {
        return Ok(());
    };
    let mut clients = environment.clone();
    if let Some(aos) = tools::aos() {
        clients.push(("AOS".to_owned(), aos.display().to_string()));
    }
    run::program(&clients, Path::new("node"), [folder.join("run.mjs")])?;
    same_answers(&environment, &binary())
}

/// A real browser through the pages of a node; left out, and said so, where there is no Chromium.
fn web(environment: &Environment) -> Result<(), String> {
    let browser = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    if !browser.exists() {
        eprintln!("xtask: SKIPPED: there is no {}, which walks through the pages", browser.display());
        return Ok(());
    }
    let folder = tools::repository().join("web");
    match npm_packages(environment, std::slice::from_ref(&folder), "the driver of the browser") {
        Some(environment) => run::program(&environment, Path::new("node"), [folder.join("run.mjs")]),
        None => Ok(()),
    }
}

fn binary() -> PathBuf {
    tools::target_directory().join("debug/aobench")
}

/// Installs the npm packages that folders lock; the environment of what runs with them, or nothing, and said so, where
/// they cannot be had.
fn npm_packages(environment: &Environment, folders: &[PathBuf], what: &str) -> Option<Environment> {
    let npm = Path::new("npm");
    if !run::is_there(npm, &["--version"]) || !run::is_there(Path::new("node"), &["--version"]) {
        eprintln!("xtask: SKIPPED: {what}: there is no node and npm");
        return None;
    }
    for folder in folders {
        let install = ["ci", "--silent", "--no-audit", "--no-fund", "--prefix", &folder.display().to_string()];
        if let Err(error) = run::program(environment, npm, install) {
            eprintln!("xtask: SKIPPED: {what} could not be installed ({error})");
            return None;
        }
    }
    let mut environment = environment.clone();
    environment.push(("AOBENCH".to_owned(), binary().display().to_string()));
    Some(environment)
}

/// The same messages through this node's host of modules and through AO's own: a few hundred, ten thousand with `--long`.
fn same_answers(environment: &Environment, binary: &Path) -> Result<(), String> {
    let module = tools::target_directory().join("wasm-modules/aos2_0_6.wasm");
    if !module.exists() {
        eprintln!("xtask: SKIPPED: AO's modules are absent; compat/fetch_modules.sh fetches them");
        return Ok(());
    }
    let long = environment.iter().any(|(name, _)| name == "AOBENCH_LONG_TESTS");
    let count = if long { "10000" } else { "400" };
    let loader = tools::repository().join("compat/loader").display().to_string();
    let module = module.display().to_string();
    let arguments = ["bench", "wasm", "--must-agree", "--messages", count, "--module", &module, "--loader", &loader];
    run::program(environment, binary, arguments)
}
