"""SetFit (Tunstall et al. 2022) on the same encoder, by the optional package `setfit`."""

import logging
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from stance.core import Array, Example, LabelSet
from stance.encoders import find_encoder
from stance.settings import ModelSettings
from stance.text import render

BATCH = 16
"""Pairs of a contrastive step; setfit's own default."""


def setfit_missing() -> str | None:
    """Say what has to be installed, or None when all is there."""
    missing = [name for name in ("setfit", "accelerate") if find_spec(name) is None]
    return f"not installed; pip install {' '.join(missing)}" if missing else None


class SetFit:
    """Sentence vectors tuned by contrasting pairs of rows, into logistic regression."""

    def __init__(
        self, examples: Sequence[Example], labels: LabelSet, model: ModelSettings, *, seed: int, steps: int, device: str
    ) -> None:
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments

        for package in ("setfit", "sentence_transformers"):
            logging.getLogger(package).setLevel(logging.ERROR)
        self.labels, self._form = labels, model.input_form
        self._model = SetFitModel.from_pretrained(find_encoder(model.encoder), device=device)
        self._model.model_body.max_seq_length = model.max_length
        rows = Dataset.from_dict({"text": self._texts(examples), "label": labels.indices(examples).tolist()})
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                output_dir=folder,
                batch_size=BATCH,
                max_steps=steps,
                seed=seed,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                show_progress_bar=False,
            )
            trainer = Trainer(model=self._model, args=settings, train_dataset=rows)
            trainer.st_trainer.args.disable_tqdm = True
            trainer.train()

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels); labels not seen in training get 0."""
        result = np.zeros((len(examples), len(self.labels)))
        found = self._model.predict_proba(self._texts(examples), as_numpy=True, show_progress_bar=False)
        result[:, self._model.model_head.classes_] = found
        return result

    def _texts(self, examples: Sequence[Example]) -> list[str]:
        """Word each example as one text: the sentence, then the question."""
        return [" | ".join(render(example, self._form)) for example in examples]
