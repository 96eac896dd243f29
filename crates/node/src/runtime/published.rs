//! What processes publish: values under paths of keys, which HyperBEAM's clients read as `now/<path>`.
//!
//! A module of WebAssembly publishes by messages to the device `patch@1.0`, whose keys are merged into what it has published
//! before; it is kept in the file of the process, a row for each value. A native process publishes answers to questions
//! (`processes::Publication`), so that nothing is written down twice.

use processes::Publication;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value};

use crate::limits::{PUBLISHED_BYTES_MAX, PUBLISHED_DEPTH_MAX, PUBLISHED_PER_MESSAGE_MAX, PUBLISHED_SHOWN_MAX};

/// Made with the first value: most processes publish none.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS node_published (path TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS node_published_size (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
    INSERT OR IGNORE INTO node_published_size VALUES (1, 0);
    CREATE TRIGGER IF NOT EXISTS node_published_more AFTER INSERT ON node_published BEGIN
        UPDATE node_published_size SET bytes = bytes + length(new.path) + length(new.value); END;
    CREATE TRIGGER IF NOT EXISTS node_published_less AFTER DELETE ON node_published BEGIN
        UPDATE node_published_size SET bytes = bytes - length(old.path) - length(old.value); END;
    CREATE TRIGGER IF NOT EXISTS node_published_other AFTER UPDATE ON node_published BEGIN
        UPDATE node_published_size SET bytes = bytes + length(new.value) - length(old.value); END;";

/// Why nothing was published: the fault of the message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// Too many values at one time.
    #[error("a message may publish {PUBLISHED_PER_MESSAGE_MAX} values, and this one publishes more")]
    TooMany,
    /// Too deep.
    #[error("what is published may be {PUBLISHED_DEPTH_MAX} maps deep, and this is deeper")]
    TooDeep,
    /// Too much in all.
    #[error("a process may publish {PUBLISHED_BYTES_MAX} bytes, and with this message it would be more")]
    TooLarge,
    /// The file of the process.
    #[error("what is published could not be written: {0}")]
    Store(#[from] rusqlite::Error),
}

/// Merges patches into what a process publishes, within the transaction of its message.
pub(super) fn publish(connection: &Connection, patches: &[Value]) -> Result<(), PublishError> {
    if patches.is_empty() {
        return Ok(());
    }
    if !connection.table_exists(None, "node_published_size")? {
        connection.execute_batch(TABLES)?;
    }
    let mut left = PUBLISHED_PER_MESSAGE_MAX;
    for patch in patches {
        merge(connection, "", patch, 0, &mut left)?;
    }
    let mut size = connection.prepare_cached("SELECT bytes FROM node_published_size")?;
    let bytes: u64 = size.query_row([], |row| row.get(0))?;
    if bytes > PUBLISHED_BYTES_MAX { Err(PublishError::TooLarge) } else { Ok(()) }
}

fn merge(
    connection: &Connection,
    path: &str,
    value: &Value,
    depth: usize,
    left: &mut usize,
) -> Result<(), PublishError> {
    let Value::Object(fields) = value else {
        *left = left.checked_sub(1).ok_or(PublishError::TooMany)?;
        return Ok(write(connection, path, value)?);
    };
    if depth >= PUBLISHED_DEPTH_MAX {
        return Err(PublishError::TooDeep);
    }
    for (key, value) in fields {
        let keys = key.split('/').filter(|key| !key.is_empty());
        let path =
            keys.fold(path.to_owned(), |path, key| if path.is_empty() { key.to_owned() } else { path + "/" + key });
        if !path.is_empty() {
            merge(connection, &path, value, depth + 1, left)?;
        }
    }
    Ok(())
}

/// Writes a value that is no map. It takes the place of a map at its path, and of values where it needs a map.
fn write(connection: &Connection, path: &str, value: &Value) -> rusqlite::Result<()> {
    let (from, to) = below(path);
    // Lua writes an empty map as an empty list.
    if value.as_array().is_some_and(Vec::is_empty) {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM node_published WHERE path >= ?1 AND path < ?2 LIMIT 1)";
        if connection.prepare_cached(sql)?.query_row([&from, &to], |row| row.get::<_, i64>(0))? > 0 {
            return Ok(());
        }
    }
    for (place, _) in path.match_indices('/') {
        connection.prepare_cached("DELETE FROM node_published WHERE path = ?")?.execute([&path[..place]])?;
    }
    connection.prepare_cached("DELETE FROM node_published WHERE path >= ?1 AND path < ?2")?.execute([from, to])?;
    let sql = "INSERT INTO node_published VALUES (?1, ?2) ON CONFLICT (path) DO UPDATE SET value = ?2";
    connection.prepare_cached(sql)?.execute([path, &value.to_string()])?;
    Ok(())
}

/// The borders of the paths below a path; of all paths below none.
fn below(path: &str) -> (String, String) {
    // '0' follows '/'.
    if path.is_empty() { (String::new(), "\u{10ffff}".to_owned()) } else { (format!("{path}/"), format!("{path}0")) }
}

/// The value that a process has published at a path: a map if there is more below it.
pub(super) fn read(connection: &Connection, keys: &[String]) -> rusqlite::Result<Option<Value>> {
    let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'node_published'";
    if connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    for known in (1..=keys.len()).rev() {
        let (path, rest) = keys.split_at(known);
        let sql = "SELECT value FROM node_published WHERE path = ?";
        let found: Option<String> =
            connection.prepare_cached(sql)?.query_row([path.join("/")], |row| row.get(0)).optional()?;
        // This node wrote it as JSON.
        if let Some(value) = found.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(part(value, rest));
        }
    }
    let path = keys.join("/");
    let (from, to) = below(&path);
    let sql = "SELECT path, value FROM node_published WHERE path >= ? AND path < ? ORDER BY path LIMIT ?";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((from, to, PUBLISHED_SHOWN_MAX as i64), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut map = Map::new();
    for row in rows {
        let (found, text) = row?;
        let inner = found.get(path.len()..).unwrap_or_default();
        let keys: Vec<&str> = inner.split('/').filter(|key| !key.is_empty()).collect();
        insert(&mut map, &keys, serde_json::from_str(&text).unwrap_or(Value::Null));
    }
    Ok((!map.is_empty()).then_some(Value::Object(map)))
}

fn insert(map: &mut Map<String, Value>, keys: &[&str], value: Value) {
    match keys {
        [] => {}
        [last] => {
            map.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = map.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// What is in a value under keys. The first of a list is 1, as in Lua and in HyperBEAM.
pub(crate) fn part(mut value: Value, keys: &[String]) -> Option<Value> {
    for key in keys {
        value = match value {
            Value::Object(mut fields) => fields.remove(key)?,
            Value::Array(mut values) => {
                let place = key.parse::<usize>().ok()?.checked_sub(1)?;
                if place < values.len() { values.swap_remove(place) } else { return None }
            }
            _ => return None,
        };
    }
    Some(value)
}

/// The publication that has a path, what stands in the place of its `*`, and the keys that are left over.
pub(crate) fn publication<'a>(
    publications: &'static [Publication],
    keys: &'a [String],
) -> Option<(&'static Publication, Option<&'a str>, &'a [String])> {
    let fits = |publication: &&Publication| {
        let path = publication.path;
        path.len() <= keys.len() && path.iter().zip(keys).all(|(part, key)| *part == "*" || part == key)
    };
    let found = publications.iter().filter(fits).max_by_key(|publication| publication.path.len())?;
    let about = found.path.iter().zip(keys).find(|(part, _)| **part == "*").map(|(_, key)| key.as_str());
    Some((found, about, &keys[found.path.len()..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(connection: &Connection, path: &str) -> Option<Value> {
        let keys: Vec<String> = path.split('/').filter(|key| !key.is_empty()).map(ToOwned::to_owned).collect();
        read(connection, &keys).unwrap()
    }

    #[test]
    fn patches_are_merged_and_read_by_path() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(at(&connection, "balances"), None);
        let first =
            json!({ "balances": { "a": "10", "b": "5" }, "supply": 15, "names": ["x", { "y": 1 }], "open": true });
        publish(&connection, &[first]).unwrap();
        publish(&connection, &[json!({ "balances": { "b": "4", "c": "1" } }), json!({ "deep/er": { "still": 0.5 } })])
            .unwrap();
        assert_eq!(at(&connection, "balances"), Some(json!({ "a": "10", "b": "4", "c": "1" })));
        assert_eq!(at(&connection, "balances/b"), Some(json!("4")));
        assert_eq!(at(&connection, "supply"), Some(json!(15)));
        assert_eq!(at(&connection, "names/2/y"), Some(json!(1)));
        assert_eq!(
            (at(&connection, "names/0"), at(&connection, "names/3"), at(&connection, "bal")),
            (None, None, None)
        );
        assert_eq!(at(&connection, "deep"), Some(json!({ "er": { "still": 0.5 } })));
        assert_eq!(at(&connection, "").unwrap()["open"], json!(true));
        // An empty table of Lua is no list where there is a map; any other value takes its place, and the other way round.
        publish(&connection, &[json!({ "balances": [], "deep": "flat", "supply": { "now": 1 } })]).unwrap();
        assert_eq!(at(&connection, "balances/a"), Some(json!("10")));
        assert_eq!((at(&connection, "deep"), at(&connection, "deep/er")), (Some(json!("flat")), None));
        assert_eq!(at(&connection, "supply"), Some(json!({ "now": 1 })));
    }

    #[test]
    fn a_process_publishes_no_more_than_it_may() {
        let connection = Connection::open_in_memory().unwrap();
        let many: Map<String, Value> = (0..=PUBLISHED_PER_MESSAGE_MAX).map(|n| (n.to_string(), json!(n))).collect();
        assert!(matches!(publish(&connection, &[Value::Object(many)]), Err(PublishError::TooMany)));
        let deep = (0..=PUBLISHED_DEPTH_MAX).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert!(matches!(publish(&connection, &[deep]), Err(PublishError::TooDeep)));
        connection.execute_batch(TABLES).unwrap();
        let nearly = PUBLISHED_BYTES_MAX - 4;
        connection.execute("UPDATE node_published_size SET bytes = ?", [nearly]).unwrap();
        assert!(matches!(publish(&connection, &[json!({ "a": "bcd" })]), Err(PublishError::TooLarge)));
    }

    #[test]
    fn the_more_particular_publication_is_asked() {
        const ALL: &[Publication] = &[
            Publication { path: &["pools", "*"], action: "One", argument: Some("Pool"), part: None },
            Publication { path: &["pools"], action: "All", argument: None, part: None },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ];
        let keys = |path: &str| path.split('/').map(ToOwned::to_owned).collect::<Vec<String>>();
        for (path, action, about, rest) in
            [("pools", "All", None, 0), ("pools/x/title", "One", Some("x"), 1), ("name", "Info", None, 1)]
        {
            let keys = keys(path);
            let (found, named, left) = publication(ALL, &keys).unwrap();
            assert_eq!((found.action, named, left.len()), (action, about, rest), "{path}");
        }
    }
}
