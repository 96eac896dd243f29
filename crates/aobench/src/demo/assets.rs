//! What the demo ships: four small models and a set of questions, made by `demo/make_demo.py`. All of it is synthetic.

/// The title of the question set, which says what it is.
pub(crate) const DATASET_TITLE: &str = "Social situations (synthetic)";

/// The questions, as JSON lines with SIQA's fields.
pub(crate) const QUESTIONS: &str = include_str!("../../../../demo/questions.jsonl");

/// The models, by file name, from the worst to the best.
pub(crate) const MODELS: [(&str, &[u8]); 4] = [
    ("social-1.gguf", include_bytes!("../../../../demo/models/social-1.gguf")),
    ("social-2.gguf", include_bytes!("../../../../demo/models/social-2.gguf")),
    ("social-3.gguf", include_bytes!("../../../../demo/models/social-3.gguf")),
    ("social-4.gguf", include_bytes!("../../../../demo/models/social-4.gguf")),
];
