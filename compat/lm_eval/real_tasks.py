"""Compares prompts on the task files that come with lm-evaluation-harness, on rows made up for each.

    venv/bin/python compat/lm_eval/real_tasks.py prompts.jsonl                # those that need no Python
    venv/bin/python compat/lm_eval/real_tasks.py prompts.jsonl --functions    # those whose texts come from functions
    cargo run -p tasks --example compare_prompts -- <folder of lm_eval/tasks> prompts.jsonl

The datasets themselves are not needed: which fields a task reads is seen from its templates, and a row is made with
values of the kind that lets the task run. Nothing of the result is kept, because it holds their prompts.
"""

import collections
import json
import logging
import os
import random
import re
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import datasets  # noqa: E402
import lm_eval.api.task as api  # noqa: E402
import lm_eval.tasks  # noqa: E402
from jinja2 import Environment, meta  # noqa: E402
from lm_eval.tasks._yaml_loader import load_yaml  # noqa: E402

FUNCTIONS = "--functions" in sys.argv
ROOT = Path(lm_eval.tasks.__file__).parent
TEXTS = ["It's \"late\".", " Zoë went, 2 times!", "a [b] (c) {d}", "true", "entailment", "B", "the end\nof it "]
KEYS = ["process_docs", "doc_to_text", "doc_to_target", "doc_to_choice", "fewshot_config", "output_type", "description",
        "target_delimiter", "gen_prefix", "num_fewshot", "fewshot_delimiter", "generation_kwargs"]
TEXTS_OF = ["process_docs", "doc_to_text", "doc_to_target", "doc_to_choice"]
FUNCTION = re.compile(r"/[^\n]+\.\w+")


def word(draw, name, kind):
    number = draw.randrange(2)
    if kind == "number":
        return number
    if kind == "digits":
        return str(number)
    if kind == "letter":
        return draw.choice("AB")
    return f"{draw.choice(TEXTS)} {name}{number}"


def row(draw, uses, guess):
    made = {}
    for field_name, source in uses.items():
        name = re.escape(field_name)
        fields = sorted(set(re.findall(rf"\b{name}\.(\w+)\b(?!\()", source)) | set(re.findall(rf"\b{name}\[['\"](\w+)['\"]\]", source)))
        read = rf"\w+\[['\"]{name}['\"]\]"
        fields = sorted({*fields, *re.findall(rf"{read}\[['\"](\w+)['\"]\]", source)})
        is_list = re.search(rf"{read}\[\s*-?\d|\bin {read}|(?:len|enumerate|zip)\({read}", source) or re.search(rf"\b{name}\[\s*-?\d|\bin {name}\b|{name}\s*\|\s*(join|length|list)|\b{name}\.index", source)
        target = re.search(r"label|answer|gold|target|idx|correct|result|class", field_name)
        if fields:
            made[field_name] = {field: [word(draw, field + str(i), "text") for i in range(4)] if guess != "letter" else word(draw, field, "text") for field in fields}
        elif re.search(rf"literal_eval\(\w+\[['\"]{name}['\"]\]\)", source):
            made[field_name] = repr([word(draw, field_name + str(i), "text") for i in range(4)])
        elif re.search(rf"\bint\(\w+\[['\"]{name}['\"]\]\)", source):
            made[field_name] = str(draw.randrange(2))
        elif is_list or re.search(r"choices|options|endings|candidates|distractors", field_name):
            made[field_name] = [word(draw, field_name + str(i), "text") for i in range(4)]
        elif target:
            made[field_name] = word(draw, field_name, guess)
        else:
            made[field_name] = word(draw, field_name, "text")
    return made


def python_of(config):
    """The text of the files of the functions that make documents and texts of a task."""
    found = [config.get(key) for key in TEXTS_OF] + [(config.get("fewshot_config") or {}).get(key) for key in TEXTS_OF]
    paths = {f"{value.rpartition('.')[0]}.py" for value in found if isinstance(value, str) and FUNCTION.fullmatch(value)}
    return "\n".join(Path(path).read_text() for path in sorted(paths) if Path(path).exists())


def used(config, python=""):
    parts = []
    fewshot = config.get("fewshot_config") or {}
    for source in (config, fewshot):
        for key in ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix"):
            value = source.get(key)
            parts.extend(item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))
    source = "\n".join(parts)
    environment = Environment()
    environment.filters["regex_replace"] = lambda *_: ""
    names = set()
    for part in parts:
        names |= meta.find_undeclared_variables(environment.parse(part))
        if re.fullmatch(r"\w+", part):
            names.add(part)
    names |= set(re.findall(r"""\b(?:doc|x|example|row|line|item|dataset)\w*(?:\[|\.get\()["']([^"'\]\n]+)["']""", python))
    names = sorted(names)[:60]
    return {name: f"{source}\n{python}" for name in names}


def asked(config, guess, uses):
    draw = random.Random(str(config.get("task")))
    rows = [row(draw, uses, guess) for _ in range(40)]
    splits = {config.get(key) for key in ("training_split", "validation_split", "test_split", "fewshot_split")} - {None}
    made = datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split in splits})
    api.datasets.load_dataset = lambda *_, **__: made
    task = api.ConfigurableTask(config=dict(config))
    if task.config.num_fewshot is None:
        task.set_config("num_fewshot", 2 if task.config.output_type != "loglikelihood_rolling" else 0)
    shots = task.config.num_fewshot
    task.set_fewshot_seed(1234)
    task.build_all_requests(limit=3)
    requests = collections.defaultdict(list)
    for instance in task.instances:
        arguments = [part if isinstance(part, str) else part.get("until") for part in instance.args]
        assert all(isinstance(part, (str, list)) for part in arguments)
        requests[instance.doc_id].append(arguments)
    return {"rows": rows, "splits": sorted(splits), "shots": shots, "requests": [requests[number] for number in range(3)]}


def main():
    seen, counts = set(), collections.Counter()
    with Path(sys.argv[1]).open("w", encoding="utf-8") as out:
        for path in sorted(ROOT.glob("**/*.yaml")):
            try:
                config = load_yaml(path, resolve_func=False)
            except Exception:
                counts["cannot be read"] += 1
                continue
            if "group" in config or "class" in config or "task" not in config:
                continue
            python = python_of(config)
            if FUNCTIONS != bool(python):
                counts["without functions" if FUNCTIONS else "needs Python"] += 1
                continue
            if not FUNCTIONS and ("!function" in path.read_text() or ".py" in str(config) or "utils." in str(config)):
                counts["needs Python"] += 1
                continue
            shape = json.dumps({key: config.get(key) for key in (TEXTS_OF if FUNCTIONS else KEYS)}, sort_keys=True)
            if FUNCTIONS:  # Of functions that differ in a value only, one.
                shape = re.sub(r'(/[^"]+)\.\w+"', r'\1"', shape)
            if shape in seen:
                counts["same templates as another"] += 1
                continue
            seen.add(shape)
            uses = used(config, python)
            for guess in ("number", "digits", "letter", "text"):
                try:
                    found = asked(load_yaml(path) if FUNCTIONS else config, guess, uses)
                except BaseException as error:  # noqa: BLE001 - any guess may be the wrong one
                    last = error
                    continue
                counts["compared"] += 1
                out.write(json.dumps({"path": str(path.relative_to(ROOT)), **found}, ensure_ascii=False) + "\n")
                break
            else:
                counts["no rows found that let it run"] += 1
                if "-v" in sys.argv:
                    print(path.relative_to(ROOT), repr(last)[:150])
    print(dict(counts))


if __name__ == "__main__":
    main()
