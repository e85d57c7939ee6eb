"""The job of scripts/pretrain.py: several data sets in, an encoder or a bundle for any labels out."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stance.atomic import check_replaceable, file_hash, whole_folder
from stance.config import compose_settings
from stance.data.crossing import without_crossing
from stance.data.prepared import parts_digests, prepare
from stance.data.splits import Splits
from stance.data.subsets import sample
from stance.encoding import PairTokenizer
from stance.errors import ConfigError, summarise
from stance.evaluation.plots import learning_curve
from stance.inference.bundle import MANIFEST, now
from stance.line import Say, resolve_data
from stance.network import save_encoder
from stance.paths import CONFIGS, located
from stance.runlog import log_part, training_run
from stance.settings import PrepareJob, PretrainJob
from stance.tracking import Tracker, source_tags
from stance.training.checkpoint import deciding
from stance.training.finetuning import FineTuned, OnLog, Session, learn, passes
from stance.training.hardware import choose_device
from stance.training.hypotheses import HypothesisTask
from stance.training.multitask import Mix, MultiTask, TaskSet
from stance.training.task import Task
from stance.training.tokenizer import load_tokenizer
from stance.zeroshot import save_zero_shot, score_zero_shot, settings_of

NOTE = "encoder.json"
"""The file in an encoder's folder that says how it was made."""
YARDSTICK = "participation"
"""The shipped set; its test part is kept clear also when it isn't learned."""


@dataclass(frozen=True)
class Pretrained:
    """What the job leaves behind; `table` shows the scores of each set."""

    path: Path
    table: str
    run_id: str | None
    seconds: float


def run_pretrain(job: PretrainJob, root: Path, *, say: Say, on_log: OnLog) -> Pretrained:
    """Train on every set that has a path and leave the result in models/OUTPUT.

    Args:
        job: All settings.
        root: The project's folder.
        say: Called with one line for each stage.
        on_log: See fine_tune.

    Raises:
        StanceError: Settings, data or encoder can't be used; an earlier result stays as it was.
    """
    device, tokenizer = choose_device(job.device), load_tokenizer(job.model)
    target, checkpoint = root / "models" / job.output, root / "models" / f".training-{job.output}"
    check_replaceable(target, MANIFEST if job.objective == "hypotheses" else NOTE)
    sets, held_out = gather(job, root, say)
    mix = Mix(sets, job.temperature, job.train, job.seed)
    key, name = _run_key(job, sets), f"{job.output} seed={job.seed} epochs={passes(mix.steps, job.train)}"
    session = Session(seed=job.seed, device=device, checkpoint=checkpoint, key=key, on_log=on_log)
    log_new = partial(_log_inputs, job=job, sets=sets, root=root)
    with training_run(job, root, name, session, log_new) as (tracker, session):
        say(f"training ({device}); rows an epoch: {mix}")
        tuned = learn(_task(job, mix, tokenizer), job.model, job.train, session, tokenizer)
        if job.objective == "hypotheses":
            save_zero_shot(target, job, sets, tuned, device)
            table, scores = score_zero_shot(target, sets, held_out)
        else:
            _save_encoder(target, job, sets, tuned)
            table, scores = _dev_table(tuned), {}
        _log_results(tracker, tuned, table, {**scores, "train/seconds": tuned.seconds})
    shutil.rmtree(checkpoint, ignore_errors=True)
    return Pretrained(target, table, tracker.run_id, tuned.seconds)


def _task(job: PretrainJob, mix: Mix, tokenizer: PairTokenizer) -> Task:
    if job.objective == "hypotheses":
        return HypothesisTask(mix, tokenizer, job.options, job.reword)
    return MultiTask(mix, tokenizer)


def gather(job: PretrainJob, root: Path, say: Say) -> tuple[list[TaskSet], TaskSet | None]:
    """Prepare the chosen sets and clear them of each other's test texts; the held-out one comes apart.

    Raises:
        ConfigError: No set has a path, a set has no config, or the held-out one is not among them.
        DataError: A set can't be read.
    """
    _check(job, root)
    chosen = {name: _prepared(name, path, job, root) for name, path in job.sets.items() if path}
    held_out = chosen.pop(job.hold_out) if job.hold_out else None
    others = {held_out.name: held_out.splits} if held_out else {}
    if YARDSTICK not in job.sets or not job.sets[YARDSTICK]:
        others |= _yardstick(job, root)
    cleared, taken = without_crossing({name: each.splits for name, each in chosen.items()}, others)
    for line in taken:
        say(line)
    sets = [replace(each, splits=_few(cleared[name], job)) for name, each in chosen.items()]
    empty = [f"{s.name} ({part})" for s in sets for part in ("train", "dev") if not s.splits.parts()[part]]
    if empty:
        raise ConfigError(f"sets: no rows are left for {', '.join(empty)}; leave the set out with sets.NAME=null")
    return sets, replace(held_out, splits=_few(held_out.splits, job)) if held_out else None


def _check(job: PretrainJob, root: Path) -> None:
    """Raise ConfigError for sets that are not there or can't be learned together."""
    given = [name for name, path in job.sets.items() if path]
    known = sorted(file.stem for file in (CONFIGS / "data").glob("*.yaml"))
    unknown = [name for name in (*job.sets, *job.also, *job.label_sets) if name not in known]
    if unknown:
        raise ConfigError(
            f"sets: '{unknown[0]}' has no configs/data/{unknown[0]}.yaml; expected one of {', '.join(known)}"
        )
    asked = [(f"sets.{name}", path, "FOLDER, or null to leave it out") for name, path in job.sets.items() if path]
    asked += [
        (f"also.{name}", path, "[FILE], or [] to do without") for name in given for path in job.also.get(name, [])
    ]
    missing = [
        f"{key}: no such file or folder {path}; give {key}={instead}"
        for key, path, instead in asked
        if located(path, root) is None
    ]
    if missing:
        raise ConfigError(summarise(missing))
    if job.hold_out and job.hold_out not in given:
        raise ConfigError(
            f"hold_out: got '{job.hold_out}', which has no folder in sets; expected one of {', '.join(given)}. "
            f"Give sets.{job.hold_out}=FOLDER"
        )
    if job.hold_out and job.objective != "hypotheses":
        raise ConfigError("hold_out: needs objective=hypotheses. To leave a set out of an encoder: sets.NAME=null")
    if job.train.teachers:
        raise ConfigError("train.teachers: several sets can't learn from teachers. Set train.teachers=[]")
    if job.objective == "hypotheses" and job.train.imbalance != "none":
        raise ConfigError(f"train.imbalance: got '{job.train.imbalance}'; objective=hypotheses knows only none")
    if not set(given) - {job.hold_out}:
        raise ConfigError("sets: no set is left to learn from; give at least one, such as sets.circa=FOLDER")


def _prepared(name: str, path: str, job: PretrainJob, root: Path) -> TaskSet:
    labels = job.label_sets.get(name, name)
    given = compose_settings("prepare", [f"data={name}", f"labels={labels}", "data.path=-"], PrepareJob)
    also = job.also.get(name, [])
    data = replace(given.data, path=path, also=[*given.data.also, *also], name=f"{name}-more" if also else name)
    prepared = prepare(resolve_data(data, root), given.labels, root=root)
    return TaskSet(name, dict(given.labels.names), prepared.splits, prepared.digest)


def _yardstick(job: PretrainJob, root: Path) -> dict[str, Splits]:
    """The shipped set for its test part, where it is there."""
    path = compose_settings("prepare", [f"data={YARDSTICK}"], PrepareJob).data.path
    return {YARDSTICK: _prepared(YARDSTICK, path, job, root).splits} if (root / path).exists() else {}


def _few(splits: Splits, job: PretrainJob) -> Splits:
    """Draw at most `most_rows` rows of each part."""
    return Splits(*(sample(rows, job.most_rows) for rows in splits.parts().values()))


def _run_key(job: PretrainJob, sets: list[TaskSet]) -> str:
    whole = settings_of(job) | {"parts": [parts_digests(each.splits) for each in sets], "train": deciding(job.train)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _save_encoder(target: Path, job: PretrainJob, sets: list[TaskSet], tuned: FineTuned) -> None:
    """Write the encoder without the heads, its tokenizer, and the note on how it was made."""
    with whole_folder(target, NOTE) as draft:
        save_encoder(tuned.network, job.model.encoder, draft)
        weights = file_hash(draft / "model.safetensors")
        note = {
            "name": job.output,
            "created": now(),
            "encoder": job.model.encoder,
            "weights": weights,
            "sets": {
                s.name: {"digest": s.digest, "train": len(s.splits.train), "labels": list(s.definitions)} for s in sets
            },
            "dev": _best(tuned),
            "settings": settings_of(job),
        }
        (draft / NOTE).write_text(json.dumps(note, indent=2, ensure_ascii=False), encoding="utf-8")


def _best(tuned: FineTuned) -> dict[str, float]:
    """The dev scores of the epoch that was kept."""
    best = max(tuned.history, key=lambda entry: entry["dev/main"])
    return {name: round(value, 4) for name, value in best.items() if name.startswith("dev")}


def _dev_table(tuned: FineTuned) -> str:
    best = _best(tuned)
    named = {n.removeprefix("dev_sets/"): v for n, v in best.items() if n.startswith("dev_sets/")}
    rows = [*named.items(), ("mean", best["dev/macro_f1"])]
    return "\n".join(["| set | dev macro-F1 |", "| --- | --- |", *(f"| {n} | {v:.3f} |" for n, v in rows)])


def _log_inputs(tracker: Tracker, job: PretrainJob, sets: list[TaskSet], root: Path) -> None:
    tracker.settings(job)
    tracker.tags({"stage": "pretrain", "bundle": job.output, **source_tags(root)})
    for each in sets:
        for part in ("train", "dev"):
            log_part(tracker, each.name, part, str(job.sets[each.name]), each.splits.parts()[part])


def _log_results(tracker: Tracker, tuned: FineTuned, table: str, scores: Mapping[str, float]) -> None:
    tracker.metrics(scores)
    tracker.figure(learning_curve(tuned.history), "learning_curve")
    tracker.text(table, "report.md")
    tracker.tags({"mlflow.note.content": table})
