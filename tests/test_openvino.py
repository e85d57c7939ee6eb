"""The openvino backend: the answers of the trained weights; a sentence where it is missing."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import make_rows

from stance.core import Example
from stance.errors import MissingExtraError
from stance.inference.predictor import load_predictor
from stance.line import Trained

EXAMPLES = [Example(row["text"], row["target"], row["holder"]) for row in make_rows(120, seed=5)]


def test_openvino_answers_as_torch_does(trained: Trained) -> None:
    pytest.importorskip("openvino")
    found = load_predictor(trained.bundle, backend="openvino").predict_proba(EXAMPLES)
    expected = load_predictor(trained.bundle, backend="torch").predict_proba(EXAMPLES)
    assert np.abs(found - expected).max() < 0.08, "bfloat16 has two to three digits"
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= 0.99


def test_openvino_is_safe_to_share_between_threads(trained: Trained) -> None:
    pytest.importorskip("openvino")
    predictor = load_predictor(trained.bundle, backend="openvino")
    alone = [predictor.predict(example).label for example in EXAMPLES]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda example: predictor.predict(example).label, EXAMPLES)) == alone


def test_openvino_missing_package_is_a_sentence(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"'openvino' is not installed; install it with: .*stance\[openvino\]"):
        load_predictor(trained.bundle, backend="openvino")
