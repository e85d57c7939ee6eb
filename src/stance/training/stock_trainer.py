"""The stock Trainer of transformers on the same encoder, as it comes: what the plain loop is measured against."""

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from stance.core import Array, Example, LabelSet
from stance.encoders import find_encoder
from stance.evaluation.calibration import softmax
from stance.settings import ModelSettings, TrainSettings
from stance.text import render


def trainer_missing() -> str | None:
    """Say what has to be installed, or None when all is there."""
    return None if find_spec("accelerate") else "not installed; pip install accelerate"


class StockTrainer:
    """A sequence classifier of transformers, fitted by its Trainer; batches are padded to their longest row."""

    def __init__(
        self,
        examples: Sequence[Example],
        labels: LabelSet,
        model: ModelSettings,
        settings: TrainSettings,
        *,
        precision: str,
        seed: int,
        device: str,
    ) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments
        from transformers.trainer_callback import PrinterCallback

        encoder = find_encoder(model.encoder)
        self.labels, self._model = labels, model
        self._tokenizer = AutoTokenizer.from_pretrained(encoder, trust_remote_code=False)
        network = AutoModelForSequenceClassification.from_pretrained(
            encoder, num_labels=len(labels), dtype="float32", use_safetensors=True, trust_remote_code=False
        )
        with tempfile.TemporaryDirectory() as folder:
            given = TrainingArguments(
                output_dir=folder,
                num_train_epochs=settings.epochs,
                per_device_train_batch_size=settings.batch_size,
                per_device_eval_batch_size=32,
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
                warmup_steps=settings.warmup,
                bf16=precision == "bf16",
                use_cpu=device == "cpu",
                dataloader_pin_memory=device != "cpu",
                seed=seed,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            )
            rows = self._rows(examples)
            for row, gold in zip(rows, labels.indices(examples).tolist(), strict=True):
                row["labels"] = gold
            self._trainer = Trainer(model=network, args=given, train_dataset=rows, processing_class=self._tokenizer)
            self._trainer.remove_callback(PrinterCallback)
            self._trainer.train()

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return probabilities of shape (n_examples, n_labels)."""
        logits = self._trainer.predict(self._rows(examples)).predictions  # type: ignore[arg-type]
        return softmax(np.asarray(logits, dtype=np.float64))

    def _rows(self, examples: Sequence[Example]) -> list[dict[str, Any]]:
        pairs = [render(example, self._model.input_form) for example in examples]
        texts, questions = [text for text, _ in pairs], [question for _, question in pairs]
        found = self._tokenizer(texts, questions, truncation=True, max_length=self._model.max_length)
        return [{name: values[i] for name, values in found.items()} for i in range(len(pairs))]
