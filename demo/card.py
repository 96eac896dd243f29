"""Writes CARD.md: what the demo is, with the numbers just measured."""

import hashlib
from collections import Counter

from reference import wilson_interval

TEXT = """\
# SYNTHETIC demo: social questions and four tiny models

Nothing here is real benchmark data. The questions and the models are made by
the scripts in this folder to show and test the program. The figures say
nothing about any real model, and these models are no use outside this folder.

## Licence

CC0 1.0 (public domain): questions, models and scripts. See `LICENSE-CC0`.
No text, weights or vocabulary come from elsewhere.

## The questions

`questions.jsonl` holds {count} questions in the fields of SIQA: `context`,
`question`, `answerA`, `answerB`, `answerC` and `result` (`1`, `2` or `3`).
`generator.py` combines the events, fillers, names and feelings of `events.py`
into six kinds of question. A fifth of the (event, filler, kind) combinations
and of the ordered pairs of names is held out; the questions use only those and
the training uses only the others. Wrong options are right answers to other
events, and for feelings often the other person's feeling. They are chosen so
that the right option is equally often the shortest, the middle and the longest.

A guess by the wording of the options alone, without the context, should be worth
little too: wrong feelings are drawn as often as they are right elsewhere. In
training they are drawn evenly, which gets learning started (`generator.py`).

| fact | value |
|---|---|
| questions | {count} |
| with an apostrophe | {apostrophes} |
| duplicates of context and question | {duplicates} |
| right answer A / B / C | {labels} |
{baselines}

"Most words" and "fewest words" share the point where options tie.

## The models

Llama architecture, 0.74 million weights as Q8_0, SentencePiece vocabulary of
1536 pieces. All four are checkpoints of one training run. The prompt is
exactly

```
Context: {{context}}
Question: {{question}}
AnswerA: {{answerA}}
AnswerB: {{answerB}}
AnswerC: {{answerC}}
Answer:
```

without a line end after `Answer:`. The model answers ` A`, ` B` or ` C`.

| file | step | bytes | accuracy | 95 % interval | answers A / B / C | sha256 |
|---|---|---|---|---|---|---|
{models}

Measured greedily on the files above by `reference.py` (numpy, no model code
shared with the training); the interval is Wilson's. llama.cpp rounds the
intermediate values too, so through it a model may score a few questions more
or fewer. The checkpoints were chosen by their accuracy on this very set, to be
clearly apart, so the figures are no estimate of anything but this set.
`social-1` is at chance: it has learnt the form of an answer but not the task.
How often the models stop by themselves after the letter:

{stops}

## Make it again

```
python3 -m venv environment
environment/bin/pip install -r requirements.txt
environment/bin/python make_demo.py --out .
```

Five to ten minutes on two processor cores. The questions come out byte for
byte the same everywhere. The weights do so on the same type of processor with
the same package versions; elsewhere the last digits of sums differ, and
the accuracies and checksums with them.

To measure a model by hand: `python3 reference.py models/social-4.gguf
questions.jsonl`.
"""


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_line(result, count):
    low, high = wilson_interval(result["right"], count)
    path, answers = result["path"], result["answers"]
    spread = " / ".join(str(answers.get(f" {letter}", 0)) for letter in "ABC")
    return (
        f"| {path.name} | {result['step']} | {path.stat().st_size} "
        f"| {result['right'] / count:.1%} | {low:.1%} to {high:.1%} "
        f"| {spread} | `{checksum(path)}` |"
    )


def write_card(path, records, baselines, results):
    """Write the card from the finished questions and measurements."""
    count = len(records)
    labels = Counter(record["result"] for record in records)
    keys = {(record["context"], record["question"]) for record in records}
    apostrophes = sum(
        any("'" in value for value in record.values()) for record in records
    )
    text = TEXT.format(
        count=count,
        apostrophes=apostrophes,
        duplicates=count - len(keys),
        labels=" / ".join(str(labels[result]) for result in "123"),
        baselines="\n".join(
            f"| baseline: {name} | {share:.1%} |" for name, share in baselines.items()
        ),
        models="\n".join(model_line(result, count) for result in results),
        stops="\n".join(
            f"- {result['path'].name}: {result['stops']} of {count}"
            for result in results
        ),
    )
    path.write_text(text, encoding="utf-8")
