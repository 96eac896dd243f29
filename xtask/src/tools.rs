//! What a fresh machine lacks, found and installed: cmake and libclang for llama.cpp, and the checkers of the gate.
//!
//! System packages are used as root or with a sudo that asks for no password; otherwise wheels from PyPI go into a virtual
//! environment under `target/tools`, and nothing outside the repository is touched.

use std::path::{Path, PathBuf};

use crate::run::{self, Environment};

/// Version of the licence and source checker.
const CARGO_DENY_VERSION: &str = "0.20.2";
/// Version of the spelling checker, a wheel from PyPI.
const TYPOS_VERSION: &str = "1.52.0";

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where cargo builds.
pub(crate) fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Where this program installs what it needs itself.
fn tools_directory() -> PathBuf {
    target_directory().join("tools")
}

/// Makes sure that cmake and libclang are there; the variables under which the build finds them.
pub(crate) fn build_environment() -> Result<Environment, String> {
    let has_cmake = run::is_there(Path::new("cmake"), &["--version"]);
    let has_libclang = libclang().is_some();
    if has_cmake && has_libclang {
        return Ok(Environment::new());
    }
    if !has_cmake {
        eprintln!("xtask: cmake is missing; llama.cpp is built with it");
    }
    if !has_libclang {
        eprintln!("xtask: libclang is missing; the bindings of llama.cpp are made with it");
    }
    if install_system_packages() && run::is_there(Path::new("cmake"), &["--version"]) && libclang().is_some() {
        return Ok(Environment::new());
    }
    install_wheels()
}

/// The folder of an installed libclang, if there is one.
fn libclang() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from) {
        return holds_libclang(&folder).then_some(folder);
    }
    let mut folders: Vec<PathBuf> =
        ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
            .iter()
            .map(PathBuf::from)
            .collect();
    folders.push(PathBuf::from("/Library/Developer/CommandLineTools/usr/lib"));
    if let Ok(entries) = std::fs::read_dir("/usr/lib") {
        let llvm = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm"));
        folders.extend(llvm.map(|entry| entry.path().join("lib")));
    }
    folders.into_iter().find(|folder| holds_libclang(folder))
}

fn holds_libclang(folder: &Path) -> bool {
    let is_libclang = |name: &str| {
        name.starts_with("libclang.so")
            || name.starts_with("libclang-") && name.contains(".so")
            || name == "libclang.dylib"
    };
    std::fs::read_dir(folder)
        .is_ok_and(|entries| entries.flatten().any(|entry| is_libclang(&entry.file_name().to_string_lossy())))
}

/// Installs from the system's packages, as root or with a silent sudo. Whether that was possible at all.
fn install_system_packages() -> bool {
    if !run::is_there(Path::new("apt-get"), &["--version"]) {
        return false;
    }
    let is_root = std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let prefix: &[&str] = if is_root {
        &[]
    } else if run::is_there(Path::new("sudo"), &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        eprintln!("xtask: no root and no silent sudo, so no system packages");
        return false;
    };
    eprintln!("xtask: installing cmake, libclang-dev and g++ from the system's packages");
    let apt = |arguments: &[&str]| {
        let words: Vec<&str> = prefix.iter().copied().chain(["apt-get"]).chain(arguments.iter().copied()).collect();
        run::program(&Environment::new(), Path::new(words[0]), &words[1..])
    };
    let installed = apt(&["update", "-qq"]).and_then(|()| {
        apt(&["install", "-y", "-qq", "--no-install-recommends", "cmake", "make", "libclang-dev", "g++"])
    });
    if let Err(error) = &installed {
        eprintln!("xtask: {error}");
    }
    installed.is_ok()
}

/// A virtual environment under `target/tools`, made on first use.
fn virtual_environment() -> Result<PathBuf, String> {
    let folder = tools_directory().join("python");
    if !folder.join("bin/python").exists() {
        let nothing = Environment::new();
        run::program(&nothing, Path::new("python3"), [Path::new("-m"), Path::new("venv"), &folder])
            .map_err(|error| format!("{error}; Python 3 with venv is needed to install tools without root"))?;
    }
    Ok(folder)
}

fn install_wheel(package: &str) -> Result<PathBuf, String> {
    let folder = virtual_environment()?;
    let arguments = ["install", "--quiet", "--disable-pip-version-check", package];
    run::program(&Environment::new(), &folder.join("bin/pip"), arguments)?;
    Ok(folder)
}

/// Installs cmake and libclang as wheels from PyPI.
fn install_wheels() -> Result<Environment, String> {
    eprintln!("xtask: installing cmake and libclang from PyPI into {}", tools_directory().display());
    let folder = install_wheel("cmake")?;
    install_wheel("libclang")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let libraries = find_folder(&folder, "libclang")
        .ok_or("the libclang wheel holds no libclang; install libclang from your system's packages")?;
    let mut environment = vec![
        ("PATH".to_owned(), format!("{}:{path}", folder.join("bin").display())),
        ("LIBCLANG_PATH".to_owned(), libraries.display().to_string()),
    ];
    // The wheel is the library alone, without the headers of its compiler (stddef.h and its like): those of the
    // machine's own compiler serve.
    if let Some(headers) = compiler_headers() {
        environment.push(("BINDGEN_EXTRA_CLANG_ARGS".to_owned(), format!("-isystem {headers}")));
    }
    Ok(environment)
}

/// Where the C compiler of this machine keeps its own headers.
fn compiler_headers() -> Option<String> {
    let output = std::process::Command::new("cc").arg("-print-file-name=include").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Path::new(&folder).join("stddef.h").exists().then_some(folder)
}

/// The first folder below `root` that holds a library of that name.
fn find_folder(root: &Path, library: &str) -> Option<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(root).ok()?.flatten().collect();
    let holds = entries.iter().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(library) && (name.contains(".so") || name.contains(".dylib"))
    });
    if holds {
        return Some(root.to_path_buf());
    }
    entries.iter().filter(|entry| entry.path().is_dir()).find_map(|entry| find_folder(&entry.path(), library))
}

/// The licence checker: the one on the path, or built once under `target/tools`.
pub(crate) fn cargo_deny() -> Result<PathBuf, String> {
    let on_path = PathBuf::from("cargo-deny");
    if run::is_there(&on_path, &["--version"]) {
        return Ok(on_path);
    }
    let root = tools_directory();
    let binary = root.join("bin/cargo-deny");
    if !binary.exists() {
        eprintln!("xtask: cargo-deny is missing; building it once into {}", root.display());
        // Its own target directory would be a temporary one and an unoptimised build is quick and enough.
        let root = root.display().to_string();
        let arguments = [
            "install",
            "cargo-deny",
            "--version",
            CARGO_DENY_VERSION,
            "--locked",
            "--debug",
            "--no-default-features",
            "--quiet",
            "--root",
            &root,
        ];
        run::cargo(&Environment::new(), arguments)?;
    }
    Ok(binary)
}

/// The spelling checker: the one on the path, or a wheel from PyPI under `target/tools`.
pub(crate) fn typos() -> Result<PathBuf, String> {
    let on_path = PathBuf::from("typos");
    if run::is_there(&on_path, &["--version"]) {
        return Ok(on_path);
    }
    let binary = tools_directory().join("python/bin/typos");
    if !binary.exists() {
        eprintln!("xtask: typos is missing; installing it from PyPI under {}", tools_directory().display());
        install_wheel(&format!("typos=={TYPOS_VERSION}"))?;
    }
    Ok(binary)
}

/// Fetches the real modules of AO that tests run, if they are absent. The tests say that they were skipped without them.
pub(crate) fn wasm_modules() {
    fetch("wasm-modules", "aos2_0_6.wasm", "fetch_modules.sh", "AO's modules");
}

/// Fetches the command line of aos, if it is absent; its folder, if it is there then.
pub(crate) fn aos() -> Option<PathBuf> {
    fetch("aos", "bin/aos.js", "fetch_aos.sh", "the command line of aos");
    Some(target_directory().join("aos")).filter(|folder| folder.join("bin/aos.js").exists())
}

/// Fetches what tests run and this repository does not keep into a folder of `target`, unless `file` is there already.
fn fetch(folder: &str, file: &str, script: &str, what: &str) {
    let folder = target_directory().join(folder);
    if folder.join(file).exists() {
        return;
    }
    eprintln!("xtask: fetching {what} for the tests into {}", folder.display());
    let script = repository().join("compat").join(script);
    if let Err(error) = run::program(&Environment::new(), Path::new("sh"), [script.as_os_str(), folder.as_os_str()]) {
        eprintln!("xtask: {error}; the tests of {what} are skipped");
    }
}
