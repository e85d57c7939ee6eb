"""Measures a part of what things cost, and writes and logs its page, numbers and figure."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from stance.atomic import check_replaceable, whole_folder
from stance.cost.part import Part, Say
from stance.settings import SpeedJob
from stance.tracking import source_tags, start_run

Measure = Callable[[SpeedJob, Path, Say], Part]


@dataclass(frozen=True)
class Costs:
    """What measuring a part leaves behind."""

    folder: Path
    page: str
    part: Part
    run_id: str | None


def run_part(name: str, measure: Measure, job: SpeedJob, root: Path, *, say: Say, command: str = "") -> Costs:
    """Measure a part into the folder OUTPUT-NAME and an MLflow run of its own.

    Args:
        name: Of the part, for files and the run.
        measure: What measures it.
        job: All settings.
        root: The project's folder.
        say: Called with a line for each step.
        command: What was typed, for the page.

    Raises:
        StanceError: The bundle, the data or the encoder can't be used; an earlier result stays as it was.
    """
    folder = (root / job.output).with_name(f"{Path(job.output).name}-{name}")
    check_replaceable(folder, f"{name}.json")
    part = measure(job, root, say)
    made = f"Made by `{command}`\n\n" if command else ""
    page = f"# Cost of {name}\n\n{made}{part.page}"
    numbers = json.dumps({"settings": asdict(job), **part.numbers}, indent=2, ensure_ascii=False)
    with start_run(job.tracking, root, f"speed: {name}") as tracker:
        with whole_folder(folder, f"{name}.json") as draft:
            (draft / f"{name}.md").write_text(page, encoding="utf-8")
            (draft / f"{name}.json").write_text(numbers, encoding="utf-8")
            part.figure.savefig(draft / f"{name}.png")
        tracker.settings(job)
        tracker.metrics(part.metrics)
        tracker.figure(part.figure, name)
        tracker.text(page, f"{name}.md")
        tracker.text(numbers, f"{name}.json")
        tracker.tags({"stage": "speed", "mlflow.note.content": page[:5000], **source_tags(root)})
    return Costs(folder, page, part, tracker.run_id)
