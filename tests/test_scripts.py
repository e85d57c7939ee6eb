"""The scripts, run as a person runs them: a mistake is one sentence and exit status 2."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stance.paths import ROOT


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("script", "override", "problem"),
    [
        ("train", "train.epoch=3", "did you mean 'epochs'"),
        ("train", "epochs=3", "did you mean 'train.epochs'?"),
        ("train", "seeds=3", "'seeds' is a setting of another script"),
        ("prepare", "experiment=release", "'train' is a setting of another script"),
        ("evaluate", "tracking=nowhere", "tracking=nowhere: not one of mlflow, off"),
        ("train", "labels=favour_against", "did you mean 'favor_against'?"),
        ("prepare", "data=custom", "data.path: no file is named"),
        ("package", "package.quantize=maybe", "package.quantize: Value 'maybe' is not a valid bool"),
        ("prepare", "data.path=gone.csv", "gone.csv: no such file"),
    ],
)
def test_scripts_a_mistake_is_one_sentence_and_status_two(
    script: str, override: str, problem: str, tmp_path: Path
) -> None:
    ended = run(script, override, f"hydra.run.dir={tmp_path}")
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert ended.returncode == 2 and len(errors) == 1 and problem in errors[0]
    assert "Traceback" not in ended.stderr and ended.stdout == ""


def test_scripts_help_shows_the_settings() -> None:
    ended = run("train", "--help")
    assert ended.returncode == 0 and ended.stderr == ""
    assert "usage: python scripts/train.py" in ended.stdout and "epochs: " in ended.stdout


def test_scripts_all_open_the_config_of_their_name() -> None:
    opened = {
        script.stem: found
        for script in (ROOT / "scripts").glob("*.py")
        if (found := re.findall(r'run\("(\w+)", \w+\)', script.read_text(encoding="utf-8")))
    }
    assert {config.stem for config in (ROOT / "configs").glob("*.yaml")} <= {
        n for names in opened.values() for n in names
    }
    assert all(script in names for script, names in opened.items())
