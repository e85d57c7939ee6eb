"""Reads rows of JSONL and CSV files as examples, with file:line in every error.

The rows are read here and not by `datasets`, whose readers turn "NA" into None and numbers
into text without a word.
"""

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from stance.core import Example, LabelSet, text_problem
from stance.errors import DataError, summarise
from stance.settings import ColumnSettings

Row = dict[str, Any]
SUFFIXES = (".jsonl", ".csv", ".tsv")
_MENDED_BY_HAND = "id", "group", "date", "condition", "split"


def find_files(path: Path) -> list[Path]:
    """Return the data files that `path` names: itself, or those of the folder, sorted.

    Raises:
        DataError: Nothing is there, or nothing of a known format.
    """
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
        if not found:
            raise DataError(f"{path}: no file ending in {', '.join(SUFFIXES)} in this folder")
        return found
    if not path.exists():
        raise DataError(f"{path}: no such file. Check data.path")
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: format '{path.suffix}' is not known; expected {', '.join(SUFFIXES)}")
    return [path]


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield ("file:line", row) one by one, in constant memory.

    Raises:
        DataError: A line is not UTF-8, not JSON, or has more or fewer fields than the header.
    """
    with path.open("rb") as stream:
        lines = _decoded(path, stream)
        yield from _json_rows(path, lines) if path.suffix == ".jsonl" else _csv_rows(path, lines)


def read_examples(
    path: Path, labels: LabelSet, columns: ColumnSettings, aliases: Mapping[str, str | None]
) -> list[Example]:
    """Read all labelled rows below `path`.

    Args:
        path: A file or a folder of files.
        labels: Every row's label must be one of these.
        columns: Which column holds what; without a split column, the file's name is the split.
        aliases: What the file says for a label, where it differs from the label's name; None: the row is left out.

    Raises:
        DataError: With all problems of all files, the first 20 in words.
    """
    examples: list[Example] = []
    faults: list[str] = []
    seen: set[str] = set()
    for file in find_files(path):
        before = len(examples), len(faults)
        try:
            for where, row in read_rows(file):
                seen.update(row)
                if aliases.get(str(row.get(columns.label)), "") is None:
                    continue
                example, found = to_example(row, columns, labels, aliases)
                faults += [f"{where}: {problem}" for problem in found]
                examples.append(example if columns.split else replace(example, split=file.stem))
        except DataError as error:
            faults.append(str(error))
        if (len(examples), len(faults)) == before:
            faults.append(f"{file}: the file has no rows; expected one example a line")
    faults += unseen_columns(columns, seen) if examples else []
    if faults:
        raise DataError(summarise(faults))
    return examples


def unseen_columns(columns: ColumnSettings, seen: Collection[str]) -> list[str]:
    """Name the columns that were given a name of their own and are in no row: a slip of the pen."""
    named = {field: getattr(columns, field) for field in ("holder", "target", *_MENDED_BY_HAND)}
    return [
        f"no row has a column '{column}'; the rows have {', '.join(sorted(seen))}. Check the name given for {field}"
        for field, column in named.items()
        if column and column != field and column not in seen
    ]


def to_example(
    row: Row, columns: ColumnSettings, labels: LabelSet | None, aliases: Mapping[str, str | None]
) -> tuple[Example, list[str]]:
    """Turn a row into an example and the list of its problems; with labels None it needs no label."""
    problems = _missing(row, columns, labels)
    text = row.get(columns.text)
    if columns.text in row:
        problems += filter(None, [text_problem(text, f"column '{columns.text}'")])
    values: dict[str, str | None] = {}
    for field in ("holder", "target", *_MENDED_BY_HAND):
        column = getattr(columns, field)
        values[field], problem = _optional(row.get(column) if column else None, column)
        problems += [problem] if problem else []
    label = None
    if labels is not None and columns.label in row:
        label = str(row[columns.label])
        label = aliases.get(label) or label
        try:
            labels.index(label)
        except DataError as error:
            problems.append(str(error))
    if values["date"] and not _is_date(values["date"]):
        problems.append(f"date {values['date']!r} is not a date; expected YYYY-MM-DD, such as 2024-01-05")
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
        if column not in row
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
    return () if value is None or value == "" else (str(value),)


def _decoded(path: Path, stream: Iterator[bytes]) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise DataError(f"{path}:{number}: byte 0x{byte:02X} is not UTF-8. Save the file as UTF-8") from error


def _json_rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not a JSON object: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: got {line.strip():.40}; expected a JSON object with named values")
        yield f"{path}:{number}", row


def _csv_rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, Row]]:
    reader = csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    try:
        header = reader.fieldnames or []
        twice = {str(name) for name in header if header.count(name) > 1}
        if twice:
            raise DataError(f"{path}:1: the column '{min(twice)}' is there twice; expected different names")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise DataError(
                    f"{where}: the number of fields differs from the header's {len(reader.fieldnames or [])}"
                )
            yield where, row
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num + 1}: broken CSV from this line on: {error}") from error
