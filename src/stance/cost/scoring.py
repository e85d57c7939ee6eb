"""Times scoring a file; loads no more than predicting needs, so that its memory can be measured."""

import time
from pathlib import Path

from stance.inference.batch import score_file
from stance.inference.predictor import load_predictor
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


def score_timed(bundle: Path, source: Path) -> float:
    """Score `source` into a file beside it; return the seconds, without those of loading the model."""
    predictor = load_predictor(bundle)
    started = time.perf_counter()
    score_file(predictor, source, source.with_name("scored.jsonl"), COLUMNS, lambda rows: None)
    return time.perf_counter() - started
