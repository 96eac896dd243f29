//! Bundles among the uploads: each item in one, however deep, is found by its own id, in the file of the bundle.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use ao::Id;
use ao::bundle::bundle_tags;
use ao::item::{ItemHeader, StreamVerifier};
use ao::limits::{BUNDLE_DEPTH_MAX, BUNDLE_ITEMS_MAX, HEADER_BYTES_MAX};

use super::GatewayError;
use super::index::IndexRow;

/// Bytes of the count of items, and of each length in the table: a number in little endian.
const NUMBER_BYTES: u64 = 32;

/// Bytes per item in the table: its length and its id.
const ENTRY_BYTES: u64 = NUMBER_BYTES + 32;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 128 * 1024;

/// Where in a file a bundle lies.
#[derive(Clone, Copy)]
struct Place {
    begin: u64,
    end: u64,
    depth: usize,
}

/// Whether an item says that its data is a bundle.
pub(super) fn is_bundle(header: &ItemHeader) -> bool {
    bundle_tags().iter().all(|tag| header.tags().get(&tag.name) == Some(tag.value.as_str()))
}

/// All items in the bundle that the data of `item` is, signatures verified; or why it is none. `file` is that of the item.
pub(super) fn unpack(file: &mut File, item: &IndexRow) -> Result<Vec<IndexRow>, GatewayError> {
    let (begin, mut found) = (item.data_offset, Vec::new());
    collect(file, item.id, Place { begin, end: begin + item.data_length, depth: 1 }, &mut found)?;
    Ok(found)
}

fn collect(file: &mut File, outermost: Id, place: Place, found: &mut Vec<IndexRow>) -> Result<(), GatewayError> {
    let bad = |reason: &str| GatewayError::Bundle(reason.to_owned());
    if place.depth > BUNDLE_DEPTH_MAX {
        return Err(GatewayError::Bundle(format!("bundles lie at most {BUNDLE_DEPTH_MAX} deep within each other")));
    }
    let count = number(&read(file, place.begin, NUMBER_BYTES.min(place.end - place.begin))?);
    let count = count.filter(|count| found.len() as u64 + count <= BUNDLE_ITEMS_MAX as u64);
    let count = count.ok_or_else(|| GatewayError::Bundle(format!("it has more than {BUNDLE_ITEMS_MAX} items")))?;
    let mut begin = place.begin + NUMBER_BYTES + count * ENTRY_BYTES;
    if begin > place.end {
        return Err(bad("it ends within its table"));
    }
    let table = read(file, place.begin + NUMBER_BYTES, count * ENTRY_BYTES)?;
    for entry in table.chunks_exact(ENTRY_BYTES as usize) {
        let (length, id) = entry.split_at(NUMBER_BYTES as usize);
        let end = number(length).and_then(|length| begin.checked_add(length)).filter(|end| *end <= place.end);
        let end = end.ok_or_else(|| bad("it ends within an item"))?;
        let header = header(file, begin, end - begin)?;
        if header.id().as_bytes() != id {
            return Err(bad("its table names an item by another id than its signature gives"));
        }
        let data = begin + header.data_offset() as u64;
        verify(file, &header, data, end)?;
        found.push(IndexRow::of(&header, end - data).within(outermost, begin));
        if is_bundle(&header) {
            collect(file, outermost, Place { begin: data, end, depth: place.depth + 1 }, found)?;
        }
        begin = end;
    }
    if begin == place.end { Ok(()) } else { Err(bad("there are bytes after its last item")) }
}

/// Reads the header of the item that begins there, in larger and larger pieces.
fn header(file: &mut File, begin: u64, length: u64) -> Result<ItemHeader, GatewayError> {
    let mut bytes = 4096;
    loop {
        let prefix = read(file, begin, length.min(bytes))?;
        if let Some(header) = ItemHeader::parse(&prefix)? {
            return Ok(header);
        }
        if bytes >= length.min(HEADER_BYTES_MAX as u64) {
            return Err(GatewayError::Bundle("an item in it ends within its header".to_owned()));
        }
        bytes *= 4;
    }
}

fn verify(file: &mut File, header: &ItemHeader, begin: u64, end: u64) -> Result<(), GatewayError> {
    let mut verifier = StreamVerifier::new(header.clone(), end - begin);
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    let (mut piece, mut left) = (vec![0; PIECE_BYTES], end - begin);
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        file.read_exact(&mut piece[..length]).map_err(failed)?;
        verifier.update(&piece[..length]);
        left -= length as u64;
    }
    Ok(verifier.finish()?)
}

fn read(file: &mut File, begin: u64, length: u64) -> Result<Vec<u8>, GatewayError> {
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A number that fits in 64 bits.
fn number(bytes: &[u8]) -> Option<u64> {
    let (low, high) = bytes.split_first_chunk::<8>()?;
    let fits = bytes.len() == NUMBER_BYTES as usize && high.iter().all(|byte| *byte == 0);
    fits.then(|| u64::from_le_bytes(*low))
}

fn failed(source: std::io::Error) -> GatewayError {
    GatewayError::disk("reading a bundle", source)
}
