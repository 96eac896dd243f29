//! What a person meets at the command line: help, errors, configuration, completions.

use std::process::{Command, Output};

use crate::binary::AOBENCH;

fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(AOBENCH)
        .args(arguments)
        .env("HOME", home.path())
        .env_remove("AOBENCH_URL")
        .env_remove("AOBENCH_WALLET")
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_command_has_help_on_standard_output() {
    for command in [
        "demo",
        "up",
        "worker",
        "warp",
        "wallet",
        "token",
        "dataset",
        "model",
        "pool",
        "knowledge",
        "judge",
        "chat",
        "send",
        "result",
        "process",
        "bench",
        "config",
        "completions",
    ] {
        let output = run(&[command, "--help"]);
        assert!(output.status.success() && text(&output.stdout).contains("Usage:"), "{command}");
    }
}

#[test]
fn the_help_shows_the_commands() {
    let lines: Vec<String> = text(&run(&["--help"]).stdout).lines().map(|line| line.trim_end().to_owned()).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn errors_say_what_happened_and_what_to_do() {
    let url = "http://127.0.0.1:1";
    for (arguments, parts) in [
        (vec!["--url", url, "pool", "list"], vec!["127.0.0.1:1", "aobench up"]),
        (vec!["--url", url, "pool", "join", "x", "y"], vec!["wallet", "aobench wallet new"]),
        (vec!["--url", "nonsense", "pool", "list"], vec!["nonsense", "http://localhost:4000"]),
        (vec!["--config", "/does/not/exist", "pool", "list"], vec!["/does/not/exist"]),
        (vec!["warp", "soon"], vec!["soon", "24h"]),
    ] {
        let output = run(&arguments);
        let errors = text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: an error is talk, not a result");
        for part in parts {
            assert!(errors.contains(part), "{arguments:?}: {errors}");
        }
    }
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let output = run(&["--json", "--url", "http://127.0.0.1:1", "pool", "list"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().contains("127.0.0.1:1"));
}

#[test]
fn a_wallet_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.json");
    let path = path.to_str().unwrap();
    let made = run(&["--json", "wallet", "new", path, "--kind", "ed25519"]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let address = run(&["wallet", "address", path]);
    assert_eq!(text(&address.stdout).trim(), made["address"]);
    assert!(!run(&["wallet", "new", path, "--kind", "ed25519"]).status.success());
    assert_eq!(text(&run(&["wallet", "address", path]).stdout).trim(), made["address"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = run(&["wallet", "address", path]);
        assert!(!exposed.status.success() && text(&exposed.stderr).contains("chmod 600"), "{}", text(&exposed.stderr));
    }
}

#[test]
fn the_default_configuration_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, run(&["config", "default"]).stdout).unwrap();
    let output = run(&["--config", path.to_str().unwrap(), "--url", "http://127.0.0.1:1", "pool", "list"]);
    assert!(text(&output.stderr).contains("127.0.0.1:1"), "{}", text(&output.stderr));
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(text(&run(&["completions", shell]).stdout).contains("aobench"), "{shell}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = std::process::Command::new(AOBENCH)
        .args(["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds, and nobody reads.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
