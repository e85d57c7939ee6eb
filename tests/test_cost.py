"""What training, growth and installing cost, on the tiny encoder: rows, curves, files. No timing is asserted."""

import json
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import mlflow
import pytest
from conftest import make_rows, write_jsonl

from stance.config import compose_settings
from stance.core import LabelSet
from stance.cost import growth, install, part, training
from stance.cost.growth import measure_growth
from stance.cost.job import run_part
from stance.cost.synthetic import write_rows
from stance.cost.training import measure_training
from stance.errors import ConfigError, ModelError
from stance.line import Trained
from stance.settings import SpeedJob
from stance.training.stock_trainer import trainer_missing

Make = Callable[..., SpeedJob]
LABELS = LabelSet(("a", "b"))


def quiet(line: str) -> None:
    """Say nothing."""


def here(work: Callable[..., object], *given: object) -> tuple[object, float]:
    """Stand in for a fresh process, which takes seconds to load torch."""
    return work(*given), 100.0


@pytest.fixture(scope="module")
def make(trained: Trained, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that composes a quick measurement on the tiny encoder, with overrides."""
    data = write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", make_rows(150))

    def compose(*overrides: str) -> SpeedJob:
        fixed = [f"data.path={data}", "data.name=quick", "data.near_duplicate=1.0", "data.split.by=group"]
        fixed += [f"bundle={trained.bundle}", f"model.encoder={tiny_encoder}", "model.max_length=64", "rows=12"]
        fixed += ["train.freeze_embeddings=false", "train.augment.swap_states=0", "train.precision=fp32"]
        fixed += ["training.rows=48", "training.rounds=2", "growth.scored=[5,20]", "growth.prepared=[50,100]"]
        fixed += ["growth.tokens=[8,16]", "growth.labels=[2,4]", "growth.label_rows=32", "tracking=off"]
        return compose_settings("speed", [*fixed, *overrides], SpeedJob)

    return compose


@pytest.mark.skipif(trainer_missing() is not None, reason="accelerate is not installed")
def test_cost_training_has_a_row_for_each_way_and_leaves_its_files(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "alone", here)
    monkeypatch.setattr(training, "setfit_missing", lambda: "not installed; pip install setfit")
    said: list[str] = []
    done = run_part(
        "training", measure_training, make("tracking=mlflow"), tmp_path, say=said.append, command="benchmark.py speed"
    )
    rows = {row["way"]: row for row in done.part.numbers["rows"]}  # type: ignore[attr-defined]
    assert list(rows) == ["stance fp32", "Trainer fp32"] and rows["Trainer fp32"]["ratio"] == 1
    assert [line.split(": ")[1] for line in said] == [*rows, *list(rows)[::-1]], "the second round the other way round"
    for row in rows.values():
        assert row["rate"][1] <= row["rate"][0] <= row["rate"][2] and row["memory_mb"] == 100
        assert 0 <= row["macro_f1"][1] <= row["macro_f1"][2] <= 1
    assert "- SetFit is left out: not installed" in done.page and "Made by `benchmark.py speed`" in done.page
    assert done.folder == tmp_path / "outputs" / "speed-training"
    assert {file.name for file in done.folder.iterdir()} == {"training.md", "training.json", "training.png"}
    assert json.loads((done.folder / "training.json").read_text("utf-8"))["settings"]["training"]["rows"] == 48
    run = mlflow.get_run(done.run_id)
    assert {"training/stance fp32 examples_s", "training/stance fp32 macro_f1"} <= run.data.metrics.keys()


def test_cost_training_bf16_is_measured_where_it_is_asked_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "trainer_missing", lambda: None)
    monkeypatch.setattr(training, "setfit_missing", lambda: None)
    lesson = training.Lesson([], [], LABELS, make().model, make("train.precision=bf16").train, "cpu")
    names = ["stance bf16", "stance fp32", "Trainer bf16", "Trainer fp32", "SetFit"]
    assert training.find_ways(lesson) == (names, {})
    monkeypatch.setattr(training, "trainer_missing", lambda: "not installed; pip install accelerate")
    assert training.find_ways(lesson)[1] == {"Trainer": "not installed; pip install accelerate"}


def test_cost_training_without_scores_keeps_the_last_epoch(make: Make) -> None:
    job = make("train.epochs=3", "train.patience=1")
    task = training.Unscored(training.LabelTask(None, LABELS, job.train, None, 0))  # type: ignore[arg-type]
    scores = [task.scores(None, "cpu")["dev/main"] for _ in range(3)]  # type: ignore[arg-type]
    assert scores == sorted(set(scores)), "each epoch counts as better, so that none stops the training"


def test_cost_growth_has_a_curve_for_each_kind_of_size(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "alone", here)
    done = run_part("growth", measure_growth, make(), tmp_path, say=quiet)
    curves = done.part.numbers["curves"]
    named = [(curve["name"], curve["unit"], curve["sizes"]) for curve in curves]  # type: ignore[attr-defined]
    assert named == [
        ("scoring", "rows", [5, 20]),
        ("preparing", "rows", [50, 100]),
        ("scoring", "tokens", [8, 16]),
        ("training", "labels", [2, 4]),
    ]
    shares = [cost["share"] for curve in curves for cost in curve["costs"]]  # type: ignore[attr-defined]
    assert all(0 < share <= 1.05 for share in shares[:2]) and shares[2:] == [None] * 6
    assert "| preparing | 100 rows |" in done.page and "- scoring, rows: t ~ n^" in done.page
    assert {file.name for file in done.folder.iterdir()} == {"growth.md", "growth.json", "growth.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"outputs", "data"}, "nothing made up is left"


def test_cost_growth_length_beyond_the_model_is_a_sentence(make: Make, tmp_path: Path) -> None:
    job = make("growth.scored=[]", "growth.prepared=[]", "growth.labels=[]", "growth.tokens=[4096]")
    with pytest.raises(ModelError, match=r"growth\.tokens: the model can't read 4096 tokens"):
        run_part("growth", measure_growth, job, tmp_path, say=quiet)


def test_cost_growth_slope_is_the_exponent() -> None:
    assert growth.slope([10, 100, 1000], [2.0, 20.0, 200.0]) == pytest.approx(1)
    assert growth.slope([10, 100, 1000], [3.0, 300.0, 30000.0]) == pytest.approx(2)
    assert growth.slope([10], [3.0]) is None


@pytest.mark.parametrize("override", ["parts=[guessing]", "growth.labels=[1]", "growth.tokens=[0]"])
def test_cost_wrong_settings_are_a_sentence(make: Make, override: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(override.split("=")[0])):
        make(override)


def test_cost_made_up_rows_are_many_and_some_nearly_alike(tmp_path: Path) -> None:
    lines = write_rows(tmp_path / "rows.jsonl", 120, ["a", "b"]).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["text"] for row in rows}) == 120 and {row["label"] for row in rows} == {"a", "b"}
    assert rows[1]["text"].split()[:-1] == rows[0]["text"].split()[:-1]
    assert write_rows(tmp_path / "again.jsonl", 120, ["a", "b"]).read_text("utf-8").splitlines() == lines


def test_cost_alone_runs_elsewhere_and_tells_memory() -> None:
    import os

    process, memory = part.alone(os.getpid)
    assert process != os.getpid() and (memory is None or memory > 1)
    with pytest.raises(ModelError, match="ended before it was done"):
        part.alone(os._exit, 1)


def test_cost_install_counts_what_the_light_install_requires(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {package.name for package in install.required(("stance",)) or []}
    assert {"stance", "numpy", "onnxruntime"} < names and "torch" not in names
    sizes = install.install_sizes()
    assert 20 < sizes["stance"] < sizes["transformers and torch"]
    assert "| stance |" in install.install_table(sizes)


def test_cost_install_leaves_out_what_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(install, "distribution", missing)
    assert install.install_sizes() == {}
