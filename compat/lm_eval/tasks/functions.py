"""Functions of the kinds that task files have: small ones, which aobench runs from this file."""

import ast
import logging
import re
import string
from functools import partial

import datasets


logger = logging.getLogger(__name__)
LETTERS = list(string.ascii_uppercase)
KINDS = {True: "marked", False: "plain"}
PROMPT = "({kind}) {question}\n{options}\n\nAnswer:"


def _cleaned(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    if text.endswith("?"):
        text = text[:-1]
    return text


def process_docs(dataset: datasets.Dataset, subject) -> datasets.Dataset:
    def _process(doc):
        options = [re.sub(r"(\w+) again", r"\1 anew", choice).title() for choice in doc["choices"]]
        logger.info("one more")
        return {
            "question": _cleaned(doc["question"]),
            "options": options,
            "gold": LETTERS.index(doc["letter"]),
            "written": f"{doc['also']!r} of {len(options)}: {doc['weight'] * 2:.3f} {doc['note']}",
        }

    return dataset.filter(lambda x: x["subject"] == subject and x["id"] % 5 != 1).map(_process)


process_law = partial(process_docs, subject="law")
process_computers = partial(process_docs, subject="computer " + "science")


def doc_to_text(doc):
    """A question with its options under letters."""
    lines = []
    for i, option in enumerate(doc["options"]):
        if not option:
            break
        lines.append(f"{LETTERS[i]}. {option}")
    return PROMPT.format(kind=KINDS[doc["flag"]], question=doc["question"], options="\n".join(lines))


def doc_to_choice(doc):
    return [LETTERS[i] for i in range(len(doc["options"]))]


def doc_to_target(doc) -> int:
    return doc["gold"]


def sum_to_text(doc):
    numbers = [int(found) for found in re.findall(r"\d+", doc["question"])]
    known = ast.literal_eval("{'a': 1, 'b': [2, 3.5]}")
    total = 0
    while numbers:
        total += numbers.pop()
    parity = "odd" if total % 2 else "even"
    return f"{doc['question'].rsplit('. ', 1)[-1]} ({parity}, {known['b'][-1]}, {-total // 7}, {doc['word'].lower()})"


def sum_to_target(doc):
    shown = {"Yes": "yes", "No": "no"}.get(doc["word"], doc["final"].replace(",", ""))
    return sorted(doc["aliases"], key=len)[0] if shown == "no" else shown
