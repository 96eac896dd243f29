//! What a module imports: the functions that emscripten's glue gives it in a browser. An import that this node does not
//! have ends the message that calls it, and says which one it was.

mod calendar;
mod control;
mod filesystem;
mod memory;

use wasmtime::{Error, ExternType, FuncType, Linker, Module, Val, ValType};

use super::guest::{Guest, State};

/// An import: numbers in, a number out. Floats travel as their bits.
type Import = fn(&mut Guest<'_, '_>, &[u64]) -> wasmtime::Result<u64>;

/// Gives a module everything that it imports.
pub(super) fn link(linker: &mut Linker<State>, module: &Module) -> Result<(), String> {
    for import in module.imports() {
        let ExternType::Func(kind) = import.ty() else {
            return Err(format!("it imports '{}', and may import functions only", import.name()));
        };
        let (space, name) = (import.module(), import.name());
        if control::link_invoke(linker, space, name, &kind).map_err(|error| format!("{error:#}"))? {
            continue;
        }
        let defined = if let Some(work) = find(name) {
            let gives = kind.result(0);
            linker.func_new(space, name, kind, move |mut caller, values, results| {
                let numbers: Vec<u64> = values.iter().filter_map(super::image::bits_of).collect();
                let number = work(&mut Guest(&mut caller), &numbers)?;
                if let ([result], Some(kind)) = (results, &gives) {
                    *result = value(number, kind);
                }
                Ok(())
            })
        } else {
            let text = format!("it calls '{name:.64}', which this node does not have");
            linker.func_new(space, name, kind, move |_, _, _| Err(Error::msg(text.clone())))
        };
        defined.map_err(|error| format!("{error:#}"))?;
    }
    Ok(())
}

/// An import by name. The names differ between versions of emscripten.
fn find(name: &str) -> Option<Import> {
    control::find(name)
        .or_else(|| memory::find(name))
        .or_else(|| calendar::find(name))
        .or_else(|| filesystem::find(name))
}

/// An argument, or 0: the engine has checked how many there are for what the module declares.
fn argument(arguments: &[u64], index: usize) -> u64 {
    arguments.get(index).copied().unwrap_or(0)
}

fn number(arguments: &[u64], index: usize) -> i32 {
    argument(arguments, index) as u32 as i32
}

/// A number in the kind that the module expects.
fn value(bits: u64, kind: &ValType) -> Val {
    match kind {
        ValType::I32 => Val::I32(bits as u32 as i32),
        ValType::F32 => Val::F32(bits as u32),
        ValType::F64 => Val::F64(bits),
        _ => Val::I64(bits as i64),
    }
}

/// Whether a function takes and gives exactly these.
fn is(kind: &FuncType, takes: &[ValType], gives: &[ValType]) -> bool {
    let same = |left: &mut dyn Iterator<Item = ValType>, right: &[ValType]| {
        let left: Vec<ValType> = left.collect();
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| ValType::eq(left, right))
    };
    same(&mut kind.params(), takes) && same(&mut kind.results(), gives)
}
