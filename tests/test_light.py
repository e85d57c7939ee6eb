"""Predicting is light: nothing that only training needs is imported."""

import json
import subprocess
import sys

import pytest

import stance
from stance.line import Trained

HEAVY = [
    "torch",
    "transformers",
    "mlflow",
    "hydra",
    "omegaconf",
    "datasets",
    "sklearn",
    "matplotlib",
    "pandas",
    "pyarrow",
]
PREDICT = """
import json, sys
import stance
at_import = [name for name in [*HEAVY, "numpy", "stance.core"] if name in sys.modules]
answer = stance.predict("Peru rejects the treaty.", holder="Peru", target="the treaty", model=MODEL)
after = [name for name in HEAVY if name in sys.modules]
print(json.dumps([at_import, after, answer.label]))
"""


def test_light_predicting_imports_nothing_of_training(trained: Trained) -> None:
    code = PREDICT.replace("HEAVY", repr(HEAVY)).replace("MODEL", repr(str(trained.bundle)))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    asked = stance.Example("Peru rejects the treaty.", "the treaty", "Peru")
    assert json.loads(ended.stdout) == [[], [], stance.load(trained.bundle).predict(asked).label]


def test_light_door_opens_every_public_name() -> None:
    assert {name: getattr(stance, name).__name__ for name in stance.__all__} == {name: name for name in stance.__all__}


def test_light_door_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="module 'stance' has no attribute 'guess'"):
        stance.guess  # noqa: B018
