"""The model and its training, in JAX.

The layers are those of the llama architecture as llama.cpp computes them:
RMS norm, rotary positions on neighbouring pairs, causal attention, and a
gated feed-forward part.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from tokenizer import END, VOCABULARY_SIZE

WIDTH, LAYERS, HEADS, HIDDEN = 96, 4, 4, 256
HEAD_WIDTH = WIDTH // HEADS
ROPE_BASE, NORM_EPSILON = 10000.0, 1e-5
# The ranking head reads the state after this many layers, so that the last
# layer is left to turn the best option into its letter.
RANKING_LAYERS = 3
IGNORED = -1


@dataclass(frozen=True)
class Settings:
    """How long and how fast to train."""

    steps: int
    batch: int = 48
    peak_rate: float = 3e-3
    warm_up: int = 100
    clip: float = 1.0
    language_weight: float = 0.15
    evaluate_every: int = 10


@dataclass(frozen=True)
class Batch:
    """Rows of equal length, as arrays."""

    tokens: np.ndarray  # begin piece, prompt, letter, end piece, padding
    answer_at: np.ndarray  # where the prompt ends and the letter is asked for
    option_ends: np.ndarray  # the line ends after the three options
    right: np.ndarray  # 0, 1 or 2

    def take(self, rows):
        return (
            self.tokens[rows],
            self.answer_at[rows],
            self.option_ends[rows],
            self.right[rows],
        )


def make_batch(splits, rows, letters, line_end):
    """Lay out split prompts as arrays.

    The end piece follows the letter: a finished model stops after one letter.
    """
    length = max(len(split) for split in splits) + 2
    tokens = np.full((len(rows), length), END, np.int32)
    ends = np.zeros((len(rows), 3), np.int32)
    for index, (split, row) in enumerate(zip(splits, rows)):
        tokens[index, : len(split)] = split
        tokens[index, len(split)] = letters[row.right]
        # Each option stands on one of the last three lines of the prompt.
        ends[index] = [at for at, n in enumerate(split) if n == line_end][-3:]
    answer_at = np.array([len(split) - 1 for split in splits], np.int32)
    right = np.array([row.right for row in rows], np.int32)
    return Batch(tokens, answer_at, ends, right)


def new_parameters(seed):
    """Small random weights; norms start at one."""
    generator = np.random.default_rng(seed)

    def matrix(outputs, inputs, scale):
        values = generator.standard_normal((outputs, inputs)) * scale
        return jnp.asarray(values, jnp.float32)

    inner = WIDTH**-0.5
    # Parts that add to the running state start smaller, as there are many.
    added = inner / (2 * LAYERS) ** 0.5
    layers = []
    for _ in range(LAYERS):
        layers.append(
            {
                "attn_norm": jnp.ones(WIDTH),
                "attn_q": matrix(WIDTH, WIDTH, inner),
                "attn_k": matrix(WIDTH, WIDTH, inner),
                "attn_v": matrix(WIDTH, WIDTH, inner),
                "attn_output": matrix(WIDTH, WIDTH, added),
                "ffn_norm": jnp.ones(WIDTH),
                "ffn_gate": matrix(HIDDEN, WIDTH, inner),
                "ffn_up": matrix(HIDDEN, WIDTH, inner),
                "ffn_down": matrix(WIDTH, HIDDEN, added * (WIDTH / HIDDEN) ** 0.5),
            }
        )
    return {
        "token_embd": matrix(VOCABULARY_SIZE, WIDTH, 0.5),
        "output_norm": jnp.ones(WIDTH),
        "output": matrix(VOCABULARY_SIZE, WIDTH, inner),
        "layers": layers,
        # Used in training only and dropped on export.
        "ranking": matrix(1, WIDTH, inner),
    }


def normalise(state, weight):
    mean_square = jnp.mean(state * state, axis=-1, keepdims=True)
    return state * jax.lax.rsqrt(mean_square + NORM_EPSILON) * weight


def rotate(vectors):
    """Rotary positions on pairs (0,1), (2,3), ... as llama.cpp does it."""
    length = vectors.shape[1]
    rates = ROPE_BASE ** (-np.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    angles = np.arange(length)[:, None] * rates[None, :]
    cosine = np.cos(angles)[None, :, None, :].astype(np.float32)
    sine = np.sin(angles)[None, :, None, :].astype(np.float32)
    even, odd = vectors[..., 0::2], vectors[..., 1::2]
    pairs = (even * cosine - odd * sine, even * sine + odd * cosine)
    return jnp.stack(pairs, axis=-1).reshape(vectors.shape)


def attend(layer, state):
    count, length, _ = state.shape
    shape = (count, length, HEADS, HEAD_WIDTH)
    normal = normalise(state, layer["attn_norm"])
    query = rotate((normal @ layer["attn_q"].T).reshape(shape))
    key = rotate((normal @ layer["attn_k"].T).reshape(shape))
    value = (normal @ layer["attn_v"].T).reshape(shape)
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) * HEAD_WIDTH**-0.5
    causal = np.tril(np.ones((length, length), bool))
    weights = jax.nn.softmax(jnp.where(causal, scores, -1e9), axis=-1)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, value)
    return mixed.reshape(state.shape) @ layer["attn_output"].T


def feed_forward(layer, state):
    normal = normalise(state, layer["ffn_norm"])
    gate = jax.nn.silu(normal @ layer["ffn_gate"].T)
    return (gate * (normal @ layer["ffn_up"].T)) @ layer["ffn_down"].T


def run_layers(parameters, tokens):
    """The states after the ranking layer and after the last layer."""
    state = parameters["token_embd"][tokens]
    middle = state
    for number, layer in enumerate(parameters["layers"], start=1):
        state = state + attend(layer, state)
        state = state + feed_forward(layer, state)
        if number == RANKING_LAYERS:
            middle = state
    return middle, normalise(state, parameters["output_norm"])


def chosen_loss(logits, targets):
    """Mean cross-entropy over the targets that are not to be ignored."""
    kept = targets != IGNORED
    logs = jax.nn.log_softmax(logits, axis=-1)
    picked = jnp.take_along_axis(logs, jnp.maximum(targets, 0)[..., None], -1)
    return -jnp.sum(picked[..., 0] * kept) / jnp.sum(kept)


def loss_of(parameters, batch, language_weight):
    """Answer loss, ranking loss and a little language-model loss."""
    tokens, answer_at, option_ends, right = batch
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    middle, final = run_layers(parameters, inputs)
    ends = jnp.take_along_axis(middle, option_ends[..., None], axis=1)
    ranking = chosen_loss((ends @ parameters["ranking"].T)[..., 0], right)

    positions = jnp.arange(inputs.shape[1])[None, :]
    # One end piece after the letter is learnt, the padding behind it is not.
    targets = jnp.where(positions <= answer_at[:, None] + 1, targets, IGNORED)
    logits = final @ parameters["output"].T
    language = chosen_loss(logits, targets)
    asked = positions == answer_at[:, None]
    answer = chosen_loss(logits, jnp.where(asked, targets, IGNORED))
    return answer + ranking + language_weight * language


def learning_rate(step, settings):
    warm = jnp.minimum(1.0, (step + 1) / settings.warm_up)
    cosine = 0.5 * (1 + jnp.cos(jnp.pi * step / settings.steps))
    return settings.peak_rate * warm * cosine


@partial(jax.jit, static_argnames="settings", donate_argnums=(0, 1, 2))
def update(parameters, first, second, step, batch, settings):
    """One step of Adam with the gradient's norm clipped."""
    value_and_gradient = jax.value_and_grad(loss_of)
    loss, gradient = value_and_gradient(parameters, batch, settings.language_weight)
    squares = [jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(gradient)]
    norm = jnp.sqrt(sum(squares))
    scale = jnp.minimum(1.0, settings.clip / (norm + 1e-6))
    gradient = jax.tree.map(lambda leaf: leaf * scale, gradient)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
    second = jax.tree.map(lambda v, g: 0.98 * v + 0.02 * g * g, second, gradient)
    rate = learning_rate(step, settings)
    first_fix, second_fix = 1 - 0.9 ** (step + 1), 1 - 0.98 ** (step + 1)

    def move(weight, mean, square):
        square = jnp.sqrt(square / second_fix) + 1e-8
        return weight - rate * (mean / first_fix) / square

    parameters = jax.tree.map(move, parameters, first, second)
    return parameters, first, second, loss


@jax.jit
def answer_logits(parameters, tokens, answer_at):
    """The scores of every piece where the letter is asked for."""
    _, final = run_layers(parameters, tokens)
    state = jnp.take_along_axis(final, answer_at[:, None, None], axis=1)[:, 0]
    return state @ parameters["output"].T


def answers_of(parameters, batch):
    """The most likely next piece of every row."""
    answers = []
    for start in range(0, len(batch.right), 64):
        tokens, answer_at, _, _ = batch.take(slice(start, start + 64))
        logits = answer_logits(parameters, tokens, answer_at)
        answers.extend(np.argmax(logits, axis=-1).tolist())
    return np.array(answers)


def train(training, settings, seed, on_evaluation):
    """Train and call `on_evaluation(step, parameters, loss)` now and then."""
    parameters = new_parameters(seed)
    first = jax.tree.map(jnp.zeros_like, parameters)
    second = jax.tree.map(jnp.zeros_like, parameters)
    order = np.random.default_rng(seed).permutation(len(training.right))
    for step in range(settings.steps):
        start = step * settings.batch % (len(order) - settings.batch + 1)
        batch = training.take(order[start : start + settings.batch])
        parameters, first, second, loss = update(
            parameters, first, second, jnp.float32(step), batch, settings
        )
        if (step + 1) % settings.evaluate_every == 0:
            on_evaluation(step + 1, parameters, float(loss))
    return parameters
