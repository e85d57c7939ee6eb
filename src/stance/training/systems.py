"""The systems that a benchmark compares, each fitted by its name. Knows nothing of seeds in plural or of tables."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stance.core import Array, Classifier, Example, LabelSet
from stance.data.splits import Splits
from stance.data.subsets import repeat
from stance.encoders import encoder_digest
from stance.encoding import PairTokenizer
from stance.evaluation.calibration import softmax
from stance.network import StanceNetwork
from stance.settings import BenchmarkJob, ModelSettings, TrainSettings
from stance.training.baselines import Tfidf, majority, majority_per_target
from stance.training.checkpoint import deciding
from stance.training.finetuning import OnLog, Session, fine_tune
from stance.training.hardware import use_bf16
from stance.training.scoring import network_logits
from stance.training.setfit_baseline import SetFit
from stance.training.teaching import teacher_digests

NETWORKS = {"model": None, "plain": None, "target-blind": "target", "holder-blind": "holder"}
"""Fine-tuned encoders, each with the field that it never sees."""
SIMPLE: dict[str, Callable[[list[Example], LabelSet], Classifier]] = {
    "tfidf+svm": lambda rows, labels: Tfidf(rows, labels, svm=True),
    "tfidf+logistic": Tfidf,
    "majority-per-target": majority_per_target,
    "majority": majority,
}
"""Systems without chance: one run tells all."""
SYSTEMS = (*NETWORKS, "setfit", *SIMPLE)
UNTAUGHT = ("plain", "setfit")
"""Systems that start from the plain encoder."""


@dataclass(frozen=True)
class Recipe:
    """Everything but the rows and the seed that decides what a system becomes.

    Attributes:
        job: The settings of the benchmark.
        model: The encoder of `model`, in the form that fits the data.
        device: cpu or cuda.
    """

    job: BenchmarkJob
    model: ModelSettings
    device: str

    @property
    def labels(self) -> LabelSet:
        """The label set of the settings."""
        return self.job.labels.label_set

    def model_of(self, system: str) -> ModelSettings:
        """Return the encoder that `system` starts from, and its form."""
        return replace(self.model, encoder=self.job.plain_encoder) if system in UNTAUGHT else self.model

    def train_of(self, system: str) -> TrainSettings:
        """Return how the network `system` is trained."""
        once = replace(self.job.train, resume=False)
        return replace(once, learning_rate=self.job.plain_learning_rate) if system == "plain" else once

    def of(self, system: str) -> dict[str, Any]:
        """Return the settings that `system` depends on, as plain values."""
        plain: dict[str, Any] = {"labels": list(self.labels.names)}
        if system not in (*NETWORKS, "setfit"):
            return plain
        used = self.model_of(system)
        model = asdict(used) | {"weights": encoder_digest(used.encoder)}
        plain |= {"model": model, "device": self.device}
        if system == "setfit":
            return plain | {"steps": self.job.setfit_steps}
        train = self.train_of(system)
        plain |= {"bf16": use_bf16(train.precision, self.device), "teachers": teacher_digests(train)}
        plain["main measure"] = asdict(next(iter(self.job.data.measures.values())))
        return plain | {"train": deciding(train)}


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned network as a Classifier."""

    labels: LabelSet
    network: StanceNetwork
    tokenizer: PairTokenizer
    device: str

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels)."""
        return softmax(network_logits(self.network, examples, self.tokenizer, self.device).double().numpy())


def fit(
    system: str,
    splits: Splits,
    recipe: Recipe,
    *,
    seed: int,
    least_steps: int,
    checkpoint: Path,
    on_log: OnLog,
) -> Classifier:
    """Fit a system on train; a network also looks at dev to stop.

    Args:
        system: One of SYSTEMS.
        splits: Without what the system must not see.
        recipe: Its settings.
        seed: Of the systems that depend on chance.
        least_steps: A network takes at least so many steps, if need be on repeated rows.
        checkpoint: A folder to work in.
        on_log: See fine_tune.
    """
    if system in SIMPLE:
        return SIMPLE[system](splits.train, recipe.labels)
    model = recipe.model_of(system)
    if system == "setfit":
        settings: dict[str, Any] = {"seed": seed, "steps": recipe.job.setfit_steps, "device": recipe.device}
        return SetFit(splits.train, recipe.labels, model, **settings)
    train = recipe.train_of(system)
    least = math.ceil(least_steps / train.epochs) * train.batch_size if least_steps else 0
    repeated = replace(splits, train=repeat(splits.train, least))
    session = Session(seed=seed, device=recipe.device, checkpoint=checkpoint, key="benchmark", on_log=on_log)
    tuned = fine_tune(repeated, recipe.labels, model, train, session, recipe.job.data.measures)
    return Tuned(recipe.labels, tuned.network, tuned.tokenizer, recipe.device)
