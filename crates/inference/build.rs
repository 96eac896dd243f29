//! Compiles llama.cpp's arithmetic a second time, with AVX-512, so that one program can choose where it runs.
//!
//! `llama-cpp-sys-2` builds ggml's processor backend for AVX2. Here the same sources become one object of which only the
//! entry is visible: nothing else of it can be called, nor merged with a function of the same name, where a processor
//! lacks the instructions. What goes wrong is a warning, and the program then has AVX2 alone.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The entry of ggml's processor backend, and its name in the second copy (`llama::instructions` calls it).
const ENTRY: [&str; 2] = ["ggml_backend_cpu_reg", "aobench_ggml_backend_avx512_reg"];

/// The sources of `ggml-cpu` in C, beside `ggml/src/ggml-cpu`.
const C_SOURCES: [&str; 3] = ["ggml-cpu.c", "quants.c", "arch/x86/quants.c"];
const CPP_SOURCES: [&str; 14] = [
    "ggml-cpu.cpp",
    "repack.cpp",
    "hbm.cpp",
    "traits.cpp",
    "amx/amx.cpp",
    "amx/mmq.cpp",
    "tiled/tiled.cpp",
    "tiled/tiled-kernel.cpp",
    "binary-ops.cpp",
    "unary-ops.cpp",
    "vec.cpp",
    "ops.cpp",
    "llamafile/sgemm.cpp",
    "arch/x86/repack.cpp",
];

/// What the other copy is compiled with, and the instructions that came with Intel's Ice Lake and AMD's Zen 4.
const DEFINITIONS: [(&str, Option<&str>); 14] = [
    ("NDEBUG", None),
    ("_GNU_SOURCE", None),
    ("_XOPEN_SOURCE", Some("600")),
    ("GGML_SCHED_MAX_COPIES", Some("4")),
    ("GGML_USE_CPU_REPACK", None),
    ("GGML_USE_LLAMAFILE", None),
    ("GGML_SSE42", None),
    ("GGML_F16C", None),
    ("GGML_FMA", None),
    ("GGML_BMI2", None),
    ("GGML_AVX2", None),
    ("GGML_AVX512", None),
    ("GGML_AVX512_VBMI", None),
    ("GGML_AVX512_VNNI", None),
];
const INSTRUCTIONS: [&str; 12] = [
    "-msse4.2",
    "-mf16c",
    "-mfma",
    "-mbmi2",
    "-mavx2",
    "-mavx512f",
    "-mavx512cd",
    "-mavx512vl",
    "-mavx512dq",
    "-mavx512bw",
    "-mavx512vbmi",
    "-mavx512vnni",
];

/// Without it gcc makes static values of inline functions visible in a way that `objcopy` does not take back.
const NOT_UNIQUE: &str = "-fno-gnu-unique";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(avx512_backend)");
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if env::var_os("CARGO_FEATURE_LLAMA").is_none() || target("ARCH") != "x86_64" || target("OS") != "linux" {
        return;
    }
    match compile() {
        Ok(()) => println!("cargo::rustc-cfg=avx512_backend"),
        Err(error) => {
            println!("cargo::warning=llama.cpp without AVX-512, which is slower on newer processors: {error}");
        }
    }
}

fn compile() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let ggml = source()?.join("ggml");
    let mut objects = build(&ggml, &C_SOURCES).std("gnu11").try_compile_intermediates()?;
    objects.extend(
        build(&ggml, &CPP_SOURCES)
            .cpp(true)
            .std("gnu++17")
            .flag_if_supported(NOT_UNIQUE)
            .try_compile_intermediates()?,
    );
    let (whole, closed) = (out.join("whole.o"), out.join("ggml-avx512.o"));
    // Groups are functions that several objects have and a linker merges: it must not merge these with others.
    run(Command::new("ld").args(["-r", "--force-group-allocation", "-o"]).arg(&whole).args(objects))?;
    run(Command::new("objcopy").arg(format!("--keep-global-symbol={}", ENTRY[0])).arg(&whole).arg(&closed))?;
    run(Command::new("objcopy").arg(format!("--redefine-sym={}={}", ENTRY[0], ENTRY[1])).arg(&closed))?;
    Ok(cc::Build::new().object(&closed).cpp_link_stdlib(None).try_compile("ggml-avx512")?)
}

/// Where the sources are from which `llama-cpp-sys-2` was built, as its CMake wrote it down.
fn source() -> Result<PathBuf, Box<dyn Error>> {
    let cache = PathBuf::from(env::var("DEP_LLAMA_ROOT")?).join("build/CMakeCache.txt");
    let text = std::fs::read_to_string(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let home = text.lines().find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="));
    Ok(home.ok_or("llama.cpp's sources were not found")?.into())
}

fn build(ggml: &Path, sources: &[&str]) -> cc::Build {
    let cpu = ggml.join("src/ggml-cpu");
    let mut build = cc::Build::new();
    build.files(sources.iter().map(|source| cpu.join(source)));
    build.includes([ggml.join("src"), cpu, ggml.join("include")]);
    for (name, value) in DEFINITIONS {
        build.define(name, value);
    }
    for instruction in INSTRUCTIONS {
        build.flag(instruction);
    }
    build.opt_level(3).debug(false).pic(true).warnings(false).cargo_metadata(false);
    build
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let name = command.get_program().display();
    Err(format!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}
