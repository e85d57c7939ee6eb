"""Intermediate training: one encoder learns several data sets with their own labels, then serves as a start."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stance.atomic import whole_folder
from stance.config import compose_settings
from stance.core import Example, LabelSet
from stance.data.splits import Splits
from stance.errors import ConfigError
from stance.line import Say, run_prepare
from stance.network import find_encoder, save_encoder
from stance.settings import PrepareJob, PretrainJob
from stance.tracking import source_tags, start_run
from stance.training.finetuning import FineTuned, OnLog, choose_device, fine_tune, load_tokenizer


def run_pretrain(job: PretrainJob, root: Path, *, say: Say, on_log: OnLog) -> tuple[Path, FineTuned]:
    """Train the encoder on every data set that has a path, and leave it in models/OUTPUT.

    Args:
        job: All settings; `sets` maps the name of a data config to the folder of its files.
        root: The project's folder.
        say: Called with one line for each stage.
        on_log: See fine_tune.

    Raises:
        ConfigError: No data set has a path.
        DataError: A data set can't be read.
    """
    chosen = {name: path for name, path in job.sets.items() if path}
    if not chosen:
        raise ConfigError("sets: no data set has a path; expected at least one, such as sets.circa=FOLDER")
    tasks = {name: _prepared(name, path, job, root) for name, path in chosen.items()}
    labels = LabelSet(tuple(f"{name}/{label}" for name, (labels, _) in tasks.items() for label in labels.names))
    splits = Splits(*(_joined(tasks, part) for part in ("train", "dev", "test")))
    say(f"training on {len(splits.train):,} rows of {', '.join(chosen)}")
    checkpoint = root / "models" / f".training-{job.output}"
    with start_run(job.tracking, root, f"{job.output} on {'+'.join(chosen)} seed={job.seed}") as tracker:
        tracker.settings(job)
        tracker.tags({"stage": "pretrain", **source_tags(root)})
        tuned = fine_tune(
            splits,
            labels,
            job.model,
            job.train,
            tokenizer=load_tokenizer(job.model),
            seed=job.seed,
            device=choose_device(job.device),
            checkpoint=checkpoint,
            run_key=f"{job.output} {job.seed} {len(splits.train)}",
            run_id=tracker.run_id,
            on_log=tracker.logging(on_log),
        )
    target = root / "models" / job.output
    with whole_folder(target) as draft:
        save_encoder(tuned.network, find_encoder(job.model.encoder), draft)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return target, tuned


def _prepared(name: str, path: str, job: PretrainJob, root: Path) -> tuple[LabelSet, Splits]:
    given = compose_settings("prepare", [f"data={name}", f"labels={name}"], PrepareJob)
    given = replace(given, data=replace(given.data, path=path), model=job.model)
    return LabelSet(tuple(given.labels.names)), run_prepare(given, root).splits


def _joined(tasks: dict[str, tuple[LabelSet, Splits]], part: str) -> list[Example]:
    rows: list[tuple[str, Sequence[Example]]] = [(name, splits.parts()[part]) for name, (_, splits) in tasks.items()]
    return [replace(example, label=f"{name}/{example.label}") for name, examples in rows for example in examples]
