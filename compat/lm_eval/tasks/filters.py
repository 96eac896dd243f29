"""Filters as task files of lm-evaluation-harness have them."""

from functools import partial


def process_docs(dataset, subject):
    return dataset.filter(lambda x: x["subject"] == subject)


def process_category(dataset, category):
    return dataset.filter(lambda x: x["category"] == category)


process_law = partial(process_docs, subject="law")
process_computer_science = partial(process_docs, subject="computer science")
process_category_law = partial(process_category, category="law")
