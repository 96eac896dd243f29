//! Which instructions llama.cpp computes with: the program holds its arithmetic twice (`build.rs`).

#![expect(unsafe_code, reason = "llama.cpp's list of backends is only reachable through its C interface")]

use crate::engine::InstructionSet;

/// The instructions that the second copy was compiled for.
#[cfg(avx512_backend)]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vnni")
}

/// Makes llama.cpp compute with this set. To be called before anything is loaded, once.
#[cfg(avx512_backend)]
pub(super) fn choose(set: InstructionSet) {
    use llama_cpp_sys_2 as sys;
    unsafe extern "C" {
        fn aobench_ggml_backend_avx512_reg() -> sys::ggml_backend_reg_t;
    }
    if set == InstructionSet::Portable || !has_avx512() {
        return;
    }
    // SAFETY: the name is a string that ends with a zero byte; a backend that is not there is null.
    let narrow = unsafe { sys::ggml_backend_reg_by_name(c"CPU".as_ptr()) };
    if narrow.is_null() {
        return;
    }
    // SAFETY: the processor has the instructions; both are backends of the same version of ggml, and nothing was loaded
    // with the one that goes.
    unsafe {
        sys::ggml_backend_unload(narrow);
        sys::ggml_backend_register(aobench_ggml_backend_avx512_reg());
    }
}

#[cfg(not(avx512_backend))]
pub(super) fn choose(_set: InstructionSet) {}
