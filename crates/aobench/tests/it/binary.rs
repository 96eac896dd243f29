//! The real binary under test: started, asked, killed.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use ao::Wallet;
use client::Client;
use serde_json::Value;

/// The binary that cargo built for these tests.
pub(crate) const AOBENCH: &str = env!("CARGO_BIN_EXE_aobench");

/// A development node in a process of its own. Killed, without warning, when dropped.
pub(crate) struct RunningNode {
    child: Child,
    pub(crate) url: String,
    pub(crate) data: PathBuf,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Lets nobody else read a file with a secret.
pub(crate) fn keep_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl RunningNode {
    /// Starts a development node and returns once it listens.
    pub(crate) fn start(data: &Path, port: u16, workers: usize) -> Self {
        Self::start_with(data, port, workers, &[])
    }

    /// The same with more options.
    pub(crate) fn start_with(data: &Path, port: u16, workers: usize, more: &[&str]) -> Self {
        let mut child = Command::new(AOBENCH)
            .args(["up", "--dev", "--json", "--listen", &format!("127.0.0.1:{port}"), "--worker", &workers.to_string()])
            .args(more)
            .arg("--data")
            .arg(data)
            .env_remove("AOBENCH_URL")
            .env("HOME", data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).expect("the node says where it listens");
        Self { child, url: started["url"].as_str().unwrap().to_owned(), data: data.to_owned() }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A wallet of the node's development network, or `operator`.
    pub(crate) fn wallet_file(&self, name: &str) -> PathBuf {
        if name == "operator" {
            self.data.join("operator.json")
        } else {
            self.data.join("wallets").join(format!("{name}.json"))
        }
    }

    pub(crate) fn wallet(&self, name: &str) -> Wallet {
        Wallet::from_jwk(&std::fs::read_to_string(self.wallet_file(name)).unwrap()).unwrap()
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        Client::new(&self.url, Some(self.wallet(name))).unwrap()
    }

    /// Runs a command against this node in the name of a wallet.
    pub(crate) fn run(&self, wallet: &str, arguments: &[&str]) -> Output {
        Command::new(AOBENCH)
            .args(["--url", &self.url, "--json", "--wallet"])
            .arg(self.wallet_file(wallet))
            .args(arguments)
            .env("HOME", &self.data)
            .output()
            .unwrap()
    }

    /// The JSON result of a command that must succeed.
    pub(crate) fn json(&self, wallet: &str, arguments: &[&str]) -> Value {
        let output = self.run(wallet, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aobench {arguments:?} failed: {errors}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("aobench {arguments:?} printed no JSON: {error}"))
    }

    /// The error text of a command that must fail.
    pub(crate) fn error(&self, wallet: &str, arguments: &[&str]) -> String {
        let output = self.run(wallet, arguments);
        assert!(!output.status.success(), "aobench {arguments:?} should have failed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Real data kept beside the repository, for those who have it. A test without it says that it was skipped.
pub(crate) fn shared_data(test: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("AOBENCH_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => repository().parent()?.join("shared/data"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    println!("{test}: SKIPPED, there is no folder {} (set AOBENCH_SHARED_DATA)", folder.display());
    None
}
