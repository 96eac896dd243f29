//! Whether a file is the data of an item. The id of an item is the hash of its signature, and the signature covers the data,
//! so a file can be checked by the id alone, whoever sent it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ao::item::StreamVerifier;
use ao::{Id, ItemHeader, SignatureType, Tags};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::limits::FILE_PIECE_BYTES;
use crate::{Client, ClientError, transport};

/// An item without its data, as a gateway tells it.
#[derive(Deserialize)]
struct Told {
    owner: Owner,
    target: Option<Id>,
    anchor: Option<String>,
    tags: Tags,
    signature: String,
    signature_type: u16,
}

#[derive(Deserialize)]
struct Owner {
    key: String,
}

impl Client {
    /// Checks that a file is the data of an item: that the item's signature holds over the file, and has the item's id.
    ///
    /// # Errors
    /// [`ClientError::NotTheData`] if it is not; others if the node does not tell the signature.
    pub async fn verify(&self, id: &Id, path: &Path) -> Result<(), ClientError> {
        let url = self.path(&["tx", &id.to_string()]);
        let response = transport::send(&self.get(url.clone()), self.url(), self.retry).await?;
        let told: Told = transport::json(response, url.as_str()).await?;
        let wrong = |reason: String| ClientError::NotTheData { id: *id, path: path.to_owned(), reason };
        let header = told.header().map_err(wrong)?;
        if header.id() != *id {
            return Err(wrong("the node gives the signature of another item".to_owned()));
        }
        holds(header, path).await?.map_err(|error| wrong(error.to_string()))
    }
}

/// Whether the signature of a header holds over a file, checked on a thread for blocking work.
pub(crate) async fn holds(header: ItemHeader, path: &Path) -> Result<Result<(), ao::SignatureError>, ClientError> {
    let (file, failed) = (path.to_owned(), |source| ClientError::File { path: path.to_owned(), source });
    let checked = tokio::task::spawn_blocking(move || check(header, &file)).await;
    checked.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)
}

impl Told {
    fn header(self) -> Result<ItemHeader, String> {
        let decoded =
            |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| format!("a field is no base64url: {error}"));
        let kind = SignatureType::from_code(self.signature_type);
        let kind = kind.ok_or_else(|| format!("signature type {} is not known", self.signature_type))?;
        let anchor = self.anchor.filter(|anchor| !anchor.is_empty()).map(|anchor| decoded(&anchor)).transpose()?;
        let anchor = anchor.map(|anchor| <[u8; 32]>::try_from(anchor).map_err(|_| "its anchor has not 32 bytes"));
        let (signature, owner) = (decoded(&self.signature)?, decoded(&self.owner.key)?);
        let header = ItemHeader::of_parts(kind, signature, owner, self.target, anchor.transpose()?, self.tags);
        header.map_err(|error| error.to_string())
    }
}

/// Whether the signature of a header holds over a file.
fn check(header: ItemHeader, path: &Path) -> std::io::Result<Result<(), ao::SignatureError>> {
    let mut file = File::open(path)?;
    let mut verifier = StreamVerifier::new(header, file.metadata()?.len());
    let mut piece = vec![0; FILE_PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(verifier.finish()),
            count => verifier.update(piece.get(..count).unwrap_or_default()),
        }
    }
}
