//! Modules and data that come through the gateway, and clocks of processes that run modules.

use std::time::Duration;

use ao::{DataItem, Id, Tags};

use crate::wasm_modules::module;
use crate::wasm_place::WasmPlace;

async fn upload(place: &WasmPlace, tags: Tags, data: Vec<u8>) -> Id {
    let item = DataItem::sign(&place.wallet, None, None, tags, data).unwrap();
    let answer = place.upload(&item).await;
    assert_eq!(answer["id"], item.id().to_string(), "{answer}");
    item.id()
}

fn module_tags() -> Tags {
    Tags::new()
        .with("Data-Protocol", "ao")
        .with("Type", "Module")
        .with("Module-Format", "wasm64-unknown-emscripten-draft_2024_02_15")
        .with("Input-Encoding", "JSON-1")
        .with("Output-Encoding", "JSON-1")
        .with("Memory-Limit", "256-mb")
        .with("Compute-Limit", "9000000000000")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_module_runs_and_reads_uploaded_data() {
    let Some(file) = module("aos2_0_6.wasm") else { return };
    let place = WasmPlace::with(|_| {}).await;
    let id = upload(&place, module_tags(), std::fs::read(file).unwrap()).await;
    let text = "the first line\nthe second";
    let data = upload(&place, Tags::new(), text.into()).await;
    let secret = upload(&place, Tags::new(), "not for this process".into()).await;
    let tags = Tags::new().with("Extension", "WeaveDrive").with("WeaveDrive-Data", data.to_string());
    let process = place.spawn(id, tags).await;
    let read = |id: &Id| {
        format!(
            "local f = io.open('/data/{id}', 'r'); if not f then return 'none' end; local s = f:read(f:seek('end')); f:close(); return s"
        )
    };
    assert_eq!(place.shows(process, &read(&data)).await, text);
    assert_eq!(place.shows(process, &read(&secret)).await, "none");
    assert_eq!(place.shows(process, &read(&data)).await, text);
    // A process without the extension reads nothing.
    let other = place.spawn(id, Tags::new().with("WeaveDrive-Data", data.to_string())).await;
    assert_eq!(place.shows(other, &read(&data)).await, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_of_another_format_is_refused_with_those_there_are() {
    let place = WasmPlace::with(|_| {}).await;
    let mut tags = module_tags();
    tags.remove("Module-Format");
    let id = upload(&place, tags.with("Module-Format", "riscv"), b"\0asm\x01\0\0\0".to_vec()).await;
    let answer = place.try_spawn(&id.to_string(), Tags::new()).await;
    assert!(answer["error"].as_str().unwrap().contains("wasm64-unknown-emscripten"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_in_the_tags_of_a_spawn_tick() {
    let Some(file) = module("aos2_0_6.wasm") else { return };
    let place = WasmPlace::with(|_| {}).await;
    let tags =
        Tags::new().with("Cron-Interval", "5-minutes").with("Cron-Tag-Action", "Tick").with("Cron-Tag-Colour", "red");
    let process = place.spawn(place.add(&file), tags).await;
    place.eval(process, "Ticks = {}; Handlers.add('Tick', 'Tick', function(m) if m.From == Owner and m.Cron then table.insert(Ticks, m.Colour) end end)").await;
    for _ in 0..2 {
        place.node.advance(Duration::from_mins(5)).await.unwrap();
        place.node.idle().await;
    }
    assert_eq!(place.shows(process, "return table.concat(Ticks, ',')").await, "red,red");
}
