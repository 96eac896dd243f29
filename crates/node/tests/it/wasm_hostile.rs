//! Modules that mean ill. Each costs its own message an error, and nothing else.

use ao::Tags;
use serde_json::Value;

use crate::wasm_place::WasmPlace;

/// A module with 64-bit addresses that does as told in its `handle`, and answers with what `answer` writes.
fn text(handle: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") i64 4)
            (global $stack (mut i64) (i64.const 131072))
            (global $count (mut i64) (i64.const 48))
            (func (export "emscripten_stack_get_current") (result i64) (global.get $stack))
            (func (export "_emscripten_stack_restore") (param i64) (global.set $stack (local.get 0)))
            (func (export "_emscripten_stack_alloc") (param i64) (result i64)
                (global.set $stack (i64.and (i64.sub (global.get $stack) (local.get 0)) (i64.const -16)))
                (global.get $stack))
            (data (i64.const 1024) "{{\"ok\":true,\"response\":{{\"Output\":{{\"data\":\"0\"}},\"Messages\":[]}}}}\00")
            (func $count (result i64)
                ;; The digit of the answer is a count that lives in a global and in memory.
                (global.set $count (i64.add (global.get $count) (i64.const 1)))
                (i64.store8 (i64.const 1065) (global.get $count))
                (i64.const 1024))
            (func (export "handle") (param $message i64) (param $env i64) (result i64)
                {handle}))"#
    )
}

/// Sends one message to a process of the module, and then sees that the node and another process are well.
async fn suffers(name: &str, handle: &str) -> Value {
    let place = WasmPlace::with(|config| {
        config.wasm.fuel_max = 200_000_000;
        config.wasm.memory_bytes_max = 64 << 20;
    })
    .await;
    let bad = place.spawn(place.add_text(name, &text(handle)), Tags::new()).await;
    let good = place.spawn(place.add_text("good", &text("(call $count)")), Tags::new()).await;
    let result = place.send(bad, Tags::new(), "x").await;
    assert_eq!(
        place.send(good, Tags::new(), "x").await["Output"]["data"],
        "2",
        "the spawn and this message are counted"
    );
    assert_eq!(place.get("/healthz").await["status"], "ok");
    result
}

fn error(result: &Value) -> &str {
    result["Error"].as_str().unwrap_or_else(|| panic!("{result}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_ends_at_the_compute_limit() {
    let result = suffers("endless", "(loop $again (br $again)) (unreachable)").await;
    assert!(error(&result).contains("compute limit"), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sees_what_was_sent_before_however_busy_the_node_is() {
    let place = WasmPlace::with(|config| config.limits.runtime_threads = 1).await;
    let busy = "(local $left i64) (local.set $left (i64.const 100000000))
        (loop $again (br_if $again (i64.ne (local.tee $left (i64.sub (local.get $left) (i64.const 1))) (i64.const 0))))
        (call $count)";
    let slow = place.spawn(place.add_text("slow", &text(busy)), Tags::new()).await;
    let (owner, recipient) = (place.wallet.address().to_string(), ao::Id::new([8; 32]).to_string());
    let token = place.item(None, "Process", Tags::new().with("Module", "token"), &format!(r#"{{"{owner}":"9"}}"#));
    assert_eq!(place.post(&token).await["processId"], token.id().to_string());
    place.node.idle().await;
    // The only thread is at work when the transfer is acknowledged.
    place.send_item(slow, Tags::new(), "x").await;
    let transfer = Tags::new().with("Action", "Transfer").with("Recipient", &recipient).with("Quantity", "4");
    place.send_item(token.id(), transfer, "").await;
    let balance = Tags::new().with("Action", "Balance").with("Recipient", &recipient);
    assert_eq!(place.dry_run(token.id(), balance, "").await["Output"]["data"], "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_grows_to_its_limit_and_no_further() {
    let grow = "(loop $again (br_if $again (i64.ge_s (memory.grow (i64.const 16)) (i64.const 0)))) (unreachable)";
    let result = suffers("hungry", grow).await;
    assert!(error(&result).contains("unreachable"), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_ten_megabytes_is_refused() {
    let fill = "(drop (memory.grow (i64.const 200)))
        (memory.fill (i64.const 262144) (i32.const 120) (i64.const 10485760)) (i64.const 262144)";
    assert!(error(&suffers("verbose", fill).await).contains("answer has more than"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_messages_are_refused_and_none_is_sent() {
    // The text of one message, written over and over behind the head of an answer.
    let fill = "(local $at i64) (local $left i64)
        (drop (memory.grow (i64.const 1000)))
        (memory.copy (i64.const 262144) (i64.const 2048) (i64.const 46))
        (local.set $at (i64.const 262190))
        (local.set $left (i64.const 1000000))
        (loop $again
            (i64.store16 (local.get $at) (i64.const 0x7d7b))
            (i64.store8 offset=2 (local.get $at) (i64.const 0x2c))
            (local.set $at (i64.add (local.get $at) (i64.const 3)))
            (local.set $left (i64.sub (local.get $left) (i64.const 1)))
            (br_if $again (i64.ne (local.get $left) (i64.const 0))))
        (memory.copy (local.get $at) (i64.const 2094) (i64.const 6))
        (i64.const 262144)";
    let head = r#"(data (i64.const 2048) "{\"ok\":true,\"response\":{\"Output\":1,\"Messages\":[{}]}}\00")"#;
    let place = WasmPlace::with(|_| {}).await;
    let module = text(fill).replace("(func $count", &format!("{head}\n(func $count"));
    let bad = place.spawn(place.add_text("many", &module), Tags::new()).await;
    let result = place.send(bad, Tags::new(), "x").await;
    assert!(result["Messages"].as_array().unwrap().is_empty(), "{result}");
    assert_eq!(place.get("/healthz").await["status"], "ok");
    // Within an answer of the right size, the node's own limit holds.
    let Some(file) = crate::wasm_modules::module("aos2_0_6.wasm") else { return };
    let aos = place.spawn(place.add(&file), Tags::new()).await;
    let many = place.eval(aos, "N = 1; for i = 1, 5000 do Send({ Target = ao.id, Action = 'Never' }) end").await;
    assert!(error(&many).contains("5000 messages"), "{many}");
    assert_eq!(place.shows(aos, "return tostring(N)").await, "nil");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_recursion_ends() {
    let place = WasmPlace::with(|_| {}).await;
    let recursion = text("(call $count)").replace("(func $count (result i64)", "(func $deep (result i64) (i64.add (call $deep) (i64.const 1)))\n(func $count (result i64) (return (call $deep))");
    let bad = place.spawn(place.add_text("deep", &recursion), Tags::new()).await;
    let result = place.send(bad, Tags::new(), "x").await;
    assert!(error(&result).contains("stack"), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_in_the_middle_of_a_write_undoes_memory_and_globals() {
    // A message whose text begins with `{"Id"` always comes; one with data "trap" has a 't' where others have not.
    let handle = "(local $at i64)
        (drop (call $count))
        ;; Looks for `\"Data\":\"t` in the message, after all has been counted.
        (local.set $at (local.get $message))
        (block $end (loop $next
            (br_if $end (i32.eqz (i32.load8_u (local.get $at))))
            (if (i64.eq (i64.load (local.get $at)) (i64.const 0x3a22617461442c22)) (then))
            (if (i32.and (i32.eq (i32.load (local.get $at)) (i32.const 0x61746144))
                         (i32.eq (i32.load8_u offset=7 (local.get $at)) (i32.const 116)))
                (then (unreachable)))
            (local.set $at (i64.add (local.get $at) (i64.const 1)))
            (br $next)))
        (i64.const 1024)";
    let place = WasmPlace::with(|_| {}).await;
    let process = place.spawn(place.add_text("trap", &text(handle)), Tags::new()).await;
    let shown = async |data: &str| place.send(process, Tags::new(), data).await;
    assert_eq!(shown("x").await["Output"]["data"], "2");
    assert!(error(&shown("trap").await).contains("unreachable"));
    assert_eq!(shown("x").await["Output"]["data"], "3");
    let place = place.restart().await;
    let again = place.send(process, Tags::new(), "x").await;
    assert_eq!(again["Output"]["data"], "4", "a global is kept with the memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_cannot_be_is_told_to_its_messages() {
    let place = WasmPlace::with(|_| {}).await;
    for (name, module, reason) in [
        ("no-handle", "(module (memory (export \"memory\") 1))", "handle"),
        (
            "other-import",
            "(module (import \"env\" \"table\" (table 1 funcref)) (memory (export \"memory\") 1))",
            "functions only",
        ),
        // A table that changes would be state beside the memory.
        (
            "table",
            "(module (memory (export \"memory\") 1) (table 2 funcref) (func (table.set (i32.const 0) (ref.null func))))",
            "table.set",
        ),
        ("start", "(module (memory (export \"memory\") 1) (func $s (loop $a (br $a))) (start $s))", "compute limit"),
    ] {
        let process = place.spawn(place.add_text(name, module), Tags::new()).await;
        let result = place.send(process, Tags::new(), "x").await;
        assert!(error(&result).contains(reason), "{name}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_module_is_refused_and_says_how_to_add_it() {
    let place = WasmPlace::with(|_| {}).await;
    let module = ao::Id::new([7; 32]).to_string();
    let answer = place.try_spawn(&module, Tags::new()).await;
    assert_eq!(answer["code"], "unknown-module", "{answer}");
    let text = answer["error"].as_str().unwrap();
    assert!(text.contains("aobench module add") && text.contains(&module), "{text}");
}
