"""Scores a file of any size: streams rows in, keeps their columns, adds the answers."""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from stance.atomic import whole_file
from stance.core import Example, LabelSet, Prediction
from stance.data.files import to_example
from stance.data.rows import Row, format_of, read_rows
from stance.errors import DataError
from stance.inference.predictor import Predictor
from stance.inference.scan import Scan, scan
from stance.settings import ColumnSettings


def score_file(
    predictor: Predictor,
    source: Path,
    target: Path,
    columns: ColumnSettings,
    on_row: Callable[[int], object],
    *,
    skip_bad: bool = False,
    on_scan: Callable[[Scan], object] = lambda seen: None,
) -> Scan:
    """Write each row of `source` with label, confidence, p_LABEL..., abstained, tokens_cut to `target`.

    Args:
        predictor: The model.
        source: JSONL, JSON, CSV, TSV or Parquet; it is read through once before the first answer.
        target: Appears only whole; its suffix decides the format.
        columns: Where text, holder and target are.
        on_row: Called with 1 after each row.
        skip_bad: Rows that can't be read get empty answers; without it they end the work before it begins.
        on_scan: Called with what the first reading saw.

    Returns:
        What the first reading saw.

    Raises:
        DataError: Rows that can't be read (the first 20, with file:line), or columns that would be lost.
    """
    added = ["label", "confidence", *(f"p_{label}" for label in predictor.labels.names), "abstained", "tokens_cut"]
    seen = scan(source, target, columns, added, skip_bad)
    on_scan(seen)
    with (
        whole_file(target) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        write = _csv_writer(stream, target) if format_of(target) != ".jsonl" else _json_writer(stream)
        for row, answer in _answered(predictor, _rows(source, columns, skip_bad)):
            write(_joined(row, answer, predictor.labels))
            on_row(1)
    return seen


def _rows(source: Path, columns: ColumnSettings, skip_bad: bool) -> Iterator[tuple[Row, Example | None]]:
    """Yield each row with its example; None: it can't be read."""
    for where, row in read_rows(source):
        example, problems = to_example(row, columns, None, {})
        if problems and not skip_bad:
            raise DataError(f"{where}: {problems[0]}; the file has changed while it was read")
        yield row, None if problems else example


def _answered(
    predictor: Predictor, rows: Iterator[tuple[Row, Example | None]]
) -> Iterator[tuple[Row, Prediction | None]]:
    """Yield every row in order, with the answer where it has an example."""
    waiting: deque[tuple[Row, bool]] = deque()

    def examples() -> Iterator[Example]:
        for row, example in rows:
            waiting.append((row, example is not None))
            if example is not None:
                yield example

    for answer in predictor.predict_many(examples()):
        while not waiting[0][1]:
            yield waiting.popleft()[0], None
        yield waiting.popleft()[0], answer
    yield from ((row, None) for row, _ in waiting)


def _joined(row: Row, answer: Prediction | None, labels: LabelSet) -> Row:
    kept = {("gold_label" if name == "label" else name): value for name, value in row.items()}
    odds = answer.probabilities if answer else {}
    return kept | {
        "label": answer and answer.label,
        "confidence": answer and round(answer.confidence, 6),
        **{f"p_{label}": round(odds[label], 6) if answer else None for label in labels.names},
        "abstained": answer and answer.abstained,
        "tokens_cut": answer and answer.tokens_cut,
    }


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
        flat = {
            k: json.dumps(v, ensure_ascii=False, default=str) if isinstance(v, (list, dict)) else v
            for k, v in row.items()
        }
        writers[0].writerow(flat)

    return write
