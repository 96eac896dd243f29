//! Real modules of AO, outside of a node: those that `compat/fetch_modules.sh` fetches.

use std::path::{Path, PathBuf};

use ao::Tags;
use node::wasm::WasmSettings;
use node::wasm::bench::{WasmTimings, bench_wasm};

/// A module of that name, or nothing, said aloud, if the modules were not fetched.
pub(crate) fn module(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("AOBENCH_WASM_MODULES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wasm-modules"), PathBuf::from);
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: {} is absent; compat/fetch_modules.sh fetches it", path.display());
    None
}

/// Where compiled modules are kept between tests and runs.
pub(crate) fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wasm-tests")
}

fn eval(code: &str) -> (Tags, Vec<u8>) {
    (Tags::new().with("Action", "Eval"), code.as_bytes().to_vec())
}

fn run(module: &Path, code: &[&str], metering: bool) -> WasmTimings {
    let messages: Vec<_> = code.iter().map(|code| eval(code)).collect();
    // The memory of the module with a language model begins with more than others may have.
    let settings = WasmSettings { metering, memory_bytes_max: 4 << 30, ..WasmSettings::default() };
    bench_wasm(&kept(), module, &messages, settings).unwrap()
}

#[test]
fn every_module_evaluates_lua() {
    for name in ["aos2_0_6.wasm", "aos2_0_4_32.wasm", "sqlite.wasm", "llama.wasm"] {
        let Some(path) = module(name) else { return };
        let code = [
            "return 1+1",
            "x = 40; return x",
            "error('oh no')",
            "return x + 2",
            "return tostring(pcall(error, 'x'))",
            "return os.time()",
            "return os.date('%Y-%m-%d %H:%M:%S', 1700000000)",
            "return os.date('!%c', 86400)",
            "return tostring(io.open('/nothing'))",
            "return string.rep('a', 3) .. math.floor(2.5)",
        ];
        let timings = run(&path, &code, true);
        let outputs: Vec<&str> =
            timings.outputs.iter().map(|output| output.as_deref().unwrap_or_else(|error| error)).collect();
        println!("{name}: load {:?} boot {:?} median {:?} {outputs:?}", timings.load, timings.boot, timings.median());
        assert_eq!((outputs[0], outputs[1]), ("2", "40"), "{name}: {outputs:?}");
        // aos warns that the message before has left nothing, which is as it should be.
        assert!(outputs[3].ends_with("42"), "{name}: {outputs:?}");
        assert!(outputs[2].contains("oh no"), "{name}: {outputs:?}");
        assert_eq!(outputs[6], "2023-11-14 22:13:20", "{name}");
        assert_eq!(outputs[7], "Fri Jan  2 00:00:00 1970", "{name}");
        assert_eq!((outputs[8], outputs[9]), ("nil", "aaa2"), "{name}");
    }
}

#[test]
fn the_same_messages_take_the_same_instructions() {
    let Some(path) = module("aos2_0_6.wasm") else { return };
    let code = [
        "t = {} for i = 1, 300 do t['k' .. i] = i end",
        "error('x')",
        "local n = 0 for k in pairs(t) do n = n + #k end return n",
    ];
    let runs: Vec<WasmTimings> = (0..2).map(|_| run(&path, &code, true)).collect();
    assert!(runs[0].instructions > 1_000_000);
    assert_eq!(runs[0].instructions, runs[1].instructions);
    assert_eq!(runs[0].outputs, runs[1].outputs);
    // Without counting the answers are the same.
    assert_eq!(run(&path, &code, false).outputs, runs[0].outputs);
}

#[test]
fn sqlite_works_in_memory_and_in_files_of_one_message() {
    let Some(path) = module("sqlite.wasm") else { return };
    let code = [
        "sqlite = require('lsqlite3'); db = sqlite.open_memory(); db:exec('create table t (a); insert into t values (40), (2)')",
        "for row in db:nrows('select sum(a) as s from t') do return row.s end",
        "local f = sqlite.open('/tmp/a.db'); f:exec('create table t (a); insert into t values (7)'); f:close(); \
         local g = sqlite.open('/tmp/a.db'); for row in g:nrows('select a from t') do return row.a end",
        "local g = sqlite.open('/tmp/a.db'); return tostring(g:exec('select a from t'))",
    ];
    let outputs = run(&path, &code, true).outputs;
    assert_eq!(outputs[1].as_deref(), Ok("42"));
    assert_eq!(outputs[2].as_deref(), Ok("7"));
    assert_eq!(outputs[3].as_deref(), Ok("1"), "the file is gone with its message, so there is no such table");
}

#[test]
fn recursion_ends_in_an_error_of_lua() {
    let Some(path) = module("aos2_0_6.wasm") else { return };
    let code = [
        "local function f() return f() + 1 end return tostring(select(2, pcall(f))):sub(-60)",
        "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) return select(2, pcall(function() return t[1] end))",
        "return tostring(load('return ' .. string.rep('(', 5000) .. '1' .. string.rep(')', 5000)))",
        "local function p(n) return pcall(p, n + 1) end return tostring(p(1))",
        "return 1+1",
    ];
    let outputs = run(&path, &code, true).outputs;
    println!("{outputs:?}");
    assert!(outputs[..4].iter().all(|output| !format!("{output:?}").contains("the module failed")), "{outputs:?}");
    assert!(outputs[0].as_ref().is_ok_and(|text| text.contains("stack overflow")), "{outputs:?}");
    assert_eq!(outputs[4].as_deref(), Ok("2"));
}
