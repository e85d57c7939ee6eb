"""Rows that stand in the training part of one data set and in the test part of another."""

import re
from collections.abc import Mapping
from dataclasses import replace

from stance.core import Example
from stance.data.splits import Splits


def without_crossing(sets: Mapping[str, Splits], others: Mapping[str, Splits]) -> tuple[dict[str, Splits], list[str]]:
    """Take rows out of train and dev whose text occurs in the test part of another set.

    Texts are compared by their words in small letters. Within a set the split stays as published.

    Args:
        sets: The sets to learn from, by name.
        others: Further sets whose test parts are kept clear.

    Returns:
        The sets, and one sentence for each from which rows were taken.
    """
    tests = {name: {_words(e) for e in splits.test} for name, splits in {**others, **sets}.items()}
    kept, taken = {}, []
    for name, splits in sets.items():
        found = dict.fromkeys(tests, 0)
        parts: dict[str, list[Example]] = {"train": [], "dev": []}
        for part, rows in parts.items():
            for example in splits.parts()[part]:
                where = [other for other, texts in tests.items() if other != name and _words(example) in texts]
                for other in where:
                    found[other] += 1
                if not where:
                    rows.append(example)
        kept[name] = replace(splits, **parts)
        taken += [
            f"{name}: left out {count:,} rows whose text is in the test part of {other}"
            for other, count in found.items()
            if count
        ]
    return kept, taken


def _words(example: Example) -> str:
    return " ".join(re.findall(r"\w+", example.text.lower()))
