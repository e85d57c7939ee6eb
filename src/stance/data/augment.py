"""Changes training rows without changing their answer: swaps states, leaves out holder or target."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np

from stance.core import Example
from stance.settings import AugmentSettings

FORMS = ("name", "adjective", "people", "capital")
_AN_BEFORE = re.compile(r"[AEIO]|Uzb")
_PLACES = "(?:Ocean|Sea|Canal|Gulf|River|Basin|Peninsula)"
_SENTENCE_START = re.compile(r"""(?:^|[.!?]["”’]?\s+)["“‘]?$""")


def augment(examples: Sequence[Example], settings: AugmentSettings, rng: np.random.Generator) -> list[Example]:
    """Return as many examples, some of them changed, in the same order.

    A holder (target) is left out only where every row of the same text has the same label, and
    that label is not one of `settings.always_ask`, which may hold for just this holder and target.
    """
    answers: dict[str, set[str | None]] = defaultdict(set)
    for example in examples:
        answers[example.text].add(example.label)
    draws = rng.random((len(examples), 3))
    changed = []
    for example, (swap, holder, target) in zip(examples, draws, strict=True):
        if len(answers[example.text]) == 1 and example.label not in settings.always_ask:
            example = replace(example, holder=None) if holder < settings.drop_holder else example
            example = replace(example, target=None) if target < settings.drop_target else example
        changed.append(swap_states(example, rng) if swap < settings.swap_states else example)
    return changed


def swap_states(example: Example, rng: np.random.Generator) -> Example:
    """Give every state in the example the place of another one, drawn from all of them.

    Names, adjectives, peoples and capitals of one state move together; "a" and "an" follow.
    A state that lacks a form that the text needs is not drawn. The condition stays a copy of words of the text.
    """
    table, _, pattern = _states()
    fields = ("text", "holder", "target", "condition")
    needed: dict[int, set[int]] = defaultdict(set)
    for value in filter(None, (getattr(example, name) for name in fields)):
        for match in pattern.finditer(value):
            state, form = _find(match)
            needed[state].add(form)
    if not needed:
        return example
    chosen: dict[int, int] = {}
    for state, forms in needed.items():
        free = [
            s
            for s, row in enumerate(table)
            if s not in needed and s not in chosen.values() and all(row[f] for f in forms)
        ]
        chosen[state] = int(rng.choice(free)) if free else state

    def put(match: re.Match[str]) -> str:
        state, form = _find(match)
        starts = match.string == example.text and _SENTENCE_START.search(match.string[: match.start()])
        own = form == 0 and (table[state][0].startswith("the ") or not match["before"])
        return _worded(match["before"] or "", table[chosen[state]][form], own, bool(starts))

    values = {name: pattern.sub(put, value) for name in fields if (value := getattr(example, name))}
    if example.condition and (copied := re.search(re.escape(values["condition"]), values["text"], re.IGNORECASE)):
        values["condition"] = copied[0]
    return replace(example, **values)  # type: ignore[arg-type]


def _worded(before: str, word: str, own: bool, starts: bool) -> str:
    """The new word, with its `own` article or with that which was `before` it, capital where a sentence starts."""
    if own and before.lower() not in ("a ", "an "):
        return word[0].upper() + word[1:] if starts else word
    word = word.removeprefix("the ")
    if before.lower() in ("a ", "an "):
        article = "an " if _AN_BEFORE.match(word) else "a "
        before = article.capitalize() if before[0].isupper() else article
    return before + word


def _find(match: re.Match[str]) -> tuple[int, int]:
    return _states()[1][match["word"]]


@cache
def _states() -> tuple[list[tuple[str, ...]], dict[str, tuple[int, int]], re.Pattern[str]]:
    """The table of states, word -> (state, form), and a pattern that finds any of the words."""
    lines = resources.files("stance.data").joinpath("states.csv").read_text("utf-8").splitlines()
    table = [tuple(row[form] for form in FORMS) for row in csv.DictReader(lines)]
    words = {
        word.removeprefix("the "): (state, form)
        for state, row in enumerate(table)
        for form, word in enumerate(row)
        if word
    }
    longest = sorted(map(re.escape, words), key=len, reverse=True)
    word = rf"(?P<word>{'|'.join(longest)})(?![\w-])(?! {_PLACES}\b)"
    pattern = rf"(?P<before>\b(?:[Tt]he|[Aa]n?) )?(?<!Northern )(?<![\w-]){word}"
    return table, words, re.compile(pattern)
