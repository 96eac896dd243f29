//! The model that makes the vectors. It is named when the process is spawned, or later by its owner; and once only,
//! because vectors of different models cannot be compared.

use ao::{Id, Tags};

use super::settings::bad;
use super::turn::Turn;
use crate::herder::limits::DIMENSIONS_MAX;
use crate::herder::wire::is_hash;
use crate::payload::only;
use crate::{Fault, Store, column};

/// The one model of a knowledge process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmbeddingModel {
    /// Its upload.
    pub(super) upload: Id,
    /// SHA-256 of its file: vectors of no other file are accepted.
    pub(super) file_hash: String,
    /// Numbers of a vector; as the first one has if not said.
    pub(super) dimensions: Option<usize>,
}

impl EmbeddingModel {
    /// Reads the tags `Model`, `File-Hash` and `Dimensions`; none if there is no `Model`.
    pub(super) fn read(tags: &Tags) -> Result<Option<Self>, Fault> {
        let Some(upload) = tags.get("Model") else {
            let orphan = ["File-Hash", "Dimensions"].into_iter().find(|name| tags.get(name).is_some());
            return if orphan.is_some() { Err(Fault::MissingTag("Model")) } else { Ok(None) };
        };
        let upload = upload.parse().map_err(|error: ao::IdError| bad("Model", upload, &error.to_string()))?;
        let file_hash = tags.get("File-Hash").ok_or(Fault::MissingTag("File-Hash"))?;
        if !is_hash(file_hash) {
            let reason = "it is the SHA-256 of the model file, 64 lower-case hexadecimal digits";
            return Err(bad("File-Hash", file_hash, reason));
        }
        let dimensions = tags.get("Dimensions").map(|text| match text.parse() {
            Ok(dimensions) if (1..=DIMENSIONS_MAX).contains(&dimensions) => Ok(dimensions),
            _ => Err(bad("Dimensions", text, &format!("a vector has 1 to {DIMENSIONS_MAX} numbers"))),
        });
        Ok(Some(Self { upload, file_hash: file_hash.to_owned(), dimensions: dimensions.transpose()? }))
    }

    /// The model that the owner named after the spawn, if one was.
    pub(super) fn named_later(store: &Store<'_>) -> Result<Option<Self>, Fault> {
        store.first("SELECT upload, file_hash, dimensions FROM named_model", [], |row| {
            Ok(Self { upload: column::parsed(row, 0)?, file_hash: row.get(1)?, dimensions: row.get(2)? })
        })
    }
}

/// The model, or the error that says who has to name one.
pub(super) fn known<'a>(turn: &'a Turn<'_, '_>) -> Result<&'a EmbeddingModel, Fault> {
    turn.settings.model.as_ref().ok_or_else(|| {
        Fault::Refused(
            "this process has no embedding model yet: its owner names one with Set-Model (Model, File-Hash)".to_owned(),
        )
    })
}

/// `Set-Model`: the owner names the model of a process that was spawned without one. What waits is then embedded.
pub(super) fn set_model(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.env.owner, "the owner of this process", "Set-Model")?;
    let model = EmbeddingModel::read(&turn.message.tags)?.ok_or(Fault::MissingTag("Model"))?;
    match &turn.settings.model {
        Some(known) if *known == model => {}
        Some(known) => {
            let text = format!(
                "the model of this process is {} and stays so, because vectors of different models cannot be compared",
                known.upload
            );
            return Err(Fault::Refused(text));
        }
        None => {
            let sql = "INSERT INTO named_model (only, upload, file_hash, dimensions) VALUES (1, ?, ?, ?)";
            turn.store.execute(sql, (model.upload.to_string(), &model.file_hash, model.dimensions))?;
        }
    }
    turn.say(format!("vectors are made by {}", model.upload));
    turn.settings.model = Some(model);
    Ok(())
}
