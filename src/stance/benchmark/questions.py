"""What a benchmark asks of every system: all rows, few rows, values left out, one target to another."""

from collections.abc import Callable
from dataclasses import dataclass

from stance.data.splits import Splits
from stance.data.subsets import cross_target, few_shot, leave_out, values_to_leave_out
from stance.errors import ConfigError, did_you_mean
from stance.settings import BenchmarkJob
from stance.training.setfit_baseline import setfit_missing
from stance.training.systems import NETWORKS, SYSTEMS


@dataclass(frozen=True)
class Question:
    """One way to train and test.

    Attributes:
        kind: A short name for files; the rows of questions of one kind are pooled into one table.
        name: In words.
        table: The heading of that table.
        splits: Seed -> what is trained and tested on.
        varies: Whether `splits` depends on the seed.
        least_steps: The fewest optimiser steps of a network; 0: as its epochs give.
        few: Training rows of each label, 0 for all.
    """

    kind: str
    name: str
    table: str
    splits: Callable[[int], Splits]
    varies: bool = False
    least_steps: int = 0
    few: int = 0


def ask(job: BenchmarkJob, splits: Splits) -> list[Question]:
    """Return all questions of a job, the one with all rows first.

    Raises:
        StanceError: The data does not allow one of them.
    """
    found = [Question("all", "all rows", "All training rows", lambda seed: splits)]
    for count in sorted(set(job.few_shot)):
        if count < 1:
            raise ConfigError(f"few_shot: got {count}; expected numbers of rows from 1, such as [8,16,32,64]")
        few_shot(splits, job.labels.label_set, count, 1)
        found.append(_few(job, splits, count))
    if job.leave_out:
        table = f"Each {job.leave_out} left out of training in turn"
        for value in values_to_leave_out(splits, job.leave_out, job.leave_out_most):
            part = leave_out(splits, job.leave_out, value)
            found.append(_fixed("leave_out", f"without {job.leave_out} '{value}'", table, part))
    for number, pair in enumerate(job.cross_target, 1):
        table = f"From one target to another: {pair}"
        found.append(_fixed(f"cross_target_{number}", f"from {pair}", table, cross_target(splits, pair)))
    return found


def _few(job: BenchmarkJob, splits: Splits, count: int) -> Question:
    def draw(seed: int) -> Splits:
        return few_shot(splits, job.labels.label_set, count, seed)

    table = f"{count} training rows of each label, drawn anew for each seed"
    name = f"{count} rows of each label"
    return Question(f"few_shot_{count}", name, table, draw, True, job.few_shot_steps, count)


def _fixed(kind: str, name: str, table: str, splits: Splits) -> Question:
    return Question(kind, name, table, lambda seed: splits)


def _same_as_model(job: BenchmarkJob) -> bool:
    return (job.plain_encoder, job.plain_learning_rate) == (job.model.encoder, job.train.learning_rate)


def present(job: BenchmarkJob, splits: Splits) -> tuple[list[str], dict[str, str]]:
    """Return the systems that can be run, and of each other one the reason why not.

    Raises:
        ConfigError: One is unknown, or none is left.
    """
    wanted = job.systems
    for name in wanted:
        if name not in SYSTEMS:
            known = f"expected some of {', '.join(SYSTEMS)}{did_you_mean(name, SYSTEMS)}"
            raise ConfigError(f"systems: got '{name}'; {known}")
    absent: dict[str, str] = {}
    for name in dict.fromkeys(wanted):
        field = "target" if name == "majority-per-target" else NETWORKS.get(name)
        if field and not any(getattr(example, field) for example in [*splits.train, *splits.test]):
            absent[name] = f"the data has no {field}s"
        elif name == "plain" and _same_as_model(job):
            absent[name] = "it would be the same as model"
        elif name == "setfit" and (missing := setfit_missing()):
            absent[name] = missing
    kept = [name for name in SYSTEMS if name in wanted and name not in absent]
    if not kept:
        raise ConfigError(f"systems: got {', '.join(wanted) or 'none'}, of which none can be run here. Add model")
    return kept, absent
