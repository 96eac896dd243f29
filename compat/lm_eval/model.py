"""A model whose answers follow from a hash of what it is asked, so that both sides can be given the same ones."""

import hashlib

from lm_eval.api.model import LM

# What is said to each generating task; which one, the hash decides.
SAID = {
    "gen_strict_flexible": ["#### {n}", "I think {n}.", "so #### 1,024 or 12", "$3.50 then 7", "no idea", "#### 999"],
    "gen_multi_choice": ["The answer is (B).", "(C) surely", "a red kite", "THE KEY, of course!", "choose: D", "none", "soup (hot) (A"],
    "gen_majority": ["Yes", "No", "Maybe so", "yes", "No"],
    "gen_first_k": ["Yes", "No", "Maybe so"],
    "gen_map": [" yes", "NO ", "Maybe", "yes"],
    "gen_ignore": ["1,024 coins!", "  Yes.", "no 7", "Maybe so, 12", "the Yes"],
    "gen_aliases": ["100", "1,024", "Answer: 7 coins", "1024 Coins"],
    "gen_translate": ["Ana found the key at Łódź, didn't ana?  It was 10-12 & 3.5%.", "the key at Bo lost room 3.14 , it was", "It was 10-12 and", "", "Zoë sold soup (hot) soup (hot) at the café"],
    "gen_choice": ["a red kite", "the key", "bread & jam", "two old books"],
    "gen_defaults": ["Yes", "No", "Maybe so"],
    "gen_functions": ["{n}", "yes", "Maybe so", "1024"],
    "mmlu_pro_port": ["the answer is (A)", "The answer is B.", "answer is (C) then", "I do not know"],
}


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).digest()


class Scripted(LM):
    def __init__(self, task):
        super().__init__()
        self.task = task
        self.asked = []

    tokenizer_name = "scripted"

    def chat_template(self, chat_template=False):
        return "scripted"

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        written = "".join(f"<{turn['role']}>{turn['content']}</>" for turn in chat_history)
        return written + ("<assistant>" if add_generation_prompt else "")

    def answer(self, request, response):
        self.asked.append((request, response))
        return response

    def loglikelihood(self, requests):
        def one(context, continuation):
            seed = digest(self.task, context, continuation)
            # Rounded so that some choices tie.
            value = -round(int.from_bytes(seed[:4], "big") / 2**32 * 24, 1) - len(continuation) / 16
            return value, seed[4] % 4 == 0

        return [self.answer(request.args, one(*request.args)) for request in requests]

    def loglikelihood_rolling(self, requests):
        def one(text):
            return -len(text) * (0.5 + digest(self.task, text)[0] / 256)

        return [self.answer(request.args, one(*request.args)) for request in requests]

    def generate_until(self, requests):
        replies = []
        for number, request in enumerate(requests):
            said = SAID[self.task]
            seed = digest(self.task, request.args[0], str(number))
            text = said[seed[0] % len(said)]
            text = text.replace("{n}", str(request.doc.get("final", "")))
            replies.append(self.answer(request.args, text))
        return replies
