//! Snapshots of a module's state in the file of its process: the pages that are not zero, compressed, and a hash of all.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};

use super::image::{Image, PAGE_BYTES};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS node_snapshot (
        one INTEGER PRIMARY KEY CHECK (one = 1), slot INTEGER NOT NULL, pages INTEGER NOT NULL, globals BLOB NOT NULL,
        hash BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS node_memory (page INTEGER PRIMARY KEY, data BLOB NOT NULL);";

/// Pages of the largest memory that is read back.
const PAGES_MAX: i64 = 1 << 20;

/// A state, and after which slot the process had it.
pub(super) struct Snapshot {
    pub slot: u64,
    pub image: Image,
}

/// Writes the state after `slot`, as a change of the snapshot that is there. Within the caller's transaction.
pub(super) fn write(
    connection: &Connection,
    slot: u64,
    image: &Image,
    written: Option<&Image>,
) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    let nothing = Image::default();
    if written.is_none() {
        connection.execute("DELETE FROM node_memory", ())?;
    }
    let written = written.unwrap_or(&nothing);
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO node_memory (page, data) VALUES (?, ?)")?;
    let mut remove = connection.prepare_cached("DELETE FROM node_memory WHERE page = ?")?;
    for number in 0..image.pages.len().max(written.pages.len()) {
        let page = |image: &'_ Image| image.pages.get(number).cloned().flatten();
        match (page(image), page(written)) {
            (Some(now), Some(then)) if Arc::ptr_eq(&now, &then) => {}
            (Some(now), _) => drop(put.execute((number as i64, lz4_flex::block::compress(&now[..])))?),
            (None, Some(_)) => drop(remove.execute([number as i64])?),
            (None, None) => {}
        }
    }
    let globals: Vec<u8> = image.globals.iter().flat_map(|global| global.to_le_bytes()).collect();
    let sql = "INSERT OR REPLACE INTO node_snapshot (one, slot, pages, globals, hash) VALUES (1, ?, ?, ?, ?)";
    connection.execute(sql, (slot as i64, image.pages.len() as i64, globals, image.hash()))?;
    Ok(())
}

/// Reads the snapshot, if there is one and it is whole.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Snapshot>> {
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'node_snapshot'";
    if connection.query_row(there, (), |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let head = connection
        .query_row("SELECT slot, pages, globals, hash FROM node_snapshot", (), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?, row.get::<_, [u8; 32]>(3)?))
        })
        .optional()?;
    let Some((slot, pages, globals, hash)) = head.filter(|(_, pages, ..)| (0..=PAGES_MAX).contains(pages)) else {
        return Ok(None);
    };
    let globals = globals.as_chunks::<8>().0.iter().map(|bits| u64::from_le_bytes(*bits)).collect();
    let mut image = Image { pages: vec![None; pages as usize], globals };
    let mut statement = connection.prepare("SELECT page, data FROM node_memory")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(1)?;
        let mut page = Box::new([0; PAGE_BYTES]);
        let whole = lz4_flex::block::decompress_into(&data, &mut page[..]).is_ok_and(|bytes| bytes == PAGE_BYTES);
        if let (Some(place), true) = (image.pages.get_mut(row.get::<_, i64>(0)? as usize), whole) {
            *place = Some(Arc::from(page));
        }
    }
    if image.hash() != hash {
        tracing::warn!(slot, "a snapshot is damaged; the process is run again from its beginning");
        return Ok(None);
    }
    Ok(Some(Snapshot { slot: slot as u64, image }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_as_it_was_written_or_not_at_all() {
        let connection = Connection::open_in_memory().unwrap();
        let mut memory = vec![0u8; 8 * PAGE_BYTES];
        memory[PAGE_BYTES] = 1;
        memory[5 * PAGE_BYTES + 9] = 2;
        let first = Image::capture(&memory, vec![3], &Image::default());
        write(&connection, 4, &first, None).unwrap();
        memory[PAGE_BYTES] = 0;
        memory[6 * PAGE_BYTES] = 7;
        let second = Image::capture(&memory, vec![4], &first);
        write(&connection, 9, &second, Some(&first)).unwrap();
        let read_back = read(&connection).unwrap().unwrap();
        assert_eq!((read_back.slot, read_back.image.hash()), (9, second.hash()));
        assert_eq!(connection.query_row("SELECT count(*) FROM node_memory", (), |row| row.get::<_, i64>(0)), Ok(2));
        connection.execute("DELETE FROM node_memory WHERE page = 6", ()).unwrap();
        assert!(read(&connection).unwrap().is_none());
    }
}
