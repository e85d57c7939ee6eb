"""Turns the rows of a data set's files into examples, with file:line in every error."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from pathlib import Path

from stance.core import Example, LabelSet, text_problem
from stance.data.find import PART_NAMES, Patterns, find_files
from stance.data.rows import PLAIN, Row, read_rows
from stance.errors import DataError, summarise
from stance.settings import ColumnSettings, FormatSettings

MOST_ALIKE = 20
"""Files of so few rows may be alike by chance."""
_MENDED_BY_HAND = "id", "group", "date", "condition", "split"


@dataclass
class Reading:
    """What was read of a data set's files.

    Attributes:
        examples: In the order of the files and their rows.
        left_out: How many rows the settings leave out, by the column and value that decided it.
        columns: Every column that a row had.
    """

    examples: list[Example] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    columns: set[str] = field(default_factory=set)


def read_examples(
    path: Path,
    labels: LabelSet,
    columns: ColumnSettings,
    aliases: Mapping[str, str | None],
    *,
    files: Patterns | None = None,
    form: FormatSettings = PLAIN,
    leave_out: Patterns | None = None,
) -> Reading:
    """Read all labelled rows below `path`.

    Args:
        path: A file or a folder of files.
        labels: Every row's label must be one of these.
        columns: Which column holds what; where a row has no split column, the file may say what part it is.
        aliases: What the file says for a label, where it differs from the label's name; None: the row is left out.
        files: See find_files.
        form: Encoding and quotes of the files, and an ending that is cut off each text.
        leave_out: Column -> values; rows with one of them are not read.

    Raises:
        DataError: Two files hold the same rows. With all problems of all files, the first 20 in words.
    """
    nulls = [said for said, label in aliases.items() if label is None]
    unwanted = [(columns.label, nulls), *(leave_out or {}).items()]
    reading, faults, held = Reading(), list[str](), dict[Path, set[int]]()
    for file, part in find_files(path, files):
        before = len(reading.examples), len(faults)
        try:
            for where, row in read_rows(file, form):
                reading.columns.update(row)
                if reason := _unwanted(row, unwanted):
                    reading.left_out[reason] += 1
                    continue
                example, found = to_example(_cut(row, columns, form.ending), columns, labels, aliases)
                faults += [f"{where}: {problem}" for problem in found]
                reading.examples.append(example if example.split else replace(example, split=part))
        except DataError as error:
            faults.append(str(error))
        held[file] = {hash((e.text, e.target, e.holder)) for e in reading.examples[before[0] :]}
        if (len(reading.examples), len(faults)) == before:
            faults.append(f"{file}: the file has no rows; expected one example a line")
    faults += unseen_columns(columns, reading.columns) if reading.examples else []
    faults += _copies(held)
    if faults:
        raise DataError(summarise(faults) + _own_labels(reading.examples, labels))
    return reading


def _unwanted(row: Row, unwanted: Sequence[tuple[str, Sequence[str]]]) -> str | None:
    """Say which column has a value for which the row is left out, None for a row that counts."""
    for column, values in unwanted:
        if (value := str(row.get(pick(row, column))).strip()) in values:
            return f"{pick(row, column)} {value}"
    return None


def _copies(held: Mapping[Path, set[int]]) -> list[str]:
    """Name the files of which more than half is in another one: two releases of one data set, or a copy."""
    pairs = ((one, other, len(held[one] & held[other])) for one, other in combinations(held, 2))
    return [
        f"{one}: {shared:,} of its {len(held[one]):,} different rows are in {other} too, as in two releases of one "
        "data set. Keep one of them, or name the files: 'data.files={train: [A], test: [B]}'"
        for one, other, shared in pairs
        if 2 * shared > min(len(held[one]), len(held[other])) > MOST_ALIKE
    ]


def _own_labels(examples: Collection[Example], labels: LabelSet) -> str:
    """Say how to name the labels of files in which no row has one of the label set."""
    unknown = {example.label or "None" for example in examples}
    if not 1 < len(unknown) <= 30 or "None" in unknown or unknown & set(labels.names):
        return ""
    names = ", ".join(re.sub(r"([\\()\[\]{}:=,])", r"\\\1", name) + ': ""' for name in sorted(unknown))
    return f"\nIf these are your labels, name them: labels.name=mine 'labels.names={{{names}}}'"


def _cut(row: Row, columns: ColumnSettings, ending: str | None) -> Row:
    name = pick(row, columns.text)
    text = row.get(name)
    if not ending or not isinstance(text, str) or not text.rstrip().endswith(ending):
        return row
    return row | {name: text.rstrip().removesuffix(ending).rstrip()}


def pick(row: Collection[str], column: str) -> str:
    """Return the first of the columns "a|b|c" that the row has; the last if it has none."""
    names = [column] if column in row else column.split("|")
    return next((name for name in names if name in row), names[-1])


def unseen_columns(columns: ColumnSettings, seen: Collection[str]) -> list[str]:
    """Name the columns that were given a name of their own and are in no row: a slip of the pen."""
    named = {field: getattr(columns, field) for field in ("holder", "target", *_MENDED_BY_HAND)}
    return [
        f"no row has a column '{column}'; the rows have {', '.join(sorted(seen))}. Check the name given for {field}"
        for field, column in named.items()
        if column and field not in column.split("|") and pick(seen, column) not in seen
    ]


def to_example(
    row: Row, columns: ColumnSettings, labels: LabelSet | None, aliases: Mapping[str, str | None]
) -> tuple[Example, list[str]]:
    """Turn a row into an example and the list of its problems; with labels None it needs no label."""
    problems = _missing(row, columns, labels)
    text_name, label_name = pick(row, columns.text), pick(row, columns.label)
    text = row.get(text_name)
    if text_name in row:
        problems += filter(None, [text_problem(text, f"column '{text_name}'")])
    values: dict[str, str | None] = {}
    for name in ("holder", "target", *_MENDED_BY_HAND):
        column = pick(row, getattr(columns, name) or "")
        values[name], problem = _optional(row.get(column) if column else None, column)
        problems += [problem] if problem else []
    label = None
    if labels is not None and label_name in row:
        label = str(row[label_name]).strip()
        label = labels.spelt(aliases.get(label) or label)
        try:
            labels.index(label)
        except DataError as error:
            problems.append(str(error))
    if values["date"] and not _is_date(values["date"]):
        problems.append(f"date {values['date']!r} is not a date; expected YYYY-MM-DD, such as 2024-01-05")
    if labels is not None and values["split"]:
        part = PART_NAMES.get(values["split"].lower())
        if part is None:
            problems.append(
                f"split '{values['split']}' is none of train, dev, test. Mend it, or let the rows be divided anew: "
                "data.columns.split=null"
            )
        values["split"] = part
    slices = {name: _slice_values(row.get(name)) for name in columns.slices if name in row}
    text = text if isinstance(text, str) else ""
    if values["condition"] and values["condition"] not in text:
        problems.append(f"condition {values['condition']!r} is not in the text; expected words copied from it")
    return Example(text=text, label=label, slices=slices, **values), problems


def _missing(row: Row, columns: ColumnSettings, labels: LabelSet | None) -> list[str]:
    needed = {"text": columns.text} | ({"label": columns.label} if labels else {})
    return [
        f"no column '{column}'; the row has {', '.join(map(str, row)) or 'none'}. "
        + (f"Set data.columns.{field}" if labels else f"Name it with --{field}-column")
        for field, column in needed.items()
        if pick(row, column) not in row
    ]


def _optional(value: object, column: str | None) -> tuple[str | None, str | None]:
    """Return (value or None, problem or None) of a column that may be empty."""
    if value is None or value == "":
        return None, None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    problem = text_problem(value, f"column '{column}'")
    return (None, problem) if problem else (str(value).strip(), None)


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _slice_values(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(str, value))
    text = "" if value is None else str(value)
    return (re.sub(r"^(\d+)\.0$", r"\1", text),) if text else ()  # 1.0 is what some tools make of 1
