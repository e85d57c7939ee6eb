"""What of a job goes into its MLflow run: inputs, scores, figures, tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from stance.core import Example
from stance.data.prepared import Prepared, rows_digest
from stance.evaluation.plots import figures, learning_curve
from stance.evaluation.report import FIRST, Report, summary_table
from stance.packaging.package import Parity
from stance.settings import DataSettings, PretrainJob, TrainJob
from stance.tracking import Tracker, source_tags, start_run
from stance.training.checkpoint import check_note
from stance.training.finetuning import FineTuned, Session


@contextmanager
def training_run(
    job: TrainJob | PretrainJob, root: Path, name: str, session: Session, log_new: Callable[[Tracker], object]
) -> Iterator[tuple[Tracker, Session]]:
    """Open the MLflow run of a training; a resumed one goes on in the run that its checkpoint notes.

    Args:
        job: Its settings.
        root: The project's folder.
        name: What the UI shows for the run.
        session: Of the training; it comes back with the run's id, and logs to the run as well.
        log_new: Called with the tracker of a run that is new, to log what is trained on.

    Raises:
        ConfigError: There is no fitting checkpoint to resume.
    """
    run_id = check_note(session.checkpoint, session.key).get("run_id") if job.train.resume else None
    with start_run(job.tracking, root, name, run_id) as tracker:
        if run_id is None:
            log_new(tracker)
        yield tracker, replace(session, run_id=tracker.run_id, on_log=tracker.logging(session.on_log))


def log_inputs(tracker: Tracker, job: TrainJob, prepared: Prepared, root: Path) -> None:
    """Log the settings, the commit and the data of a training."""
    tracker.settings(job)
    tracker.tags({"stage": "train", "bundle": job.bundle, "data.digest": prepared.digest, **source_tags(root)})
    tracker.tags({"labels.digest": job.labels.label_set.digest})
    log_data(tracker, job.data, prepared)


def log_data(tracker: Tracker, data: DataSettings, prepared: Prepared) -> None:
    """Log the report and the parts of a prepared data set."""
    tracker.text(prepared.report, "data/report.txt")
    for part, examples in prepared.splits.parts().items():
        log_part(tracker, data.name, part, str(data.path), examples)


def log_part(tracker: Tracker, name: str, part: str, source: str, examples: Sequence[Example]) -> None:
    """Log rows as an input of the run, with their digest."""
    rows = [{"text": e.text, "holder": e.holder, "target": e.target, "label": e.label} for e in examples]
    tracker.dataset(name, part, rows_digest(examples), source, rows)


def log_results(tracker: Tracker, report: Report, tuned: FineTuned, parity: Mapping[str, Parity]) -> None:
    """Log what a training gave."""
    log_report(tracker, report)
    tracker.figure(learning_curve(tuned.history), "learning_curve")
    tracker.metrics({"train/seconds": tuned.seconds, **parity_metrics(parity)})


def log_report(tracker: Tracker, report: Report) -> None:
    """Log scores, baselines, figures, mistakes and slices."""
    values: dict[str, float] = {}
    for name, score in report.scores.items():
        group = "test" if "/" not in name else "test_labels"
        values |= {f"{group}/{name.replace('/', ' ')}": score.value}
        if name in FIRST:
            values |= {f"test/{name} low": score.low, f"test/{name} high": score.high}
    for name, scores in report.baselines.items():
        values[f"baselines/macro_f1 {name.replace('+', ' ')}"] = scores["macro_f1"].value
    tracker.metrics(values)
    for name, figure in figures(report).items():
        tracker.figure(figure, name)
    tracker.tags({"mlflow.note.content": f"Test, {len(report.examples):,} rows\n\n{summary_table(report)}"})
    tracker.text(report.to_markdown(), "report.md")
    tracker.text(report.to_json(), "report.json")
    tracker.table(report.mistakes(), "mistakes")
    slices = [{"slice": n, "rows": rows, **asdict(score)} for n, (rows, score) in report.slices.items()]
    tracker.table(slices, "slices")


def parity_metrics(parity: Mapping[str, Parity]) -> dict[str, float]:
    """Name the comparison of exported weights as metrics."""
    return {f"package/{backend} {name}": value for backend, p in parity.items() for name, value in asdict(p).items()}
