"""The rows that the parity tasks are made of: synthetic, and the same each time."""

import json
import random
from pathlib import Path

DATA = Path(__file__).parent / "data"
NAMES = ["Ana", "Bo", "Zoë", "Li Wei", "O'Brien", "Ivan", "Mária", "J. R."]
PLACES = ["the café", "a station", "\"Home\"", "Łódź", "the sea-side", "room 3.14"]
THINGS = ["a red kite", "two old books", "bread & jam", "the key", "soup (hot)", "a map of 1,024 towns"]
VERBS = ["found", "lost", "sold", "painted", "didn't see"]


def choices(draw):
    picked = draw.sample(THINGS, 4)
    picked[draw.randrange(4)] += draw.choice(["", " again", " – twice", "!"])
    return picked


def question(draw, number):
    options = choices(draw)
    answer = draw.randrange(4)
    return {
        "id": number,
        "question": f"{draw.choice(NAMES)} {draw.choice(VERBS)} something at {draw.choice(PLACES)}. What?{draw.choice(['', ' ', chr(10)])}",
        "choices": options,
        "answer": answer,
        "letter": "ABCD"[answer],
        "text": options[answer],
        "also": sorted({answer, draw.randrange(4)}),
        "weight": draw.choice([1.0, 0.5, 1e-05, 3.25]),
        "flag": draw.random() < 0.5,
        "note": draw.choice([None, "it's", "say \"no\"", "both ' and \""]),
        "subject": draw.choice(["law", "computer science"]),
        "label": draw.randrange(2),
        "subjects": {"name": draw.choice(NAMES), "place": draw.choice(PLACES)},
    }


def sum_row(draw, number):
    left, right = draw.randrange(10, 900), draw.randrange(10, 900)
    total = left + right
    return {
        "question": f"{draw.choice(NAMES)} has {left} coins and gets {right} more. How many?",
        "answer": f"{left} and {right} make {total}.\n#### {total:,}",
        "final": f"{total:,}",
        "aliases": [f"{total}", f"{total:,}", f"{total} coins"][: draw.randrange(1, 4)],
        "word": draw.choice(["Yes", "No", "Maybe so"]),
        "number": number,
    }


def translation(draw, _number):
    name, verb, thing, place = (draw.choice(part) for part in (NAMES, VERBS, THINGS, PLACES))
    return {"source": f"{thing} {verb} {name}", "target": f"{name} {verb} {thing} at {place}, didn't {name.lower()}?  It was 10-12 &amp; 3.5%."}


def page(draw, _number):
    sentences = [f"{draw.choice(NAMES)} {draw.choice(VERBS)} {draw.choice(THINGS)}." for _ in range(draw.randrange(1, 6))]
    return {"page": draw.choice([" ", "", "\n"]) + draw.choice([" ", "\n", "  "]).join(sentences), "last": draw.choice(NAMES)}


def hellaswag(draw, _number):
    return {
        "activity_label": draw.choice(["Baking", "How to"]),
        "ctx_a": f"[header] {draw.choice(NAMES)} {draw.choice(VERBS)} {draw.choice(THINGS)} [title] then [step]",
        "ctx_b": draw.choice(["", "THE next", "élan vital"]),
        "endings": [f"[substeps] takes {thing}  [title] and goes. " for thing in choices(draw)],
        "label": str(draw.randrange(4)),
    }


def winogrande(draw, _number):
    return {
        "sentence": f"{draw.choice(NAMES)} {draw.choice(VERBS)} {draw.choice(THINGS)} because _ was at {draw.choice(PLACES)} .",
        "option1": draw.choice(NAMES),
        "option2": draw.choice(THINGS),
        "answer": draw.choice(["1", "2"]),
    }


def copa(draw, _number):
    return {
        "premise": f"{draw.choice(NAMES)} {draw.choice(VERBS)} {draw.choice(THINGS)}. ",
        "choice1": f"The {draw.choice(['dog', 'cat'])} {draw.choice(VERBS)} it.",
        "choice2": f"Éva {draw.choice(VERBS)} it.",
        "question": draw.choice(["cause", "effect"]),
        "label": draw.randrange(2),
    }


def race(draw, _number):
    def problem(end):
        return {"question": f"{draw.choice(NAMES)} {draw.choice(VERBS)}{end}", "answer": draw.choice("ABCD"), "options": choices(draw)}

    problems = [problem(draw.choice(["  _  .", " what?", " _ ."])) for _ in range(draw.randrange(1, 4))]
    return {"article": f"{draw.choice(NAMES)} went to {draw.choice(PLACES)}.\nIt's \"late\".", "problems": repr(problems)}


def medqa(draw, _number):
    endings = choices(draw)
    return {"sent1": f"{draw.choice(NAMES)} {draw.choice(VERBS)} what?", **{f"ending{i}": text for i, text in enumerate(endings)}, "label": draw.randrange(4)}


def logiqa(draw, _number):
    return {
        "context": f"All who {draw.choice(VERBS)} {draw.choice(THINGS)} are here.",
        "question": "Which follows?",
        "options": choices(draw),
        "label": draw.choice(["a", "b", "c ", "d"]),
    }


def truthful(draw, _number):
    labels = [1] + [draw.randrange(2) for _ in range(3)] + [0]
    return {"question": f"What is at {draw.choice(PLACES)}?", "mc2_targets": {"choices": draw.sample(THINGS, 5), "labels": labels}}


def mmlu_pro(draw, _number):
    return {
        "question": f"{draw.choice(NAMES)} {draw.choice(VERBS)} what?",
        "options": [f" {option}" for option in choices(draw)],
        "answer": draw.choice("ABCD"),
        "cot_content": f"A: Let's think step by step. {draw.choice(NAMES)} knows. The answer is ({draw.choice('ABCD')}).",
        "category": draw.choice(["law", "math"]),
    }


def wikitext(draw, _number):
    parts = ["The \" big \" cats ' tails ( and , 1 @,@ 000 @-@ old [ sic ] { ones } ) .", "= = History = =\n It was 5 @.@ 5 ° N of", "/' 5/ : she 's ; no ! yes ? ' so '", "= = = Notes = = ="]
    return {"page": " \n ".join(draw.sample(parts, draw.randrange(1, 4)))}


def medmcqa(draw, _number):
    row = dict(zip(["opa", "opb", "opc", "opd"], choices(draw), strict=True))
    return {"question": f"{draw.choice(NAMES)} {draw.choice(VERBS)} what?", **row, "cop": draw.randrange(4)}


def mathqa(draw, _number):
    options = " , ".join(f"{letter} ) {draw.randrange(99)} {draw.choice(['km', 'rs .', '%'])}" for letter in "abcde")
    return {"Problem": f"How many {draw.choice(THINGS)}?", "options": options, "correct": draw.choice("abcde")}


def mnli(draw, _number):
    return {"premise": draw.choice(PLACES), "hypothesis": draw.choice([" It is .", "It is", "So it is.\n"]), "label": draw.randrange(3)}


def arithmetic(draw, _number):
    return {"context": f"\n\nQ: What is {draw.randrange(9)} plus 2?\n\nA: ", "completion": f" {draw.randrange(11)}"}


def pubmedqa(draw, _number):
    return {"CONTEXTS": choices(draw), "QUESTION": "Does it?", "final_decision": draw.choice(["yes", "no", "maybe"])}


def wsc273(draw, _number):
    pronoun = draw.choice(["he", "His", "they", "her"])
    before = draw.choice(["The dog saw  him and", "The cat slept.", "It rained, so"]).replace("  ", " ")
    return {
        "text": f"{before} {pronoun} ran  away.",
        "pronoun": pronoun,
        "pronoun_loc": len(before) + 1,
        "options": [draw.choice(["The dog", "Ana"]), draw.choice(["A cat", "His friend", "Bo"])],
        "label": draw.randrange(2),
    }


MAKERS = {
    "questions": (question, {"train": 31, "validation": 12, "test": 9}),
    "sums": (sum_row, {"train": 100, "test": 8}),
    "translations": (translation, {"test": 9}),
    "pages": (page, {"train": 5, "test": 7}),
    "hellaswag": (hellaswag, {"train": 12, "validation": 8}),
    "winogrande": (winogrande, {"train": 12, "validation": 8}),
    "copa": (copa, {"train": 12, "validation": 8}),
    "race": (race, {"test": 9}),
    "medqa": (medqa, {"train": 12, "test": 8}),
    "logiqa": (logiqa, {"train": 12, "test": 8}),
    "truthful": (truthful, {"validation": 8}),
    "wikitext": (wikitext, {"test": 8}),
    "medmcqa": (medmcqa, {"validation": 8}),
    "mathqa": (mathqa, {"train": 12, "test": 8}),
    "mnli": (mnli, {"train": 12, "validation": 8}),
    "arithmetic": (arithmetic, {"validation": 8}),
    "pubmedqa": (pubmedqa, {"test": 8}),
    "wsc273": (wsc273, {"test": 8}),
    "mmlu_pro": (mmlu_pro, {"validation": 10, "test": 12}),
}


def write():
    """Writes every split and gives its path by dataset and split."""
    DATA.mkdir(exist_ok=True)
    paths = {}
    for dataset, (make, splits) in MAKERS.items():
        for split, count in splits.items():
            draw = random.Random(f"{dataset} {split}")
            rows = [make(draw, number) for number in range(count)]
            if dataset == "questions" and split == "train":
                rows.append(dict(rows[0]))  # A pool with the same document twice.
            path = DATA / f"{dataset}.{split}.jsonl"
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
            paths.setdefault(dataset, {})[split] = f"data/{path.name}"
    return paths
