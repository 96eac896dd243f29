//! Lets a node look into uploaded model files with the bounds-checking GGUF reader. No C++ sees the file here.

use inference::gguf::Facts;
use node::{ModelFacts, ModelInspector};

/// The reader of `inference`, in the words of `node`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GgufInspector;

impl ModelInspector for GgufInspector {
    fn inspect(&self, file: std::fs::File, offset: u64, length: u64) -> Result<ModelFacts, String> {
        let facts = Facts::read(&file, offset, length).map_err(|error| error.to_string())?;
        Ok(ModelFacts {
            content_hash: facts.content_hash,
            file_hash: facts.file_hash,
            bytes: facts.bytes,
            architecture: facts.architecture,
            name: facts.name,
            parameters: facts.parameters,
        })
    }
}
