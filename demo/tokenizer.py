"""The vocabulary, and the way llama.cpp splits text with it.

SentencePiece learns the vocabulary.  Splitting is done a second time here
with llama.cpp's own rule for such vocabularies, so that the two can be
compared: a model that is fed other pieces than it was trained on fails.
"""

import heapq
import io

import sentencepiece

VOCABULARY_SIZE = 1536
UNKNOWN, BEGIN, END = 0, 1, 2
SPACE_MARK = "\u2581"

# The numbers GGUF gives to the kinds of a piece.
NORMAL_TYPE, UNKNOWN_TYPE, CONTROL_TYPE, BYTE_TYPE = 1, 2, 3, 6


def learn_vocabulary(texts):
    """Learn a byte-pair vocabulary that leaves the text as it is.

    No prefix space and no normalisation: the prompt must reach the model
    byte for byte, and bytes never seen fall back to the 256 byte pieces.
    """
    lines = [line for text in texts for line in text.split("\n") if line]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY_SIZE,
        character_coverage=1.0,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        unk_id=UNKNOWN,
        bos_id=BEGIN,
        eos_id=END,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def piece_type(processor, index):
    """The GGUF kind of one piece."""
    if processor.is_unknown(index):
        return UNKNOWN_TYPE
    if processor.is_control(index):
        return CONTROL_TYPE
    if processor.is_byte(index):
        return BYTE_TYPE
    return NORMAL_TYPE


def vocabulary_fields(processor):
    """Pieces, scores and types, in the order of their numbers."""
    indices = range(processor.get_piece_size())
    return {
        "tokens": [processor.id_to_piece(index) for index in indices],
        "scores": [processor.get_score(index) for index in indices],
        "types": [piece_type(processor, index) for index in indices],
    }


def letter_tokens(tokens):
    """The numbers of ` A`, ` B` and ` C`; they must be pieces of their own."""
    return [tokens.index(SPACE_MARK + letter) for letter in "ABC"]


class LlamaSplitter:
    """llama.cpp's splitting: always join the neighbours of the best score.

    Of equal scores the leftmost pair is joined first.
    """

    def __init__(self, tokens, scores):
        self.numbers = {piece: index for index, piece in enumerate(tokens)}
        self.scores = scores

    def split(self, text):
        """The piece numbers of `text`, with the begin piece in front."""
        parts = list(text.replace(" ", SPACE_MARK))
        following = list(range(1, len(parts))) + [-1]
        previous = list(range(-1, len(parts) - 1))
        queue = []
        for left in range(len(parts) - 1):
            self._offer(queue, parts, left, left + 1)
        while queue:
            _, left, right, joined = heapq.heappop(queue)
            # A pair is stale when either side was joined elsewhere meanwhile.
            if following[left] != right or parts[left] + parts[right] != joined:
                continue
            parts[left], parts[right] = joined, ""
            following[left] = following[right]
            if following[right] >= 0:
                previous[following[right]] = left
                self._offer(queue, parts, left, following[left])
            following[right] = -1
            if previous[left] >= 0:
                self._offer(queue, parts, previous[left], left)
        return [BEGIN] + [n for part in parts if part for n in self._number(part)]

    def _offer(self, queue, parts, left, right):
        joined = parts[left] + parts[right]
        if joined in self.numbers:
            score = self.scores[self.numbers[joined]]
            heapq.heappush(queue, (-score, left, right, joined))

    def _number(self, part):
        if part in self.numbers:
            return [self.numbers[part]]
        return [self.numbers[f"<0x{byte:02X}>"] for byte in part.encode()]
