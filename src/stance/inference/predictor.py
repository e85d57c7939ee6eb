"""A loaded bundle that answers: examples in, Predictions out, order kept."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stance.core import Array, Example, Prediction, text_problem
from stance.encoding import Batch, Encoded, PairTokenizer, by_length
from stance.errors import DataError, ModelError
from stance.evaluation.calibration import softmax
from stance.inference.backends import Backend, all_logits, open_backend
from stance.inference.bundle import Manifest, find_bundle, read_manifest, verify
from stance.text import render_hypothesis

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

WINDOW = 4096
"""Examples that predict_many reads at a time, to sort them by length."""
AHEAD = 256
"""From this batch_size on, predict_many reads the next examples before it answers the last."""


class Predictor:
    """A model ready to predict; also a Classifier. Safe to share between threads."""

    def __init__(self, manifest: Manifest, tokenizer: PairTokenizer, backend: Backend) -> None:
        self.manifest, self.labels = manifest, manifest.label_set
        self._tokenizer, self._backend = tokenizer, backend

    def asking(self, labels: Mapping[str, str]) -> "Predictor":
        """Return the same model, asked about other labels, which it need never have seen; it never abstains.

        Args:
            labels: Name -> its meaning, said of holder and target: {"favor": "is for the target", ...}.

        Raises:
            ModelError: The model answers only the labels that it was trained on.
            DataError: Fewer than two labels, or one without words.
        """
        if self.manifest.kind != "hypotheses":
            raise ModelError(
                f"model '{self.manifest.name}': answers only {', '.join(self.labels.names)}. To ask about "
                "other labels, train one with: python scripts/pretrain.py objective=hypotheses"
            )
        _check_labels(labels)
        given = replace(self.manifest, labels=list(labels), definitions=dict(labels), threshold=0.0)
        return Predictor(given, self._tokenizer, self._backend)

    def predict(self, example: Example | str) -> Prediction:
        """Answer one example; a bare string is a text without holder and target.

        Raises:
            DataError: The text, holder or target is not text that can be read.
        """
        return next(self._answers(self._encode([_checked(example, None)])))

    def predict_many(self, examples: Iterable[Example | str], *, batch_size: int = WINDOW) -> Iterator[Prediction]:
        """Yield an answer for each example, in order, in memory bounded by twice `batch_size` examples.

        While the network reads `batch_size` examples, a thread tokenises the next; they are read from
        `examples` in the caller's thread. With a batch_size under 256 nothing is read ahead, for input
        that waits for the answers.

        Raises:
            DataError: With the position of the first example that can't be read, or for a single text.
        """
        if isinstance(examples, (Example, str)):
            raise DataError(f"predict_many: got one {type(examples).__name__}; expected several. Use predict() for one")
        if batch_size < 1:
            raise DataError(f"batch_size: got {batch_size}; expected at least 1")
        from concurrent.futures import ThreadPoolExecutor  # here, so that a first predict() does not wait for it

        source = enumerate(examples)
        with ThreadPoolExecutor(1) as pool:
            coming = self._begin(pool, source, batch_size)
            while encoded := coming.result():
                if batch_size >= AHEAD:
                    coming = self._begin(pool, source, batch_size)
                yield from self._answers(encoded)
                if batch_size < AHEAD:
                    coming = self._begin(pool, source, batch_size)

    def _begin(
        self, pool: "ThreadPoolExecutor", source: Iterator[tuple[int, Example | str]], size: int
    ) -> "Future[list[Encoded]]":
        """Read the next examples and let the pool tokenise them; a fault shows when the result is asked for."""
        try:
            window = [_checked(example, position) for position, example in islice(source, size)]
        except Exception as error:
            return pool.submit(_raise, error)
        return pool.submit(self._encode, window)

    def _answers(self, encoded: Sequence[Encoded]) -> Iterator[Prediction]:
        probabilities = softmax(self._run(encoded), self.manifest.temperature)
        each = len(encoded) // len(probabilities)
        for i, row in enumerate(probabilities):
            yield self._prediction(row, max(code.cut for code in encoded[i * each : (i + 1) * each]))

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return calibrated probabilities of shape (n_examples, n_labels)."""
        return softmax(self.logits(examples), self.manifest.temperature)

    def logits(self, examples: Sequence[Example]) -> npt.NDArray[np.float64]:
        """Return the model's raw outputs of shape (n_examples, n_labels)."""
        parts = [
            self._run(self._encode([_checked(e, start + i) for i, e in enumerate(window)]))
            for start in range(0, len(examples), WINDOW)
            if (window := examples[start : start + WINDOW])
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.labels)))

    def _encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Tokenise what the network reads: one pair an example, or one for each label in words."""
        if self.manifest.kind == "labels":
            return self._tokenizer.encode(examples)
        words, form = self.manifest.definitions.values(), self.manifest.input_form
        pairs = [render_hypothesis(example, meaning, form) for example in examples for meaning in words]
        return self._tokenizer.encode_pairs(pairs)

    def batches(self, examples: Sequence[Example]) -> Iterator[Batch]:
        """Yield what the network reads of the examples, rows of about one length together."""
        return self._padded(self._encode(examples))

    def _padded(self, encoded: Sequence[Encoded]) -> Iterator[Batch]:
        return (self._tokenizer.pad(encoded, positions) for positions in by_length(encoded, self._backend.tokens))

    def _run(self, encoded: Sequence[Encoded]) -> npt.NDArray[np.float64]:
        return self.compute(list(self._padded(encoded))).reshape(-1, len(self.labels))

    def compute(self, batches: Sequence[Batch]) -> npt.NDArray[np.float64]:
        """Return the network's outputs of shape (rows of all batches, n_outputs), each at its batch's position."""
        result = np.empty((sum(len(batch.positions) for batch in batches), self.manifest.outputs))
        for batch, logits in zip(batches, all_logits(self._backend, batches), strict=True):
            result[batch.positions] = logits
        return result

    def _prediction(self, row: Array, cut: int) -> Prediction:
        best = int(row.argmax())
        named = {label: float(p) for label, p in zip(self.labels.names, row, strict=True)}
        confidence = float(row[best])
        return Prediction(self.labels.names[best], confidence, named, confidence < self.manifest.threshold, cut)


def load_predictor(
    source: str | os.PathLike[str] | None = None, *, backend: str = "auto", device: str = "cpu"
) -> Predictor:
    """Load a bundle; see find_bundle for what `source` may be.

    Raises:
        ModelError: No bundle, a damaged one, or one of another format.
        MissingExtraError: The backend's package is not installed.
    """
    folder = find_bundle(source)
    manifest = read_manifest(folder)
    verify(folder, manifest, ["tokenizer.json"])
    try:
        tokenizer = PairTokenizer.from_file(
            folder / "tokenizer.json",
            max_length=manifest.max_length,
            input_form=manifest.input_form,
            pad_id=manifest.pad_id,
        )
    except Exception as error:
        raise ModelError(f"{folder / 'tokenizer.json'}: can't be read ({error}). Fetch the bundle again") from error
    return Predictor(manifest, tokenizer, open_backend(folder, manifest, backend, device))


def _raise(error: Exception) -> list[Encoded]:
    raise error


def _check_labels(labels: Mapping[str, str]) -> None:
    """Raise DataError for labels that can't be asked about."""
    if not isinstance(labels, Mapping) or len(labels) < 2:
        raise DataError(
            f"labels: got {labels!r:.80}; expected two or more, each with its meaning, "
            'such as {"favor": "is for the target", "against": "is against the target"}'
        )
    for name, meaning in labels.items():
        problem = text_problem(name, "its name") or text_problem(meaning, "its meaning")
        if problem:
            raise DataError(f"labels: label {name!r}: {problem}")


def _checked(example: Example | str, position: int | None) -> Example:
    """Return the example if it can be read; errors name its position, where there are several."""
    where = "" if position is None else f"example {position}: "
    if not isinstance(example, (Example, str)):
        raise DataError(f"{where}got {type(example).__name__}; expected an Example or a string")
    example = Example(example) if isinstance(example, str) else example
    problem = text_problem(example.text)
    for name in ("holder", "target"):
        value = getattr(example, name)
        problem = problem or (text_problem(value, name) if value else None)
    if problem:
        raise DataError(f"{where}{problem}")
    return example
