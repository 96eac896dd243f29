//! Model files on this machine, kept by the SHA-256 of the file. A file is used only if it has the hash that was agreed on;
//! it is looked at again before every batch, and hashed again if it is not as it was.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use ao::Id;
use client::{Client, Progress};
use inference::gguf::{Facts, file_hash};
use processes::herder::wire::is_hash;
use tokio::runtime::Handle;

use super::desk::Blame;
use super::space;

/// How often a download says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// A model file that is here, with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachedModel {
    /// Where it is.
    pub(super) path: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub(super) file_hash: String,
    /// Length of the file.
    pub(super) bytes: u64,
    /// Whether the file was fetched or hashed anew: a child that has it loaded may hold something else.
    pub(super) is_new: bool,
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
    hashed: BTreeMap<PathBuf, Fingerprint>,
    /// Bytes that all models may take.
    space_bytes_max: u64,
}

impl CachedModel {
    /// A model file of this machine, where it lies.
    pub(super) fn at(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("the model {} cannot be opened", path.display()))?;
        let bytes = file.metadata()?.len();
        let facts = Facts::read(&file, 0, bytes).with_context(|| format!("{} is no model", path.display()))?;
        let path = std::path::absolute(path)?;
        Ok(Self { path, file_hash: facts.file_hash, bytes, is_new: false })
    }
}

/// Why there is no model: who is to blame, and the reason.
pub(super) type Missing = (Blame, String);

impl Cache {
    /// The cache in a folder, made if it is absent.
    pub(super) fn open(folder: PathBuf, client: Client, space_bytes_max: u64) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, client, hashed: BTreeMap::new(), space_bytes_max })
    }

    /// The file of a model: from the cache if it is there and whole, else from the node. Blocking; downloads run on
    /// `runtime`.
    pub(super) fn get(&mut self, model: &Id, agreed: Option<&str>, runtime: &Handle) -> Result<CachedModel, Missing> {
        let wanted = agreed.map(ToOwned::to_owned).or_else(|| self.hash_of_transaction(model));
        if let Some(file_hash) = &wanted
            && let Some(cached) = self.find(file_hash)?
        {
            space::note_use(&cached.path);
            return Ok(cached);
        }
        let cached = self.fetch(model, runtime)?;
        match wanted {
            Some(file_hash) if cached.file_hash != file_hash => {
                self.hashed.remove(&cached.path);
                let _ = std::fs::remove_file(&cached.path);
                let found = &cached.file_hash;
                Err((Blame::Worker, format!("the node gave the file {found} for {model}, and {file_hash} was agreed")))
            }
            _ => {
                space::note_use(&cached.path);
                space::make_room(&self.folder, &cached.path, self.space_bytes_max);
                Ok(cached)
            }
        }
    }

    /// A path made of hexadecimal digits only: the hash comes from outside.
    fn path(&self, file_hash: &str) -> Result<PathBuf, Missing> {
        if is_hash(file_hash) {
            Ok(self.folder.join(format!("{file_hash}.gguf")))
        } else {
            Err((Blame::Worker, "the hash of the model file is not 64 lower-case hexadecimal digits".to_owned()))
        }
    }

    /// The file in the cache, if it is there and has its hash. One that has another is damaged, and is removed.
    fn find(&mut self, hash: &str) -> Result<Option<CachedModel>, Missing> {
        let path = self.path(hash)?;
        let Some(now) = fingerprint(&path) else { return Ok(None) };
        let cached = CachedModel { path: path.clone(), file_hash: hash.to_owned(), bytes: now.bytes, is_new: false };
        if self.hashed.get(&path) == Some(&now) {
            return Ok(Some(cached));
        }
        let unreadable = |error: &dyn std::fmt::Display| (Blame::Worker, format!("{}: {error}", path.display()));
        let file = File::open(&path).map_err(|error| unreadable(&error))?;
        let found = file_hash(&file, 0, now.bytes).map_err(|error| unreadable(&error))?;
        if found == hash {
            self.hashed.insert(path, now);
            return Ok(Some(CachedModel { is_new: true, ..cached }));
        }
        tracing::warn!(file = %path.display(), found, "a cached model has changed; it is fetched again");
        self.hashed.remove(&path);
        std::fs::remove_file(&path).map_err(|error| unreadable(&error))?;
        Ok(None)
    }

    /// Downloads a model and checks that it is one. A download that breaks off goes on where it was.
    fn fetch(&mut self, model: &Id, runtime: &Handle) -> Result<CachedModel, Missing> {
        let failed =
            |error: &dyn std::fmt::Display| (Blame::Worker, format!("the model {model} cannot be fetched: {error}"));
        let path = self.folder.join(format!("{}.download", model.to_hex()));
        tracing::info!(%model, "downloading");
        let download = self.client.download(model, &path, self.space_bytes_max, progress_of(*model));
        let bytes = runtime.block_on(download).map_err(|error| failed(&error))?;
        let read = File::open(&path).map_err(|error| failed(&error));
        let facts = read.and_then(|file| {
            Facts::read(&file, 0, bytes).map_err(|error| {
                let blame = if error.is_io() { Blame::Worker } else { Blame::Model };
                (blame, format!("{model} is no model that can be run: {error}"))
            })
        });
        let facts = facts.inspect_err(|_| drop(std::fs::remove_file(&path)))?;
        let kept = self.path(&facts.file_hash)?;
        std::fs::rename(&path, &kept).map_err(|error| failed(&error))?;
        // Nothing writes to it again; a child maps it into its memory.
        let _ = std::fs::metadata(&kept).and_then(|metadata| {
            let mut permissions = metadata.permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(&kept, permissions)
        });
        self.remember_transaction(model, &facts.file_hash);
        if let Some(now) = fingerprint(&kept) {
            self.hashed.insert(kept.clone(), now);
        }
        tracing::info!(%model, bytes, name = facts.name, "downloaded");
        Ok(CachedModel { path: kept, file_hash: facts.file_hash, bytes, is_new: true })
    }

    /// The hash of the file behind a transaction, as it was found when it was downloaded.
    fn hash_of_transaction(&self, model: &Id) -> Option<String> {
        std::fs::read_to_string(self.transaction_path(model)).ok().filter(|hash| is_hash(hash))
    }

    fn remember_transaction(&self, model: &Id, file_hash: &str) {
        if let Err(error) = std::fs::write(self.transaction_path(model), file_hash) {
            tracing::warn!(%error, %model, "the hash of the model is not remembered; it may be downloaded again");
        }
    }

    fn transaction_path(&self, model: &Id) -> PathBuf {
        self.folder.join(format!("{}.transaction", model.to_hex()))
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

/// Says now and then how far a download is.
fn progress_of(model: Id) -> impl Fn(Progress) + Send + Sync + 'static {
    let last = Mutex::new(Instant::now());
    move |progress: Progress| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= PROGRESS_EVERY {
            *last = Instant::now();
            tracing::info!(%model, bytes = progress.bytes_done, of = progress.bytes_total, "downloading");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ao::sha256;

    /// A cache whose node is away.
    fn cache(folder: &Path) -> Cache {
        let client = Client::new("http://127.0.0.1:9", None).unwrap().with_retry(client::Retry::NONE);
        Cache::open(folder.to_owned(), client, u64::MAX).unwrap()
    }

    #[test]
    fn a_file_is_used_by_its_hash_and_looked_at_again_before_each_batch() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (model, hash) = (Id::new([1; 32]), sha256(b"the model").to_hex());
        let path = folder.path().join(format!("{hash}.gguf"));
        std::fs::write(&path, "the model").unwrap();
        let mut cache = cache(folder.path());
        let mut get = |hash: &str| cache.get(&model, Some(hash), runtime.handle());
        assert!(get(&hash).unwrap().is_new);
        assert!(!get(&hash).unwrap().is_new, "an untouched file is not hashed twice");

        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "the model").unwrap();
        assert!(get(&hash).unwrap().is_new, "another file of the same name is hashed again");

        std::fs::write(&path, "another model").unwrap();
        let (blame, reason) = get(&hash).unwrap_err();
        assert_eq!(blame, Blame::Worker, "{reason}");
        assert!(reason.contains("cannot be fetched") && !path.exists(), "{reason}");
        assert_eq!(get("../../etc/passwd").unwrap_err().0, Blame::Worker);
    }

    #[test]
    fn a_transaction_that_was_downloaded_once_is_found_without_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (model, hash) = (Id::new([1; 32]), sha256(b"the model").to_hex());
        std::fs::write(folder.path().join(format!("{hash}.gguf")), "the model").unwrap();
        cache(folder.path()).remember_transaction(&model, &hash);
        let found = cache(folder.path()).get(&model, None, runtime.handle()).unwrap();
        assert_eq!((found.file_hash, found.bytes), (hash, 9));
    }
}
