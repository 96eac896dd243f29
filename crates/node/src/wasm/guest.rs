//! A module as its imports see it while it calls them: its memory, and the state that the node keeps beside it.

use std::sync::Arc;

use wasmtime::{Caller, Error, Func, Memory, ResourceLimiter, Table, TypedFunc};

use super::drive::Drive;
use super::files::Files;

/// The longest text that an import takes from the memory of a module, bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What a module is told that asks for the time for the first time.
const FIRST_TIME_MS: u64 = 10_000;

/// Bytes that an import may move for one unit of fuel.
const BYTES_PER_FUEL: u64 = 16;

/// What the node keeps of a running module beside its memory.
pub(super) struct State {
    /// The exports that imports need; set once the module is instantiated.
    pub exports: Option<Exports>,
    /// The only time that the module knows: that of its message, milliseconds since 1970.
    pub now_ms: u64,
    /// Whether it has asked for the time yet. Kept with its memory.
    pub asked_for_time: bool,
    /// Its files.
    pub files: Files,
    /// Stored transactions.
    pub drive: Arc<dyn Drive>,
    /// Bytes that its memory may have.
    pub memory_bytes_max: usize,
    /// Whether fuel is counted.
    pub metering: bool,
}

/// Exports that imports call back.
#[derive(Clone)]
pub(super) struct Exports {
    pub memory: Memory,
    pub table: Option<Table>,
    pub set_threw: Option<Func>,
    pub stack: Stack,
}

/// The functions over the stack in the memory of a module.
#[derive(Clone)]
pub(super) enum Stack {
    /// Of a module with 64-bit addresses.
    Wide {
        get: TypedFunc<(), i64>,
        set: TypedFunc<i64, ()>,
        push: TypedFunc<i64, i64>,
        free: Option<TypedFunc<(), i64>>,
    },
    /// Of a module with 32-bit addresses.
    Narrow {
        get: TypedFunc<(), i32>,
        set: TypedFunc<i32, ()>,
        push: TypedFunc<i32, i32>,
        free: Option<TypedFunc<(), i32>>,
    },
}

impl State {
    /// The time, milliseconds since 1970. The first to ask is Lua, for the seed of its hashes, on which the order of its
    /// tables depends. AO's own host has a clock that begins at ten seconds, so that the seed is the same for every process.
    pub(super) fn time_ms(&mut self) -> u64 {
        if std::mem::replace(&mut self.asked_for_time, true) { self.now_ms } else { FIRST_TIME_MS }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= self.memory_bytes_max)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 1_000_000)
    }
}

/// A module in the middle of a call of an import.
pub(super) struct Guest<'a, 'caller>(pub &'a mut Caller<'caller, State>);

impl Guest<'_, '_> {
    pub(super) fn state(&mut self) -> &mut State {
        self.0.data_mut()
    }

    pub(super) fn exports(&self) -> wasmtime::Result<Exports> {
        self.0.data().exports.clone().ok_or_else(|| Error::msg("an import was called before the module was ready"))
    }

    fn memory(&self) -> wasmtime::Result<Memory> {
        let exports = self.0.data().exports.as_ref();
        exports
            .map(|exports| exports.memory)
            .ok_or_else(|| Error::msg("an import was called before the module was ready"))
    }

    /// Whether addresses have 64 bits.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.0.data().exports, Some(Exports { stack: Stack::Wide { .. }, .. }))
    }

    /// Bytes of an address.
    pub(super) fn pointer_bytes(&self) -> u64 {
        if self.is_wide() { 8 } else { 4 }
    }

    /// Pays for bytes that an import moves on the module's behalf.
    pub(super) fn charge(&mut self, bytes: u64) -> wasmtime::Result<()> {
        if self.0.data().metering {
            let left = self.0.get_fuel()?.checked_sub(bytes / BYTES_PER_FUEL);
            self.0.set_fuel(left.unwrap_or(0))?;
            if left.is_none() {
                return Err(wasmtime::Trap::OutOfFuel.into());
            }
        }
        Ok(())
    }

    pub(super) fn bytes(&self, at: u64, length: u64) -> wasmtime::Result<&[u8]> {
        let memory = self.memory()?.data(&*self.0);
        let range = usize::try_from(at).ok().zip(usize::try_from(length).ok());
        let bytes = range.and_then(|(at, length)| memory.get(at..at.checked_add(length)?));
        bytes.ok_or_else(outside)
    }

    pub(super) fn bytes_mut(&mut self, at: u64, length: u64) -> wasmtime::Result<&mut [u8]> {
        let memory = self.memory()?.data_mut(&mut *self.0);
        let range = usize::try_from(at).ok().zip(usize::try_from(length).ok());
        let bytes = range.and_then(|(at, length)| memory.get_mut(at..at.checked_add(length)?));
        bytes.ok_or_else(outside)
    }

    pub(super) fn copy_within(&mut self, from: u64, to: u64, length: u64) -> wasmtime::Result<()> {
        self.bytes(from, length)?;
        self.bytes(to, length)?;
        let memory = self.memory()?.data_mut(&mut *self.0);
        memory.copy_within(from as usize..(from + length) as usize, to as usize);
        Ok(())
    }

    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> wasmtime::Result<()> {
        self.bytes_mut(at, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn put_i32(&mut self, at: u64, value: i32) -> wasmtime::Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn i32(&self, at: u64) -> wasmtime::Result<i32> {
        Ok(self.bytes(at, 4)?.first_chunk().copied().map_or(0, i32::from_le_bytes))
    }

    pub(super) fn put_i64(&mut self, at: u64, value: i64) -> wasmtime::Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn i64(&self, at: u64) -> wasmtime::Result<i64> {
        Ok(self.bytes(at, 8)?.first_chunk().copied().map_or(0, i64::from_le_bytes))
    }

    /// An address, or a number of the same size.
    pub(super) fn pointer(&self, at: u64) -> wasmtime::Result<u64> {
        if self.is_wide() {
            self.i64(at).map(|value| value as u64)
        } else {
            self.i32(at).map(|value| u64::from(value as u32))
        }
    }

    pub(super) fn put_pointer(&mut self, at: u64, value: u64) -> wasmtime::Result<()> {
        if self.is_wide() { self.put_i64(at, value as i64) } else { self.put_i32(at, value as i32) }
    }

    /// Takes a piece of the module's heap; its address, 0 if there is none to take.
    pub(super) fn allocate(&mut self, bytes: u64) -> wasmtime::Result<u64> {
        let Some(malloc) = self.function("malloc") else { return Ok(0) };
        if self.is_wide() {
            malloc.typed::<i64, i64>(&*self.0)?.call(&mut *self.0, bytes as i64).map(|at| at as u64)
        } else {
            malloc.typed::<i32, i32>(&*self.0)?.call(&mut *self.0, bytes as i32).map(|at| u64::from(at as u32))
        }
    }

    /// Gives a piece of the heap back.
    pub(super) fn free(&mut self, at: u64) -> wasmtime::Result<()> {
        let Some(free) = self.function("free") else { return Ok(()) };
        if self.is_wide() {
            free.typed::<i64, ()>(&*self.0)?.call(&mut *self.0, at as i64)
        } else {
            free.typed::<i32, ()>(&*self.0)?.call(&mut *self.0, at as i32)
        }
    }

    fn function(&mut self, name: &str) -> Option<Func> {
        self.0.get_export(name).and_then(wasmtime::Extern::into_func)
    }

    /// Half of a result of 64 bits, in a module that takes it in two halves.
    pub(super) fn set_upper_half(&mut self, half: i32) -> wasmtime::Result<()> {
        for name in ["_emscripten_tempret_set", "setTempRet0"] {
            if let (false, Some(set)) = (self.is_wide(), self.function(name)) {
                return set.typed::<i32, ()>(&*self.0)?.call(&mut *self.0, half);
            }
        }
        Ok(())
    }

    /// A text that ends with a zero byte.
    pub(super) fn text(&self, at: u64) -> wasmtime::Result<String> {
        let memory = self.memory()?.data(&*self.0);
        let rest = usize::try_from(at).ok().and_then(|at| memory.get(at..)).ok_or_else(outside)?;
        let rest = rest.get(..TEXT_BYTES_MAX).unwrap_or(rest);
        let length =
            rest.iter().position(|byte| *byte == 0).ok_or_else(|| Error::msg("a text in the memory has no end"))?;
        Ok(String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned())
    }
}

fn outside() -> Error {
    Error::msg("an address lies outside of the memory")
}

impl Stack {
    /// Where the stack is now.
    pub(super) fn get(&self, store: impl wasmtime::AsContextMut) -> wasmtime::Result<u64> {
        match self {
            Self::Wide { get, .. } => get.call(store, ()).map(|at| at as u64),
            Self::Narrow { get, .. } => get.call(store, ()).map(|at| u64::from(at as u32)),
        }
    }

    /// Puts the stack back.
    pub(super) fn set(&self, store: impl wasmtime::AsContextMut, at: u64) -> wasmtime::Result<()> {
        match self {
            Self::Wide { set, .. } => set.call(store, at as i64),
            Self::Narrow { set, .. } => set.call(store, at as i32),
        }
    }

    /// Takes bytes of the stack; their address.
    pub(super) fn push(&self, mut store: impl wasmtime::AsContextMut, bytes: u64) -> wasmtime::Result<u64> {
        let free = match self {
            Self::Wide { free, .. } => {
                free.as_ref().map(|free| free.call(&mut store, ())).transpose()?.map(|free| free as u64)
            }
            Self::Narrow { free, .. } => {
                free.as_ref().map(|free| free.call(&mut store, ())).transpose()?.map(|free| u64::from(free as u32))
            }
        };
        // The module needs some of the stack for itself.
        if free.is_some_and(|free| bytes.saturating_add(free / 4) > free) {
            return Err(Error::msg(format!("the message has {bytes} bytes, too many for the stack of the module")));
        }
        match self {
            Self::Wide { push, .. } => push.call(store, bytes as i64).map(|at| at as u64),
            Self::Narrow { push, .. } => push.call(store, bytes as i32).map(|at| u64::from(at as u32)),
        }
    }
}
