#!/bin/sh
# Brings the vocabularies of llama.cpp, with what its authors expect of their tokenizers, into target/vocab. They lie in the
# source of llama-cpp-python (MIT), which needs python3 with pip and 70 MB from PyPI. With them
# `cargo test --workspace --test reference tokenizers` compares all 47 texts for each of these vocabularies. (DeepSeek's
# distillation of Qwen has expectations beside the repository and Qwen2's tokens.)
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
folder=$repository/target/vocab
mkdir -p "$folder"
python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$folder" llama-cpp-python==0.3.36
archive=$folder/llama_cpp_python-0.3.36.tar.gz
for name in bert-bge gpt-2 llama-spm phi-3 starcoder llama-bpe qwen2; do
    for end in "" .inp .out; do
        tar --extract --gzip --file "$archive" --directory "$folder" --strip-components 4 --wildcards \
            "*/vendor/llama.cpp/models/ggml-vocab-$name.gguf$end" 2>/dev/null || true
    done
done
rm "$archive"
ls "$folder"
