//! Models in other number formats, made by llama.cpp: other formats run through other kernels.

#![expect(unsafe_code, reason = "llama.cpp's quantiser is only reachable through its C interface")]
#![allow(dead_code, reason = "each program uses a part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::ffi::CString;
use std::path::{Path, PathBuf};

use llama_cpp_sys_2 as sys;

/// A copy of `model` in the format of this number.
pub(crate) fn quantized(model: &Path, folder: &Path, format: sys::llama_ftype) -> PathBuf {
    let copy = folder.join(format!("format-{format}.gguf"));
    let text = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
    let (from, to) = (text(model), text(&copy));
    // SAFETY: takes nothing and returns plain numbers and null pointers.
    let mut parameters = unsafe { sys::llama_model_quantize_default_params() };
    parameters.ftype = format;
    parameters.allow_requantize = true;
    parameters.nthread = 1;
    // SAFETY: both paths end with a zero byte and all pointers are valid for the call.
    let status = unsafe { sys::llama_model_quantize(from.as_ptr(), to.as_ptr(), &raw const parameters) };
    assert_eq!(status, 0, "llama.cpp could not quantise {}", model.display());
    copy
}
