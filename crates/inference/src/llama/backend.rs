//! llama.cpp as a whole: starting it once, what it was built for, and where its log goes.

#![expect(unsafe_code, reason = "llama.cpp's version, features and log are only reachable through its C interface")]

use std::ffi::{CStr, c_char, c_void};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;

use super::instructions;
use crate::engine::{Description, InstructionSet, Profile};
use crate::error::InferenceError;

/// The version of the crate that carries llama.cpp; the workspace manifest pins it.
const CRATE_VERSION: &str = "llama-cpp-2 0.1.160";

/// Bytes of llama.cpp's error lines that are kept as the reason of a failure.
const REASON_BYTES_MAX: usize = 1 << 10;

static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
static REASON: Mutex<String> = Mutex::new(String::new());
static TO_STANDARD_ERROR: AtomicBool = AtomicBool::new(false);

/// Starts llama.cpp, once in a process: with the instructions that the first caller wants.
pub(super) fn start(instructions: InstructionSet) -> Result<&'static LlamaBackend, InferenceError> {
    check_processor()?;
    let backend = BACKEND.get_or_init(|| {
        // SAFETY: `receive_log` has the signature that llama.cpp calls, is valid for the whole life of the process, and
        // uses no user data.
        unsafe { sys::llama_log_set(Some(receive_log), std::ptr::null_mut()) };
        instructions::choose(instructions);
        LlamaBackend::init().ok()
    });
    backend.as_ref().ok_or_else(|| InferenceError::Compute { reason: "llama.cpp could not be started".to_owned() })
}

/// llama.cpp is compiled for AVX2 on x86-64; without it the process would die of an illegal instruction.
fn check_processor() -> Result<(), InferenceError> {
    #[cfg(target_arch = "x86_64")]
    {
        let missing: Vec<&str> = [
            ("AVX2", is_x86_feature_detected!("avx2")),
            ("FMA", is_x86_feature_detected!("fma")),
            ("F16C", is_x86_feature_detected!("f16c")),
            ("BMI2", is_x86_feature_detected!("bmi2")),
        ]
        .into_iter()
        .filter(|(_, present)| !present)
        .map(|(name, _)| name)
        .collect();
        if !missing.is_empty() {
            let what = format!("a processor without {} (every x86-64 since about 2015 has them)", missing.join(", "));
            return Err(InferenceError::Unsupported { what });
        }
    }
    Ok(())
}

/// What this llama.cpp is.
pub(super) fn describe(profile: Profile) -> Description {
    // SAFETY: takes nothing and returns a static string that ends with a zero byte.
    let version = unsafe { CStr::from_ptr(sys::llama_version()) }.to_string_lossy();
    // SAFETY: takes nothing and returns a string that ends with a zero byte and lives as long as the process. It is
    // built anew by each call, which is why `features` asks for it once only.
    let features =
        features(|| unsafe { CStr::from_ptr(sys::llama_print_system_info()) }.to_string_lossy().into_owned());
    Description {
        engine: format!("llama.cpp {version} ({CRATE_VERSION})"),
        build: format!("release {}", features.join(" ")),
        instruction_set: widest_instruction_set(features),
        profile: profile.name().to_owned(),
    }
}

/// The names that llama.cpp lists with `= 1`, in lower case.
fn features(system_info: impl FnOnce() -> String) -> &'static [String] {
    static FEATURES: OnceLock<Vec<String>> = OnceLock::new();
    FEATURES.get_or_init(|| {
        let info = system_info();
        info.split(['|', ':']).filter_map(|pair| Some(pair.trim().strip_suffix("= 1")?.trim().to_lowercase())).collect()
    })
}

fn widest_instruction_set(features: &[String]) -> String {
    let known = ["avx512", "avx2", "avx", "sse3", "sve", "neon", "vsx", "riscv_v", "wasm_simd"];
    let found = known.into_iter().find(|name| features.iter().any(|feature| feature == name));
    found.unwrap_or(std::env::consts::ARCH).to_owned()
}

/// Also writes llama.cpp's log to standard error: for a process whose standard error is read by its parent.
pub fn send_log_to_standard_error() {
    TO_STANDARD_ERROR.store(true, Ordering::Relaxed);
}

/// The error lines that llama.cpp has logged since the last call.
pub(super) fn take_reason() -> String {
    let mut reason = REASON.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *reason).trim().replace('\n', "; ")
}

/// Takes llama.cpp's log: everything to `tracing`, the errors also to [`take_reason`].
unsafe extern "C" fn receive_log(level: sys::ggml_log_level, text: *const c_char, _user: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a string that ends with a zero byte and stays valid during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    if level == sys::GGML_LOG_LEVEL_ERROR {
        let mut reason = REASON.lock().unwrap_or_else(PoisonError::into_inner);
        if reason.len() + text.len() <= REASON_BYTES_MAX {
            reason.push_str(&text);
        }
    }
    if TO_STANDARD_ERROR.load(Ordering::Relaxed) {
        // Nobody reads it any more if this fails.
        let _ = std::io::stderr().write_all(text.as_bytes());
    } else {
        tracing::debug!(target: "inference::llama", "{}", text.trim_end());
    }
}
