//! Prints how far log-likelihoods are from the reference (each text whole and alone) in formats of different precision:
//! `agreement VOCABULARY.gguf`, whose vocabulary a model of random weights of the size of GPT-2 gets; or
//! `agreement VOCABULARY.gguf MODEL.gguf...` for models as they are.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement at the terminal")]

#[path = "../tests/support/agreement.rs"]
mod agreement;
#[path = "../tests/support/quantize.rs"]
mod quantize;
#[path = "../tests/support/reference.rs"]
mod reference;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use inference::Profile;
use inference::random_model::{self, Quantization, Shape};
use llama_cpp_sys_2 as sys;

fn main() {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let vocabulary = arguments.next().unwrap();
    let models: Vec<PathBuf> = arguments.collect();
    for model in &models {
        show(&model.display().to_string(), model);
    }
    if models.is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let precise = folder.path().join("f32.gguf");
        random_model::write(&precise, &vocabulary, &Shape::GPT_2, Quantization::F32).unwrap();
        show("F32", &precise);
        for (name, format) in [
            ("F16", sys::LLAMA_FTYPE_MOSTLY_F16),
            ("Q8_0", sys::LLAMA_FTYPE_MOSTLY_Q8_0),
            ("Q4_K_M", sys::LLAMA_FTYPE_MOSTLY_Q4_K_M),
            ("Q4_0", sys::LLAMA_FTYPE_MOSTLY_Q4_0),
        ] {
            show(name, &quantize::quantized(&precise, folder.path(), format));
        }
    }
}

fn show(name: &str, model: &Path) {
    for profile in [Profile::Exact, Profile::Fast] {
        let found = agreement::largest_difference(model, profile);
        println!("{name:8} {:6} {:.6} ({:.6} of 1 + the sum)", profile.name(), found.absolute, found.relative);
    }
}
