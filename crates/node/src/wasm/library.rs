//! Where modules are found: among the uploads of the gateway, else among those that the operator has added as files.

use std::collections::BTreeSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ao::{Id, Tags};
use serde::{Deserialize, Serialize};

use super::drive::Drive;
use crate::gateway::{AddedModule, Gateway};
use crate::limits;

/// Module formats that this node runs. The names of emscripten's older formats stand for other glue.
pub const MODULE_FORMATS: &[&str] = &[
    "wasm64-unknown-emscripten-draft_2024_02_15",
    "wasm64-unknown-emscripten-draft_2024_10_16",
    "wasm64-unknown-emscripten-draft_2024_10_16-metering",
    "wasm32-unknown-emscripten2",
    "wasm32-unknown-emscripten3",
    "wasm32-unknown-emscripten4",
    "wasm32-unknown-emscripten-metering",
];

/// Why a module could not be added.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The file cannot be read, or not be copied.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no module.
    #[error("{} is no WebAssembly module: it does not begin with '\\0asm'", .0.display())]
    NotWasm(PathBuf),
    /// It is over [`limits::WASM_MODULE_BYTES_MAX`].
    #[error("{} has {bytes} bytes, and a module may have {}", path.display(), limits::WASM_MODULE_BYTES_MAX)]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Its format is none that this node runs.
    #[error("the module format '{0}' is not one that this node runs; it runs {known}", known = MODULE_FORMATS.join(", "))]
    Format(String),
}

/// What is known of a module beside its code.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub id: Id,
    pub owner: Id,
    pub tags: Tags,
    path: PathBuf,
    offset: u64,
    length: u64,
}

/// The note beside the file of an added module.
#[derive(Serialize, Deserialize)]
struct Note {
    id: Id,
    tags: Tags,
}

/// The modules of a node.
pub(super) struct Library {
    pub folder: PathBuf,
    pub gateway: Option<Arc<Gateway>>,
}

/// Adds a module from a file, under the id of its transaction, to the node whose data directory is `data`. Its tags are
/// those of the transaction (`Module-Format`, `Memory-Limit`, `Compute-Limit`, ...); without a `Module-Format` it is
/// taken for one of AO's usual format. The same id again replaces it.
pub fn add_module(data: &Path, id: Id, file: &Path, tags: Tags) -> Result<(), ModuleError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ModuleError::File { path, source }
    };
    let bytes = std::fs::metadata(file).map_err(failed(file))?.len();
    if bytes > limits::WASM_MODULE_BYTES_MAX {
        return Err(ModuleError::TooLarge { path: file.to_owned(), bytes });
    }
    let code = std::fs::read(file).map_err(failed(file))?;
    if !code.starts_with(b"\0asm") {
        return Err(ModuleError::NotWasm(file.to_owned()));
    }
    let mut all = tags;
    for (name, value) in [("Data-Protocol", "ao"), ("Type", "Module"), ("Module-Format", default_format(&code))] {
        if all.get(name).is_none() {
            all.push(name, value);
        }
    }
    check_format(&all).map_err(ModuleError::Format)?;
    let folder = folder(data);
    std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let note = serde_json::to_vec_pretty(&Note { id, tags: all }).unwrap_or_default();
    // The note comes last: a module without one is not there.
    for (suffix, content) in [("wasm", &code), ("json", &note)] {
        let path = folder.join(format!("{}.{suffix}", id.to_hex()));
        let unfinished = path.with_extension(format!("{suffix}.unfinished"));
        std::fs::write(&unfinished, content)
            .and_then(|()| std::fs::rename(&unfinished, &path))
            .map_err(failed(&path))?;
    }
    Ok(())
}

/// Where added modules lie in a data directory.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.join("modules")
}

/// AO's format for a module, by whether its addresses have 64 or 32 bits.
pub fn default_format(code: &[u8]) -> &'static str {
    let memories = wasmparser::Parser::new(0).parse_all(code).filter_map(|payload| match payload.ok()? {
        wasmparser::Payload::MemorySection(memories) => memories.into_iter().next()?.ok(),
        _ => None,
    });
    if memories.take(1).any(|memory| memory.memory64) {
        "wasm64-unknown-emscripten-draft_2024_02_15"
    } else {
        "wasm32-unknown-emscripten4"
    }
}

/// The format of a module, if it is none that this node runs.
fn check_format(tags: &Tags) -> Result<(), String> {
    let format = tags.get("Module-Format").unwrap_or_default();
    if MODULE_FORMATS.contains(&format) { Ok(()) } else { Err(crate::admission::quoted(format)) }
}

impl Library {
    /// A module by its id, if it is here and this node can run it.
    pub(super) fn find(&self, id: &Id) -> Result<Option<Facts>, String> {
        let found = match self.uploaded(id)? {
            Some(found) => Some(found),
            None => self.added(id),
        };
        let Some(facts) = found else { return Ok(None) };
        check_format(&facts.tags).map_err(|format| ModuleError::Format(format).to_string())?;
        Ok(Some(facts))
    }

    fn uploaded(&self, id: &Id) -> Result<Option<Facts>, String> {
        let Some(gateway) = &self.gateway else { return Ok(None) };
        let stored = gateway.find(id).map_err(|error| error.to_string())?;
        let has = |tags: &Tags, name: &str, value: &str| tags.all(name).any(|given| given == value);
        let is_module = |tags: &Tags| has(tags, "Data-Protocol", "ao") && has(tags, "Type", "Module");
        Ok(stored.filter(|stored| is_module(&stored.tags)).map(|stored| Facts {
            id: *id,
            owner: stored.owner,
            tags: stored.tags,
            path: stored.data_path,
            offset: stored.data_offset,
            length: stored.data_length,
        }))
    }

    /// Modules whose notes are not among those `told`, which are added to them.
    pub(super) fn added_since(&self, told: &mut BTreeSet<PathBuf>) -> Vec<AddedModule> {
        let Ok(files) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let paths = files.filter_map(|file| Some(file.ok()?.path()));
        let notes = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let fresh: Vec<PathBuf> = notes.filter(|path| !told.contains(path)).collect();
        let read = |path: PathBuf| {
            let note: Note = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            let metadata = std::fs::metadata(path.with_extension("wasm")).ok()?;
            let added = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            told.insert(path);
            let (bytes, added_ms) = (metadata.len(), u64::try_from(added.as_millis()).ok()?);
            Some(AddedModule { id: note.id, tags: note.tags, bytes, added_ms })
        };
        fresh.into_iter().filter_map(read).collect()
    }

    fn added(&self, id: &Id) -> Option<Facts> {
        let path = self.folder.join(format!("{}.wasm", id.to_hex()));
        let note: Note = serde_json::from_slice(&std::fs::read(path.with_extension("json")).ok()?).ok()?;
        let length = std::fs::metadata(&path).ok()?.len();
        Some(Facts { id: *id, owner: Id::default(), tags: note.tags, path, offset: 0, length })
    }
}

impl Facts {
    /// The code of the module.
    pub(super) fn code(&self) -> Result<Vec<u8>, String> {
        if self.length > limits::WASM_MODULE_BYTES_MAX {
            return Err(format!(
                "it has {} bytes, and a module may have {}",
                self.length,
                limits::WASM_MODULE_BYTES_MAX
            ));
        }
        let mut code = Vec::new();
        let read = std::fs::File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.take(self.length).read_to_end(&mut code)
        });
        read.map_err(|error| format!("{} cannot be read: {error}", self.path.display()))?;
        Ok(code)
    }
}

/// Stored transactions are the uploads of the gateway.
impl Drive for Gateway {
    fn size(&self, id: &Id) -> Result<Option<u64>, String> {
        Ok(self.find(id).map_err(|error| error.to_string())?.map(|stored| stored.data_length))
    }

    fn read(&self, id: &Id, offset: u64, wanted: usize) -> Result<Vec<u8>, String> {
        let stored = self.find(id).map_err(|error| error.to_string())?;
        let stored = stored.ok_or_else(|| format!("the transaction {id} is gone from this node"))?;
        let wanted = stored.data_length.saturating_sub(offset).min(wanted as u64);
        let mut file = stored.open().map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let read = file
            .seek(SeekFrom::Start(stored.data_offset + offset.min(stored.data_length)))
            .and_then(|_| file.take(wanted).read_to_end(&mut bytes));
        match read {
            Ok(count) if count as u64 == wanted => Ok(bytes),
            Ok(_) => Err(format!("the file of {id} is shorter than it was")),
            Err(error) => Err(format!("the transaction {id} cannot be read: {error}")),
        }
    }
}

/// No transactions at all, for a module that runs without a node.
pub(super) struct NoDrive;

impl Drive for NoDrive {
    fn size(&self, _id: &Id) -> Result<Option<u64>, String> {
        Ok(None)
    }

    fn read(&self, _id: &Id, _offset: u64, _wanted: usize) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }
}
