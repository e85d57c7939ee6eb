"""What a model has to beat: majority, TF-IDF with a linear classifier, and itself half blind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stance.core import Array, Classifier, Example, LabelSet


@dataclass(frozen=True)
class Majority:
    """Gives every example the label shares of the training rows."""

    labels: LabelSet
    shares: Array

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels)."""
        return np.tile(self.shares, (len(examples), 1))


class Tfidf:
    """Words and word pairs of text, holder and target, weighted by TF-IDF, into logistic regression."""

    def __init__(self, examples: Sequence[Example], labels: LabelSet) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        self.labels = labels
        self._pipeline = make_pipeline(
            TfidfVectorizer(
                ngram_range=(1, 2), min_df=2 if len(examples) > 200 else 1, sublinear_tf=True, token_pattern=r"\S+"
            ),
            LogisticRegression(C=10, max_iter=2000),
        )
        self._pipeline.fit([_bag(e) for e in examples], labels.indices(examples))

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels); labels not seen in training get 0."""
        result = np.zeros((len(examples), len(self.labels)))
        result[:, self._pipeline.classes_] = self._pipeline.predict_proba([_bag(e) for e in examples])
        return result


@dataclass(frozen=True)
class Blind:
    """A classifier that is never told one field of the question: `holder` or `target`."""

    classifier: Classifier
    field: str

    @property
    def labels(self) -> LabelSet:
        """The classifier's labels."""
        return self.classifier.labels

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels)."""
        hidden = {self.field: None}
        return self.classifier.predict_proba([replace(e, **hidden) for e in examples])  # type: ignore[arg-type]


def baselines(train: Sequence[Example], model: Classifier) -> dict[str, Classifier]:
    """Return the baselines by name; the blind ones are `model` itself, asked without the field."""
    labels = model.labels
    counts = np.bincount(labels.indices(train), minlength=len(labels)).astype(np.float64)
    return {
        "target-blind": Blind(model, "target"),
        "holder-blind": Blind(model, "holder"),
        "tfidf+linear": Tfidf(train, labels),
        "majority": Majority(labels, counts / counts.sum()),
    }


def _bag(example: Example) -> str:
    """One string in which words of the holder and the target are marked as such."""
    words = example.text.lower().split()
    words += [f"holder={w}" for w in (example.holder or "").lower().split()]
    words += [f"target={w}" for w in (example.target or "").lower().split()]
    return " ".join(words)
