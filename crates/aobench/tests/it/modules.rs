//! Modules that are not on this machine: fetched from a gateway, which is a node here, and checked by their ids.

use std::path::Path;

use ao::{Id, Tags};
use client::{Client, ClientError};

use crate::binary::{RunningNode, free_port};

/// The shortest module that there is.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const FORMAT: &str = "wasm64-unknown-emscripten-draft_2024_10_16";

async fn uploaded(client: &Client, file: &Path, kind: &str) -> Id {
    let tags = Tags::new().with("Data-Protocol", "ao").with("Type", kind).with("Module-Format", FORMAT);
    client.upload(file, tags, |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_fetched_from_a_gateway_and_is_what_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, data) =
        (RunningNode::start(&folder.path().join("node"), free_port(), 0), folder.path().join("other"));
    let (file, client) = (folder.path().join("module.wasm"), gateway.client("funder"));
    std::fs::write(&file, MODULE).unwrap();
    let (module, no_module) = (uploaded(&client, &file, "Module").await, uploaded(&client, &file, "Picture").await);
    let place = data.display().to_string();
    let id = module.to_string();
    gateway.json("funder", &["module", "add", "--id", &id, "--gateway", &gateway.url, "--data", &place]);
    let mut names: Vec<_> =
        std::fs::read_dir(data.join("modules")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names, ["json", "wasm"].map(|suffix| data.join(format!("modules/{}.{suffix}", module.to_hex()))));
    assert_eq!(std::fs::read(&names[1]).unwrap(), MODULE);
    assert!(std::fs::read_to_string(&names[0]).unwrap().contains(FORMAT), "the tags of the transaction are kept");

    for (id, said) in [(no_module, "no tag Type=Module"), (Id::new([7; 32]), "knows no such transaction")] {
        let id = id.to_string();
        let words = ["module", "add", "--id", &id, "--gateway", &gateway.url, "--data", &place];
        let refused = gateway.error("funder", &words);
        assert!(refused.contains(said) && refused.contains(&format!("module add FILE --id {id}")), "{refused}");
    }

    let transaction = client.transaction(&module).await.unwrap().unwrap();
    std::fs::write(&file, b"\0asm\x01\0\0\x01").unwrap();
    let other = transaction.verify(&file).await;
    assert!(matches!(other, Err(ClientError::NotTheData { .. })), "{other:?}");
}
