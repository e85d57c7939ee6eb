"""The words all else speaks: Example, LabelSet, Prediction, Classifier. Knows no file and no model."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stance.errors import ConfigError, DataError, did_you_mean

Array = npt.NDArray[np.float64]
MAX_CHARACTERS = 20_000
"""A text longer than this is an article, not a sentence, and is not read."""
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Example:
    """One question: in `text`, what does `holder` say about `target`?

    Attributes:
        text: One sentence, sometimes two; 1 to MAX_CHARACTERS characters.
        target: What the stance is about; None means whatever undertaking the text is about.
        holder: Who takes the stance; None means the text's obvious holder.
        label: The answer, a name of the label set; None when not known.
        id: A name of the row, unique in its file.
        group: Rows of one group never part when data is split; None means "grouped by text".
        date: ISO date (YYYY-MM-DD), used by splits by time.
        condition: The words of the condition, copied from the text.
        split: train, dev or test where the file says so.
        slices: Further columns by which scores are broken down, each with one or more values.
    """

    text: str
    target: str | None = None
    holder: str | None = None
    label: str | None = None
    id: str | None = None
    group: str | None = None
    date: str | None = None
    condition: str | None = None
    split: str | None = None
    slices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def text_problem(text: object, name: str = "text") -> str | None:
    """Say what is wrong with `text` as something to read, or None when nothing is."""
    if not isinstance(text, str):
        return f"{name} is {text!r:.60}; expected words in quotes"
    if not text.strip():
        return f"{name} is empty; expected a sentence"
    if "\x00" in text:
        return f"{name} contains a NUL byte; expected plain text"
    if len(text) > MAX_CHARACTERS:
        return f"{name} is {len(text):,} characters long; expected at most {MAX_CHARACTERS:,}. Split it into sentences"
    if _HALF_A_PAIR.search(text):
        return f"{name} contains half a surrogate pair; expected valid Unicode"
    return None


@dataclass(frozen=True)
class LabelSet:
    """Label names in their fixed order.

    Raises:
        ConfigError: Fewer than two names, or a name twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 2 or len(set(self.names)) < len(self.names):
            raise ConfigError(
                f"labels: got {list(self.names)}; expected two or more different names. "
                """Name them, for example 'labels.names={yes: "", no: ""}'"""
            )

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the position of `name`, 0 to n_labels - 1.

        Raises:
            DataError: `name` is not a label; the message suggests the nearest.
        """
        if name in self.names:
            return self.names.index(name)
        hint = did_you_mean(str(name).lower(), self.names)
        raise DataError(f"label {name!r} is not one of {', '.join(self.names)}{hint}")

    def spelt(self, word: str) -> str:
        """Return the label that differs from `word` in capitals alone, if there is just one; else `word`."""
        alike = [name for name in self.names if name.casefold() == word.casefold()]
        return alike[0] if word not in self.names and len(alike) == 1 else word

    def indices(self, examples: Sequence[Example]) -> npt.NDArray[np.int64]:
        """Return the gold labels of `examples` as positions, shape (n_examples,)."""
        return np.array([self.index(e.label or "") for e in examples], dtype=np.int64)

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change when a name or the order changes."""
        return hashlib.sha256(json.dumps(self.names).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Prediction:
    """What a model reads in one example.

    Attributes:
        label: The most probable label, also when the model abstains.
        confidence: Its calibrated probability, 0 to 1.
        probabilities: Every label's calibrated probability; they sum to 1.
        abstained: True when the confidence is under the bundle's threshold.
        tokens_cut: How many tokens of the text the model did not see (0: it saw all).
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    abstained: bool
    tokens_cut: int = 0


class Classifier(Protocol):
    """Anything that gives probabilities: a model, a baseline, another system."""

    @property
    def labels(self) -> LabelSet:
        """The labels, in the order of the columns of predict_proba."""
        ...

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return probabilities of shape (n_examples, n_labels); each row sums to 1."""
        ...
