"""Finds states in an example, by name, adjective, people or capital, and puts others in their place."""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources

from stance.core import Example

FORMS = ("name", "adjective", "people", "capital")
STAND_INS = (
    *("Norway", "Egypt", "Canada", "Greece", "Hungary", "Poland"),
    *("Kenya", "Peru", "Spain", "Denmark", "Chile", "Nepal"),
)
"""States with short, regular forms; the first stands for the holder's state."""
_AN_BEFORE = re.compile(r"[AEIO]|Uzb")
_PLACES = "(?:Ocean|Sea|Canal|Gulf|River|Basin|Peninsula)"
_NOT_AFTER = "".join(f"(?<!{word} )" for word in ("Northern", "Latin", "South", "North", "Central", "New"))
_SENTENCE_START = re.compile(r"""(?:^|[.!?]["”’]?\s+)["“‘]?$""")


def find_states(example: Example) -> dict[int, set[int]]:
    """Return the states named in holder, target, text and condition, in this order: row of state_table() -> forms."""
    found: dict[int, set[int]] = defaultdict(set)
    for value in filter(None, (example.holder, example.target, example.text, example.condition)):
        for match in _pattern().finditer(value):
            state, form, _ = _words()[match["word"]]
            found[state].add(form)
    return found


def rename_states(example: Example, chosen: Mapping[int, int]) -> Example:
    """Give states (rows of state_table()) the place of others; those not in `chosen` stay as they are.

    Names, adjectives, peoples and capitals of one state move together; "a" and "an" follow.
    The condition stays a copy of words of the text.
    """
    if not chosen:
        return example

    def put(match: re.Match[str]) -> str:
        state, form, article = _words()[match["word"]]
        if state not in chosen:
            return match[0]
        starts = match.string == example.text and _SENTENCE_START.search(match.string[: match.start()])
        own = form == 0 and (article or not match["before"])
        return _worded(match["before"] or "", state_table()[chosen[state]][form], own, bool(starts))

    fields = ("text", "holder", "target", "condition")
    values = {name: _pattern().sub(put, value) for name in fields if (value := getattr(example, name)) is not None}
    if example.condition and (copied := re.search(re.escape(values["condition"]), values["text"], re.IGNORECASE)):
        values["condition"] = copied[0]
    return replace(example, **values)  # type: ignore[arg-type]


def stand_ins(example: Example) -> Example:
    """Give every state a stand-in: the holder's the first, all others the next ones as they appear.

    Two examples that differ only in which states of states.csv they name become equal, up to words
    that follow another spelling. States beyond the last stand-in keep their names, and so do words
    that the table doesn't know, such as "US" or those with a hyphen.
    """
    of_holder = example.holder and _pattern().search(example.holder)
    free = _stand_in_rows()[0 if of_holder else 1 :]
    return rename_states(example, dict(zip(find_states(example), free, strict=False)))


@cache
def state_table() -> list[tuple[str, ...]]:
    """Return one row a state: name, adjective, people, capital; an empty form is one that it lacks."""
    return [tuple(cell.split("|")[0] for cell in row) for row in _cells()]


@cache
def _cells() -> list[tuple[str, ...]]:
    """The table as written: a cell may hold further forms that are found, but never put."""
    lines = resources.files("stance").joinpath("states.csv").read_text("utf-8").splitlines()
    return [tuple(row[form] for form in FORMS) for row in csv.DictReader(lines)]


@cache
def _stand_in_rows() -> tuple[int, ...]:
    names = [row[0] for row in state_table()]
    return tuple(names.index(name) for name in STAND_INS)


@cache
def _words() -> dict[str, tuple[int, int, bool]]:
    """Word -> (state, form, whether "the" belongs to it)."""
    return {
        word.removeprefix("the "): (state, form, word.startswith("the "))
        for state, row in enumerate(_cells())
        for form, cell in enumerate(row)
        for word in cell.split("|")
        if word
    }


@cache
def _pattern() -> re.Pattern[str]:
    """Finds any of the words, with the article before it."""
    longest = sorted(map(re.escape, _words()), key=len, reverse=True)
    word = rf"(?=[A-Z])(?P<word>{'|'.join(longest)})(?![\w-])(?! {_PLACES}\b)"
    return re.compile(rf"(?P<before>\b(?:[Tt]he|[Aa]n?) )?{_NOT_AFTER}(?<![\w-]){word}")


def _worded(before: str, word: str, own: bool, starts: bool) -> str:
    """The new word, with its `own` article or with that which was `before` it, capital where a sentence starts."""
    if own and before.lower() not in ("a ", "an "):
        return word[0].upper() + word[1:] if starts else word
    word = word.removeprefix("the ")
    if before.lower() in ("a ", "an "):
        article = "an " if _AN_BEFORE.match(word) else "a "
        before = article.capitalize() if before[0].isupper() else article
    return before + word
