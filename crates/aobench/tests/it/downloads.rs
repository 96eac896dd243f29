//! Models that are not here yet: by the id of an upload, by a URL, by a name. What comes is checked; what breaks off goes on;
//! what is wrong is told and leaves nothing behind.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::binary::{AOBENCH, RunningNode, free_port, repository, shared_data};

fn model() -> PathBuf {
    repository().join("demo/models/social-4.gguf")
}

/// How a server treats a file.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Ranges and all.
    Good,
    /// The first answer breaks off in the middle, though it states its length.
    Breaks,
    /// Every answer ends in the middle and states no length.
    Cut,
}

/// What was asked for: the path and the range.
type Asked = Mutex<Vec<(String, Option<String>)>>;

/// A server of files, and the ranges it was asked for.
struct FileServer {
    url: String,
    asked: Arc<Asked>,
}

impl FileServer {
    fn start(files: BTreeMap<&'static str, (Vec<u8>, Manner)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that hangs up is none of the server's business.
                let _ = answer(connection, &files, &heard);
            }
        });
        Self { url, asked }
    }

    fn ranges(&self, path: &str) -> Vec<Option<String>> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, _)| asked == path).map(|(_, range)| range.clone()).collect()
    }
}

fn answer(
    mut connection: TcpStream,
    files: &BTreeMap<&'static str, (Vec<u8>, Manner)>,
    heard: &Asked,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    let path = first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers: Vec<String> = headers.map(|line| line.to_lowercase()).collect();
    let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes=")).map(str::to_owned);
    let times = {
        let mut heard = heard.lock().unwrap();
        heard.push((path.clone(), range.clone()));
        heard.iter().filter(|(asked, _)| *asked == path).count()
    };
    let Some((bytes, manner)) = files.get(path.as_str()) else {
        return connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let start: usize = range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0);
    let (total, rest) = (bytes.len(), &bytes[start.min(bytes.len())..]);
    let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
    let mut head = vec![format!("HTTP/1.1 {status}"), "ETag: \"it\"".to_owned(), "Connection: close".to_owned()];
    if *manner != Manner::Cut {
        head.push(format!("Content-Length: {}", rest.len()));
    }
    if start > 0 {
        head.push(format!("Content-Range: bytes {start}-{}/{total}", total - 1));
    }
    connection.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
    let is_whole = *manner == Manner::Good || (*manner == Manner::Breaks && times > 1);
    connection.write_all(&rest[..if is_whole { rest.len() } else { rest.len() / 2 }])
}

fn aobench(home: &Path, arguments: &[&str]) -> Output {
    Command::new(AOBENCH).arg("--json").args(arguments).current_dir(home).env("HOME", home).output().unwrap()
}

fn json(home: &Path, arguments: &[&str]) -> Value {
    let output = aobench(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(home: &Path, arguments: &[&str]) -> String {
    let output = aobench(home, arguments);
    assert!(!output.status.success(), "{arguments:?} should have been refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn eval<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["eval", "--model", model, "--task", "demo", "--limit", "12"][..], more].concat()
}

#[test]
fn a_model_is_scored_by_the_id_of_its_upload_and_the_file_is_what_was_signed() {
    let (data, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = RunningNode::start(data.path(), free_port(), 0);
    let file = model();
    let uploaded = node.json("trainer-1", &["model", "upload", file.to_str().unwrap()]);
    let id = uploaded["model"].as_str().unwrap();
    let by_id = json(home.path(), &eval(id, &["--url", &node.url]));
    let by_path = json(home.path(), &eval(file.to_str().unwrap(), &[]));
    assert_eq!(by_id[0]["results"], by_path[0]["results"]);
    assert_eq!(by_id[0]["aobench"]["model_file_hash"], by_path[0]["aobench"]["model_file_hash"]);

    let unknown = ao::Id::new([9; 32]).to_string();
    let refused = refusal(home.path(), &eval(&unknown, &["--url", &node.url]));
    assert!(refused.contains("could not be downloaded") && refused.contains("404"), "{refused}");
    assert_eq!(names(&home.path().join("aobench-eval/models")), [format!("{id}.gguf")]);

    // A node that gives other bytes than were signed: one weight of the stored file is another.
    let stored = std::fs::read_dir(data.path().join("gateway/files")).unwrap().flatten().map(|entry| entry.path());
    let stored: Vec<PathBuf> = stored.filter(|path| path.metadata().unwrap().len() > 100_000).collect();
    assert_eq!(stored.len(), 1, "{stored:?}");
    let mut bytes = std::fs::read(&stored[0]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&stored[0], bytes).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let refused = refusal(fresh.path(), &eval(id, &["--url", &node.url]));
    assert!(refused.contains("could not be checked, and is not used"), "{refused}");
    assert!(names(&fresh.path().join("aobench-eval/models")).is_empty());
}

#[test]
fn a_model_behind_a_url_is_fetched_once_goes_on_where_it_broke_off_and_is_nothing_else() {
    let bytes = std::fs::read(model()).unwrap();
    let page = b"<!DOCTYPE html><p>Please log in".to_vec();
    let server = FileServer::start(BTreeMap::from([
        ("good.gguf", (bytes.clone(), Manner::Good)),
        ("breaks.gguf", (bytes.clone(), Manner::Breaks)),
        ("cut.gguf", (bytes.clone(), Manner::Cut)),
        ("page.gguf", (page, Manner::Good)),
    ]));
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = |name: &str| format!("{}/{name}", server.url);
    let expected = json(home, &eval(model().to_str().unwrap(), &[]))[0]["results"].clone();
    for _ in 0..2 {
        assert_eq!(json(home, &eval(&url("good.gguf"), &[]))[0]["results"], expected);
    }
    assert_eq!(server.ranges("good.gguf"), [None], "it is fetched once");
    assert_eq!(json(home, &eval(&url("breaks.gguf"), &[]))[0]["results"], expected);
    let half = bytes.len() / 2;
    assert_eq!(server.ranges("breaks.gguf"), [None, Some(format!("{half}-"))]);
    let kept = names(&home.join("aobench-eval/models"));
    assert!(kept.len() == 2 && !kept.concat().contains("partial"), "{kept:?}");

    for (name, part) in [
        ("missing.gguf", "there is no such file (HTTP 404 Not Found)"),
        ("cut.gguf", "it is no model that can be used"),
        ("page.gguf", "there is no GGUF file"),
    ] {
        let refused = refusal(home, &eval(&url(name), &[]));
        assert!(refused.contains(part), "{name}: {refused}");
    }
    assert_eq!(names(&home.join("aobench-eval/models")), kept, "nothing is left of what was wrong");
}

#[test]
fn a_download_that_was_broken_off_goes_on_in_another_run() {
    let Some(shared) = shared_data("a_download_that_was_broken_off_goes_on_in_another_run") else { return };
    let bytes = std::fs::read(shared.join("models/all-MiniLM-L6-v2-q8_0.gguf")).unwrap();
    let mut bent = bytes.clone();
    *bent.last_mut().unwrap() ^= 1;
    let short = bytes[..1 << 20].to_vec();
    let server = FileServer::start(BTreeMap::from([
        ("good.gguf", (bytes.clone(), Manner::Good)),
        ("bent.gguf", (bent, Manner::Good)),
        ("short.gguf", (short, Manner::Good)),
    ]));
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let folder = home.join(".local/share/aobench/models");
    let from = |name: &str| format!("{}/{name}.gguf", server.url);
    let download = ["model", "download", "all-MiniLM-L6-v2-q8_0"];
    for (name, part) in [("bent", "it is another file"), ("short", "25279200 are wanted"), ("none", "HTTP 404")] {
        let refused = refusal(home, &[&download[..], &["--from", &from(name)]].concat());
        assert!(refused.contains(part), "{name}: {refused}");
        assert!(names(&folder).is_empty(), "{name}: {:?}", names(&folder));
    }
    // What an earlier run left.
    std::fs::write(folder.join("all-MiniLM-L6-v2-q8_0.gguf.partial"), &bytes[..10_000_000]).unwrap();
    let downloaded = json(home, &[&download[..], &["--from", &from("good")]].concat());
    assert_eq!(server.ranges("good.gguf"), [Some("10000000-".to_owned())]);
    let path = folder.join("all-MiniLM-L6-v2-q8_0.gguf");
    assert_eq!(downloaded["path"].as_str().unwrap(), path.to_str().unwrap());
    assert!(std::fs::read(&path).unwrap() == bytes && names(&folder).len() == 1);
    // It is here now, and needs no connection.
    json(home, &download);
    let listed = aobench(home, &["model", "download"]);
    assert!(
        String::from_utf8_lossy(&listed.stdout)
            .contains("797b70c4edf85907fe0a49eb85811256f65fa0f7bf52166b147fd16be2be4662")
    );
}

#[test]
fn without_a_connection_it_is_said_what_to_do_and_a_file_that_was_brought_is_checked() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // Nobody listens on a port that was free a moment ago.
    let nowhere = format!("http://127.0.0.1:{}/x.gguf", free_port());
    let offline = refusal(home, &["model", "download", "all-MiniLM-L6-v2", "--from", &nowhere]);
    assert!(offline.contains("cannot be reached") && offline.contains("--file FILE"), "{offline}");
    let unnamed = refusal(home, &["model", "download", "all-MiniLM-L6-v2-q8_0"]);
    assert!(unnamed.contains("has no public address") && unnamed.contains("--file"), "{unnamed}");
    let unknown = refusal(home, &["model", "download", "gpt-5"]);
    assert!(unknown.contains("known are all-MiniLM-L6-v2"), "{unknown}");
    let other = model();
    let brought = ["model", "download", "all-MiniLM-L6-v2", "--file"];
    let wrong = refusal(home, &[&brought[..], &[other.to_str().unwrap()]].concat());
    assert!(wrong.contains("it is another file"), "{wrong}");
    let absent = refusal(
        home,
        &["up", "--dev", "--listen", "127.0.0.1:0", "--data", "node", "--embedding-model", "all-MiniLM-L6-v2"],
    );
    assert!(absent.contains("aobench model download all-MiniLM-L6-v2"), "{absent}");
    let Some(shared) = shared_data("without_a_connection_it_is_said_what_to_do_and_a_file_that_was_brought_is_checked")
    else {
        return;
    };
    let file = shared.join("models/all-MiniLM-L6-v2-q8_0.gguf");
    json(home, &["model", "download", "all-MiniLM-L6-v2-q8_0", "--file", file.to_str().unwrap()]);
    assert_eq!(names(&home.join(".local/share/aobench/models")), ["all-MiniLM-L6-v2-q8_0.gguf"]);
}
