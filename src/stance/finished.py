"""What is done with a finished bundle: evaluating it on labelled data, packaging it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from stance.atomic import check_replaceable, whole_folder
from stance.core import Example, LabelSet
from stance.data.prepared import prepare, read_all, rows_digest
from stance.errors import ConfigError, ModelError
from stance.evaluation.report import Report
from stance.inference.bundle import Manifest, find_bundle, read_manifest
from stance.inference.predictor import load_predictor
from stance.line import Say, measure, resolve_data
from stance.packaging.package import Parity, add_onnx, ship
from stance.runlog import log_report, parity_metrics
from stance.settings import EvaluateJob, LabelSettings, PackageJob, SpeedJob
from stance.tracking import download_model, start_run


def run_evaluate(job: EvaluateJob, root: Path, *, say: Say = lambda line: None) -> tuple[Report, Path]:
    """Evaluate a bundle on a part of a data set, write report and figures, and log them; `say` is told of doubts."""
    from stance.evaluation.plots import figures
    from stance.training.baselines import asked_blind

    output = root / job.output
    check_replaceable(output, "report.json")
    source = locate_bundle(job.bundle, root, job)
    predictor = load_predictor(source, backend=job.backend, device=job.device)
    if predictor.manifest.kind == "hypotheses":
        predictor = (
            predictor if tuple(job.labels.names) == predictor.labels.names else predictor.asking(job.labels.names)
        )
    require_labels(job.labels, predictor.labels, source)
    examples = _part(job, root, predictor.manifest.data, say)
    report = measure(predictor, examples, asked_blind(predictor), job.bootstrap)
    drawn = figures(report)
    with whole_folder(output, "report.json") as draft:
        (draft / "report.md").write_text(report.to_markdown(), encoding="utf-8")
        (draft / "report.json").write_text(report.to_json(), encoding="utf-8")
        (draft / "answers.csv").write_text(report.to_csv(), encoding="utf-8")
        for name, figure in drawn.items():
            figure.savefig(draft / f"{name}.png")
    with start_run(job.tracking, root, f"evaluate {source.name} on {job.data.name}/{job.part}") as tracker:
        tracker.settings({"bundle": str(source), "data": asdict(job.data), "backend": job.backend, "part": job.part})
        tracker.tags({"stage": "evaluate", "rows.digest": rows_digest(examples)})
        log_report(tracker, report)
    return report, output


def run_package(job: PackageJob, root: Path) -> tuple[Path, dict[str, Parity], str | None]:
    """Export a bundle to ONNX and register it; returns its folder, the comparison and the model's URI."""
    path = find_bundle(job.bundle, root)
    manifest = read_manifest(path)
    require_labels(job.labels, manifest.label_set, path)
    data = resolve_data(job.data, root)
    parity = add_onnx(path, prepare(data, job.labels, root=root).splits.dev, job.package)
    if job.ship:
        ship(path, root / job.ship)
    with start_run(job.tracking, root, f"package {path.name}") as tracker:
        tracker.tags({"stage": "package"})
        tracker.metrics(parity_metrics(parity))
        uri = None
        if tracker.run_id:
            from stance.packaging.pyfunc import log_bundle

            uri = log_bundle(path, register_as=job.tracking.registered_model, alias=job.alias)
    return path, parity, uri


def require_labels(given: LabelSettings, answered: LabelSet, bundle: Path) -> None:
    """Raise ConfigError unless the bundle answers the labels of the settings."""
    if tuple(given.names) != answered.names:
        raise ConfigError(
            f"labels: got {', '.join(given.names)}; the bundle {bundle} answers {', '.join(answered.names)}. "
            "Set labels= to its label set"
        )


def labelled_bundle(source: str | None, root: Path, job: SpeedJob) -> tuple[Path, Manifest]:
    """Return the folder and manifest of a bundle that was trained on the labels of the settings.

    Raises:
        StanceError: There is no such bundle, it is asked about labels in words, or it answers others.
    """
    bundle = locate_bundle(source, root, job)
    manifest = read_manifest(bundle)
    if manifest.kind != "labels":
        raise ModelError(f"{bundle}: answers any labels. Give bundle= one that was trained on its own")
    require_labels(job.labels, manifest.label_set, bundle)
    return bundle, manifest


def locate_bundle(source: str | None, root: Path, job: EvaluateJob | SpeedJob) -> Path:
    """Return the folder of a bundle given as a folder, as models:/NAME@ALIAS, or as None."""
    if source and ":/" in source:
        return download_model(source, job.tracking, root)
    return find_bundle(source, root)


def _part(job: EvaluateJob, root: Path, learned: Mapping[str, str], say: Say) -> list[Example]:
    """Return the rows to evaluate on; `learned` is what the bundle notes of its data."""
    data = resolve_data(job.data, root)
    if job.part == "all":
        return read_all(data, job.labels, root=root).examples
    prepared = prepare(data, job.labels, root=root)
    rows = prepared.splits.parts()[job.part]
    drawn = any(example.split is None for example in rows)
    if drawn and learned.get("name") == data.name and learned.get("digest") != prepared.digest:
        say(
            f"warning: {data.name} has changed since the bundle was trained on it, and its parts were drawn anew: "
            f"some of these {job.part} rows may be rows that it learned from. Train again, or give rows a split column"
        )
    return rows
