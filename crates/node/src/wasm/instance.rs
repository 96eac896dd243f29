//! One running module: instantiated, given messages, and its state taken and put back.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Error, Extern, Func, Global, InstancePre, Linker, Module, Store, StoreContextMut, Trap, Val, ValType};

use super::drive::{Admissible, Drive};
use super::engine::{EPOCH, Machine};
use super::files::Files;
use super::guest::{Exports, Stack, State};
use super::image::{Image, bits_of, value_of};
use super::imports;
use super::visible;
use crate::limits;

/// A module that is compiled and has its imports.
pub(super) struct Program {
    machine: Arc<Machine>,
    instance: InstancePre<State>,
    globals: Vec<String>,
}

/// What one process may do.
#[derive(Clone)]
pub(super) struct Sandbox {
    /// What it runs.
    pub program: Arc<Program>,
    /// Where stored transactions come from.
    pub drive: Arc<dyn Drive>,
    /// Which of them it may read.
    pub admissible: Arc<Admissible>,
    /// Bytes of its memory.
    pub memory_bytes_max: usize,
    /// Instructions of one message, if they are counted.
    pub fuel_max: u64,
    /// Time of one message.
    pub time_max: Duration,
}

/// A running module.
pub(super) struct Instance {
    store: Store<State>,
    instance: wasmtime::Instance,
    exports: Exports,
    handle: Func,
    globals: Vec<Global>,
    fuel_max: u64,
    time_max: Duration,
    metering: bool,
}

impl Program {
    /// Links a module.
    pub(super) fn new(machine: Arc<Machine>, module: &Module) -> Result<Self, String> {
        let mut linker = Linker::new(&machine.engine);
        imports::link(&mut linker, module)?;
        let instance = linker.instantiate_pre(module).map_err(|error| format!("{error:#}"))?;
        let names = module.exports().map(|export| export.name().to_owned());
        let globals = names.filter(|name| name.starts_with(visible::PREFIX)).collect();
        Ok(Self { machine, instance, globals })
    }
}

impl Instance {
    /// A module at its beginning: its constructors have run.
    pub(super) fn boot(sandbox: &Sandbox) -> Result<Self, String> {
        let mut instance = Self::bare(sandbox)?;
        instance.allow().map_err(|error| said(&error, sandbox))?;
        for name in ["emscripten_stack_init", "__wasm_call_ctors", "_initialize"] {
            instance.call_if_there(name).map_err(|error| format!("its start failed: {}", said(&error, sandbox)))?;
        }
        Ok(instance)
    }

    /// A module in a state that was taken earlier.
    pub(super) fn at(sandbox: &Sandbox, image: &Image) -> Result<Self, String> {
        let mut instance = Self::bare(sandbox)?;
        let memory = instance.exports.memory;
        let missing = image.memory_bytes().saturating_sub(memory.data_size(&instance.store));
        memory.grow(&mut instance.store, missing.div_ceil(65536) as u64).map_err(|error| format!("{error:#}"))?;
        if instance.go_back(image)? { Ok(instance) } else { Err("the state is of another module".to_owned()) }
    }

    /// Puts a state back that was taken earlier; whether it could be: a memory that grew since does not shrink.
    pub(super) fn go_back(&mut self, image: &Image) -> Result<bool, String> {
        let memory = self.exports.memory;
        let (Some((asked, globals)), true) =
            (image.globals.split_last(), memory.data_size(&self.store) == image.memory_bytes())
        else {
            return Ok(false);
        };
        if self.globals.len() != globals.len() {
            return Ok(false);
        }
        if !image.restore(memory.data_mut(&mut self.store)) {
            return Ok(false);
        }
        self.store.data_mut().asked_for_time = *asked != 0;
        for (global, bits) in self.globals.iter().zip(globals) {
            let value = value_of(*bits, &global.get(&mut self.store));
            global.set(&mut self.store, value).map_err(|error| format!("{error:#}"))?;
        }
        Ok(true)
    }

    fn bare(sandbox: &Sandbox) -> Result<Self, String> {
        let program = &sandbox.program;
        let state = State {
            exports: None,
            now_ms: 0,
            asked_for_time: false,
            files: Files::new(Arc::clone(&sandbox.admissible)),
            drive: Arc::clone(&sandbox.drive),
            memory_bytes_max: sandbox.memory_bytes_max,
            metering: program.machine.metering,
        };
        let mut store = Store::new(&program.machine.engine, state);
        store.limiter(|state| state);
        allow(&mut store, sandbox.fuel_max, sandbox.time_max).map_err(|error| format!("{error:#}"))?;
        let instance = program.instance.instantiate(&mut store).map_err(|error| said(&error, sandbox))?;
        let mut find = |name: &str| instance.get_export(&mut store, name);
        let function = |found: Option<Extern>| found.and_then(Extern::into_func);
        let memory = find("memory").and_then(Extern::into_memory).ok_or("it exports no memory")?;
        let table = find("__indirect_function_table").and_then(Extern::into_table);
        let (set_threw, handle) = (function(find("setThrew")), function(find("handle")));
        let handle = handle.ok_or("it exports no function 'handle'")?;
        let globals = program.globals.iter().filter_map(|name| find(name).and_then(Extern::into_global)).collect();
        // What the module takes for an address, whatever its memory was rewritten to.
        let wide = handle.ty(&store).params().next().is_some_and(|kind| matches!(kind, ValType::I64));
        let stack = stack(&mut store, &instance, wide).map_err(|error| format!("{error:#}"))?;
        let exports = Exports { memory, table, set_threw, stack };
        store.data_mut().exports = Some(exports.clone());
        let metering = program.machine.metering;
        let (fuel_max, time_max) = (sandbox.fuel_max, sandbox.time_max);
        Ok(Self { store, instance, exports, handle, globals, fuel_max, time_max, metering })
    }

    fn call_if_there(&mut self, name: &str) -> wasmtime::Result<()> {
        let function = self.find(name);
        let Some(function) = function else { return Ok(()) };
        if function.ty(&self.store).params().len() > 0 || function.ty(&self.store).results().len() > 0 {
            return Err(Error::msg(format!("its '{name}' takes or gives values")));
        }
        function.call(&mut self.store, &[], &mut [])
    }

    fn find(&mut self, name: &str) -> Option<Func> {
        self.instance.get_func(&mut self.store, name)
    }

    fn allow(&mut self) -> wasmtime::Result<()> {
        allow(&mut self.store, self.fuel_max, self.time_max)
    }

    /// Lets the module handle a message: the JSON of its answer, or why there is none. After an error the state is that of
    /// the middle of the message, and the instance is of no further use.
    pub(super) fn handle(
        &mut self,
        message: &str,
        env: &str,
        now_ms: u64,
        sandbox: &Sandbox,
    ) -> Result<String, String> {
        self.store.data_mut().now_ms = now_ms;
        self.store.data_mut().files.clear();
        self.answer(message, env).map_err(|error| said(&error, sandbox))
    }

    fn answer(&mut self, message: &str, env: &str) -> wasmtime::Result<String> {
        self.allow()?;
        let stack = self.exports.stack.clone();
        let before = stack.get(&mut self.store)?;
        let arguments = [self.push(message)?, self.push(env)?];
        let wide = matches!(stack, Stack::Wide { .. });
        let value = |number: u64| if wide { Val::I64(number as i64) } else { Val::I32(number as i32) };
        let mut results = [value(0)];
        self.handle.call(&mut self.store, &arguments.map(value), &mut results)?;
        let [result] = &results;
        let answer = self.text(bits_of(result).unwrap_or(0))?;
        stack.set(&mut self.store, before)?;
        Ok(answer)
    }

    /// Puts a text onto the stack of the module, with a zero byte after it; its address.
    fn push(&mut self, text: &str) -> wasmtime::Result<u64> {
        let length = text.len();
        let at = self.exports.stack.push(&mut self.store, length as u64 + 1)?;
        let memory = self.exports.memory.data_mut(&mut self.store);
        let place = usize::try_from(at).ok().and_then(|at| memory.get_mut(at..at.checked_add(length + 1)?));
        let (end, start) =
            place.and_then(<[u8]>::split_last_mut).ok_or_else(|| Error::msg("its stack is outside of its memory"))?;
        start.copy_from_slice(text.as_bytes());
        *end = 0;
        Ok(at)
    }

    fn text(&self, at: u64) -> wasmtime::Result<String> {
        let memory = self.exports.memory.data(&self.store);
        let rest = usize::try_from(at).ok().and_then(|at| memory.get(at..)).filter(|_| at != 0);
        let rest = rest.ok_or_else(|| Error::msg("it answered with an address outside of its memory"))?;
        let rest = rest.get(..=limits::WASM_ANSWER_BYTES_MAX).unwrap_or(rest);
        let length = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| Error::msg(format!("its answer has more than {} bytes", limits::WASM_ANSWER_BYTES_MAX)))?;
        Ok(String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned())
    }

    /// The state between two messages.
    pub(super) fn image(&mut self, earlier: &Image) -> Image {
        let globals = self.globals.iter().map(|global| bits_of(&global.get(&mut self.store)).unwrap_or(0));
        let mut globals: Vec<u64> = globals.collect();
        globals.push(u64::from(self.store.data().asked_for_time));
        Image::capture(self.exports.memory.data(&self.store), globals, earlier)
    }

    /// Instructions that the last message took, if they are counted.
    pub(super) fn fuel_used(&self) -> u64 {
        if self.metering { self.fuel_max.saturating_sub(self.store.get_fuel().unwrap_or(0)) } else { 0 }
    }
}

/// Fuel and time for one message.
fn allow(store: &mut Store<State>, fuel_max: u64, time_max: Duration) -> wasmtime::Result<()> {
    if store.data().metering {
        store.set_fuel(fuel_max)?;
    }
    let epochs = time_max.as_millis().div_ceil(EPOCH.as_millis()) + 1;
    store.set_epoch_deadline(u64::try_from(epochs).unwrap_or(u64::MAX));
    Ok(())
}

fn stack(store: &mut Store<State>, instance: &wasmtime::Instance, wide: bool) -> wasmtime::Result<Stack> {
    let mut find = |names: [&str; 2]| names.into_iter().find_map(|name| instance.get_func(&mut *store, name));
    let missing = |name: &str| Error::msg(format!("it exports no function '{name}'"));
    let get =
        find(["emscripten_stack_get_current", "stackSave"]).ok_or_else(|| missing("emscripten_stack_get_current"))?;
    let set =
        find(["_emscripten_stack_restore", "stackRestore"]).ok_or_else(|| missing("_emscripten_stack_restore"))?;
    let push = find(["_emscripten_stack_alloc", "stackAlloc"]).ok_or_else(|| missing("_emscripten_stack_alloc"))?;
    let free = find(["emscripten_stack_get_free", "emscripten_stack_get_free"]);
    let store: StoreContextMut<'_, State> = store.into();
    Ok(if wide {
        let free = free.map(|free| free.typed(&store)).transpose()?;
        Stack::Wide { get: get.typed(&store)?, set: set.typed(&store)?, push: push.typed(&store)?, free }
    } else {
        let free = free.map(|free| free.typed(&store)).transpose()?;
        Stack::Narrow { get: get.typed(&store)?, set: set.typed(&store)?, push: push.typed(&store)?, free }
    })
}

/// An error of the engine, told to who sent the message.
fn said(error: &Error, sandbox: &Sandbox) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            format!("the message takes more than {} instructions, which is the compute limit", sandbox.fuel_max)
        }
        Some(Trap::Interrupt) => {
            format!("the message takes more than {} seconds, which is the time limit", sandbox.time_max.as_secs_f32())
        }
        Some(trap) => format!("the module failed: {trap}"),
        None => format!("the module failed: {}", error.root_cause()),
    }
}
