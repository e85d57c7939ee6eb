"""The openvino backends: the answers of the other weights, from both files; a sentence where it is missing."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import make_rows

from stance.core import Example
from stance.errors import MissingExtraError
from stance.inference.predictor import load_predictor
from stance.line import Trained
from stance.paths import CARRIED

EXAMPLES = [Example(row["text"], row["target"], row["holder"]) for row in make_rows(120, seed=5)]


@pytest.mark.parametrize("backend", ["openvino", "openvino-int8"])
def test_openvino_answers_as_torch_does(trained: Trained, backend: str) -> None:
    pytest.importorskip("openvino")
    found = load_predictor(trained.bundle, backend=backend).predict_proba(EXAMPLES)
    expected = load_predictor(trained.bundle, backend="torch").predict_proba(EXAMPLES)
    assert np.abs(found - expected).max() < 0.08, "bfloat16 and int8 have two to three digits"
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


def test_openvino_reads_the_shipped_model() -> None:
    pytest.importorskip("openvino")
    text = "No participation in peacekeeping forces is envisaged."
    answers = [load_predictor(CARRIED, backend=name).predict(text) for name in ("openvino-int8", "onnx-int8")]
    assert answers[0].label == answers[1].label == "refuse"
    assert answers[0].confidence == pytest.approx(answers[1].confidence, abs=0.05)
