//! The data directory of a node: its lock and its keys. A key file is readable by its owner only, or the node does not
//! start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ao::{Wallet, WalletKind};
use zeroize::Zeroizing;

use crate::error::NodeError;

/// The file with the key of the node: its address, and the signature on each assignment.
const NODE_KEY: &str = "node.json";

/// The file with the wallet of the operator of a development node.
const OPERATOR_KEY: &str = "operator.json";

/// A data directory that no other node uses, until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Takes a directory, made if it is absent.
    pub(crate) fn take(path: &Path) -> Result<Self, NodeError> {
        let failed = |source: std::io::Error| NodeError::Data { path: path.to_owned(), reason: source.to_string() };
        std::fs::create_dir_all(path.join("processes")).map_err(failed)?;
        let lock =
            OpenOptions::new().create(true).write(true).truncate(false).open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(NodeError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log.sqlite")
    }

    /// The links of AO's hash chain.
    pub(crate) fn ao_chain(&self) -> PathBuf {
        self.path.join("ao-chain.sqlite")
    }

    /// The files of the processes.
    pub(crate) fn processes(&self) -> PathBuf {
        self.path.join("processes")
    }

    /// The directory of the gateway.
    pub(crate) fn gateway(&self) -> PathBuf {
        self.path.join("gateway")
    }

    /// The key of the node, made on first use. Ed25519: its signatures are deterministic, so that assignments can be made
    /// again from the log.
    pub(crate) fn node_wallet(&self) -> Result<Wallet, NodeError> {
        let path = self.path.join(NODE_KEY);
        let wallet = wallet(&path)?;
        if wallet.kind() == WalletKind::Ed25519 {
            Ok(wallet)
        } else {
            Err(NodeError::Key { path, reason: "the key of a node is an Ed25519 key".to_owned() })
        }
    }

    /// The wallet of the operator of a development node, made on first use.
    pub(crate) fn operator_wallet(&self) -> Result<Wallet, NodeError> {
        wallet(&self.path.join(OPERATOR_KEY))
    }
}

fn wallet(path: &Path) -> Result<Wallet, NodeError> {
    if path.exists() { read(path) } else { create(path) }
}

fn read(path: &Path) -> Result<Wallet, NodeError> {
    private(path)?;
    let key = |reason: String| NodeError::Key { path: path.to_owned(), reason };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| key(error.to_string()))?);
    Wallet::from_jwk(&text).map_err(|error| key(error.to_string()))
}

/// Writes a new key to a file that is complete before it has its name.
fn create(path: &Path) -> Result<Wallet, NodeError> {
    let failed = |reason: String| NodeError::Key { path: path.to_owned(), reason };
    let wallet = Wallet::generate(WalletKind::Ed25519).map_err(|error| failed(error.to_string()))?;
    let unfinished = path.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(&unfinished)?;
        file.write_all(wallet.to_jwk().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
    };
    write().map_err(|error: std::io::Error| failed(error.to_string()))?;
    Ok(wallet)
}

/// Refuses a key that others may read.
#[cfg(unix)]
fn private(path: &Path) -> Result<(), NodeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|error| NodeError::Key { path: path.to_owned(), reason: error.to_string() })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(NodeError::KeyExposed { path: path.to_owned(), mode }) }
}

/// Other systems guard files by other means.
#[cfg(not(unix))]
fn private(_path: &Path) -> Result<(), NodeError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::take(directory.path()).unwrap();
        assert_eq!(data.node_wallet().unwrap().address(), data.node_wallet().unwrap().address());
    }

    #[test]
    fn one_directory_belongs_to_one_node() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDirectory::take(directory.path()).unwrap();
        assert!(matches!(DataDirectory::take(directory.path()), Err(NodeError::Locked(_))));
        drop(first);
        assert!(DataDirectory::take(directory.path()).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::take(directory.path()).unwrap();
        data.node_wallet().unwrap();
        let path = directory.path().join(NODE_KEY);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = data.node_wallet().err().unwrap().to_string();
        assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
    }
}
