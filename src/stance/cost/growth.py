"""How cost grows with rows, length and labels: measured curves, each with its exponent. Writes nothing that stays."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stance.core import Example, LabelSet
from stance.cost.part import Part, Say, alone, known
from stance.cost.scoring import COLUMNS, score_timed
from stance.cost.synthetic import write_rows
from stance.cost.training import Lesson, time_training
from stance.data.prepared import prepare
from stance.data.rows import PLAIN
from stance.data.subsets import sample
from stance.encoding import Batch
from stance.errors import ModelError
from stance.evaluation.plots import growth
from stance.evaluation.report import markdown_table
from stance.finished import labelled_bundle
from stance.inference.backends import Backend, all_logits, open_backend
from stance.line import resolve_data, run_prepare
from stance.settings import DataSettings, LabelSettings, ModelSettings, PrepareJob, SpeedJob
from stance.training.hardware import choose_device

HEADS = ["what", "size", "seconds", "memory MB", "speed of the bare backend"]
ABOUT = {
    ("scoring", "rows"): "sentences of the test part, repeated, from file to file in a fresh process; beside it, how "
    "near that comes to the backend alone, which is given the same rows as batches ready to be computed",
    ("preparing", "rows"): "made-up rows, one in 50 a near duplicate, all checks, in a fresh process",
    ("scoring", "tokens"): "seconds for 1,000 rows of that length, in full batches",
    ("training", "labels"): "seconds to train {:,} rows once, from rows to a network",
}
REPEATS = 3
"""How often a batch of each length is run; the fastest counts."""


@dataclass(frozen=True)
class Cost:
    """Seconds, and where they were measured MB, and the share of the bare backend's speed that is reached."""

    seconds: float
    memory_mb: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Curve:
    """What was measured at each size."""

    name: str
    unit: str
    sizes: list[int]
    costs: list[Cost]

    @property
    def seconds(self) -> list[float]:
        """Those of each size."""
        return [cost.seconds for cost in self.costs]

    @property
    def exponent(self) -> float | None:
        """How the seconds grow."""
        return slope(self.sizes, self.seconds)

    def told(self) -> str:
        """Say how the cost grows."""
        held = [cost.memory_mb for cost in self.costs if cost.memory_mb is not None]
        grows = [("t", self.exponent), ("memory", slope(self.sizes, held) if held else None)]
        each = [f"{what} ~ n^{power:.2f}" for what, power in grows if power is not None]
        return f"{self.name}, {self.unit}: {', '.join(each) or 'one size alone'}"


def slope(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """Return the slope of log(value) over log(size), None for fewer than two sizes."""
    if len(set(sizes)) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure_growth(job: SpeedJob, root: Path, say: Say) -> Part:
    """Measure every curve that the settings give sizes for."""
    labels = job.labels.label_set
    bundle, manifest = labelled_bundle(job.bundle, root, job)
    backend = open_backend(bundle, manifest)
    splits = prepare(resolve_data(job.data, root), job.labels, root=root).splits
    test = sample(splits.test, job.rows)
    data = replace(
        job.data, name="growth", also=[], files={}, leave_out={}, format=PLAIN, columns=COLUMNS, download=False
    )
    data = replace(data, split=replace(data.split, by="group"), on_leak="warn", on_contradiction="warn")
    train = sample(splits.train, job.growth.label_rows)
    settings = replace(job.train, epochs=1, resume=False)
    lesson = Lesson(train, [], labels, job.model, settings, choose_device(job.training.device))
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        found = [
            _curve("scoring", "rows", job.growth.scored, lambda n: time_scoring(n, bundle, test, scratch), say),
            _curve("preparing", "rows", job.growth.prepared, lambda n: time_preparing(n, data, job, scratch), say),
            _curve("scoring", "tokens", job.growth.tokens, lambda n: time_length(n, backend, manifest.pad_id), say),
            _curve("training", "labels", job.growth.labels, lambda n: time_labels(n, lesson), say),
        ]
    return _part([curve for curve in found if curve.sizes], len(train))


def _curve(name: str, unit: str, sizes: Sequence[int], measure: Callable[[int], Cost], say: Say) -> Curve:
    costs = []
    for size in sizes:
        say(f"growth: {name}, {size:,} {unit}")
        costs.append(measure(size))
    return Curve(name, unit, list(sizes), costs)


def time_scoring(count: int, bundle: Path, examples: Sequence[Example], scratch: Path) -> Cost:
    """Score `count` rows from file to file in a fresh process, and by the backend alone."""
    source = scratch / "score.jsonl"
    with source.open("w", encoding="utf-8") as stream:
        for number in range(count):
            example = examples[number % len(examples)]
            row = {"id": str(number), "text": example.text, "holder": example.holder, "target": example.target}
            stream.write(json.dumps(row) + "\n")
    (seconds, bare), memory = alone(score_timed, bundle, source)
    return Cost(seconds, memory, bare / seconds)


def time_preparing(count: int, data: DataSettings, job: SpeedJob, scratch: Path) -> Cost:
    """Prepare `count` made-up rows, checks for duplicates included, in a fresh process."""
    source = write_rows(scratch / "prepare.jsonl", count, list(job.labels.names))
    warm = write_rows(scratch / "warm.jsonl", 10 * len(job.labels.names), list(job.labels.names))
    return Cost(*alone(_prepare, replace(data, path=str(warm)), replace(data, path=str(source)), job.labels, job.model))


def _prepare(warm: DataSettings, data: DataSettings, labels: LabelSettings, model: ModelSettings) -> float:
    for each in (warm, data):  # the first loads every module
        started = time.perf_counter()
        run_prepare(PrepareJob(data=each, labels=labels, model=model, force=True), Path(data.path).parent)
    return time.perf_counter() - started


def time_length(tokens: int, backend: Backend, pad_id: int) -> Cost:
    """Return the seconds for 1,000 rows of so many tokens, in full batches; which tokens they are changes nothing.

    Raises:
        ModelError: The model can't read so many.
    """
    rows = max(1, backend.tokens // tokens)
    ids = np.full((rows, tokens), pad_id, dtype=np.int64)
    batch = Batch(ids, np.ones_like(ids), np.zeros_like(ids), list(range(rows)))
    times = []
    for _ in range(REPEATS + 1):  # the first one warms up
        started = time.perf_counter()
        try:
            list(all_logits(backend, [batch] * backend.streams))
        except Exception as error:
            reason = str(error).splitlines()[0]
            told = f"growth.tokens: the model can't read {tokens} tokens ({reason}). Leave them out"
            raise ModelError(told) from error
        times.append(time.perf_counter() - started)
    return Cost(1000 * min(times[1:]) / rows / backend.streams)


def time_labels(count: int, lesson: Lesson) -> Cost:
    """Train on the lesson's rows under `count` labels that mean nothing; return seconds."""
    names = [f"label {number}" for number in range(count)]
    rows = [replace(example, label=names[i % count]) for i, example in enumerate(lesson.train)]
    lesson = replace(lesson, train=rows, test=rows[:1], labels=LabelSet(tuple(names)))
    return Cost(time_training(f"stance {lesson.settings.precision}", lesson, 1)[0])


def _part(curves: Sequence[Curve], label_rows: int) -> Part:
    cells = []
    for curve in curves:
        for size, cost in zip(curve.sizes, curve.costs, strict=True):
            measured = [f"{cost.seconds:,.2f}", known(cost.memory_mb, ",.0f"), known(cost.share, ".0%")]
            cells.append([curve.name, f"{size:,} {curve.unit}", *measured])
    notes = [f"{curve.told()}: {ABOUT[curve.name, curve.unit].format(label_rows)}" for curve in curves]
    notes.append("The exponents are slopes of a straight line through the logarithms; 1 is in proportion")
    metrics = {f"growth/{c.name} {c.unit} exponent": c.exponent for c in curves if c.exponent is not None}
    page = markdown_table(HEADS, cells) + "\n" + "".join(f"- {note}\n" for note in notes)
    figure = growth({f"{c.name}: {c.unit}": (c.unit, c.sizes, c.seconds) for c in curves})
    return Part(page, {"curves": [asdict(c) | {"exponent": c.exponent} for c in curves]}, metrics, figure)
