"""Makes synthetic social questions in the fields of SIQA.

A question is made from an event, a filler, a question kind and two names.
Some (event, filler, kind) combinations and some ordered pairs of names are
held out: the question set uses only those, training never sees them.
"""

import hashlib
import random
from dataclasses import dataclass

from events import (
    CLOSINGS,
    EVENTS,
    FEELINGS,
    NAMES,
    NEAR_CLUSTERS,
    NEAR_FEELINGS,
    OPENINGS,
    QUESTIONS,
)

LETTERS = "ABC"
FEELING_KINDS = ("feel_actor", "feel_other")
# Where wrong feelings are drawn from.  For the questions: the feelings of all
# events, so that one that is often right is offered wrongly as often, and the
# wording of an option alone tells little.  For training: each group alike.  The
# hint that leaves gets learning started; the questions do not reward it.
QUESTION_FEELINGS = [getattr(event, kind) for event in EVENTS for kind in FEELING_KINDS]
TRAINING_FEELINGS = list(FEELINGS)
HELD_OUT_PERCENT = 20
# How often the other person's feeling is a distractor.  It is the hard part:
# the reader has to know who did what to whom.
OTHER_PERSON_SHARE = 0.5
MAXIMUM_TRIES = 60


@dataclass(frozen=True)
class Row:
    """One question; `right` is the index of the right option."""

    context: str
    question: str
    options: tuple
    right: int
    kind: str

    def prompt(self):
        """The exact text the models are asked to continue."""
        lines = [f"Context: {self.context}", f"Question: {self.question}"]
        for letter, option in zip(LETTERS, self.options):
            lines.append(f"Answer{letter}: {option}")
        return "\n".join(lines) + "\nAnswer:"

    def record(self):
        """The row as it is written to questions.jsonl."""
        fields = {"context": self.context, "question": self.question}
        for letter, option in zip(LETTERS, self.options):
            fields[f"answer{letter}"] = option
        fields["result"] = str(self.right + 1)
        return fields


def is_held_out(*parts):
    """Decide by a hash, so that the split depends on nothing but the text."""
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def near(name, neighbourhoods):
    """`name` and all that must not be offered against it."""
    found = {name}
    for neighbours in neighbourhoods:
        if name in neighbours:
            found |= neighbours
    return found


def feeling_answers(event, kind, pool, generator):
    """A right feeling, and one wrong feeling of each of two other groups."""
    group = getattr(event, kind)
    other_kind = FEELING_KINDS[1 - FEELING_KINDS.index(kind)]
    other_group = getattr(event, other_kind)
    excluded = near(group, NEAR_FEELINGS)
    candidates = [name for name in pool if name not in excluded]
    while True:
        wrong_groups = generator.sample(candidates, 2)
        if wrong_groups[0] != wrong_groups[1]:
            break
    wanted = generator.random() < OTHER_PERSON_SHARE
    if wanted and other_group in candidates and other_group not in wrong_groups:
        wrong_groups[0] = other_group
    return [generator.choice(FEELINGS[name]) for name in (group, *wrong_groups)]


def event_answers(event, kind, generator):
    """A right answer, and one wrong answer of each of two other clusters.

    The wrong ones come from different clusters as well, so that the right one
    never stands out as the only one of its sort.
    """
    excluded = near(event.cluster, NEAR_CLUSTERS)
    strangers = [other for other in EVENTS if other.cluster not in excluded]
    while True:
        first, second = generator.sample(strangers, 2)
        if first.cluster != second.cluster:
            break
    chosen = (event, first, second)
    return [generator.choice(getattr(one, kind)) for one in chosen]


def length_rank(answers):
    """0, 1 or 2 when the first answer is the shortest, middle or longest."""
    return sorted(len(text) for text in answers).index(len(answers[0]))


def matched_answers(event, kind, names, rank, pool, generator):
    """Answers (right one first) whose right one has the wanted length rank.

    The length of an option must not tell whether it is right.  None when the
    right answer drawn allows no such choice.
    """
    for _ in range(MAXIMUM_TRIES):
        if kind in FEELING_KINDS:
            answers = feeling_answers(event, kind, pool, generator)
        else:
            answers = event_answers(event, kind, generator)
        answers = [text.format(**names) for text in answers]
        lengths = {len(text) for text in answers}
        if len(lengths) == 3 and length_rank(answers) == rank:
            return answers
    return None


def draw_combination(generator, held_out):
    """An event, a filler, a kind and two names from the wanted side."""
    while True:
        event = generator.choice(EVENTS)
        filler = generator.choice(event.fillers)
        kind = generator.choice(tuple(QUESTIONS))
        if is_held_out(event.context, filler, kind) != held_out:
            continue
        actor, other = generator.sample(NAMES, 2)
        if is_held_out(actor, other) == held_out:
            return event, filler, kind, {"X": actor, "Y": other}


def make_row(generator, held_out, rank, right):
    """One question with the wanted length rank and right letter."""
    pool = QUESTION_FEELINGS if held_out else TRAINING_FEELINGS
    while True:
        event, filler, kind, names = draw_combination(generator, held_out)
        answers = matched_answers(event, kind, names, rank, pool, generator)
        if answers is None:
            continue
        frame = generator.choice(OPENINGS) + event.context
        frame += generator.choice(CLOSINGS)
        wrong = answers[1:]
        generator.shuffle(wrong)
        options = wrong[:right] + answers[:1] + wrong[right:]
        return Row(
            context=frame.format(F=filler, **names),
            question=QUESTIONS[kind].format(**names),
            options=tuple(options),
            right=right,
            kind=kind,
        )


def training_rows(count, seed):
    """`count` questions that avoid everything held out."""
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        rank, right = generator.randrange(3), generator.randrange(3)
        rows.append(make_row(generator, False, rank, right))
    return rows


def question_set(count, seed):
    """`count` held-out questions without duplicates.

    Each of the nine pairs of length rank and right letter is used equally
    often, so that no letter and no length is a better guess than another.
    """
    generator = random.Random(seed)
    rows, seen = [], set()
    while len(rows) < count:
        rank, right = divmod(len(rows) % 9, 3)
        row = make_row(generator, True, rank, right)
        key = (row.context, row.question)
        if key not in seen:
            seen.add(key)
            rows.append(row)
    generator.shuffle(rows)
    return rows


def share_right(rows, score):
    """Share of rows won by the option with the highest score; ties share."""
    total = 0.0
    for row in rows:
        scores = [score(option) for option in row.options]
        best = max(scores)
        if scores[row.right] == best:
            total += 1 / scores.count(best)
    return total / len(rows)


def baselines(rows):
    """What one scores without reading the context."""
    result = {
        f"always {letter}": sum(row.right == index for row in rows) / len(rows)
        for index, letter in enumerate(LETTERS)
    }
    result["shortest option"] = share_right(rows, lambda text: -len(text))
    result["longest option"] = share_right(rows, len)
    result["most words"] = share_right(rows, lambda text: len(text.split()))
    result["fewest words"] = share_right(rows, lambda text: -len(text.split()))
    return result
