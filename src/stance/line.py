"""The straight line from settings to a bundle: what scripts/prepare and scripts/train do."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stance.atomic import check_replaceable
from stance.core import Classifier, Example
from stance.data.augment import swap_states
from stance.data.download import fetch_data
from stance.data.prepared import Prepared, parts_digests, prepare
from stance.data.splits import Splits
from stance.errors import DataError
from stance.evaluation.report import FIRST, Report, abstention_slices, evaluate, share_with_interval
from stance.inference.bundle import MANIFEST, read_manifest, save_bundle
from stance.inference.predictor import Predictor, load_predictor
from stance.packaging.package import Parity, add_onnx, save_tuned
from stance.paths import located
from stance.runlog import log_inputs, log_results, training_run
from stance.settings import (
    DataSettings,
    ModelSettings,
    PrepareJob,
    TrainJob,
)
from stance.training.checkpoint import deciding
from stance.training.finetuning import FineTuned, OnLog, Session, fine_tune, passes
from stance.training.hardware import choose_device
from stance.training.tokenizer import load_tokenizer

Say = Callable[[str], object]


@dataclass(frozen=True)
class Trained:
    """What the main job leaves behind."""

    bundle: Path
    report: Report
    parity: Mapping[str, Parity]
    run_id: str | None
    seconds: float


def resolve_data(settings: DataSettings, root: Path) -> DataSettings:
    """Make data.path and data.also absolute, seen from the working directory or else the project; fetch if asked to.

    Raises:
        DataError: No files are named, they can't be fetched, or a published data set is not there.
    """
    if not settings.path:
        raise DataError("data.path: no file is named. Give data.path=FILE, or a folder of files")

    def found(path: str) -> str:
        return str(located(path, root) or root / path)

    path = found(settings.path)
    if settings.download:
        fetch_data(settings, Path(path))
    elif settings.source.home and not Path(path).exists():
        told = " or data.download=true" if settings.source.urls else ""
        raise DataError(
            f"{path}: {settings.name} is not there. Get it from {settings.source.home}, and give data.path=FOLDER{told}"
        )
    return replace(settings, path=path, also=[found(path) for path in settings.also])


def run_prepare(job: PrepareJob, root: Path) -> Prepared:
    """Check and split the data set, or reuse what is prepared; the report also tells which texts are too long."""
    tokenizer = load_tokenizer(job.model)
    found = prepare(resolve_data(job.data, root), job.labels, root=root, force=job.force)
    return replace(found, report=found.report + tokenizer.cut_note(found.splits.rows()))


def run_train(job: TrainJob, root: Path, *, say: Say, on_log: OnLog) -> Trained:
    """Prepare, fine-tune, calibrate, package, evaluate and log.

    Args:
        job: All settings.
        root: The project's folder.
        say: Called with one line for each stage.
        on_log: See fine_tune.

    Raises:
        StanceError: Settings, data or encoder can't be used; an earlier bundle stays as it was.
    """
    device = choose_device(job.device)
    models = root / "models"
    bundle, draft, checkpoint = (models / f"{start}{job.bundle}" for start in ("", ".new-", ".training-"))
    check_replaceable(bundle, MANIFEST)  # now, not after hours of training
    say("preparing the data")
    prepared = run_prepare(PrepareJob(data=job.data, labels=job.labels, model=job.model, force=False), root)
    say(prepared.report)
    job = replace(job, model=fitting_form(job.model, prepared.splits))
    key = _run_key(job, prepared.splits)
    session = Session(seed=job.seed, device=device, checkpoint=checkpoint, key=key, on_log=on_log)
    log_new = partial(log_inputs, job=job, prepared=prepared, root=root)
    with training_run(job, root, run_name(job, len(prepared.splits.train)), session, log_new) as (tracker, session):
        say(f"training on {len(prepared.splits.train):,} rows ({device})")
        labels = job.labels.label_set
        tuned = fine_tune(prepared.splits, labels, job.model, job.train, session, job.data.measures)
        say("packaging and evaluating")
        _save(draft, job, prepared, tuned, device)
        parity = add_onnx(draft, prepared.splits.dev, job.package)
        report = _evaluate(draft, prepared.splits, job, bundle)
        log_results(tracker, report, tuned, parity)
        if tracker.run_id:
            from stance.packaging.pyfunc import log_bundle

            log_bundle(bundle)
    for folder in (checkpoint, draft):
        shutil.rmtree(folder, ignore_errors=True)
    return Trained(bundle, report, parity, tracker.run_id, tuned.seconds)


def fitting_form(model: ModelSettings, splits: Splits) -> ModelSettings:
    """Let the model read the text alone where no training row names a holder or a target, unless told otherwise."""
    asked = any(example.holder or example.target for example in splits.train)
    return model if asked or model.input_form != "fields" else replace(model, input_form="given")


def run_name(job: TrainJob, rows: int) -> str:
    """Name a run on so many training rows by what differs between runs: bundle, seed, passes, rate."""
    epochs = passes(math.ceil(rows / job.train.batch_size), job.train)
    return f"{job.bundle} seed={job.seed} epochs={epochs} lr={job.train.learning_rate:g}"


def _run_key(job: TrainJob, splits: Splits) -> str:
    from stance.encoders import encoder_digest
    from stance.training.teaching import teacher_digests

    encoder = [encoder_digest(job.model.encoder), *teacher_digests(job.train)]
    measures = [asdict(each) for each in job.data.measures.values()]
    whole = [
        parts_digests(splits),
        asdict(job.model),
        encoder,
        deciding(job.train),
        list(job.labels.names),
        measures[:1],
        job.seed,
    ]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _save(bundle: Path, job: TrainJob, prepared: Prepared, tuned: FineTuned, device: str) -> None:
    """Calibrate on dev and write the bundle with the trained weights."""
    from stance.evaluation.calibration import calibrate
    from stance.training.scoring import network_logits

    labels, dev = job.labels.label_set, prepared.splits.dev
    logits = network_logits(tuned.network, dev, tuned.tokenizer, device).double().numpy()
    fitted = calibrate(logits, labels.indices(dev), job.train.abstain_accuracy)
    data = {"name": job.data.name, "digest": prepared.digest, "label_digest": labels.digest}
    settings = {"seed": job.seed, "train": asdict(job.train)}
    save_tuned(
        bundle, tuned, fitted, job.model, name=job.bundle, labels=list(labels.names), data=data, settings=settings
    )


def _evaluate(draft: Path, splits: Splits, job: TrainJob, bundle: Path) -> Report:
    """Score the bundle in `draft` as it will be used, and the baselines, on test; then write it to `bundle`."""
    from stance.inference.bundle import copy_files
    from stance.training.baselines import baselines

    portable = "onnx-int8" if "model.int8.onnx" in read_manifest(draft).files else "onnx"
    predictor = load_predictor(draft, backend=portable)  # not auto: the scores shall not hang on this processor
    report = measure(predictor, splits.test, baselines(splits.train, predictor), job.train.bootstrap)
    scores = {name: [round(v, 4) for v in (s.value, s.low, s.high)] for name, s in report.scores.items()}
    manifest = replace(read_manifest(draft), scores=scores)
    save_bundle(bundle, manifest, lambda folder: copy_files(draft, folder))
    return report


def measure(
    predictor: Predictor, examples: Sequence[Example], others: Mapping[str, Classifier], resamples: int
) -> Report:
    """Evaluate a predictor beside its baselines, and how it bears other states in the place of those named."""
    report = evaluate(predictor, examples, resamples=resamples)
    answered = abstention_slices(report, predictor.manifest.threshold, resamples)
    report = replace(report, slices=answered | dict(report.slices))
    baselines = {}
    for name, other in others.items():
        scores = evaluate(other, examples, resamples=resamples).scores
        baselines[name] = {key: scores[key] for key in FIRST if key in scores}
    rng = np.random.default_rng(0)
    swapped = [swap_states(example, rng) for example in examples]
    changed = [i for i, (one, other) in enumerate(zip(examples, swapped, strict=True)) if one is not other]
    if changed:
        before = report.probabilities[changed].argmax(axis=1)
        after = predictor.predict_proba([swapped[i] for i in changed]).argmax(axis=1)
        share = share_with_interval([examples[i] for i in changed], before == after, resamples)
        report = replace(report, scores={**report.scores, "swap_unchanged": share})
    return replace(report, baselines=baselines)
