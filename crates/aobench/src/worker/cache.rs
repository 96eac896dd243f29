//! Model files on this machine, kept by the hash of their content. A file is used only if it has the hash that was agreed
//! on; it is looked at again before every job.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ao::Id;
use client::Client;
use inference::gguf::Facts;
use tokio::runtime::Handle;

use super::desk::Blame;

/// A model file that is here, with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachedModel {
    /// Where it is.
    pub(super) path: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub(super) file_hash: String,
}

/// By what a file that was not touched is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// The model files of a worker.
pub(super) struct Cache {
    folder: PathBuf,
    client: Client,
    /// Files whose hash was computed, as they were then.
    hashed: BTreeMap<PathBuf, (Fingerprint, String)>,
    /// The hash of the file behind a transaction, as found when it was downloaded.
    transactions: BTreeMap<Id, String>,
}

impl Cache {
    /// The cache in a folder, made if it is absent.
    pub(super) fn open(folder: PathBuf, client: Client) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, client, hashed: BTreeMap::new(), transactions: BTreeMap::new() })
    }

    /// The file of a model: from the cache if it is there and whole, else from the node. Blocking; downloads run on
    /// `runtime`.
    pub(super) fn get(
        &mut self,
        model: &Id,
        expected: Option<&str>,
        runtime: &Handle,
    ) -> Result<CachedModel, (Blame, String)> {
        let wanted = expected.or_else(|| self.transactions.get(model).map(String::as_str)).map(ToOwned::to_owned);
        if let Some(file_hash) = &wanted {
            let path = self.path(file_hash)?;
            if self.hash(&path).is_some_and(|found| found == *file_hash) {
                return Ok(CachedModel { path, file_hash: file_hash.clone() });
            }
        }
        let fetched = self.fetch(model, runtime)?;
        match wanted {
            Some(file_hash) if fetched.file_hash != file_hash => {
                let _ = std::fs::remove_file(&fetched.path);
                let reason = format!(
                    "the node gave a file with the hash {} for {model}, agreed was {file_hash}",
                    fetched.file_hash
                );
                Err((Blame::Worker, reason))
            }
            _ => Ok(fetched),
        }
    }

    /// A path made of hexadecimal digits only: the hash comes from outside.
    fn path(&self, file_hash: &str) -> Result<PathBuf, (Blame, String)> {
        if processes::herder::wire::is_hash(file_hash) {
            Ok(self.folder.join(format!("{file_hash}.gguf")))
        } else {
            Err((Blame::Model, "the hash of the model is not 64 lower-case hexadecimal digits".to_owned()))
        }
    }

    /// Downloads a model and checks that it is one.
    fn fetch(&mut self, model: &Id, runtime: &Handle) -> Result<CachedModel, (Blame, String)> {
        let machine =
            |error: &dyn std::fmt::Display| (Blame::Worker, format!("the model {model} cannot be fetched: {error}"));
        let path = self.folder.join(format!("transaction-{}", model.to_hex()));
        tracing::info!(%model, "downloading");
        let download = self.client.download(model, &path, |_| {});
        runtime.block_on(download).map_err(|error| machine(&error))?;
        let file = File::open(&path).map_err(|error| machine(&error))?;
        let length = file.metadata().map_err(|error| machine(&error))?.len();
        let facts = Facts::read(&file, 0, length).map_err(|error| (Blame::Model, error.to_string()))?;
        let kept = self.path(&facts.file_hash)?;
        std::fs::rename(&path, &kept).map_err(|error| machine(&error))?;
        self.transactions.insert(*model, facts.file_hash.clone());
        if let Some(fingerprint) = fingerprint(&kept) {
            self.hashed.insert(kept.clone(), (fingerprint, facts.file_hash.clone()));
        }
        Ok(CachedModel { path: kept, file_hash: facts.file_hash })
    }

    /// The hash of a file, computed anew if the file is not the one that was looked at before.
    fn hash(&mut self, path: &Path) -> Option<String> {
        let now = fingerprint(path)?;
        if let Some((then, hash)) = self.hashed.get(path)
            && *then == now
        {
            return Some(hash.clone());
        }
        let file = File::open(path).ok()?;
        let facts = Facts::read(&file, 0, now.bytes).ok()?;
        self.hashed.insert(path.to_owned(), (now, facts.file_hash.clone()));
        Some(facts.file_hash)
    }
}

fn fingerprint(path: &Path) -> Option<Fingerprint> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Fingerprint { bytes: metadata.len(), modified: metadata.modified().ok(), inode })
}
