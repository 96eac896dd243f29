//! Modules with 64-bit addresses, rewritten to the 32 bits that their memory has.
//!
//! Nearly all of AO's modules declare a memory with 64-bit addresses, and none may have more than 4 GiB of it. For such
//! addresses every access is checked by instructions; for 32 bits the whole range lies in pages of which the unused ones
//! are guarded by the processor, and no instruction is spent. Each address is cut to 32 bits where it is used, and
//! nowhere else: all else in the module, its pointers among it, keeps 64 bits. Only an address beyond 4 GiB, which no such
//! module can have, would behave otherwise: it is cut, where it would have ended the message.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, Encode as _, MemorySection, MemoryType, RawSection, SectionId,
};
use wasmparser::{BinaryReaderError, CompositeInnerType, DataKind, FunctionBody, Operator, Parser, Payload, TypeRef};

/// Pages of the largest memory with 32-bit addresses.
const PAGES_MAX: u64 = 1 << 16;

/// The bytes of instructions.
mod code {
    pub(super) const UNREACHABLE: u8 = 0x00;
    pub(super) const IF: u8 = 0x04;
    pub(super) const ELSE: u8 = 0x05;
    pub(super) const END: u8 = 0x0b;
    pub(super) const LOCAL_GET: u8 = 0x20;
    pub(super) const LOCAL_SET: u8 = 0x21;
    pub(super) const I64_CONST: u8 = 0x42;
    pub(super) const I64_GT_U: u8 = 0x56;
    pub(super) const I64_OR: u8 = 0x84;
    pub(super) const I32_WRAP_I64: u8 = 0xa7;
    pub(super) const I64_EXTEND_I32_S: u8 = 0xac;
    pub(super) const I64_EXTEND_I32_U: u8 = 0xad;
    /// The type of a block without a value, and of one with an i64.
    pub(super) const NOTHING: u8 = 0x40;
    pub(super) const I64: u8 = 0x7e;
}

/// Types of the locals that are added to each function, in their order: three numbers for bulk operations, and one for
/// each kind of value that is stored.
const SCRATCH: [u8; 6] = [0x7e, 0x7e, 0x7e, 0x7f, 0x7d, 0x7c];

/// The scratch local of each kind, counted from the first.
mod scratch {
    pub(super) const I64: u32 = 0;
    pub(super) const SECOND: u32 = 1;
    pub(super) const THIRD: u32 = 2;
    pub(super) const I32: u32 = 3;
    pub(super) const F32: u32 = 4;
    pub(super) const F64: u32 = 5;
}

/// The module with a memory of 32 bits, if it is one that can be rewritten: one memory of its own, not more than 4 GiB at
/// its beginning, and data at fixed places. What it then does with its memory in ways that are not known here is found by
/// the compiler, which does not take such a module.
pub(super) fn narrowed(wasm: &[u8]) -> Option<Vec<u8>> {
    Rewriter::default().module(wasm).ok().flatten()
}

#[derive(Default)]
struct Rewriter {
    /// How many parameters each type of function has; nothing for other types.
    types: Vec<u32>,
    /// Parameters of each function of the module.
    functions: Vec<u32>,
    code: CodeSection,
    bodies: usize,
}

impl Rewriter {
    fn module(mut self, wasm: &[u8]) -> Result<Option<Vec<u8>>, BinaryReaderError> {
        let mut module = wasm_encoder::Module::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            match &payload {
                Payload::TypeSection(types) => self.types(types.clone())?,
                Payload::ImportSection(imports) => {
                    for import in imports.clone().into_imports() {
                        if matches!(import?.ty, TypeRef::Memory(_)) {
                            return Ok(None);
                        }
                    }
                }
                Payload::FunctionSection(functions) => {
                    for kind in functions.clone() {
                        self.functions.push(self.types.get(kind? as usize).copied().unwrap_or_default());
                    }
                }
                _ => {}
            }
            let rewritten = match &payload {
                Payload::MemorySection(memories) => {
                    let Some(section) = memory(memories.clone())? else { return Ok(None) };
                    module.section(&section);
                    true
                }
                Payload::DataSection(data) => {
                    let Some(section) = data_section(data.clone())? else { return Ok(None) };
                    module.section(&section);
                    true
                }
                Payload::CodeSectionEntry(body) => {
                    let Some(raw) = self.body(wasm, body)? else { return Ok(None) };
                    self.code.raw(&raw);
                    self.bodies += 1;
                    if self.bodies == self.functions.len() {
                        module.section(&self.code);
                    }
                    true
                }
                Payload::CodeSectionStart { .. } => true,
                _ => false,
            };
            if let (false, Some((id, range))) = (rewritten, payload.as_section()) {
                let Some(data) = wasm.get(range) else { return Ok(None) };
                debug_assert!(id != SectionId::Code as u8);
                module.section(&RawSection { id, data });
            }
        }
        Ok(Some(module.finish()))
    }

    fn types(&mut self, types: wasmparser::TypeSectionReader<'_>) -> Result<(), BinaryReaderError> {
        for group in types {
            for kind in group?.into_types() {
                self.types.push(match kind.composite_type.inner {
                    CompositeInnerType::Func(function) => function.params().len() as u32,
                    _ => 0,
                });
            }
        }
        Ok(())
    }

    /// A function with its accesses rewritten.
    fn body(&self, wasm: &[u8], body: &FunctionBody<'_>) -> Result<Option<Vec<u8>>, BinaryReaderError> {
        let Some(parameters) = self.functions.get(self.bodies) else { return Ok(None) };
        let mut locals = Vec::new();
        let mut first = *parameters;
        let mut reader = body.get_locals_reader()?;
        let groups = reader.get_count();
        let start = reader.original_position();
        for _ in 0..groups {
            first += reader.read()?.0;
        }
        let Some(declared) = wasm.get(start..reader.original_position()) else { return Ok(None) };
        (groups + SCRATCH.len() as u32).encode(&mut locals);
        locals.extend_from_slice(declared);
        SCRATCH.iter().for_each(|kind| locals.extend_from_slice(&[1, *kind]));
        let mut function = Function { bytes: locals, first };
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let begin = operators.original_position();
            let operator = operators.read()?;
            let Some(raw) = wasm.get(begin..operators.original_position()) else { return Ok(None) };
            function.operator(&operator, raw);
        }
        Ok(Some(function.bytes))
    }
}

/// The one memory of a module.
fn memory(memories: wasmparser::MemorySectionReader<'_>) -> Result<Option<MemorySection>, BinaryReaderError> {
    let mut section = MemorySection::new();
    for memory in memories {
        let memory = memory?;
        if !memory.memory64 || memory.shared || memory.page_size_log2.is_some() || memory.initial > PAGES_MAX {
            return Ok(None);
        }
        let maximum = memory.maximum.map(|maximum| maximum.min(PAGES_MAX));
        let (memory64, shared, page_size_log2) = (false, false, None);
        section.memory(MemoryType { minimum: memory.initial, maximum, memory64, shared, page_size_log2 });
    }
    Ok(Some(section))
}

fn data_section(data: wasmparser::DataSectionReader<'_>) -> Result<Option<DataSection>, BinaryReaderError> {
    let mut section = DataSection::new();
    for segment in data {
        let segment = segment?;
        match segment.kind {
            DataKind::Passive => drop(section.passive(segment.data.iter().copied())),
            DataKind::Active { memory_index, offset_expr } => {
                let mut operators = offset_expr.get_operators_reader();
                let (Operator::I64Const { value }, Operator::End) = (operators.read()?, operators.read()?) else {
                    return Ok(None);
                };
                let Ok(at) = u32::try_from(value) else { return Ok(None) };
                section.active(memory_index, &ConstExpr::i32_const(at as i32), segment.data.iter().copied());
            }
        }
    }
    Ok(Some(section))
}

/// A function that is being written.
struct Function {
    bytes: Vec<u8>,
    /// The first scratch local.
    first: u32,
}

impl Function {
    fn local(&mut self, instruction: u8, scratch: u32) {
        self.bytes.push(instruction);
        (self.first + scratch).encode(&mut self.bytes);
    }

    fn number(&mut self, number: i64) {
        self.bytes.push(code::I64_CONST);
        number.encode(&mut self.bytes);
    }

    /// An address on the stack, cut to 32 bits.
    fn get_cut(&mut self, scratch: u32) {
        self.local(code::LOCAL_GET, scratch);
        self.bytes.push(code::I32_WRAP_I64);
    }

    fn operator(&mut self, operator: &Operator<'_>, raw: &[u8]) {
        match operator {
            Operator::MemorySize { .. } => {
                self.bytes.extend_from_slice(raw);
                self.bytes.push(code::I64_EXTEND_I32_U);
            }
            Operator::MemoryGrow { .. } => self.grow(raw),
            Operator::MemoryCopy { .. } => {
                self.bulk(true);
                [scratch::I64, scratch::SECOND, scratch::THIRD].into_iter().for_each(|local| self.get_cut(local));
                self.bytes.extend_from_slice(raw);
            }
            Operator::MemoryFill { .. } => {
                self.bulk(false);
                self.get_cut(scratch::I64);
                self.local(code::LOCAL_GET, scratch::I32);
                self.get_cut(scratch::THIRD);
                self.bytes.extend_from_slice(raw);
            }
            other => {
                match stored(other) {
                    Access::Load => self.bytes.push(code::I32_WRAP_I64),
                    Access::Store(value) => {
                        self.local(code::LOCAL_SET, value);
                        self.bytes.push(code::I32_WRAP_I64);
                        self.local(code::LOCAL_GET, value);
                    }
                    Access::None => {}
                }
                self.bytes.extend_from_slice(raw);
            }
        }
    }

    /// Growth by more pages than there can be fails, as it does with 64 bits.
    fn grow(&mut self, raw: &[u8]) {
        self.local(code::LOCAL_SET, scratch::I64);
        self.local(code::LOCAL_GET, scratch::I64);
        self.number(PAGES_MAX as i64);
        self.bytes.extend_from_slice(&[code::I64_GT_U, code::IF, code::I64]);
        self.number(-1);
        self.bytes.push(code::ELSE);
        self.get_cut(scratch::I64);
        self.bytes.extend_from_slice(raw);
        self.bytes.extend_from_slice(&[code::I64_EXTEND_I32_S, code::END]);
    }

    /// The three arguments of a bulk operation, into locals. One with an address or a length beyond 32 bits ends here.
    fn bulk(&mut self, copy: bool) {
        self.local(code::LOCAL_SET, scratch::THIRD);
        self.local(code::LOCAL_SET, if copy { scratch::SECOND } else { scratch::I32 });
        self.local(code::LOCAL_SET, scratch::I64);
        self.local(code::LOCAL_GET, scratch::I64);
        self.local(code::LOCAL_GET, scratch::THIRD);
        self.bytes.push(code::I64_OR);
        if copy {
            self.local(code::LOCAL_GET, scratch::SECOND);
            self.bytes.push(code::I64_OR);
        }
        self.number(i64::from(u32::MAX));
        self.bytes.extend_from_slice(&[code::I64_GT_U, code::IF, code::NOTHING, code::UNREACHABLE, code::END]);
    }
}

/// What an instruction does with memory: where a value lies above the address, its scratch local.
enum Access {
    Load,
    Store(u32),
    None,
}

fn stored(operator: &Operator<'_>) -> Access {
    use Operator as O;
    match operator {
        O::I32Load { .. }
        | O::I64Load { .. }
        | O::F32Load { .. }
        | O::F64Load { .. }
        | O::I32Load8S { .. }
        | O::I32Load8U { .. }
        | O::I32Load16S { .. }
        | O::I32Load16U { .. }
        | O::I64Load8S { .. }
        | O::I64Load8U { .. }
        | O::I64Load16S { .. }
        | O::I64Load16U { .. }
        | O::I64Load32S { .. }
        | O::I64Load32U { .. } => Access::Load,
        O::I32Store { .. } | O::I32Store8 { .. } | O::I32Store16 { .. } => Access::Store(scratch::I32),
        O::I64Store { .. } | O::I64Store8 { .. } | O::I64Store16 { .. } | O::I64Store32 { .. } => {
            Access::Store(scratch::I64)
        }
        O::F32Store { .. } => Access::Store(scratch::F32),
        O::F64Store { .. } => Access::Store(scratch::F64),
        _ => Access::None,
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store, Val};

    use super::*;

    /// Every access there is, growth and bulk operations; `run` gives numbers that depend on all of them.
    const ACCESSES: &str = r#"(module
        (memory (export "memory") i64 2 9)
        (data (i64.const 70000) "some data")
        (func $mix (param i64 i64) (result i64)
            (i64.xor (i64.mul (local.get 0) (i64.const 1099511628211)) (local.get 1)))
        (func (export "run") (param $at i64) (result i64) (local $sum i64)
            (i64.store8 (local.get $at) (i64.const 0x1ff))
            (i64.store16 offset=2 (local.get $at) (i64.const -2))
            (i64.store32 offset=4 (local.get $at) (i64.const 0x123456789))
            (i64.store offset=8 (local.get $at) (i64.const 0x1122334455667788))
            (i32.store8 offset=16 (local.get $at) (i32.const -1))
            (i32.store16 offset=18 (local.get $at) (i32.const 0x12345))
            (i32.store offset=20 (local.get $at) (i32.const -7))
            (f32.store offset=24 (local.get $at) (f32.const 1.5))
            (f64.store offset=32 (local.get $at) (f64.const -2.25))
            (local.set $sum (call $mix (i64.load8_s (local.get $at)) (i64.load8_u (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.load16_s offset=2 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.load16_u offset=2 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.load32_s offset=4 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.load32_u offset=4 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.load offset=8 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_s (i32.load8_s offset=16 (local.get $at)))))
            (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_s (i32.load8_u offset=16 (local.get $at)))))
            (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_s (i32.load16_s offset=18 (local.get $at)))))
            (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_s (i32.load16_u offset=18 (local.get $at)))))
            (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_s (i32.load offset=20 (local.get $at)))))
            (local.set $sum (call $mix (local.get $sum) (i64.trunc_f32_s (f32.load offset=24 (local.get $at)))))
            (local.set $sum (call $mix (local.get $sum) (i64.trunc_f64_s (f64.load offset=32 (local.get $at)))))
            (memory.copy (i64.add (local.get $at) (i64.const 64)) (i64.const 70000) (i64.const 9))
            (memory.fill (i64.add (local.get $at) (i64.const 80)) (i32.const 7) (i64.const 5))
            (local.set $sum (call $mix (local.get $sum) (i64.load offset=64 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (i64.load offset=80 (local.get $at))))
            (local.set $sum (call $mix (local.get $sum) (memory.grow (i64.const 3))))
            (local.set $sum (call $mix (local.get $sum) (memory.grow (i64.const 30))))
            (local.set $sum (call $mix (local.get $sum) (memory.grow (i64.const 0x100000001))))
            (call $mix (local.get $sum) (memory.size)))
        (func (export "load") (param i64) (result i64) (i64.load (local.get 0)))
        (func (export "copy") (param i64) (result i64)
            (memory.copy (i64.const 0) (i64.const 8) (local.get 0)) (i64.const 0))
        (func (export "fill") (param i64) (result i64)
            (memory.fill (local.get 0) (i32.const 1) (i64.const 1)) (i64.const 0)))"#;

    /// What a function gives, or nothing if it ends in a trap, and the memory after it.
    fn call(engine: &Engine, wasm: &[u8], name: &str, argument: i64) -> (Option<i64>, Vec<u8>) {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &Module::new(engine, wasm).unwrap(), &[]).unwrap();
        let mut results = [Val::I64(0)];
        let function = instance.get_func(&mut store, name).unwrap();
        let outcome = function.call(&mut store, &[Val::I64(argument)], &mut results);
        let memory = instance.get_memory(&mut store, "memory").unwrap().data(&store).to_vec();
        (outcome.ok().and_then(|()| results[0].i64()), memory)
    }

    #[test]
    fn a_narrow_module_does_what_the_wide_one_does() {
        let wide = wat::parse_str(ACCESSES).unwrap();
        let narrow = narrowed(&wide).unwrap();
        let engine = Engine::default();
        assert!(
            Module::new(&engine, &narrow)
                .unwrap()
                .exports()
                .any(|export| { export.ty().memory().is_some_and(|memory| !memory.is_64()) })
        );
        for (name, arguments) in [
            ("run", vec![0, 8, 65_500, 131_000]),
            ("load", vec![70_000, 131_064, 131_065, 131_072, -1, -8]),
            ("copy", vec![100, 131_064, 131_065, 1 << 32, (1 << 32) + 4, -1]),
            ("fill", vec![131_071, 131_072, 1 << 32, -1]),
        ] {
            for argument in arguments {
                let (expected, seen) = (call(&engine, &wide, name, argument), call(&engine, &narrow, name, argument));
                assert_eq!(expected.0, seen.0, "{name} of {argument}");
                assert!(expected.1 == seen.1, "{name} of {argument} leaves another memory");
            }
        }
    }

    #[test]
    fn a_module_that_cannot_be_narrow_is_left_as_it_is() {
        for module in [
            r"(module (memory 1))",
            r"(module (memory i64 65537))",
            r#"(module (import "env" "memory" (memory i64 1)))"#,
            r#"(module (import "env" "base" (global i64)) (memory i64 1) (data (global.get 0) "x"))"#,
        ] {
            assert_eq!(narrowed(&wat::parse_str(module).unwrap()), None, "{module}");
        }
    }
}
