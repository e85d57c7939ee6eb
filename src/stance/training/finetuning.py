"""Fine-tunes an encoder on labelled examples: a plain loop with length buckets and checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stance.core import Array, LabelSet
from stance.data.augment import augment
from stance.data.splits import Splits
from stance.encoding import Batch, PairTokenizer
from stance.errors import ConfigError
from stance.evaluation.measures import check_measures, has_rows, measure_all
from stance.network import StanceNetwork, new_network
from stance.settings import MeasureSettings, ModelSettings, TrainSettings
from stance.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from stance.training.hardware import use_bf16
from stance.training.optimisation import loss_function, parameter_groups, schedule
from stance.training.scoring import as_tensors, logit_scores, network_logits
from stance.training.task import Task, bucketed
from stance.training.teaching import taught
from stance.training.tokenizer import load_tokenizer

OnLog = Callable[[int, int, Mapping[str, float]], object]


@dataclass
class FineTuned:
    """The best network that training found, one entry an epoch of how it went, and the seconds of all its parts."""

    network: StanceNetwork
    tokenizer: PairTokenizer
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class LabelTask:
    """One data set with one label set."""

    splits: Splits
    labels: LabelSet
    settings: TrainSettings
    tokenizer: PairTokenizer
    seed: int
    measures: Mapping[str, MeasureSettings] = field(default_factory=dict)
    goals: Array | None = None  # (n_train, n_labels): what is learned in place of the gold labels

    @property
    def outputs(self) -> int:
        """One a label."""
        return len(self.labels)

    @property
    def steps(self) -> int:
        """Batches that hold every row once."""
        return math.ceil(len(self.splits.train) / self.settings.batch_size)

    def loss(self) -> nn.Module:
        """Return the loss of the settings."""
        return loss_function(self.splits.train, self.labels, self.settings)

    def batches(self, epoch: int, skip: int) -> Iterator[tuple[Batch, Tensor]]:
        """Yield batches with the gold labels' positions, shape (rows,), or with goals, shape (rows, n_labels)."""
        rng = np.random.default_rng([self.seed, epoch])
        rows = self.tokenizer.encode(augment(self.splits.train, self.settings.augment, rng))
        gold = self.labels.indices(self.splits.train) if self.goals is None else self.goals.astype(np.float32)
        for positions in bucketed([len(row.ids) for row in rows], self.settings.batch_size, rng)[skip:]:
            yield self.tokenizer.pad(rows, positions, multiple=8), torch.from_numpy(gold[positions])

    def scores(self, network: StanceNetwork, device: str) -> dict[str, float]:
        """Return the scores on dev; dev/main, by which epochs are compared, is the data set's first measure.

        It is macro-F1 where that measure counts no row of dev.
        """
        dev = self.splits.dev
        logits = network_logits(network, dev, self.tokenizer, device)
        scores = logit_scores(logits, dev, self.labels)
        main = {name: given for name, given in list(self.measures.items())[:1] if has_rows(given, dev)}
        named = measure_all(main, dev, self.labels, logits.argmax(1).numpy())
        return scores | {"dev/main": next(iter(named.values()), scores["dev/macro_f1"])}


@dataclass(frozen=True, kw_only=True)
class Session:
    """One training, apart from what is learned.

    Attributes:
        seed: Of weights, order, dropout and augmentation.
        device: cpu or cuda.
        checkpoint: Folder of the checkpoints; deleted by the caller when all is done.
        key: Identifies settings and data; a checkpoint of another key is not continued.
        run_id: The MLflow run, noted in the checkpoint so that a resumed training finds it.
        on_log: Called with (step, steps in all, values).
    """

    seed: int
    device: str
    checkpoint: Path
    key: str
    run_id: str | None = None
    on_log: OnLog = lambda step, total, values: None


def fine_tune(
    splits: Splits,
    labels: LabelSet,
    model: ModelSettings,
    settings: TrainSettings,
    session: Session,
    measures: Mapping[str, MeasureSettings] | None = None,
) -> FineTuned:
    """Train until the data set's main measure stops rising on dev, and keep the best epoch's weights.

    Deterministic for a seed on the CPU, also across an interruption.

    Args:
        splits: train is learned from, dev is scored after each epoch; test is not looked at.
        labels: The label set.
        model: Which encoder.
        settings: All training values.
        session: Seed, device, checkpoints, log.
        measures: The data set's own, the main one first; None: macro-F1.

    Raises:
        ConfigError: The encoder can't be loaded, a teacher or a measure has other labels, or there is no fitting
            checkpoint to resume.
    """
    check_measures(measures or {}, labels)
    tokenizer, goals = load_tokenizer(model), taught(splits.train, labels, settings)
    task = LabelTask(splits, labels, settings, tokenizer, session.seed, measures or {}, goals)
    return learn(task, model, settings, session, tokenizer)


def learn(
    task: Task, model: ModelSettings, settings: TrainSettings, session: Session, tokenizer: PairTokenizer
) -> FineTuned:
    """As fine_tune, for any task."""
    device, checkpoint, on_log = session.device, session.checkpoint, session.on_log
    torch.manual_seed(session.seed)
    network = _start(model, settings, task.outputs, device)
    optimizer = torch.optim.AdamW(parameter_groups(network, settings), weight_decay=settings.weight_decay, fused=True)
    peaks = [group["lr"] for group in optimizer.param_groups]
    epochs = passes(task.steps, settings)
    total = task.steps * epochs
    loss_of = task.loss().to(device)
    autocast = use_bf16(settings.precision, device)
    progress = Progress(run_id=session.run_id)
    if settings.resume:
        progress = load_checkpoint(checkpoint, session.key, network, optimizer)
    started = time.perf_counter() - progress.seconds
    while progress.epoch < epochs and progress.stale < settings.patience:
        for batch, gold in task.batches(progress.epoch, progress.batch):
            step = progress.epoch * task.steps + progress.batch
            share = schedule((step + 1) / (total + 1), settings.warmup)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            with torch.autocast(device, torch.bfloat16, enabled=autocast):
                logits = network.train()(*as_tensors(batch, device))
            loss = loss_of(logits.float(), gold.to(device))
            _learn(network, loss, optimizer)
            progress.count(loss.item())
            if step % 10 == 0:
                rate = settings.learning_rate * share  # of the encoder's top layer
                on_log(step, total, {"train/loss": loss.item(), "train/learning_rate": rate})
            if (step + 1) % settings.checkpoint_steps == 0:
                progress.seconds = time.perf_counter() - started
                save_checkpoint(checkpoint, session.key, network, optimizer, progress)
        scores = task.scores(network, device)
        entry = progress.finish_epoch(scores, network)
        progress.seconds = time.perf_counter() - started
        on_log(progress.epoch * task.steps, total, entry)
        save_checkpoint(checkpoint, session.key, network, optimizer, progress)
    network.load_state_dict(progress.best)
    return FineTuned(network.eval(), tokenizer, progress.history, progress.seconds)


def passes(steps: int, settings: TrainSettings) -> int:
    """Return how many passes of `steps` optimiser steps to make: train.epochs, or fewer for train.most_steps."""
    return min(settings.epochs, max(1, settings.most_steps // steps)) if settings.most_steps else settings.epochs


def _start(model: ModelSettings, settings: TrainSettings, n_labels: int, device: str) -> StanceNetwork:
    """Build the network and check that its encoder can read texts of the length that is asked for."""
    rates = {"dropout": settings.dropout, "encoder_dropout": settings.encoder_dropout}
    network = new_network(model.encoder, n_labels, model.pooling, layers=model.layers, **rates).to(device)
    most = getattr(network.encoder.config, "max_position_embeddings", model.max_length)
    if model.max_length > most:
        raise ConfigError(f"model.max_length: got {model.max_length}; the encoder reads at most {most} tokens")
    if settings.freeze_embeddings:
        network.encoder.get_input_embeddings().requires_grad_(False)  # type: ignore[operator]
    return network


def _learn(network: StanceNetwork, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Take one optimiser step down the gradient of `loss`, clipped to norm 1."""
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
