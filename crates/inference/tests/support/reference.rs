//! The reference for log-likelihoods: the whole text as one sequence in one computation, read in double precision, through
//! llama.cpp's C interface and nothing of ours.

#![expect(unsafe_code, reason = "the reference shares no code with the engine, so it calls llama.cpp itself")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::ffi::CString;
use std::path::Path;

use llama_cpp_sys_2 as sys;

/// A model with a context of its own.
pub(crate) struct Reference {
    model: *mut sys::llama_model,
    context: *mut sys::llama_context,
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: both came from llama.cpp, are freed once, and the context before the model it borrows.
        unsafe {
            sys::llama_free(self.context);
            sys::llama_model_free(self.model);
        }
    }
}

impl Reference {
    /// Loads a model. An engine must have been made before: it starts llama.cpp.
    pub(crate) fn open(path: &Path) -> Self {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the path ends with a zero byte; the parameters are llama.cpp's own; null pointers are looked for.
        unsafe {
            let mut parameters = sys::llama_model_default_params();
            parameters.n_gpu_layers = 0;
            let model = sys::llama_model_load_from_file(path.as_ptr(), parameters);
            assert!(!model.is_null());
            let mut parameters = sys::llama_context_default_params();
            parameters.n_ctx = 1024;
            parameters.n_batch = 1024;
            parameters.n_ubatch = 1024;
            parameters.n_seq_max = 1;
            parameters.n_threads = 1;
            parameters.n_threads_batch = 1;
            parameters.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_DISABLED;
            let context = sys::llama_init_from_model(model, parameters);
            assert!(!context.is_null());
            Self { model, context }
        }
    }

    /// The token that the model wants before a text.
    pub(crate) fn start_token(&self) -> Option<i32> {
        // SAFETY: the model is loaded.
        unsafe {
            let vocabulary = sys::llama_model_get_vocab(self.model);
            sys::llama_vocab_get_add_bos(vocabulary).then(|| sys::llama_vocab_bos(vocabulary))
        }
    }

    /// The sum of the logarithms of the probabilities of the tokens from `first` on.
    pub(crate) fn log_probability(&mut self, tokens: &[i32], first: usize) -> f64 {
        // SAFETY: the batch has room for all tokens, and rows are read where logits were asked for.
        unsafe {
            sys::llama_memory_clear(sys::llama_get_memory(self.context), true);
            let mut batch = sys::llama_batch_init(tokens.len() as i32, 0, 1);
            batch.n_tokens = tokens.len() as i32;
            for (place, &token) in tokens.iter().enumerate() {
                batch.token.add(place).write(token);
                batch.pos.add(place).write(place as i32);
                batch.n_seq_id.add(place).write(1);
                (*batch.seq_id.add(place)).write(0);
                batch.logits.add(place).write(i8::from(place + 1 >= first));
            }
            assert_eq!(sys::llama_decode(self.context, batch), 0);
            sys::llama_batch_free(batch);
            let width = sys::llama_vocab_n_tokens(sys::llama_model_get_vocab(self.model)) as usize;
            let mut sum = 0.0;
            for place in first..tokens.len() {
                let row = sys::llama_get_logits_ith(self.context, place as i32 - 1);
                assert!(!row.is_null());
                let row = std::slice::from_raw_parts(row, width);
                let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f64 = row.iter().map(|&logit| f64::from(logit - highest).exp()).sum();
                sum += f64::from(row[tokens[place] as usize] - highest) - total.ln();
            }
            sum
        }
    }
}
