//! Uploads and downloads over HTTP.

use ao::{DataItem, Id, Tags};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::running::{Answer, Running};

const TEXT: &str = "0123456789";

fn upload(running: &Running, content_type: &str, data: &[u8]) -> DataItem {
    let tags = Tags::new().with("Content-Type", content_type).with("Name", "numbers");
    DataItem::sign(&running.wallet, None, None, tags, data.to_vec()).unwrap()
}

async fn uploaded(running: &Running, content_type: &str, data: &[u8]) -> Id {
    let item = upload(running, content_type, data);
    let answer = running.post("/tx", item.to_bytes()).await;
    let receipt = &answer.json;
    assert_eq!((answer.status, &receipt["id"], &receipt["owner"]), (200, &json!(item.id()), &json!(item.address())));
    assert_eq!((&receipt["size"], &receipt["winc"]), (&json!(data.len()), &json!("0")));
    item.id()
}

async fn part(running: &Running, id: Id, range: &str) -> Answer {
    running.send(running.request(Method::GET, &format!("/{id}")).header("range", range)).await
}

#[tokio::test]
async fn data_comes_back_whole_and_in_parts() {
    let running = Running::start().await;
    let id = uploaded(&running, "text/plain", TEXT.as_bytes()).await;
    for path in [format!("/{id}"), format!("/raw/{id}")] {
        let whole = running.get(&path).await;
        assert_eq!((whole.status, whole.body.as_slice()), (200, TEXT.as_bytes()));
        assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("text/plain", "bytes"));
        assert_eq!(whole.header("etag"), format!("\"{id}\""));
    }
    for (range, body, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-500", "56789", "bytes 5-9/10"),
    ] {
        let answer = part(&running, id, range).await;
        assert_eq!((answer.status, answer.body.as_slice()), (206, body.as_bytes()), "{range}");
        assert_eq!(
            (answer.header("content-range"), answer.header("content-length")),
            (content_range, &*body.len().to_string())
        );
    }
    let beyond = part(&running, id, "bytes=10-").await;
    assert_eq!((beyond.refusal(), beyond.header("content-range")), ((416, "bad-range"), "bytes */10"));
    assert_eq!(part(&running, id, "bytes=1-2,4-5").await.status, 200);
}

#[tokio::test]
async fn a_head_and_a_cached_copy_need_no_data() {
    let running = Running::start().await;
    let id = uploaded(&running, "text/plain", TEXT.as_bytes()).await;
    let head = running.send(running.request(Method::HEAD, &format!("/{id}"))).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "10", 0));
    let request = running.request(Method::GET, &format!("/{id}")).header("if-none-match", format!("\"{id}\""));
    let cached = running.send(request).await;
    assert_eq!((cached.status, cached.body.len()), (304, 0));
}

#[tokio::test]
async fn the_header_of_an_upload_can_be_read() {
    let running = Running::start().await;
    let id = uploaded(&running, "application/x-gguf", TEXT.as_bytes()).await;
    let header = running.get(&format!("/tx/{id}")).await.json;
    assert_eq!(header["owner"]["address"], json!(running.wallet.address()));
    assert_eq!(header["data"], json!({ "size": "10", "type": "application/x-gguf" }));
    assert_eq!(header["tags"][1], json!({ "name": "Name", "value": "numbers" }));
    let models = running.get("/models").await.json;
    assert_eq!(
        models["models"],
        json!([{ "id": id, "owner": running.wallet.address(), "name": "numbers", "bytes": 10 }])
    );
}

#[tokio::test]
async fn a_stranger_cannot_put_a_page_on_this_node() {
    let running = Running::start().await;
    let id = uploaded(&running, "text/html", b"<script>alert(1)</script>").await;
    let page = running.get(&format!("/{id}")).await;
    assert_eq!(page.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let id = uploaded(&running, "text/html\r\nset-cookie: a=b", b"x").await;
    let page = running.get(&format!("/{id}")).await;
    assert_eq!((page.status, page.header("set-cookie")), (200, ""));
}

#[tokio::test]
async fn bad_uploads_are_refused_and_leave_nothing() {
    let running = Running::with(|config| config.limits.upload_bytes_max = 1000).await;
    let item = upload(&running, "text/plain", TEXT.as_bytes());
    let bytes = item.to_bytes();
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    for (what, body, status, code) in [
        ("no item", b"GGUF".to_vec(), 400, "bad-item"),
        ("cut", bytes[..40].to_vec(), 400, "truncated"),
        ("forged", forged, 400, "bad-signature"),
        ("too large", upload(&running, "text/plain", &[0; 2000]).to_bytes(), 413, "upload-too-large"),
    ] {
        assert_eq!(running.post("/tx", body).await.refusal(), (status, code), "{what}");
    }
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes.clone())]);
    let endless = running.post("/tx", reqwest::Body::wrap_stream(pieces)).await;
    assert_eq!(endless.refusal(), (411, "no-length"));
    assert_eq!(running.get(&format!("/{}", item.id())).await.refusal(), (404, "not-found"));
}

/// A request that no client library would send; the status line of its answer.
async fn raw(running: &Running, request: &str) -> String {
    let address = running.node.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn no_text_from_outside_becomes_a_path() {
    let running = Running::start().await;
    for path in [
        "/../gateway.sqlite",
        "/..%2f..%2fnode-key.json",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/raw/%2e%2e%2fgateway.sqlite",
        "/raw/..",
        "/tx/%00",
        "/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.",
        "/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
        "//etc/passwd",
    ] {
        let status = raw(&running, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        assert!(status.contains(" 400 ") || status.contains(" 404 "), "{path}: {status}");
    }
}

#[tokio::test]
async fn an_upload_that_ends_early_leaves_nothing() {
    let running = Running::start().await;
    let item = upload(&running, "text/plain", &[7; 5000]);
    let bytes = item.to_bytes();
    let address = running.node.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let header = format!("POST /tx HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", bytes.len());
    stream.write_all(header.as_bytes()).await.unwrap();
    stream.write_all(&bytes[..3000]).await.unwrap();
    drop(stream);
    assert_eq!(running.get(&format!("/{}", item.id())).await.status, 404);
    // It can be sent again, whole.
    assert_eq!(running.post("/tx", bytes).await.status, 200);
}

#[tokio::test]
async fn items_in_bundles_are_found_by_their_own_ids() {
    let running = Running::start().await;
    let deep = upload(&running, "text/plain", b"deep");
    let beside = upload(&running, "text/html", b"beside");
    let bundle = |items: &[DataItem]| {
        let data = ao::bundle::encode(items);
        DataItem::sign(&running.wallet, None, None, ao::bundle::bundle_tags(), data).unwrap()
    };
    let nested = bundle(std::slice::from_ref(&deep));
    let outer = bundle(&[nested.clone(), beside.clone()]);
    for again in [false, true] {
        assert_eq!(running.post("/tx", outer.to_bytes()).await.status, 200, "again: {again}");
        for (item, data) in [(&deep, "deep"), (&beside, "beside")] {
            assert_eq!(running.get(&format!("/{}", item.id())).await.body, data.as_bytes());
        }
    }
    assert_eq!(part(&running, deep.id(), "bytes=1-2").await.body, b"ee");
    let header = running.get(&format!("/tx/{}", beside.id())).await.json;
    assert_eq!((&header["id"], &header["data"]["type"]), (&json!(beside.id()), &json!("text/html")));
}

#[tokio::test]
async fn what_says_that_it_is_a_bundle_and_is_none_is_refused_whole() {
    let running = Running::start().await;
    let good = ao::bundle::encode(&[upload(&running, "text/plain", b"good")]);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut named = good.clone();
    named[64] ^= 1;
    let mut long = good.clone();
    long.push(0);
    for (data, code) in [
        (Vec::new(), "bad-bundle"),
        (good[..40].to_vec(), "bad-bundle"),
        (good[..good.len() - 1].to_vec(), "bad-bundle"),
        (long, "bad-bundle"),
        (named, "bad-bundle"),
        (vec![0xff; 32], "bad-bundle"),
        (forged, "bad-signature"),
    ] {
        let item = DataItem::sign(&running.wallet, None, None, ao::bundle::bundle_tags(), data).unwrap();
        assert_eq!(running.post("/tx", item.to_bytes()).await.refusal(), (400, code));
        assert_eq!(running.get(&format!("/{}", item.id())).await.status, 404);
    }
}

#[tokio::test]
async fn turbo_and_arweave_clients_find_what_they_ask_for() {
    let running = Running::start().await;
    for path in ["/v1/tx", "/v1/tx/arweave", "/tx/arweave"] {
        let item = upload(&running, "text/plain", path.as_bytes());
        assert_eq!(running.post(path, item.to_bytes()).await.json["dataCaches"], json!([]), "{path}");
        assert_eq!(running.get(&format!("/{}", item.id())).await.body, path.as_bytes());
    }
    assert!(running.get("/info").await.json["height"].as_u64().unwrap() > 0);
    assert_eq!(running.get("/price/1000").await.body, b"0");
    assert_eq!(running.get("/price/many").await.refusal(), (400, "bad-number"));
    assert_eq!(running.get("/v1/price/bytes/1000").await.json["winc"], "0");
    assert_eq!(running.get("/tx_anchor").await.body.len(), 43);
    let layer_one = running.request(Method::POST, "/tx").header("content-type", "application/json").body("{}");
    assert_eq!(running.send(layer_one).await.refusal(), (415, "not-an-item"));
}

#[tokio::test]
async fn blocks_and_confirmations_are_reckoned() {
    let running = Running::start().await;
    let uploaded = uploaded(&running, "text/plain", TEXT.as_bytes()).await;
    let message = running.transfer(1, &Id::new([5; 32]));
    running.post("/", message.to_bytes()).await;
    let now = running.get("/block/current").await.json;
    let height = now["height"].as_u64().unwrap();
    let by_height = running.get(&format!("/block/height/{height}")).await.json;
    let by_hash = running.get(&format!("/block/hash/{}", now["indep_hash"].as_str().unwrap())).await.json;
    assert_eq!((&by_height, &by_hash), (&now, &now));
    assert_eq!(running.get("/info").await.json["current"], now["indep_hash"]);
    for id in [uploaded, message.id()] {
        let status = running.get(&format!("/tx/{id}/status")).await.json;
        assert_eq!((&status["block_height"], &status["number_of_confirmations"]), (&json!(height), &json!(1)));
    }
    let header = running.get(&format!("/tx/{}", message.id())).await.json;
    assert_eq!((&header["target"], &header["owner"]["address"]), (&json!(running.token), &json!(message.address())));
    for path in ["/block/height/99999999999", "/block/height/x"] {
        assert_eq!(running.get(path).await.refusal(), (404, "not-found"), "{path}");
    }
    for path in ["/block/hash", "/tx"] {
        let path = format!("{path}/{}", Id::new([7; 32]));
        assert_eq!(running.get(&path).await.refusal(), (404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn an_upload_comes_in_parts_in_any_order() {
    let running = Running::start().await;
    let item = upload(&running, "text/plain", TEXT.as_bytes());
    let bytes = item.to_bytes();
    let begin =
        async || running.get("/v1/chunks/arweave/-1/-1?chunkSize=5").await.json["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/chunks/arweave/{}", begin().await);
    for (offset, end) in [(100, bytes.len()), (0, 100)] {
        assert_eq!(running.post(&format!("{path}/{offset}"), bytes[offset..end].to_vec()).await.status, 200);
    }
    assert_eq!(running.get(&format!("{path}/status")).await.json["status"], "ASSEMBLING");
    for again in [false, true] {
        assert_eq!(running.post(&format!("{path}/finalize"), "").await.json["id"], json!(item.id()), "again: {again}");
    }
    let status = running.get(&format!("{path}/status")).await.json;
    assert_eq!((&status["status"], &status["receipt"]["id"]), (&json!("FINALIZED"), &json!(item.id())));
    assert_eq!(running.get(&format!("/{}", item.id())).await.body, TEXT.as_bytes());
    // A part is missing, or there is no such upload.
    let path = format!("/v1/chunks/arweave/{}", begin().await);
    assert_eq!(running.post(&format!("{path}/100"), bytes[100..].to_vec()).await.status, 200);
    assert_eq!(running.post(&format!("{path}/finalize"), "").await.refusal(), (400, "bad-item"));
    assert_eq!(running.post(&format!("{path}/finalize"), "").await.refusal(), (404, "unknown-upload"));
    assert_eq!(running.post(&format!("{path}/0"), bytes.clone()).await.refusal(), (404, "unknown-upload"));
    assert_eq!(running.post(&format!("{path}/x"), bytes).await.refusal(), (400, "bad-number"));
}

#[tokio::test]
async fn the_data_of_a_message_is_found_by_its_id() {
    let running = Running::start().await;
    let tags = [("Data-Protocol", "ao"), ("Type", "Message"), ("Action", "Info"), ("Content-Type", "text/html")];
    let tags = tags.iter().map(|(name, value)| ao::Tag::new(*name, *value)).collect();
    let item = DataItem::sign(&running.wallet, Some(running.token), None, tags, b"<b>hello</b>".to_vec()).unwrap();
    assert_eq!(running.post("/", item.to_bytes()).await.status, 202);
    for path in [format!("/{}", item.id()), format!("/raw/{}", item.id())] {
        let answer = running.get(&path).await;
        assert_eq!((answer.body.as_slice(), answer.header("content-type")), (b"<b>hello</b>".as_slice(), "text/html"));
        assert!(answer.header("content-security-policy").contains("sandbox"));
    }
}
