//! A model of random weights: its answers are worth nothing, its speed and its errors of rounding are those of any model
//! of its size. The vocabulary is a real one, taken from a GGUF file. For benchmarks and tests.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;

use crate::error::InferenceError;
use crate::gguf::GgufError;
use crate::limits::METADATA_BYTES_MAX;

/// How large a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Numbers in the state of a token; a multiple of 32 and of `heads`.
    pub width: u64,
    /// Layers.
    pub layers: u64,
    /// Heads of attention.
    pub heads: u64,
    /// Numbers in the middle of a layer; a multiple of 32.
    pub inner_width: u64,
    /// Longest text in tokens.
    pub context_tokens: u32,
}

impl Shape {
    /// That of GPT-2: 134 million weights with a vocabulary of 32,000.
    pub const GPT_2: Self = Self { width: 768, layers: 12, heads: 12, inner_width: 2048, context_tokens: 2048 };
}

/// Where tensors begin in a GGUF file: at multiples of this.
const ALIGNMENT: u64 = 32;

/// How weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantization {
    /// 32 weights in 18 bytes.
    Q4_0,
    /// 32 weights in 34 bytes.
    Q8_0,
    /// Single precision.
    F32,
}

impl Quantization {
    /// The number of the format in GGUF, and bytes of 32 weights.
    fn format(self) -> (u32, u64) {
        match self {
            Self::F32 => (0, 128),
            Self::Q4_0 => (2, 18),
            Self::Q8_0 => (8, 34),
        }
    }
}

/// Writes a llama of random weights with the vocabulary of the GGUF file `vocabulary`; returns the number of its weights.
///
/// # Errors
/// [`InferenceError::Gguf`] if the vocabulary cannot be read, [`InferenceError::ModelFile`] if the model cannot be written.
pub fn write(path: &Path, vocabulary: &Path, shape: &Shape, quantization: Quantization) -> Result<u64, InferenceError> {
    let (keys, key_count, tokens) = vocabulary_of(vocabulary)?;
    let tensors = tensors(shape, tokens);
    let own = own_keys(shape, tokens);
    let written = write_all(path, &tensors, [&own.bytes, &keys], key_count + own.count, quantization);
    written.map_err(|error| InferenceError::ModelFile { path: path.to_owned(), reason: error.to_string() })?;
    Ok(tensors.iter().map(Tensor::weights).sum())
}

fn write_all(
    path: &Path,
    tensors: &[Tensor],
    keys: [&[u8]; 2],
    key_count: u64,
    quantization: Quantization,
) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut head = Vec::new();
    head.extend_from_slice(b"GGUF");
    head.extend_from_slice(&3u32.to_le_bytes());
    head.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
    head.extend_from_slice(&key_count.to_le_bytes());
    head.extend_from_slice(&keys.concat());
    let mut offset = 0u64;
    for tensor in tensors {
        let (format, _) = tensor.quantization(quantization).format();
        put_text(&mut head, &tensor.name);
        head.extend_from_slice(&(tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().for_each(|length| head.extend_from_slice(&length.to_le_bytes()));
        head.extend_from_slice(&format.to_le_bytes());
        head.extend_from_slice(&offset.to_le_bytes());
        offset += tensor.bytes(quantization).next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT as usize), 0);
    file.write_all(&head)?;
    let mut random = Random::new(7);
    for tensor in tensors {
        tensor.write(&mut file, quantization, &mut random)?;
    }
    file.flush()
}

struct Tensor {
    name: String,
    shape: Vec<u64>,
}

impl Tensor {
    fn weights(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Vectors are never quantised.
    fn quantization(&self, wanted: Quantization) -> Quantization {
        if self.shape.len() == 1 { Quantization::F32 } else { wanted }
    }

    fn bytes(&self, wanted: Quantization) -> u64 {
        self.weights() / 32 * self.quantization(wanted).format().1
    }

    fn write(&self, file: &mut impl std::io::Write, wanted: Quantization, random: &mut Random) -> std::io::Result<()> {
        // Weights of about this size keep activations in order through all layers.
        const SPREAD: f32 = 0.03;
        let mut block = Vec::with_capacity(128);
        for _ in 0..self.weights() / 32 {
            block.clear();
            match self.quantization(wanted) {
                Quantization::F32 if self.shape.len() == 1 => {
                    (0..32).for_each(|_| block.extend_from_slice(&1f32.to_le_bytes()));
                }
                Quantization::F32 => {
                    for _ in 0..32 {
                        let uniform = random.next() as u32 as f32 / u32::MAX as f32 - 0.5;
                        block.extend_from_slice(&(uniform * SPREAD * 3.4).to_le_bytes());
                    }
                }
                // Half-precision floats of 2^-7 and 2^-11 before 4-bit and 8-bit integers.
                Quantization::Q4_0 => {
                    block.extend_from_slice(&0x2000u16.to_le_bytes());
                    block.extend((0..2).flat_map(|_| random.next().to_le_bytes()));
                }
                Quantization::Q8_0 => {
                    block.extend_from_slice(&0x1000u16.to_le_bytes());
                    block.extend((0..4).flat_map(|_| random.next().to_le_bytes()));
                }
            }
            file.write_all(&block)?;
        }
        let surplus = self.bytes(wanted).next_multiple_of(ALIGNMENT) - self.bytes(wanted);
        file.write_all(&vec![0; surplus as usize])
    }
}

fn tensors(shape: &Shape, tokens: u64) -> Vec<Tensor> {
    let tensor = |name: String, lengths: &[u64]| Tensor { name, shape: lengths.to_vec() };
    let (width, inner_width) = (shape.width, shape.inner_width);
    let mut all = vec![tensor("token_embd.weight".to_owned(), &[width, tokens])];
    for layer in 0..shape.layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        all.push(tensor(name("attn_norm"), &[width]));
        for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            all.push(tensor(name(part), &[width, width]));
        }
        all.push(tensor(name("ffn_norm"), &[width]));
        all.push(tensor(name("ffn_gate"), &[width, inner_width]));
        all.push(tensor(name("ffn_up"), &[width, inner_width]));
        all.push(tensor(name("ffn_down"), &[inner_width, width]));
    }
    all.push(tensor("output_norm.weight".to_owned(), &[width]));
    all.push(tensor("output.weight".to_owned(), &[width, tokens]));
    all
}

/// Metadata that is put together here.
#[derive(Default)]
struct Keys {
    bytes: Vec<u8>,
    count: u64,
}

impl Keys {
    fn text(&mut self, key: &str, value: &str) {
        put_text(&mut self.bytes, key);
        self.bytes.extend_from_slice(&8u32.to_le_bytes());
        put_text(&mut self.bytes, value);
        self.count += 1;
    }

    fn number(&mut self, key: &str, value: u32) {
        put_text(&mut self.bytes, key);
        self.bytes.extend_from_slice(&4u32.to_le_bytes());
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self.count += 1;
    }

    fn float(&mut self, key: &str, value: f32) {
        put_text(&mut self.bytes, key);
        self.bytes.extend_from_slice(&6u32.to_le_bytes());
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self.count += 1;
    }
}

fn own_keys(shape: &Shape, tokens: u64) -> Keys {
    let mut keys = Keys::default();
    keys.text("general.architecture", "llama");
    keys.text("general.name", "random weights");
    keys.number("llama.context_length", shape.context_tokens);
    keys.number("llama.embedding_length", shape.width as u32);
    keys.number("llama.block_count", shape.layers as u32);
    keys.number("llama.feed_forward_length", shape.inner_width as u32);
    keys.number("llama.attention.head_count", shape.heads as u32);
    keys.number("llama.attention.head_count_kv", shape.heads as u32);
    keys.number("llama.rope.dimension_count", (shape.width / shape.heads) as u32);
    keys.number("llama.vocab_size", tokens as u32);
    keys.float("llama.attention.layer_norm_rms_epsilon", 1e-5);
    keys
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The metadata `tokenizer.*` of a GGUF file as bytes, how many keys that are, and the number of tokens.
fn vocabulary_of(path: &Path) -> Result<(Vec<u8>, u64, u64), InferenceError> {
    let unreadable =
        |error: std::io::Error| InferenceError::ModelFile { path: path.to_owned(), reason: error.to_string() };
    let mut bytes = Vec::new();
    // Metadata comes first, and is no longer than this.
    let file = File::open(path).map_err(unreadable)?;
    file.take(METADATA_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    let mut reader = Reader { bytes: &bytes, at: 0 };
    if reader.take(4)? != b"GGUF" {
        return Err(GgufError::Magic.into());
    }
    reader.take(12)?;
    let (mut kept, mut count, mut tokens) = (Vec::new(), 0, 0);
    for _ in 0..reader.number::<8>()? {
        let start = reader.at;
        let key = reader.text()?.to_vec();
        let kind = reader.number::<4>()?;
        let length = reader.skip_value(kind)?;
        if key.starts_with(b"tokenizer.") {
            kept.extend_from_slice(&bytes[start..reader.at]);
            count += 1;
        }
        if key == b"tokenizer.ggml.tokens" {
            tokens = length;
        }
    }
    if tokens == 0 {
        return Err(GgufError::Malformed("it holds no vocabulary".to_owned()).into());
    }
    Ok((kept, count, tokens))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], GgufError> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let part = end
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(|| GgufError::Malformed("the file ends in its metadata".to_owned()))?;
        self.at += part.len();
        Ok(part)
    }

    fn number<const BYTES: u64>(&mut self) -> Result<u64, GgufError> {
        let mut number = [0; 8];
        let part = self.take(BYTES)?;
        number[..part.len()].copy_from_slice(part);
        Ok(u64::from_le_bytes(number))
    }

    fn text(&mut self) -> Result<&'a [u8], GgufError> {
        let length = self.number::<8>()?;
        self.take(length)
    }

    /// Passes over a value; the length of an array.
    fn skip_value(&mut self, kind: u64) -> Result<u64, GgufError> {
        match kind {
            0 | 1 | 7 => self.take(1)?,
            2 | 3 => self.take(2)?,
            4..=6 => self.take(4)?,
            8 => self.text()?,
            10..=12 => self.take(8)?,
            9 => {
                let kind = self.number::<4>()?;
                let length = self.number::<8>()?;
                if kind == 9 {
                    return Err(GgufError::Malformed("it holds an array of arrays".to_owned()));
                }
                for _ in 0..length {
                    self.skip_value(kind)?;
                }
                return Ok(length);
            }
            other => return Err(GgufError::Malformed(format!("it holds a value of the unknown kind {other}"))),
        };
        Ok(0)
    }
}

/// A generator of numbers that are random enough for weights (xorshift).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
