"""Scores a file of any size: streams rows in, keeps their columns, adds the answers."""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from stance.atomic import whole_file
from stance.core import Example, Prediction
from stance.data.files import find_files, to_example, unseen_columns
from stance.data.rows import WRITABLE, Row, format_of, read_rows
from stance.errors import DataError, summarise
from stance.inference.predictor import WINDOW, Predictor
from stance.settings import ColumnSettings

MOST_FAULTS = 20


def score_file(
    predictor: Predictor,
    source: Path,
    target: Path,
    columns: ColumnSettings,
    on_rows: Callable[[int], object],
    say: Callable[[str], object] = lambda line: None,
) -> int:
    """Write each row of `source` with label, confidence, p_LABEL..., abstained, tokens_cut to `target`.

    Args:
        predictor: The model.
        source: JSONL, CSV, TSV or Parquet.
        target: Appears only whole; its suffix decides the format.
        columns: Where text, holder and target are.
        on_rows: Called with the number of rows done since the last call.
        say: Called with a line where the first row has no column for holder or target.

    Returns:
        The number of rows written.

    Raises:
        DataError: Rows that can't be read (the first 20, with file:line), or columns that would be lost.
    """
    if format_of(target) not in WRITABLE:
        raise DataError(f"{target}: format '{target.suffix}' is not known; expected {', '.join(WRITABLE)}")
    if source.is_dir():
        raise DataError(f"{source}: is a folder; expected one file")
    find_files(source)
    waiting: deque[Row] = deque()

    def examples() -> Iterator[Example]:
        for number, (row, example) in enumerate(_rows(source, columns)):
            if number == 0:
                _name_absent(source, row, columns, say)
            waiting.append(row)
            yield example

    total = 0
    with (
        whole_file(target) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        write = _csv_writer(stream, target) if format_of(target) != ".jsonl" else _json_writer(stream)
        for answer in predictor.predict_many(examples()):
            write(_joined(waiting.popleft(), answer, source))
            total += 1
            on_rows(1)
    return total


def _rows(source: Path, columns: ColumnSettings) -> Iterator[tuple[Row, Example]]:
    """Yield good rows; after a bad one only look for more bad ones, then raise."""
    faults: list[str] = []
    columns_seen: set[str] = set()
    number = 0
    try:
        for number, (where, row) in enumerate(read_rows(source), 1):
            columns_seen.update(row)
            example, problems = to_example(row, columns, None, {})
            faults += [f"{where}: {problem}" for problem in problems]
            if number == WINDOW:
                faults += unseen_columns(columns, columns_seen)
            if len(faults) >= MOST_FAULTS:
                break
            if not faults:
                yield row, example
    except DataError as error:
        faults.append(str(error))
    if number < WINDOW and not faults and columns_seen:
        faults += unseen_columns(columns, columns_seen)
    if faults:
        raise DataError(summarise(faults, MOST_FAULTS))
    if not columns_seen:
        raise DataError(f"{source}: the file has no rows; expected one example a line")


def _name_absent(source: Path, row: Row, columns: ColumnSettings, say: Callable[[str], object]) -> None:
    """Say which part of the question no column gives: it is then taken from the text, maybe not as meant."""
    for field, column in (("holder", columns.holder), ("target", columns.target)):
        if column not in row:
            say(
                f"note: {source} has no column '{column}', so each text's obvious {field} is taken; it has "
                f"{', '.join(map(str, row))}. Name the column with --{field}-column, if one of these is it"
            )


def _joined(row: Row, answer: Prediction, source: Path) -> Row:
    added: Row = {"label": answer.label, "confidence": round(answer.confidence, 6)}
    added |= {f"p_{label}": round(p, 6) for label, p in answer.probabilities.items()}
    added |= {"abstained": answer.abstained, "tokens_cut": answer.tokens_cut}
    kept = {("gold_label" if name == "label" else name): value for name, value in row.items()}
    lost = set(kept) & set(added) | ({"gold_label"} if {"label", "gold_label"} <= set(row) else set())
    if lost:
        raise DataError(f"{source}: its column '{min(lost)}' is one that score adds. Rename it first")
    return kept | added


def _json_writer(stream: TextIO) -> Callable[[Row], object]:
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode  # str: decimals and bytes of Parquet files
    return lambda row: stream.write(encode(row) + "\n")


def _csv_writer(stream: TextIO, target: Path) -> Callable[[Row], object]:
    """Write rows of one set of columns: those of the first row."""
    writers: list[csv.DictWriter[Any]] = []

    def write(row: Row) -> None:
        if not writers:
            writers.append(csv.DictWriter(stream, list(row), delimiter="\t" if format_of(target) == ".tsv" else ","))
            writers[0].writeheader()
        extra = set(row) - set(writers[0].fieldnames)
        if extra:
            raise DataError(f"{target}: column '{min(extra)}' is not in the first row; write .jsonl instead of CSV")
        flat = {
            k: json.dumps(v, ensure_ascii=False, default=str) if isinstance(v, (list, dict)) else v
            for k, v in row.items()
        }
        writers[0].writerow(flat)

    return write
