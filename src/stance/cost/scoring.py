"""Times scoring a file; loads no more than predicting needs, so that its memory can be measured."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from stance.core import Example
from stance.data.files import to_example
from stance.data.rows import read_rows
from stance.inference.batch import score_file
from stance.inference.predictor import WINDOW, Predictor, load_predictor
from stance.settings import ColumnSettings

COLUMNS = ColumnSettings(
    text="text",
    label="label",
    holder="holder",
    target="target",
    id="id",
    group=None,
    date=None,
    condition=None,
    split=None,
    slices=[],
)
"""Of the files that growth is measured on."""


def score_timed(bundle: Path, source: Path) -> tuple[float, float]:
    """Score `source` into a file beside it; return the seconds, and those that the backend alone takes for its rows.

    Neither counts loading the model; the backend alone is given batches that are ready to be computed.
    """
    predictor = load_predictor(bundle)
    started = time.perf_counter()
    score_file(predictor, source, source.with_name("scored.jsonl"), COLUMNS, lambda rows: None)
    return time.perf_counter() - started, _bare_seconds(predictor, source)


def _bare_seconds(predictor: Predictor, source: Path) -> float:
    examples, seconds = _examples(source), 0.0
    while window := list(islice(examples, WINDOW)):
        batches = list(predictor.batches(window))
        started = time.perf_counter()
        predictor.compute(batches)
        seconds += time.perf_counter() - started
    return seconds


def _examples(source: Path) -> Iterator[Example]:
    return (to_example(row, COLUMNS, None, {})[0] for _, row in read_rows(source))
