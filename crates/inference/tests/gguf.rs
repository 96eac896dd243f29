//! The GGUF reader against files that are cut, bent and made to hurt.

#![expect(unsafe_code, reason = "the test counts allocations")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::File;
use std::io::Cursor;

use inference::gguf::{Facts, GgufError, Header, TensorType};
use proptest::prelude::*;

/// Counts the bytes that the calling thread holds, and their highest number.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static HIGHEST: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size() as isize);
        HIGHEST.set(HIGHEST.get().max(HELD.get()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Reads a file in memory and demands that little is allocated, whatever it says.
fn read(bytes: &[u8]) -> Result<Facts, GgufError> {
    HELD.set(0);
    HIGHEST.set(0);
    let result = Facts::read(Cursor::new(bytes), 0, bytes.len() as u64);
    let cap = 4 * bytes.len() as isize + (2 << 20);
    assert!(HIGHEST.get() <= cap, "{} bytes were allocated for a file of {}", HIGHEST.get(), bytes.len());
    result
}

/// A GGUF file under construction.
#[derive(Clone)]
struct Forge {
    version: u32,
    keys: Vec<(Vec<u8>, Vec<u8>)>,
    tensors: Vec<(String, Vec<u64>, u32, Option<u64>)>,
    counts: Option<(u64, u64)>,
}

impl Forge {
    /// A sound small model.
    fn model() -> Self {
        let empty = Self { version: 3, keys: Vec::new(), tensors: Vec::new(), counts: None };
        empty
            .key("general.architecture", &text("llama"))
            .key("general.name", &text("A\u{7}small one"))
            .key("llama.block_count", &number(2))
            .key("llama.context_length", &number(128))
            .key("tokenizer.ggml.tokens", &array(8, 2, &[string("a"), string("b")].concat()))
            .key("tokenizer.ggml.bos_token_id", &number(1))
            .tensor("b.weight", &[4, 2], 0)
            .tensor("a.weight", &[32], 8)
    }

    fn key(mut self, key: &str, value: &[u8]) -> Self {
        self.keys.retain(|(name, _)| name != key.as_bytes());
        self.keys.push((key.as_bytes().to_vec(), value.to_vec()));
        self
    }

    fn tensor(mut self, name: &str, shape: &[u64], code: u32) -> Self {
        self.tensors.push((name.to_owned(), shape.to_vec(), code, None));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        let (tensors, keys) = self.counts.unwrap_or((self.tensors.len() as u64, self.keys.len() as u64));
        file.extend(tensors.to_le_bytes());
        file.extend(keys.to_le_bytes());
        for (key, value) in &self.keys {
            file.extend((key.len() as u64).to_le_bytes());
            file.extend(key);
            file.extend(value);
        }
        let mut place = 0;
        for (name, shape, code, at) in &self.tensors {
            file.extend(string(name));
            file.extend((shape.len() as u32).to_le_bytes());
            file.extend(shape.iter().flat_map(|dimension| dimension.to_le_bytes()));
            file.extend(code.to_le_bytes());
            file.extend(at.unwrap_or(place).to_le_bytes());
            let size = TensorType::from_code(*code).and_then(|kind| kind.bytes_of(shape)).unwrap_or(0);
            place = (place + size).next_multiple_of(32);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        let data = file.len() as u64;
        file.extend((0..place.min(1 << 16)).map(|byte| (byte + data) as u8));
        file
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&8u32.to_le_bytes()[..], &string(text)].concat()
}

fn number(number: u32) -> Vec<u8> {
    [4u32.to_le_bytes(), number.to_le_bytes()].concat()
}

fn array(code: u32, length: u64, elements: &[u8]) -> Vec<u8> {
    [&9u32.to_le_bytes()[..], &code.to_le_bytes(), &length.to_le_bytes(), elements].concat()
}

fn refusal(forge: &Forge) -> String {
    match read(&forge.bytes()) {
        Ok(facts) => format!("none, it was read: {facts:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_sound_file_is_read() {
    let facts = read(&Forge::model().bytes()).unwrap();
    assert_eq!((facts.architecture.as_str(), facts.name.as_str(), facts.parameters), ("llama", "Asmall one", 40));
}

#[test]
fn the_content_hash_sees_tensors_and_nothing_else() {
    let content = |forge: &Forge| read(&forge.bytes()).unwrap().content_hash;
    let model = Forge::model();
    let renamed = model.clone().key("general.name", &text("Mine, all mine!!"));
    let hashes = (content(&model), read(&renamed.bytes()).unwrap());
    // The data lie elsewhere in the renamed file, and the forge fills them by their place; so compare real bytes below.
    assert_ne!(read(&model.bytes()).unwrap().file_hash, hashes.1.file_hash);

    let mut changed = model.bytes();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(read(&changed).unwrap().content_hash, hashes.0, "padding after the last tensor is no content");
    let first_weight = changed.len() - 32 - 64;
    changed[first_weight] ^= 1;
    assert_ne!(read(&changed).unwrap().content_hash, hashes.0);

    let mut reshaped = model.clone();
    reshaped.tensors[0].1 = vec![2, 4];
    assert_ne!(content(&reshaped), hashes.0);
    reshaped.tensors[0].1 = vec![4, 2, 1];
    assert_eq!(content(&reshaped).len(), 64);
}

#[test]
fn a_renamed_copy_of_a_demo_model_has_the_same_content() {
    let bytes = std::fs::read(support::demo_model(4)).unwrap();
    let key = b"general.name";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4 + 8;
    let mut renamed = bytes.clone();
    renamed[at] ^= 1;
    let (facts, others) = (read(&bytes).unwrap(), read(&renamed).unwrap());
    assert_eq!(facts.content_hash, others.content_hash);
    assert_ne!(facts.file_hash, others.file_hash);
    assert_ne!(facts.name, others.name);
}

#[test]
fn a_model_inside_another_file_is_read_from_its_offset() {
    let model = Forge::model().bytes();
    let wrapped = [&[7u8; 1234][..], &model, b"GGUF and more"].concat();
    let facts = Facts::read(Cursor::new(&wrapped), 1234, model.len() as u64).unwrap();
    assert_eq!(facts, Facts::read(Cursor::new(&model), 0, model.len() as u64).unwrap());
}

#[test]
fn what_is_no_gguf_is_named_so() {
    assert!(matches!(read(b""), Err(GgufError::Magic)));
    assert!(matches!(read(b"PK\x03\x04 a zip file"), Err(GgufError::Magic)));
    assert!(matches!(read(&Forge { version: 1, ..Forge::model() }.bytes()), Err(GgufError::Version(1))));
    // A file of the other byte order.
    assert!(matches!(read(&Forge { version: 3 << 24, ..Forge::model() }.bytes()), Err(GgufError::Version(_))));
}

#[test]
fn every_truncation_is_refused() {
    let whole = Forge::model().bytes();
    // The last tensor has 34 bytes, the 30 after it are padding.
    for length in 0..whole.len() - 30 {
        assert!(read(&whole[..length]).is_err(), "cut at {length}");
    }
    let model = std::fs::read(support::demo_model(1)).unwrap();
    for length in (0..model.len()).step_by(4099) {
        assert!(read(&model[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn bombs_are_refused_before_anything_is_allocated() {
    let model = Forge::model();
    let huge = u64::MAX;
    for counts in [(huge, 1), (1, huge), (100_001, 6), (2, 10_001)] {
        assert!(refusal(&Forge { counts: Some(counts), ..model.clone() }).contains("at most"));
    }
    let long_string = [&8u32.to_le_bytes()[..], &(1u64 << 40).to_le_bytes()].concat();
    assert!(refusal(&model.clone().key("a", &long_string)).contains("at most"));
    assert!(refusal(&model.clone().key("a", &array(8, 1 << 61, &[]))).contains("at most 2000000"));
    assert!(refusal(&model.clone().key("a", &array(4, huge, &[]))).contains("at most 2000000"));
    assert!(refusal(&model.clone().key("a", &array(12, 2_000_000, &[]))).contains("cut off"));
    assert!(refusal(&model.clone().key("a", &array(9, 1, &array(9, 1, &[])))).contains("array of arrays"));
    let template = text(&"x".repeat(65 << 10));
    assert!(refusal(&model.clone().key("tokenizer.chat_template", &template)).contains("at most 65536"));
    assert!(refusal(&model.key(&"k".repeat(300), &number(1))).contains("at most 256"));
}

#[test]
fn numbers_that_llama_cpp_would_trust_are_checked() {
    let model = Forge::model();
    for (key, value, reason) in [
        ("llama.block_count", number(0), "`llama.block_count` is 0"),
        ("llama.block_count", number(100_000), "at most 512"),
        ("llama.block_count", text("2"), "lacks `llama.block_count`"),
        ("llama.context_length", number(0), "is 0"),
        ("general.architecture", number(1), "lacks `general.architecture`"),
        ("general.architecture", text("../etc"), "no plain word"),
        ("general.alignment", number(0), "alignment is 0"),
        ("general.alignment", number(33), "alignment is 33"),
        ("tokenizer.ggml.bos_token_id", number(2), "the vocabulary has 2 tokens"),
        ("tokenizer.ggml.eos_token_id", number(0x7fff_ffff), "the vocabulary has 2 tokens"),
        ("tokenizer.ggml.scores", array(6, 3, &[0; 12]), "not as many"),
        ("odd", [&7u32.to_le_bytes()[..], &[2]].concat(), "truth value 2"),
        ("odd", 99u32.to_le_bytes().to_vec(), "unknown type 99"),
    ] {
        let refusal = refusal(&model.clone().key(key, &value));
        assert!(refusal.contains(reason), "{key}: {refusal}");
    }
    assert!(read(&model.key("tokenizer.ggml.pad_token_id", &number(u32::MAX)).bytes()).is_ok());
}

#[test]
fn tensors_that_overlap_overflow_or_lie_outside_are_refused() {
    let with = |tensor: (&str, &[u64], u32, Option<u64>)| {
        let mut model = Forge::model();
        model.tensors.push((tensor.0.to_owned(), tensor.1.to_vec(), tensor.2, tensor.3));
        refusal(&model)
    };
    assert!(with(("c", &[1 << 62, 8], 0, None)).contains("cannot have the shape"));
    assert!(with(("c", &[u64::MAX], 24, None)).contains("cannot have the shape"));
    assert!(with(("c", &[33], 8, None)).contains("cannot have the shape"));
    assert!(with(("c", &[0], 0, None)).contains("cannot have the shape"));
    assert!(with(("c", &[1 << 40], 0, None)).contains("cut off"));
    assert!(with(("c", &[4], 0, Some(0))).contains("its place is"));
    assert!(with(("c", &[4], 0, Some(u64::MAX - 5))).contains("its place is"));
    assert!(with(("c", &[4], 4, None)).contains("unknown type 4"));
    assert!(with(("c", &[4], 1000, None)).contains("unknown type 1000"));
    assert!(with(("c", &[1, 1, 1, 1, 1], 0, None)).contains("5 dimensions"));
    assert!(with(("c", &[], 0, None)).contains("0 dimensions"));
    assert!(with(("b.weight", &[4], 0, None)).contains("occurs twice"));
    assert!(with((&"n".repeat(64), &[4], 0, None)).contains("at most 63"));
    assert!(with(("", &[4], 0, None)).contains("no proper name"));
    let mut twice = Forge::model();
    twice.keys.push(twice.keys[2].clone());
    assert!(refusal(&twice).contains("occurs twice"));
    assert!(refusal(&Forge { tensors: Vec::new(), ..Forge::model() }).contains("a vocabulary is no model"));
}

#[test]
fn the_facts_of_the_demo_models_are_as_printed_on_their_card() {
    for level in 1..=4 {
        let file = File::open(support::demo_model(level)).unwrap();
        let length = file.metadata().unwrap().len();
        let facts = Facts::read(&file, 0, length).unwrap();
        let card = std::fs::read_to_string(support::root().join("demo/CARD.md")).unwrap();
        assert!(card.contains(&facts.file_hash), "social-{level} is not the file of the card");
        assert_eq!((facts.architecture.as_str(), facts.bytes), ("llama", length));
        assert!((700_000..800_000).contains(&facts.parameters));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_bent_header_allocates_much_or_reads_outside(
        changes in prop::collection::vec((0usize..480, any::<u8>()), 1..6),
    ) {
        let mut bytes = Forge::model().bytes();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Ok(facts) = read(&bytes) {
            prop_assert!(facts.parameters < 1 << 20);
            let header = Header::read(Cursor::new(&bytes), 0, bytes.len() as u64).unwrap();
            for tensor in header.tensors {
                prop_assert!(tensor.position + tensor.bytes <= bytes.len() as u64);
            }
        }
    }

    #[test]
    fn no_bent_length_of_a_real_model_allocates_much(at in 0usize..60_000, value in any::<u64>(), shift in 0u32..64) {
        thread_local! {
            static MODEL: Vec<u8> = std::fs::read(support::demo_model(1)).unwrap()[..60_010].to_vec();
        }
        let mut bytes = MODEL.with(Clone::clone);
        bytes[at..at + 8].copy_from_slice(&(value >> shift).to_le_bytes());
        prop_assert!(read(&bytes).is_err(), "the file is cut, so it must be refused in any case");
    }
}
