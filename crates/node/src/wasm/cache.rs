//! Compiled modules on disk. Compiling aos takes a second or more, and reading what came of it a few milliseconds.
#![allow(
    unsafe_code,
    reason = "wasmtime cannot check machine code that it reads back. The files lie in the node's own data directory, where \
              whoever can write could as well take its keys; they are named after the module, the version and the \
              settings, and a file that is not whole (its hash is in front) is compiled anew"
)]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, Module};

use super::{narrow, visible};

/// The version of the rewriting and of the settings, beside those that wasmtime knows of itself.
const VERSION: u8 = 3;

/// Compiles a module, or reads what an earlier run compiled. Narrow, its addresses may be cut to 32 bits.
pub(super) fn compiled(engine: &Engine, wasm: &[u8], narrow: bool, folder: &Path) -> Result<Module, String> {
    let path = path(engine, wasm, narrow, folder);
    if let Some(module) = read(engine, &path) {
        return Ok(module);
    }
    let visible = visible::export_mutable(wasm)?;
    let code = compile(engine, &visible, narrow)?;
    let module = load(engine, &code)?;
    if let Err(error) = write(&path, &code) {
        tracing::warn!(path = %path.display(), %error, "a compiled module could not be kept");
    }
    Ok(module)
}

fn compile(engine: &Engine, wasm: &[u8], narrow: bool) -> Result<Vec<u8>, String> {
    if let Some(narrowed) = narrow.then(|| narrow::narrowed(wasm)).flatten() {
        match engine.precompile_module(&narrowed) {
            Ok(code) => return Ok(code),
            Err(error) => tracing::info!(%error, "a module keeps its 64-bit addresses"),
        }
    }
    engine.precompile_module(wasm).map_err(|error| format!("{error:#}"))
}

/// Named after everything on which the code depends. The settings are hashed by wasmtime, which also refuses the code of
/// another version or machine when it is loaded.
fn path(engine: &Engine, wasm: &[u8], narrow: bool, folder: &Path) -> PathBuf {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    (VERSION, narrow).hash(&mut settings);
    let module = ao::Id::new(Sha256::digest(wasm).into());
    folder.join(format!("{}-{:016x}.cwasm", module.to_hex(), settings.finish()))
}

fn read(engine: &Engine, path: &Path) -> Option<Module> {
    let bytes = std::fs::read(path).ok()?;
    let (hash, code) = bytes.split_at_checked(32)?;
    if Sha256::digest(code).as_slice() != hash {
        tracing::warn!(path = %path.display(), "a compiled module is damaged; compiling it anew");
        return None;
    }
    load(engine, code).inspect_err(|error| tracing::info!(%error, "a compiled module is of another version")).ok()
}

fn load(engine: &Engine, code: &[u8]) -> Result<Module, String> {
    // SAFETY: `code` was made by `precompile_module` of this program, either a moment ago or in an earlier run whose file
    // is whole; see the reason at the head of this file.
    unsafe { Module::deserialize(engine, code) }.map_err(|error| format!("{error:#}"))
}

/// A file has its name only when it is whole.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
