"""What scripts/benchmark.py does, from settings to tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stance.atomic import check_replaceable, whole_folder
from stance.benchmark.page import Sheet, write_page
from stance.benchmark.questions import Question, ask, present
from stance.benchmark.runs import Outcome, Runner
from stance.core import Example
from stance.errors import ConfigError
from stance.evaluation.compare import Runs, compare
from stance.evaluation.measures import check_measured, measure_all
from stance.evaluation.plots import comparison, few_shot_curves
from stance.evaluation.tables import to_markdown
from stance.line import fitting_form, run_prepare
from stance.runlog import log_data
from stance.settings import BenchmarkJob, PrepareJob
from stance.tracking import Tracker, source_tags, start_run
from stance.training.finetuning import OnLog
from stance.training.hardware import choose_device
from stance.training.systems import SIMPLE, Recipe

Say = Callable[[str], object]
Outcomes = dict[str, list[Outcome]]


@dataclass(frozen=True)
class Benchmarked:
    """What a benchmark leaves behind: its folder, the page with the tables, the numbers, the MLflow run."""

    folder: Path
    page: str
    sheets: Sequence[Sheet]
    run_id: str | None


def run_benchmark(job: BenchmarkJob, root: Path, *, say: Say, on_log: OnLog, command: str = "") -> Benchmarked:
    """Train and test every system over the seeds, compare them, and write and log the result.

    Args:
        job: All settings.
        root: The project's folder.
        say: Called with a line for each step.
        on_log: See fine_tune.
        command: What was typed, for the report.

    Raises:
        StanceError: Settings or data can't be used; an earlier result stays as it was.
    """
    if not job.data.measures:
        raise ConfigError("data.measures: got none; expected at least one, such as macro_f1. See configs/data")
    check_replaceable(root / job.output, "scores.json")
    device = choose_device(job.device)
    say("preparing the data")
    prepared = run_prepare(PrepareJob(data=job.data, labels=job.labels, model=job.model, force=False), root)
    say(prepared.report)
    check_measured(job.data.measures, prepared.splits.test)
    recipe = Recipe(job, fitting_form(job.model, prepared.splits), device)
    systems, absent = present(job, prepared.splits)
    questions = ask(job, prepared.splits)
    for name, reason in absent.items():
        say(f"{name}: left out, {reason}")
    runner = Runner(recipe, root / job.cache)
    with start_run(job.tracking, root, f"benchmark {job.data.name}") as tracker:
        tracker.settings(job)
        tracker.tags({"stage": "benchmark", "data.digest": prepared.digest, **source_tags(root)})
        log_data(tracker, job.data, prepared)
        found = [(q, _answer(job, root, q, systems, runner, say, on_log)) for q in questions]
        say("comparing")
        sheets = _sheets(job, found)
        with whole_folder(root / job.output, "scores.json") as folder:
            page = write_page(folder, job, prepared.splits, sheets, absent, command)
            files = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.suffix != ".png"}
        _log(tracker, sheets, absent, files)
    return Benchmarked(root / job.output, page, sheets, tracker.run_id)


def _answer(
    job: BenchmarkJob, root: Path, question: Question, systems: Sequence[str], runner: Runner, say: Say, on_log: OnLog
) -> Outcomes:
    """Run all systems on one question, each run as a child of the open MLflow run."""
    outcomes: Outcomes = {}
    for system in systems:
        seeds = [1] if system in SIMPLE and not question.varies else range(1, job.seeds + 1)
        outcomes[system] = []
        for seed in seeds:
            where = "" if question.kind == "all" else f", {question.name}"
            step = f"{system}{where}" if len(seeds) == 1 else f"{system} seed {seed} of {job.seeds}{where}"
            say(f"{step}: training on {len(question.splits(seed).train):,} rows")
            with start_run(job.tracking, root, f"{job.data.name} {system} seed={seed}{where}", nested=True) as child:
                outcome = runner.run(question, system, seed, child.logging(on_log))
                scores = _log_child(child, job, question, system, seed, outcome)
            main, value = next(iter(scores.items()))
            how = "done before" if outcome.cached else f"{outcome.seconds:.1f} s"
            say(f"{step}: {main} {value:.3f} ({how})")
            outcomes[system].append(outcome)
    return outcomes


def _log_child(
    child: Tracker, job: BenchmarkJob, question: Question, system: str, seed: int, outcome: Outcome
) -> dict[str, float]:
    """Log one run and return its measures."""
    labels, test = job.labels.label_set, question.splits(seed).test
    scores = measure_all(job.data.measures, test, labels, outcome.predicted)
    child.settings({"data": job.data.name, "system": system, "seed": seed, "question": question.name})
    child.tags({"stage": "benchmark run", "cached": str(outcome.cached).lower()})
    values = {f"test/{name}": value for name, value in scores.items()} | {"train/seconds": outcome.seconds}
    child.metrics(values if outcome.dev is None else values | {"dev/main": outcome.dev})
    return scores


def _sheets(job: BenchmarkJob, found: Sequence[tuple[Question, Outcomes]]) -> list[Sheet]:
    """Pool the questions of one kind and compare the systems on each pool."""
    sheets = []
    for kind in dict.fromkeys(question.kind for question, _ in found):
        pool = [(question, outcomes) for question, outcomes in found if question.kind == kind]
        first, examples, parts = pool[0][0], list[Example](), dict[str, Sequence[int]]()
        for question, _ in pool:
            test = question.splits(1).test
            parts[question.name] = range(len(examples), len(examples) + len(test))
            examples += test
        systems = {name: _runs([outcomes[name] for _, outcomes in pool]) for name in pool[0][1]}
        lines = compare(systems, examples, job.labels.label_set, job.data.measures, job.bootstrap)
        sheets.append(Sheet(kind, first.table, first.few, examples, systems, lines, parts))
    return sheets


def _runs(pooled: Sequence[Sequence[Outcome]]) -> Runs:
    """Join the outcomes of several questions, each a list over the same seeds."""
    predictions = np.concatenate([np.stack([outcome.predicted for outcome in runs]) for runs in pooled], axis=1)
    dev = [outcome.dev for runs in pooled for outcome in runs if outcome.dev is not None]
    seconds = [outcome.seconds for runs in pooled for outcome in runs]
    return Runs(predictions, float(np.mean(seconds)), float(np.mean(dev)) if dev else None)


def _log(tracker: Tracker, sheets: Sequence[Sheet], absent: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Log tables, figures, predictions and numbers to the parent run."""
    for name, text in files.items():
        tracker.text(text, name)
    top, main = sheets[0].lines, next(iter(sheets[0].lines[0].measures))
    tracker.figure(comparison(top), "comparison")
    curves = {sheet.few: sheet.lines for sheet in sheets if sheet.few}
    if curves:
        tracker.figure(few_shot_curves(curves), "few_shot")
    values = {f"benchmark/{name}": measured.mean for name, measured in top[0].measures.items()}
    for line in top[1:]:
        values[f"baselines/{main} {line.system}"] = line.measures[main].mean
        if line.lead:
            values |= {f"lead/{line.system}": line.lead.value, f"p/{line.system}": line.lead.p}
    tracker.metrics(values)
    for sheet in sheets[1:]:
        name = "few_shot" if sheet.few else sheet.kind
        scores = {f"{name}/{main} {line.system}": line.measures[main].mean for line in sheet.lines}
        tracker.metrics(scores, sheet.few or None)
    tracker.tags(
        {"mlflow.note.content": f"Test, {len(sheets[0].examples):,} rows\n\n{to_markdown(top, absent)}"[:5000]}
    )
