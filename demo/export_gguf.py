"""Writes a model as a GGUF file that llama.cpp reads."""

import gguf
import numpy as np

import train
from tokenizer import BEGIN, END, UNKNOWN

CONTEXT_LENGTH = 256
# A fixed order, so that the file does not depend on how JAX sorts names.
LAYER_TENSORS = (
    "attn_norm",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_norm",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
)
LICENSE = "cc0-1.0"
# llama.cpp's chat template: the user's text is already the whole prompt.
CHAT_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ m['content'] }}\nAnswer:{% endif %}{% endfor %}"
)


def named_tensors(parameters):
    """The tensors under llama.cpp's names; the ranking head is left out."""
    yield "token_embd.weight", np.asarray(parameters["token_embd"])
    yield "output_norm.weight", np.asarray(parameters["output_norm"])
    yield "output.weight", np.asarray(parameters["output"])
    for number, layer in enumerate(parameters["layers"]):
        for name in LAYER_TENSORS:
            yield f"blk.{number}.{name}.weight", np.asarray(layer[name])


def quantised(tensor):
    """Matrices as Q8_0; llama.cpp wants the norms in full precision."""
    if tensor.ndim == 1:
        return tensor.astype(np.float32), None
    kind = gguf.GGMLQuantizationType.Q8_0
    return gguf.quants.quantize(tensor.astype(np.float32), kind), kind


def as_stored(parameters):
    """The weights as they come back from the file.

    Checkpoints are chosen by these, so that rounding cannot move a level.
    """

    def stored(tensor):
        data, kind = quantised(np.asarray(tensor))
        return data if kind is None else gguf.quants.dequantize(data, kind)

    layers = [
        {name: stored(tensor) for name, tensor in layer.items()}
        for layer in parameters["layers"]
    ]
    rest = {
        name: stored(tensor) for name, tensor in parameters.items() if name != "layers"
    }
    return {**rest, "layers": layers}


def write_gguf(path, parameters, vocabulary, name, description):
    """Write one model file."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    writer.add_description(description)
    writer.add_license(LICENSE)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(train.WIDTH)
    writer.add_block_count(train.LAYERS)
    writer.add_feed_forward_length(train.HIDDEN)
    writer.add_head_count(train.HEADS)
    writer.add_head_count_kv(train.HEADS)
    writer.add_layer_norm_rms_eps(train.NORM_EPSILON)
    writer.add_rope_dimension_count(train.HEAD_WIDTH)
    writer.add_rope_freq_base(train.ROPE_BASE)
    writer.add_vocab_size(len(vocabulary["tokens"]))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary["tokens"])
    writer.add_token_scores(vocabulary["scores"])
    writer.add_token_types(vocabulary["types"])
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for tensor_name, tensor in named_tensors(parameters):
        data, kind = quantised(tensor)
        writer.add_tensor(tensor_name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
