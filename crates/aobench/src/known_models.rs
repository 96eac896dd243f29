//! Models that are known by a name: where each is to be had, and what its file must be. The hash decides, wherever the file
//! comes from.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use inference::gguf::Facts;
use serde::Serialize;

use crate::config;
use crate::output::Output;
use crate::web_file::{Pinned, WebFile};

/// A model with a name.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct KnownModel {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is good for.
    pub(crate) purpose: &'static str,
    /// Where it can be downloaded, if anywhere.
    pub(crate) address: Option<&'static str>,
    /// SHA-256 of the file, hexadecimal.
    pub(crate) file_hash: &'static str,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Its licence.
    pub(crate) license: &'static str,
}

/// SHA-256 of the model that the tests embed with: all-MiniLM-L6-v2, 8 bits. See docs/services.md.
pub(crate) const TESTED_MODEL: &str = "e94061f4aa48f1c465be2c1f517e63f43e57c2d9766f36a39f35b990ace571d9";

/// All of them, the one that is recommended first.
pub(crate) const KNOWN_MODELS: &[KnownModel] = &[
    KnownModel {
        name: "all-MiniLM-L6-v2",
        purpose: "vectors of texts, 384 numbers, 16 bits",
        address: Some(
            "https://huggingface.co/leliuga/all-MiniLM-L6-v2-GGUF/resolve/\
             ddf2e25d5b8530422e7b14aa39f33a657ff9aec0/all-MiniLM-L6-v2.F16.gguf",
        ),
        file_hash: "797b70c4edf85907fe0a49eb85811256f65fa0f7bf52166b147fd16be2be4662",
        bytes: 45_949_216,
        license: "Apache-2.0",
    },
    KnownModel {
        name: "all-MiniLM-L6-v2-q8_0",
        purpose: "the same with 8 bits, as the tests have it",
        address: None,
        file_hash: TESTED_MODEL,
        bytes: 25_279_200,
        license: "Apache-2.0",
    },
];

impl KnownModel {
    /// The model of a name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KNOWN_MODELS.iter().find(|model| model.name.eq_ignore_ascii_case(name))
    }

    /// Where its file lies in a folder.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.gguf", self.name))
    }

    /// Whether its file lies in a folder and is it.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        std::fs::metadata(self.path(folder)).is_ok_and(|metadata| metadata.len() == self.bytes)
    }

    /// Downloads it from where it is, or from another address of the same bytes.
    pub(crate) async fn download(&self, folder: &Path, from: Option<&str>, output: Output) -> anyhow::Result<PathBuf> {
        let path = self.path(folder);
        let address = from.or(self.address).ok_or_else(|| {
            let (name, hash) = (self.name, self.file_hash);
            anyhow!(
                "{name} has no public address: make it with llama.cpp's convert_hf_to_gguf.py --outtype q8_0, or get it \
                 from somebody who has the file with the SHA-256 {hash}, and name it with --file"
            )
        })?;
        let pinned = Some(Pinned { file_hash: self.file_hash, bytes: self.bytes });
        let fetched = WebFile { address, path: &path, pinned }.fetch(check, output).await;
        fetched.with_context(|| {
            format!(
                "{0} is not here yet. Without a connection: bring the file some other way, and 'aobench model download {0} \
                 --file FILE' checks it and puts it where it is found; --from names another address",
                self.name
            )
        })?;
        Ok(path)
    }

    /// Takes a file that is here already, if it is the one.
    pub(crate) fn take(&self, file: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
        let named = || format!("{} cannot be read", file.display());
        let opened = std::fs::File::open(file).with_context(named)?;
        let bytes = opened.metadata().with_context(named)?.len();
        let found = inference::gguf::file_hash(&opened, 0, bytes).with_context(named)?;
        if found != self.file_hash {
            bail!("{} has the SHA-256 {found}, and {} is wanted: it is another file", file.display(), self.file_hash);
        }
        let path = self.path(folder);
        let partial = path.with_extension("gguf.partial");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::copy(file, &partial))
            .and_then(|_| std::fs::rename(&partial, &path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }
}

/// A model file as it was typed: a path, or the name of a known model that was downloaded.
pub(crate) fn file_of(typed: &Path) -> anyhow::Result<PathBuf> {
    let known = typed.to_str().and_then(KnownModel::find).filter(|_| !typed.exists());
    let Some(known) = known else { return Ok(typed.to_owned()) };
    let folder = config::models_folder()?;
    if known.is_in(&folder) {
        return Ok(known.path(&folder));
    }
    bail!("{0} was not downloaded yet: 'aobench model download {0}'", known.name)
}

/// Fails if a file is no model.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let bytes = file.metadata()?.len();
    Facts::read(&file, 0, bytes).context("it is no model that can be used")?;
    Ok(())
}
