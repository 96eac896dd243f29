//! How much room the fetched models may take: when it is not enough, those go that were not used for longest.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A model file on the disk.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Notes that a model is used now.
pub(super) fn note_use(model: &Path) {
    if let Err(error) = std::fs::write(mark(model), b"") {
        tracing::debug!(%error, "the use of a model is not noted; it may be removed before others");
    }
}

/// Removes models that were not used for longest until the folder holds at most `bytes_max`. The one at `needed` stays,
/// however large it is.
pub(super) fn make_room(folder: &Path, needed: &Path, bytes_max: u64) {
    let mut kept = models(folder);
    kept.sort_by_key(|model| model.used);
    let mut bytes: u64 = kept.iter().map(|model| model.bytes).sum();
    for model in kept.iter().filter(|model| model.path != needed) {
        if bytes <= bytes_max {
            return;
        }
        match std::fs::remove_file(&model.path) {
            Ok(()) => {
                let _ = std::fs::remove_file(mark(&model.path));
                bytes -= model.bytes;
                tracing::info!(model = %model.path.display(), bytes = model.bytes, "removed to make room for models");
            }
            Err(error) => tracing::warn!(%error, model = %model.path.display(), "a model cannot be removed"),
        }
    }
    if bytes > bytes_max {
        tracing::warn!(bytes, bytes_max, "the model that is needed is alone larger than the room for models");
    }
}

/// The file whose time is that of the last use.
fn mark(model: &Path) -> PathBuf {
    model.with_extension("used")
}

fn models(folder: &Path) -> Vec<Kept> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let models = entries.filter(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    let kept = models.filter_map(|path| {
        let metadata = std::fs::metadata(&path).ok()?;
        let used = std::fs::metadata(mark(&path)).and_then(|mark| mark.modified()).or_else(|_| metadata.modified());
        Some(Kept { bytes: metadata.len(), used: used.unwrap_or(SystemTime::UNIX_EPOCH), path })
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_model_that_was_not_used_for_longest_goes_first_and_the_needed_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(format!("{name}.gguf"));
        for (age, name) in [(40, "oldest"), (30, "old"), (20, "new")] {
            std::fs::write(path(name), [0; 100]).unwrap();
            note_use(&path(name));
            let mark = std::fs::File::options().write(true).open(mark(&path(name))).unwrap();
            mark.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        note_use(&path("oldest"));
        std::fs::write(folder.path().join("half.download"), [0; 1000]).unwrap();
        let left = || ["oldest", "old", "new"].map(|name| path(name).exists());
        make_room(folder.path(), &path("new"), 300);
        assert_eq!(left(), [true, true, true]);
        make_room(folder.path(), &path("new"), 299);
        assert_eq!(left(), [true, false, true], "the one used just now stays");
        make_room(folder.path(), &path("new"), 50);
        assert_eq!(left(), [false, false, true]);
        assert!(!mark(&path("old")).exists());
    }
}
