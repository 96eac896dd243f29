//! All state of a module lies where the node keeps it. Its mutable globals are made visible, so that they can be kept with
//! its memory: compilers seldom export them. A module that has state elsewhere, in a table, is refused: it would not replay.

use wasm_encoder::{ExportKind, ExportSection, RawSection, SectionId};
use wasmparser::{ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef};

/// The names under which globals are exported begin so; the number of the global follows.
pub(super) const PREFIX: &str = "aobench:global:";

/// What was found in a module on the way.
#[derive(Default)]
struct Found {
    globals: u32,
    mutable: Vec<u32>,
    has_exports: bool,
}

/// The module with one more export for each mutable global.
pub(super) fn export_mutable(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let text = |error: wasmparser::BinaryReaderError| error.to_string();
    let mut module = wasm_encoder::Module::new();
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(text)?;
        found.look(&payload).map_err(text)?;
        if let Payload::CodeSectionEntry(body) = &payload
            && let Some(name) = elsewhere(body).map_err(text)?
        {
            return Err(format!("it uses {name}, which is state that this node does not keep"));
        }
        let Some((id, range)) = payload.as_section() else { continue };
        let data = wasm.get(range).ok_or("a section ends outside of the module")?;
        if id > SectionId::Export as u8 && id != SectionId::Tag as u8 && !found.has_exports {
            return Err("it exports nothing, and a module of AO exports 'handle' and 'memory'".to_owned());
        }
        if let Payload::ExportSection(exports) = &payload {
            module.section(&with_globals(exports.clone(), &found.mutable)?);
        } else {
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}

impl Found {
    fn look(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    self.globals += u32::from(matches!(import?.ty, TypeRef::Global(_)));
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals.clone() {
                    if global?.ty.mutable {
                        self.mutable.push(self.globals);
                    }
                    self.globals += 1;
                }
            }
            Payload::ExportSection(_) => self.has_exports = true,
            _ => {}
        }
        Ok(())
    }
}

/// An instruction of a function that changes state outside of memory and globals.
fn elsewhere(body: &FunctionBody<'_>) -> wasmparser::Result<Option<&'static str>> {
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let name = match reader.read()? {
            Operator::TableSet { .. } => "table.set",
            Operator::TableGrow { .. } => "table.grow",
            Operator::TableFill { .. } => "table.fill",
            Operator::TableCopy { .. } => "table.copy",
            Operator::TableInit { .. } => "table.init",
            Operator::ElemDrop { .. } => "elem.drop",
            Operator::DataDrop { .. } => "data.drop",
            _ => continue,
        };
        return Ok(Some(name));
    }
    Ok(None)
}

fn with_globals(exports: wasmparser::ExportSectionReader<'_>, mutable: &[u32]) -> Result<ExportSection, String> {
    let mut section = ExportSection::new();
    for export in exports {
        let export = export.map_err(|error| error.to_string())?;
        if export.name.starts_with(PREFIX) {
            return Err(format!("the name '{PREFIX}' of an export is the node's own"));
        }
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        section.export(export.name, kind, export.index);
    }
    for index in mutable {
        section.export(&format!("{PREFIX}{index}"), ExportKind::Global, *index);
    }
    Ok(section)
}
