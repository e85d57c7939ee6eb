"""Writes what a benchmark found: tables, figures, predictions, all numbers as JSON. Trains nothing."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stance.core import Example, LabelSet
from stance.data.duplicates import overlap
from stance.data.splits import Splits
from stance.evaluation.compare import Compared, Runs
from stance.evaluation.measures import measure_all
from stance.evaluation.plots import comparison, few_shot_curves
from stance.evaluation.report import group_numbers, markdown_table
from stance.evaluation.tables import footnotes, to_latex, to_markdown
from stance.settings import BenchmarkJob


@dataclass(frozen=True)
class Sheet:
    """One table and what stands behind it.

    Attributes:
        kind: A short name for files.
        title: Its heading.
        few: Training rows of each label, 0 for all.
        examples: The test rows.
        systems: Name -> predictions for them.
        lines: The comparison, one line a system.
        parts: In words -> the positions of the rows of one of several trainings.
    """

    kind: str
    title: str
    few: int
    examples: Sequence[Example]
    systems: Mapping[str, Runs]
    lines: Sequence[Compared]
    parts: Mapping[str, Sequence[int]]


def write_page(
    folder: Path, job: BenchmarkJob, splits: Splits, sheets: Sequence[Sheet], absent: Mapping[str, str], command: str
) -> str:
    """Write every file of the result into `folder` and return the page."""
    page = _head(job, splits, command) + _overlap(job, splits, sheets[0])
    latex = []
    for sheet in sheets:
        page += _section(job, sheet, absent)
        latex.append(to_latex(sheet.lines, absent, f"{job.data.name}: {sheet.title}"))
        (folder / f"predictions_{sheet.kind}.csv").write_text(
            _predictions(sheet, job.labels.label_set), encoding="utf-8"
        )
    main = next(iter(job.data.measures))
    page += "## How to read the tables\n\n" + footnotes(sheets[0].lines, main, job.bootstrap)
    (folder / "table.md").write_text(page, encoding="utf-8")
    (folder / "table.tex").write_text("\n".join(latex), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(asdict(job), indent=2, ensure_ascii=False), encoding="utf-8")
    scores = {sheet.kind: [asdict(line) for line in sheet.lines] for sheet in sheets}
    (folder / "scores.json").write_text(json.dumps(scores, indent=2, ensure_ascii=False), encoding="utf-8")
    comparison(sheets[0].lines).savefig(folder / "comparison.png")
    curves = {sheet.few: sheet.lines for sheet in sheets if sheet.few}
    if curves:
        few_shot_curves(curves).savefig(folder / "few_shot.png")
    return page


def _head(job: BenchmarkJob, splits: Splits, command: str) -> str:
    """Name the data set, the model and the command, and count the rows."""
    labels = job.labels.label_set
    heads = ["part", "rows", "groups", *labels.names]
    rows = []
    for name, part in splits.parts().items():
        counts = np.bincount(labels.indices(part), minlength=len(labels))
        shares = [f"{count:,} ({count / len(part):.0%})" for count in counts]
        rows.append([name, f"{len(part):,}", f"{len(set(group_numbers(part))):,}", *shares])
    lines = [
        f"# Benchmark: {job.data.name}\n",
        f"Made by `{command}`; every setting is in settings.json.",
        f"Model: {job.model.encoder}, train={job.train.name}, at most {job.train.epochs} epochs; {job.seeds} seeds.",
        f"Cite: {job.data.source.citation}.\n" if job.data.source.citation else "",
        "## Data\n",
        markdown_table(heads, rows),
    ]
    return "\n".join(lines) + "\n"


def _overlap(job: BenchmarkJob, splits: Splits, sheet: Sheet) -> str:
    """Count the test rows that train or dev holds too, and measure on the others."""
    found = overlap(splits, job.data.near_duplicate)
    text = "Test rows of which train or dev holds:\n\n"
    text += "".join(f"- {what}: {len(rows):,}\n" for what, rows in found.items())
    shared = {row for rows in found.values() for row in rows}
    clean = [row for row in range(len(splits.test)) if row not in shared]
    if shared and clean:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in _means(job, sheet, clean).items())
        text += f"\n{next(iter(job.data.measures))} on the {len(clean):,} other test rows: {scores}\n"
    return text + "\n"


def _section(job: BenchmarkJob, sheet: Sheet, absent: Mapping[str, str]) -> str:
    groups = len(set(group_numbers(sheet.examples)))
    text = f"## {sheet.title}\n\nTest: {len(sheet.examples):,} rows in {groups:,} groups\n\n"
    text += to_markdown(sheet.lines, absent) + "\n"
    if len(sheet.parts) > 1:
        rows = []
        for name, positions in sheet.parts.items():
            means = _means(job, sheet, positions).values()
            rows.append([name.replace("|", "/"), f"{len(positions):,}", *(f"{value:.3f}" for value in means)])
        text += markdown_table([next(iter(job.data.measures)), "test rows", *sheet.systems], rows) + "\n"
    return text


def _means(job: BenchmarkJob, sheet: Sheet, rows: Sequence[int]) -> dict[str, float]:
    """Return the mean of the main measure over the runs of each system, on some of the rows."""
    main, settings = next(iter(job.data.measures.items()))
    examples, positions, labels = [sheet.examples[i] for i in rows], np.array(rows), job.labels.label_set

    def mean(runs: Runs) -> float:
        each = (measure_all({main: settings}, examples, labels, run[positions])[main] for run in runs.predictions)
        return float(np.mean(list(each)))

    return {name: mean(runs) for name, runs in sheet.systems.items()}


def _predictions(sheet: Sheet, labels: LabelSet) -> str:
    """Return one line a test row: its id, the right label, and what each run said."""
    columns = {
        f"{name} seed {number}": run
        for name, runs in sheet.systems.items()
        for number, run in enumerate(runs.predictions, 1)
    }
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "id", "label", *columns])
    for index, example in enumerate(sheet.examples):
        writer.writerow(
            [index, example.id or "", example.label, *(labels.names[run[index]] for run in columns.values())]
        )
    return stream.getvalue()
