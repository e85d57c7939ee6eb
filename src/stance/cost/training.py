"""How fast the training loop learns, beside the stock Trainer and SetFit on the same rows. Writes nothing."""

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import Tensor, nn
from transformers.utils import logging

from stance.core import Classifier, Example, LabelSet
from stance.cost.part import Part, Say, Spread, alone, in_round, known, median_ratio, shown, spread
from stance.data.prepared import prepare
from stance.data.splits import Splits
from stance.data.subsets import sample
from stance.encoding import Batch
from stance.evaluation.metrics import macro_f1_of
from stance.evaluation.plots import throughput
from stance.evaluation.report import markdown_table
from stance.line import resolve_data
from stance.network import StanceNetwork
from stance.settings import ModelSettings, SpeedJob, TrainSettings
from stance.training.finetuning import LabelTask, Session, learn
from stance.training.hardware import choose_device, use_bf16
from stance.training.setfit_baseline import BATCH, SetFit, setfit_missing
from stance.training.stock_trainer import StockTrainer, trainer_missing
from stance.training.systems import Tuned
from stance.training.task import Task
from stance.training.tokenizer import load_tokenizer

REFERENCE = "Trainer fp32"
HEADS = ["way", "examples/s", f"against {REFERENCE}", "memory MB", "macro-F1"]


@dataclass(frozen=True)
class Lesson:
    """All that a training which is timed is given."""

    train: list[Example]
    test: list[Example]
    labels: LabelSet
    model: ModelSettings
    settings: TrainSettings
    device: str


@dataclass
class Trainings:
    """What was measured of one way to train: a value a round."""

    way: str
    rates: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingSpeed:
    """One way to train: medians with [lowest, highest] over the rounds; the scores are those of the timed networks."""

    way: str
    rate: Spread
    ratio: float | None
    memory_mb: float | None
    macro_f1: Spread


@dataclass
class Unscored:
    """A task whose epochs are not scored, so that the last one is kept."""

    task: Task
    done: int = 0

    @property
    def outputs(self) -> int:
        """As the task's."""
        return self.task.outputs

    @property
    def steps(self) -> int:
        """As the task's."""
        return self.task.steps

    def loss(self) -> nn.Module:
        """Return the task's loss."""
        return self.task.loss()

    def batches(self, epoch: int, skip: int) -> Iterator[tuple[Batch, Tensor]]:
        """Yield the task's batches."""
        return self.task.batches(epoch, skip)

    def scores(self, network: StanceNetwork, device: str) -> dict[str, float]:
        """Return a score that rises with every epoch."""
        self.done += 1
        return {"dev/main": float(self.done), "dev/macro_f1": 0.0, "dev/loss": 0.0}


def measure_training(job: SpeedJob, root: Path, say: Say) -> Part:
    """Train in every way in alternating rounds, each time in a fresh process; score what was trained on test."""
    labels = job.labels.label_set
    splits = prepare(resolve_data(job.data, root), job.labels, root=root).splits
    settings = replace(job.train, epochs=job.training.epochs, most_steps=0, resume=False)
    train, test = sample(splits.train, job.training.rows), sample(splits.test, job.rows)
    lesson = Lesson(train, test, labels, job.model, settings, choose_device(job.training.device))
    ways, absent = find_ways(lesson)
    timed = [Trainings(way) for way in ways]
    for number in range(job.training.rounds):
        for one in in_round(timed, number):
            say(f"training, round {number + 1} of {job.training.rounds}: {one.way}")
            (seconds, score), memory = alone(time_training, one.way, lesson, number + 1)
            one.rates.append(len(train) * settings.epochs / seconds)
            one.scores.append(score)
            one.memory += [memory] if memory is not None else []
    return _part(job, lesson, _rows(timed), absent)


def find_ways(lesson: Lesson) -> tuple[list[str], dict[str, str]]:
    """Return every way to train that the processor and the installed packages offer, and why others are missing."""
    precisions = ["bf16", "fp32"] if use_bf16(lesson.settings.precision, lesson.device) else ["fp32"]
    ways, absent = [f"stance {precision}" for precision in precisions], dict[str, str]()
    if "bf16" not in precisions:
        absent["bf16"] = f"the settings say {lesson.settings.precision}, and the hardware decides where that is auto"
    if missing := trainer_missing():
        absent["Trainer"] = missing
    else:
        ways += [f"Trainer {precision}" for precision in precisions]
    if missing := setfit_missing():
        absent["SetFit"] = missing
    else:
        ways.append("SetFit")
    return ways, absent


def time_training(way: str, lesson: Lesson, seed: int) -> tuple[float, float]:
    """Return the seconds of one training, after a short one that loads every module, and its macro-F1 on test."""
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    _fit(way, replace(lesson, train=lesson.train[: lesson.settings.batch_size]), seed)
    started = time.perf_counter()
    fitted = _fit(way, lesson, seed)
    seconds = time.perf_counter() - started
    answers = fitted.predict_proba(lesson.test).argmax(axis=1)
    return seconds, macro_f1_of(lesson.labels.indices(lesson.test), answers, len(lesson.labels))


def _fit(way: str, lesson: Lesson, seed: int) -> Classifier:
    system, _, precision = way.partition(" ")
    rows, labels, settings = lesson.train, lesson.labels, lesson.settings
    if system == "SetFit":
        steps = math.ceil(len(rows) * settings.epochs / (2 * BATCH))
        return SetFit(rows, labels, lesson.model, seed=seed, steps=steps, device=lesson.device)
    if system == "Trainer":
        return StockTrainer(rows, labels, lesson.model, settings, precision=precision, seed=seed, device=lesson.device)
    return train_unscored(replace(lesson, settings=replace(settings, precision=precision)), seed)


def train_unscored(lesson: Lesson, seed: int) -> Tuned:
    """Train as scripts/train.py does, but for the scores between epochs; a checkpoint is written after each."""
    tokenizer = load_tokenizer(lesson.model)
    task = LabelTask(Splits(lesson.train, [], []), lesson.labels, lesson.settings, tokenizer, seed)
    with tempfile.TemporaryDirectory() as folder:
        session = Session(seed=seed, device=lesson.device, checkpoint=Path(folder) / "checkpoint", key="speed")
        tuned = learn(Unscored(task), lesson.model, lesson.settings, session, tokenizer)
    return Tuned(lesson.labels, tuned.network, tuned.tokenizer, lesson.device)


def _rows(timed: Sequence[Trainings]) -> list[TrainingSpeed]:
    reference = next((one.rates for one in timed if one.way == REFERENCE), None)
    return [
        TrainingSpeed(
            way=one.way,
            rate=spread(one.rates),
            ratio=None if reference is None else median_ratio(one.rates, reference),
            memory_mb=max(one.memory, default=None),
            macro_f1=spread(one.scores),
        )
        for one in timed
    ]


def _part(job: SpeedJob, lesson: Lesson, rows: Sequence[TrainingSpeed], absent: dict[str, str]) -> Part:
    settings = lesson.settings
    notes = [
        f"{len(lesson.train):,} rows, epochs: {settings.epochs}, batches of {settings.batch_size}, learning rate "
        f"{settings.learning_rate:g}, on {lesson.device}; alternating rounds: {job.training.rounds}, each with a seed "
        "of its own (median [lowest, highest]); every training in a fresh process",
        "From rows to a trained network: loading the encoder and tokenising count, importing packages does not. "
        "No scores in between; stance writes a checkpoint after each epoch, the Trainer none",
        f"macro-F1 on {len(lesson.test):,} test rows, of the very networks that were timed",
        "The Trainer as it comes: all weights are trained, at one rate, rows in random order padded to the longest "
        "of their batch. stance as configs/train says",
    ]
    if any(row.way == "SetFit" for row in rows):
        notes.append("SetFit's pairs hold as many sentences as the rows times the epochs")
    notes += [f"{name} is left out: {reason}" for name, reason in absent.items()]
    metrics: dict[str, float] = {}
    for row in rows:
        values = {"examples_s": row.rate[0], "ratio": row.ratio, "memory_mb": row.memory_mb}
        values |= {"macro_f1": row.macro_f1[0]}
        metrics |= {f"training/{row.way} {key}": value for key, value in values.items() if value is not None}
    page = markdown_table(HEADS, [_cells(row) for row in rows]) + "\n" + "".join(f"- {note}\n" for note in notes)
    figure = throughput({row.way: row.rate for row in rows}, what="examples", plain="Trainer")
    return Part(page, {"rows": [asdict(row) for row in rows]}, metrics, figure)


def _cells(row: TrainingSpeed) -> list[str]:
    return [
        row.way,
        shown(row.rate, ",.1f"),
        known(row.ratio, ".2f"),
        known(row.memory_mb, ",.0f"),
        shown(row.macro_f1, ".3f"),
    ]
