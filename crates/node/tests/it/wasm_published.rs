//! What a process of aos publishes with `patch@1.0`, read as HyperBEAM's clients read it.

use ao::Tags;
use serde_json::json;

use crate::wasm_modules::module;
use crate::wasm_place::WasmPlace;

#[tokio::test(flavor = "multi_thread")]
async fn patches_of_aos_are_read_by_path_and_undone_with_their_message() {
    let Some(file) = module("aos2_0_6.wasm") else { return };
    let mut place = WasmPlace::with(|_| {}).await;
    let process = place.spawn(place.add(&file), Tags::new().with("Name", "test")).await;
    let nothing = place.get(&format!("/{process}~process@1.0/now/balances")).await;
    assert_eq!(nothing["code"], "not-found", "{nothing}");
    place
        .eval(
            process,
            "Send({ device = 'patch@1.0', balances = { alice = '10', bob = '5' }, supply = 15, \
             names = { 'first', { deep = true } } })",
        )
        .await;
    let patched = place.eval(process, "Send({ device = 'patch@1.0', balances = { bob = '4', carol = '1' } })").await;
    assert_eq!(patched["Messages"], json!([]), "a patch goes to nobody: {patched}");
    assert!(patched["GasUsed"].as_u64().unwrap() > 0, "{patched}");
    let failed = place.eval(process, "Send({ device = 'patch@1.0', balances = { bob = '0' } }); error('no')").await;
    assert!(failed["Error"].as_str().unwrap().contains("no"), "{failed}");
    for round in 0..2 {
        for (path, expected) in [
            ("now/balances", json!({ "alice": "10", "bob": "4", "carol": "1" })),
            ("compute/balances/bob/serialize~json@1.0", json!("4")),
            ("now/supply", json!(15)),
            ("now/names/2/deep", json!(true)),
            ("now/names/1/serialize~json@1.0", json!("first")),
        ] {
            let found = place.get(&format!("/{process}~process@1.0/{path}")).await;
            assert_eq!(found, expected, "{path}, round {round}");
        }
        place = place.restart().await;
    }
    let sent = place.eval(process, "Send({ Target = ao.id, Action = 'Note' })").await;
    let anchor = sent["Messages"][0]["Anchor"].as_str().unwrap();
    assert!(anchor.len() == 32 && anchor.trim_start_matches('0').len() < 4, "the anchor that aos gave: {anchor}");
}
