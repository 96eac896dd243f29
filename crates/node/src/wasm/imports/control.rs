//! Jumps out of functions, and ends. C's `longjmp`, with which Lua raises errors, leaves a function through the host: the
//! module throws, and a call by way of `invoke_…` catches.

use wasmtime::{Caller, Error, FuncType, Linker, Ref, Val, ValType};

use super::super::guest::{Guest, State};
use super::{Import, argument, is, number};

/// A jump on its way to the call that catches it.
#[derive(Debug, thiserror::Error)]
#[error("a longjmp that nothing caught")]
struct LongJump;

/// The module ended itself.
#[derive(Debug, thiserror::Error)]
#[error("the module ended itself with exit({0})")]
struct Exit(i32);

pub(super) fn find(name: &str) -> Option<Import> {
    Some(match name {
        "_emscripten_throw_longjmp" | "emscripten_throw_longjmp" | "emscripten_longjmp" => |_, _| Err(LongJump.into()),
        "exit" | "proc_exit" | "_exit" => |_, arguments| Err(Exit(number(arguments, 0)).into()),
        "_abort_js" | "abort" => |_, _| Err(Error::msg("the module called abort()")),
        "__assert_fail" => |guest, arguments| {
            let text = guest.text(argument(arguments, 0)).unwrap_or_default();
            Err(Error::msg(format!("an assertion of the module failed: {text:.200}")))
        },
        "__cxa_throw" => |_, _| Err(Error::msg("a C++ exception that nothing caught")),
        "_emscripten_system" => |_, arguments| Ok(if argument(arguments, 0) == 0 { 0 } else { -1i64 as u64 }),
        "emscripten_err" | "emscripten_out" | "emscripten_console_error" => |_, _| Ok(0),
        _ => return None,
    })
}

/// Links an import by which the module calls one of its own functions and catches jumps; whether it is one.
pub(super) fn link_invoke(
    linker: &mut Linker<State>,
    space: &str,
    name: &str,
    kind: &FuncType,
) -> wasmtime::Result<bool> {
    if !name.starts_with("invoke_") {
        return Ok(false);
    }
    // Lua's own calls take this way many times in each message, so they are spared the boxing of values.
    if is(kind, &[ValType::I64, ValType::I64, ValType::I64], &[]) {
        linker.func_wrap(space, name, |mut caller: Caller<'_, State>, index: i64, one: i64, two: i64| {
            catch(&mut caller, index as u64, |caller, function| {
                function.typed::<(i64, i64), ()>(&*caller)?.call(&mut *caller, (one, two))
            })
        })?;
    } else if is(kind, &[ValType::I32, ValType::I32, ValType::I32], &[]) {
        linker.func_wrap(space, name, |mut caller: Caller<'_, State>, index: i32, one: i32, two: i32| {
            catch(&mut caller, u64::from(index as u32), |caller, function| {
                function.typed::<(i32, i32), ()>(&*caller)?.call(&mut *caller, (one, two))
            })
        })?;
    } else {
        linker.func_new(space, name, kind.clone(), |mut caller, values, results| {
            let (index, rest) = values.split_first().ok_or_else(|| Error::msg("invoke without a function"))?;
            let index = super::super::image::bits_of(index).unwrap_or(0);
            catch(&mut caller, index, |caller, function| function.call(&mut *caller, rest, results))
        })?;
    }
    Ok(true)
}

/// Calls a function of the module's table. A jump out of it ends here: the stack is put back, and the module is told.
fn catch<'caller>(
    caller: &mut Caller<'caller, State>,
    index: u64,
    call: impl FnOnce(&mut Caller<'caller, State>, wasmtime::Func) -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    let exports = Guest(caller).exports()?;
    let table = exports.table.ok_or_else(|| Error::msg("the module has no table of functions"))?;
    let Some(Ref::Func(Some(function))) = table.get(&mut *caller, index) else {
        return Err(Error::msg("the module called a function that is not in its table"));
    };
    let stack = exports.stack.get(&mut *caller)?;
    match call(caller, function) {
        Err(error) if error.is::<LongJump>() => {
            exports.stack.set(&mut *caller, stack)?;
            let told = exports.set_threw.ok_or_else(|| Error::msg("the module has no 'setThrew'"))?;
            let zeros = |wide: bool, number: i32| if wide { Val::I64(i64::from(number)) } else { Val::I32(number) };
            let wide: Vec<bool> = told.ty(&*caller).params().map(|kind| matches!(kind, ValType::I64)).collect();
            let values: Vec<Val> = wide.iter().zip([1, 0]).map(|(wide, number)| zeros(*wide, number)).collect();
            told.call(&mut *caller, &values, &mut [])
        }
        other => other,
    }
}
