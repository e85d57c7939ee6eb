"""What a model has to beat."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from stance.core import Array, Example, LabelSet
from stance.training.baselines import Blind, Tfidf, baselines, majority_per_target

LABELS = LabelSet(("accept", "refuse", "none"))
TRAIN = [
    Example("We will join.", "the force", "Kenya", "accept"),
    Example("We gladly join.", "the fund", "Peru", "accept"),
    Example("We will never join.", "the force", "Chile", "refuse"),
    Example("We both spoke.", "the force", "Kenya", "accept"),
    Example("We both spoke.", "the force", "Chile", "refuse"),
]


@dataclass
class Listener:
    """A classifier that notes what it is asked."""

    labels: LabelSet = LABELS
    asked: list[Example] = field(default_factory=list)

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        self.asked += examples
        return np.full((len(examples), 3), 1 / 3)


@pytest.mark.parametrize("name", ["asked without target", "asked without holder", "tfidf+logistic", "majority"])
def test_baselines_give_probabilities_for_every_label(name: str) -> None:
    classifier = baselines(TRAIN, Listener())[name]
    got = classifier.predict_proba([Example("What is that?"), *TRAIN])
    assert classifier.labels == LABELS and got.shape == (6, 3)
    assert got.sum(axis=1) == pytest.approx(np.ones(6))


def test_baselines_majority_gives_the_shares_of_training() -> None:
    assert baselines(TRAIN, Listener())["majority"].predict_proba(TRAIN[:1]).tolist() == [[0.6, 0.4, 0.0]]


def test_baselines_tfidf_reads_text_and_holder() -> None:
    got = Tfidf(TRAIN * 4, LABELS).predict_proba(TRAIN).argmax(axis=1)
    assert got.tolist() == LABELS.indices(TRAIN).tolist()


def test_baselines_svm_answers_without_shares() -> None:
    got = Tfidf(TRAIN * 4, LABELS, svm=True).predict_proba(TRAIN)
    assert got.argmax(axis=1).tolist() == LABELS.indices(TRAIN).tolist() and set(got.ravel()) == {0.0, 1.0}


@pytest.mark.parametrize("svm", [False, True])
def test_baselines_tfidf_of_one_label_gives_it(svm: bool) -> None:
    got = Tfidf(TRAIN[:2], LABELS, svm=svm).predict_proba(TRAIN)
    assert got.tolist() == [[1.0, 0.0, 0.0]] * len(TRAIN)


def test_baselines_majority_per_target_falls_back_to_all_rows() -> None:
    per_target = majority_per_target([*TRAIN, Example("We stay out.", "the fund", "Peru", "refuse")] * 2, LABELS)
    got = per_target.predict_proba([Example("x", "the force"), Example("x", "the moon"), Example("x")])
    assert per_target.labels == LABELS
    assert got.tolist() == [[0.5, 0.5, 0.0]] * 3
    assert majority_per_target(TRAIN, LABELS).predict_proba([Example("x", "the fund")]).tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize("name", ["holder", "target"])
def test_baselines_blind_ones_are_never_told_their_field(name: str) -> None:
    listener = Listener()
    Blind(listener, name).predict_proba(TRAIN)
    other = "target" if name == "holder" else "holder"
    assert all(getattr(e, name) is None for e in listener.asked)
    assert [(e.text, getattr(e, other)) for e in listener.asked] == [(e.text, getattr(e, other)) for e in TRAIN]
