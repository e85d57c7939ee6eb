"""What a model has to beat: majority, TF-IDF with a linear classifier, and itself half blind."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stance.core import Array, Classifier, Example, LabelSet

WORDS = r"(?:\w+=)?\w+|[^\w\s]"
"""What TF-IDF counts: words, those of the question with its field before them, and marks."""


@dataclass(frozen=True)
class Majority:
    """Gives every example the label shares of the training rows."""

    labels: LabelSet
    shares: Array

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels)."""
        return np.tile(self.shares, (len(examples), 1))


@dataclass(frozen=True)
class MajorityPerTarget:
    """Gives the label shares of the training rows about the same target, and of all rows for a new one."""

    whole: Majority
    by_target: Mapping[str | None, Majority]

    @property
    def labels(self) -> LabelSet:
        """The label set."""
        return self.whole.labels

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels)."""
        return np.stack([self.by_target.get(e.target, self.whole).shares for e in examples])


class Tfidf:
    """Words and word pairs of text, holder and target, weighted by TF-IDF, into logistic regression or an SVM."""

    def __init__(self, examples: Sequence[Example], labels: LabelSet, *, svm: bool = False) -> None:
        from sklearn.dummy import DummyClassifier
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

        self.labels, self._svm, gold = labels, svm, labels.indices(examples)
        learner = LinearSVC(random_state=0) if svm else LogisticRegression(C=10, max_iter=2000)
        if len(set(gold.tolist())) == 1:  # nothing to tell apart
            learner = DummyClassifier()
        self._pipeline = make_pipeline(
            TfidfVectorizer(
                ngram_range=(1, 2), min_df=2 if len(examples) > 200 else 1, sublinear_tf=True, token_pattern=WORDS
            ),
            learner,
        )
        self._pipeline.fit([_bag(e) for e in examples], gold)

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        """Return shape (n_examples, n_labels); labels not seen in training get 0, an SVM's answer gets 1."""
        bags, known = [_bag(e) for e in examples], self._pipeline.classes_
        result = np.zeros((len(examples), len(self.labels)))
        if self._svm:
            result[np.arange(len(examples)), self._pipeline.predict(bags)] = 1
        else:
            result[:, known] = self._pipeline.predict_proba(bags)
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


def asked_blind(model: Classifier) -> dict[str, Classifier]:
    """Return `model` itself, asked without one field of the question; a benchmark trains without it, too."""
    return {f"asked without {field}": Blind(model, field) for field in ("target", "holder")}


def baselines(train: Sequence[Example], model: Classifier) -> dict[str, Classifier]:
    """Return the baselines by name."""
    return asked_blind(model) | {
        "tfidf+logistic": Tfidf(train, model.labels),
        "majority": majority(train, model.labels),
    }


def majority(train: Sequence[Example], labels: LabelSet) -> Majority:
    """Return the classifier that always gives the most frequent label."""
    counts = np.bincount(labels.indices(train), minlength=len(labels)).astype(np.float64)
    return Majority(labels, counts / counts.sum())


def majority_per_target(train: Sequence[Example], labels: LabelSet) -> MajorityPerTarget:
    """Return the classifier that always gives the most frequent label of the target."""
    rows: dict[str | None, list[Example]] = defaultdict(list)
    for example in train:
        rows[example.target].append(example)
    return MajorityPerTarget(majority(train, labels), {t: majority(part, labels) for t, part in rows.items()})


def _bag(example: Example) -> str:
    """One string in which words of the holder and the target are marked as such."""
    words = [example.text.lower()]
    words += [f"holder={w}" for w in re.findall(r"\w+", (example.holder or "").lower())]
    words += [f"target={w}" for w in re.findall(r"\w+", (example.target or "").lower())]
    return " ".join(words)
