//! Memory: copies in bulk, and growth.

use wasmtime::Error;

use super::super::guest::Guest;
use super::{Import, argument};

/// Bytes of a page of WebAssembly.
const WASM_PAGE: u64 = 65536;

pub(super) fn find(name: &str) -> Option<Import> {
    Some(match name {
        "_emscripten_memcpy_js" | "emscripten_memcpy_js" | "emscripten_memcpy_big" => copy,
        "emscripten_resize_heap" => grow,
        "emscripten_get_heap_max" => |guest, _| Ok(guest.state().memory_bytes_max as u64),
        "_munmap_js" | "_mmap_js" => |_, _| Ok(-52i64 as u64),
        _ => return None,
    })
}

fn copy(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let (to, from, length) = (argument(arguments, 0), argument(arguments, 1), argument(arguments, 2));
    guest.charge(length)?;
    guest.copy_within(from, to, length)?;
    Ok(to)
}

/// Grows by a fifth more than was asked for, as emscripten's glue does, so that growth does not come again at once.
fn grow(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let wanted = argument(arguments, 0);
    let most = guest.state().memory_bytes_max as u64;
    let memory = guest.exports()?.memory;
    let now = memory.size(&*guest.0) * WASM_PAGE;
    if wanted > most {
        return Ok(0);
    }
    let generous = wanted.max(now.saturating_add(now / 5)).min(most);
    for size in [generous, wanted] {
        let more = size.saturating_sub(now).div_ceil(WASM_PAGE);
        // A growth that would cross the limit by the rounding fails, and the exact one is tried.
        match memory.grow(&mut *guest.0, more) {
            Ok(_) => return Ok(1),
            Err(error) if error.is::<wasmtime::Trap>() => return Err(Error::msg(error.to_string())),
            Err(_) => {}
        }
    }
    Ok(0)
}
