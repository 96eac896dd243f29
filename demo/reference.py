"""Runs a finished GGUF file in plain numpy, from the file alone.

This shares no model code with the training: it reads the file back, splits the
prompt by llama.cpp's rule and computes the layers one prompt at a time.  It
can also be run by hand:

    python3 reference.py models/social-4.gguf questions.jsonl
"""

import json
import math
import sys
from collections import Counter
from pathlib import Path

import gguf
import numpy as np

from tokenizer import LlamaSplitter

PROMPT = (
    "Context: {context}\nQuestion: {question}\nAnswerA: {answerA}\n"
    "AnswerB: {answerB}\nAnswerC: {answerC}\nAnswer:"
)
LETTER_OF_RESULT = {"1": " A", "2": " B", "3": " C"}
NORMAL_95 = 1.959964


class Model:
    """One GGUF file of the llama architecture with a SentencePiece vocabulary."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.fields = {name: f.contents() for name, f in reader.fields.items()}
        self.tensors = {
            tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            for tensor in reader.tensors
        }
        self.tokens = self.fields["tokenizer.ggml.tokens"]
        scores = self.fields["tokenizer.ggml.scores"]
        self.splitter = LlamaSplitter(self.tokens, scores)
        self.heads = self.fields["llama.attention.head_count"]
        self.layers = self.fields["llama.block_count"]
        self.end = self.fields["tokenizer.ggml.eos_token_id"]

    def text_of(self, number):
        return self.tokens[number].replace("\u2581", " ")

    def next_token(self, numbers):
        """The most likely piece after `numbers`."""
        state = self.tensors["token_embd.weight"][numbers]
        for layer in range(self.layers):
            state = state + self._attend(state, f"blk.{layer}.")
            state = state + self._feed_forward(state, f"blk.{layer}.")
        last = self._normalise(state[-1:], "output_norm.weight")
        return int(np.argmax(last @ self.tensors["output.weight"].T))

    def _normalise(self, state, name):
        epsilon = self.fields["llama.attention.layer_norm_rms_epsilon"]
        mean_square = np.mean(state**2, axis=-1, keepdims=True)
        return state / np.sqrt(mean_square + epsilon) * self.tensors[name]

    def _matrix(self, state, name):
        return state @ self.tensors[name + ".weight"].T

    def _rotated(self, state):
        """Complex numbers do the rotation of each pair of neighbours."""
        length, width = state.shape[0], state.shape[1] // self.heads
        pairs = state.reshape(length, self.heads, width // 2, 2)
        base = self.fields["llama.rope.freq_base"]
        rates = base ** (-np.arange(width // 2) * 2 / width)
        turn = np.exp(1j * np.arange(length)[:, None] * rates)[:, None, :]
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * turn
        joined = np.stack([turned.real, turned.imag], axis=-1)
        return joined.reshape(length, self.heads, width)

    def _attend(self, state, prefix):
        normal = self._normalise(state, prefix + "attn_norm.weight")
        query = self._rotated(self._matrix(normal, prefix + "attn_q"))
        key = self._rotated(self._matrix(normal, prefix + "attn_k"))
        value = self._matrix(normal, prefix + "attn_v").reshape(key.shape)
        scores = np.einsum("qhd,khd->hqk", query, key) / math.sqrt(key.shape[-1])
        later = np.triu(np.ones(scores.shape[1:], bool), k=1)
        scores[:, later] = -np.inf
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", weights, value).reshape(state.shape)
        return self._matrix(mixed, prefix + "attn_output")

    def _feed_forward(self, state, prefix):
        normal = self._normalise(state, prefix + "ffn_norm.weight")
        gate = self._matrix(normal, prefix + "ffn_gate")
        gate = gate / (1 + np.exp(-gate))
        up = self._matrix(normal, prefix + "ffn_up")
        return self._matrix(gate * up, prefix + "ffn_down")


def wilson_interval(right, count):
    """The 95 % interval of a share."""
    share, square = right / count, NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = share * (1 - share) / count + square / (4 * count**2)
    half = NORMAL_95 * math.sqrt(spread) / (1 + square / count)
    return middle - half, middle + half


def measure(path, records):
    """Ask every question and count right answers and what was answered.

    Also counts how often the model stops by itself after its first letter.
    """
    model = Model(path)
    right, stops, answers = 0, 0, Counter()
    for record in records:
        numbers = model.splitter.split(PROMPT.format(**record))
        token = model.next_token(numbers)
        text = model.text_of(token)
        answers[text] += 1
        right += text == LETTER_OF_RESULT[record["result"]]
        stops += model.next_token(numbers + [token]) == model.end
    return {"right": right, "answers": dict(answers), "stops": stops}


def read_records(path):
    text = Path(path).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


if __name__ == "__main__":
    questions = read_records(sys.argv[2])
    found = measure(sys.argv[1], questions)
    low, high = wilson_interval(found["right"], len(questions))
    share = found["right"] / len(questions)
    print(f"{share:.1%} ({low:.1%} to {high:.1%}), {found}")
