//! Files that are lost or damaged, and nodes that start again: the log is enough.

use std::fs;

use rusqlite::Connection;

use crate::place::Place;

/// Every row of every table of a process, except how far its messages are delivered.
fn dump(place: &Place) -> Vec<String> {
    let path = place.config.data.join("processes").join(format!("{}.sqlite", place.token.to_hex()));
    let connection = Connection::open(path).unwrap();
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = tables.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut rows = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with("sqlite_")) {
        let mut statement = connection.prepare(&["SELECT * FROM ", name].concat()).unwrap();
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| {
            (0..columns)
                .map(|column| row.get::<_, rusqlite::types::Value>(column))
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        rows.extend(statement.query_map((), read).unwrap().map(|row| format!("{name} {:?}", row.unwrap())));
    }
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_projections_are_rebuilt_to_the_same_bytes() {
    let mut place = Place::new().await;
    for quantity in ["1", "20", "bad", "300"] {
        place.post(&place.transfer(quantity)).await;
    }
    place.node.idle().await;
    let before = dump(&place);
    place = place.restart().await;
    assert_eq!(dump(&place), before);
    let folder = place.config.data.join("processes");
    let Place { config, node, token, alice, bob, .. } = place;
    node.shutdown().await;
    fs::remove_dir_all(&folder).unwrap();
    let node = node::Node::start(config.clone()).await.unwrap();
    node.idle().await;
    let place = Place::over(config, node, token, alice, bob);
    assert_eq!(dump(&place), before);
    assert_eq!(place.inbox(&place.bob).await.len(), 3, "what was delivered is not delivered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_projection_is_rebuilt() {
    let place = Place::new().await;
    place.post(&place.transfer("5")).await;
    place.node.idle().await;
    let path = place.config.data.join("processes").join(format!("{}.sqlite", place.token.to_hex()));
    let Place { config, node, token, alice, bob, .. } = place;
    node.shutdown().await;
    fs::write(&path, b"this is no database, it is a sentence that has been written over one").unwrap();
    let node = node::Node::start(config.clone()).await.unwrap();
    node.idle().await;
    let place = Place::over(config, node, token, alice, bob);
    assert_eq!(place.balance(&place.bob).await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_refused_and_not_guessed_at() {
    let place = Place::new().await;
    place.post(&place.transfer("5")).await;
    place.node.idle().await;
    let Place { config, node, .. } = place;
    node.shutdown().await;
    let log = Connection::open(config.data.join("log.sqlite")).unwrap();
    log.execute("UPDATE records SET timestamp = timestamp + 1 WHERE slot = 1", ()).unwrap();
    drop(log);
    let error = node::Node::start(config).await.unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_data_directory_is_one_node() {
    let place = Place::new().await;
    let error = node::Node::start(place.config.clone()).await.unwrap_err().to_string();
    assert!(error.contains("another node is running"), "{error}");
    let config = place.config.clone();
    drop(place);
    // The port and the directory are free again.
    node::Node::start(config).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_a_healthy_node_finds_nothing() {
    let place = Place::new().await;
    for _ in 0..3 {
        place.post(&place.transfer("1")).await;
    }
    place.node.idle().await;
    let data = place.config.data.clone();
    let keep = place.config.clone();
    place.node.shutdown().await;
    let report = node::audit(&data).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.tokens, report.messages), (1, 6));
    drop(keep);
}

/// Files below a folder that this program has open.
#[cfg(target_os = "linux")]
fn open_below(folder: &std::path::Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter(|path| path.starts_with(&folder)).count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_more_processes_than_open_files() {
    let mut place = Place::new().await;
    let Place { config, node, token, alice, bob, .. } = place;
    node.shutdown().await;
    let mut many = config.clone();
    let one = many.genesis.processes.iter().find(|process| process.name == "token").unwrap().clone();
    let count = node::limits::OPEN_PROCESSES_MAX + 60;
    for number in 0..count {
        many.genesis.processes.push(node::GenesisProcess { name: format!("token-{number}"), id: None, ..one.clone() });
    }
    let node = node::Node::start(many.clone()).await.unwrap();
    node.idle().await;
    let open = open_below(&many.data.join("processes"));
    assert!(open <= 3 * node::limits::OPEN_PROCESSES_MAX + 3, "{open} files of {count} processes are open");
    // One whose file was closed first goes on where it was.
    place = Place::over(many, node, token, alice, bob);
    place.post(&place.transfer("5")).await;
    place.node.idle().await;
    assert_eq!(place.inbox(&place.bob).await.len(), 1);
}
