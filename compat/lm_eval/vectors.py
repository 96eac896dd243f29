"""Writes vectors.json: what lm-evaluation-harness makes of the task files in tasks/, under a scripted model.

Run it with an interpreter that has lm-eval 0.4.13 (no torch is needed):

    python3 -m venv venv && venv/bin/pip install --no-deps lm-eval==0.4.13
    venv/bin/pip install datasets dill evaluate jinja2 more_itertools numpy pytablewriter rouge-score sacrebleu \
        scikit-learn sqlitedict tqdm word2number pyyaml
    venv/bin/python compat/lm_eval/vectors.py
"""

import json
import math
import os
from pathlib import Path

os.environ["DISABLE_MULTIPROC"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
HERE = Path(__file__).parent.resolve()
os.chdir(HERE)

import numpy  # noqa: E402
import yaml  # noqa: E402
from lm_eval.evaluator import simple_evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from lm_eval.utils import make_table  # noqa: E402

import rows  # noqa: E402
from model import Scripted  # noqa: E402

RESAMPLES = 2000
CHATS = {"mc_letters_5_shot", "mc_prefix_2_shot", "mc_basic", "winogrande_port_3", "gen_defaults", "gen_strict_flexible", "ll_2_shot"}


def plain(value):
    """A value as JSON has it."""
    if isinstance(value, numpy.generic):
        value = value.item()
    if isinstance(value, numpy.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class Loader(yaml.CSafeLoader):
    pass


yaml.add_multi_constructor("!", lambda _loader, _tag, node: node.value, Loader=Loader)


def read(path):
    config = yaml.load(path.read_text(), Loader=Loader)
    included = config.get("include")
    if included:
        config = {**read(path.parent / included), **config}
    return config


def evaluated(manager, task):
    model = Scripted(task)
    result = simple_evaluate(model=model, tasks=[task], task_manager=manager, bootstrap_iters=RESAMPLES, log_samples=True)
    samples = []
    for sample in result["samples"][task]:
        samples.append(
            {
                "document": sample["doc_id"],
                "filter": sample["filter"],
                "target": plain(sample["target"]),
                "requests": plain(sample["arguments"]),
                "responses": plain(sample["resps"]),
                "filtered": plain(sample["filtered_resps"]),
                "metrics": {name: plain(sample[name]) for name in sample["metrics"]},
            }
        )
    for sample, own in zip(result["samples"][task][:2], samples[:2], strict=True):
        own["hashes"] = [sample["doc_hash"], sample["prompt_hash"], sample["target_hash"]]
    # The same requests under every filter are written once.
    first = samples[0]["filter"]
    for sample in samples:
        if sample["filter"] != first:
            del sample["requests"], sample["responses"]
    return {"samples": samples, "results": plain(result["results"][task]), "higher_is_better": plain(result["higher_is_better"][task])}


def prompts(manager, task, multiturn):
    """The prompts under a chat template."""
    model = Scripted(task)
    options = {"apply_chat_template": True, "fewshot_as_multiturn": multiturn, "system_instruction": "Be brief."}
    result = simple_evaluate(model=model, tasks=[task], task_manager=manager, bootstrap_iters=0, log_samples=True, limit=2, **options)
    first = result["samples"][task][0]["filter"]
    return [plain(sample["arguments"]) for sample in result["samples"][task] if sample["filter"] == first]


def main():
    paths = rows.write()
    manager = TaskManager(include_path=str(HERE / "tasks"), include_defaults=False)
    vectors = {"version": "lm-eval 0.4.13", "resamples": RESAMPLES, "tasks": {}, "groups": {}}
    groups = []
    for path in sorted((HERE / "tasks").glob("*.yaml")):
        config = read(path)
        if "group" in config:
            groups.append((path, config["group"]))
            continue
        if "task" not in config:
            continue
        vector = {"file": path.name, "splits": paths[config["metadata"]["rows"]], **evaluated(manager, config["task"])}
        if config["task"] in CHATS:
            vector["chat"] = {mode: prompts(manager, config["task"], mode == "multiturn") for mode in ("multiturn", "one question")}
        vectors["tasks"][config["task"]] = vector
    for path, group in groups:
        model = Scripted("group")
        result = simple_evaluate(model=model, tasks=[group], task_manager=manager, bootstrap_iters=RESAMPLES)
        members = [name for name in result["results"] if name != group]
        vectors["groups"][group] = {
            "file": path.name,
            "members": {name: plain(result["results"][name]) for name in members},
            "n-shot": plain(result["n-shot"]),
            "table": make_table(result).rstrip() + "\n\n" + make_table(result, "groups").rstrip() + "\n",
            "results": plain(result["groups"][group]),
        }
    text = json.dumps(vectors, ensure_ascii=False, indent=1, sort_keys=True)
    (HERE / "vectors.json").write_text(text + "\n", encoding="utf-8")
    samples = sum(len(vector["samples"]) for vector in vectors["tasks"].values())
    print(f"{len(vectors['tasks'])} tasks, {samples} samples, {len(vectors['groups'])} groups")


if __name__ == "__main__":
    main()
