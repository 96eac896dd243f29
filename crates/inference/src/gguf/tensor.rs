//! Tensors: their names, shapes and types, and how many bytes they take.

use std::io::Read;

use super::bytes::Bytes;
use super::error::GgufError;
use crate::limits::TENSOR_NAME_BYTES_MAX;

/// A tensor of a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, unique in the file.
    pub name: String,
    /// Elements in each dimension, fastest first; 1 to 4 of them, none zero.
    pub shape: Vec<u64>,
    /// How its elements are stored.
    pub tensor_type: TensorType,
    /// Where its bytes begin, counted from the start of the file.
    pub position: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Tensor {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Reads one entry of the tensor table. `position` is still counted from the start of the tensor data.
    pub(super) fn read<S: Read>(bytes: &mut Bytes<'_, S>) -> Result<Self, GgufError> {
        let name = bytes.string(TENSOR_NAME_BYTES_MAX, "a tensor name")?;
        if name.is_empty() || name.contains('\0') {
            return Err(GgufError::Malformed("a tensor has no proper name".to_owned()));
        }
        let what = format!("the entry of tensor `{name}`");
        let dimensions = bytes.u32(&what)?;
        if !(1..=4).contains(&dimensions) {
            return Err(GgufError::Malformed(format!(
                "tensor `{name}` has {dimensions} dimensions, 1 to 4 are possible"
            )));
        }
        let shape = (0..dimensions).map(|_| bytes.u64(&what)).collect::<Result<Vec<u64>, GgufError>>()?;
        let code = bytes.u32(&what)?;
        let tensor_type = TensorType::from_code(code)
            .ok_or_else(|| GgufError::Malformed(format!("tensor `{name}` has the unknown type {code}")))?;
        let size = tensor_type.bytes_of(&shape).ok_or_else(|| {
            GgufError::Malformed(format!("tensor `{name}` cannot have the shape {shape:?} as {}", tensor_type.name()))
        })?;
        let position = bytes.u64(&what)?;
        Ok(Self { name, shape, tensor_type, position, bytes: size })
    }
}

/// How elements are stored: blocks of a fixed number of elements in a fixed number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorType {
    code: u32,
    name: &'static str,
    block: u64,
    block_bytes: u64,
}

/// `ggml_type` with the block sizes of ggml-common.h (ggml 0.26). The numbers that are absent were removed from ggml.
const TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
    (42, "Q2_0", 64, 18),
];

impl TensorType {
    /// The type with ggml's number `code`.
    pub fn from_code(code: u32) -> Option<Self> {
        let &(code, name, block, block_bytes) = TYPES.iter().find(|entry| entry.0 == code)?;
        Some(Self { code, name, block, block_bytes })
    }

    /// ggml's number.
    pub fn code(self) -> u32 {
        self.code
    }

    /// ggml's name, as `Q4_K`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Bytes of a tensor of this shape; `None` if a row is no whole number of blocks, a dimension is zero, or the
    /// number of elements or bytes does not fit into 63 bits.
    pub fn bytes_of(self, shape: &[u64]) -> Option<u64> {
        let row = *shape.first()?;
        if row % self.block != 0 || shape.contains(&0) {
            return None;
        }
        let elements = shape.iter().try_fold(1u64, |product, &dimension| product.checked_mul(dimension))?;
        let bytes = (elements / self.block).checked_mul(self.block_bytes)?;
        (i64::try_from(elements).is_ok() && i64::try_from(bytes).is_ok()).then_some(bytes)
    }
}
