"""The benchmark with a tiny encoder: its table, its cache, what each system sees, what MLflow holds."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from conftest import make_rows, write_jsonl

from stance.benchmark import questions, runs
from stance.benchmark.job import Benchmarked, run_benchmark
from stance.config import compose_settings
from stance.core import Example
from stance.errors import ConfigError, DataError, StanceError
from stance.line import Trained
from stance.settings import BenchmarkJob
from stance.training import setfit_baseline, systems

Make = Callable[..., BenchmarkJob]


def quiet(*values: object) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def make(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that composes a benchmark of the tiny encoder, with overrides."""
    data = write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", make_rows(180))

    def compose(*overrides: str) -> BenchmarkJob:
        fixed = [
            f"data.path={data}",
            f"model.encoder={tiny_encoder}",
            f"plain_encoder={tiny_encoder}",
            "data.name=bench",
            "model.max_length=64",
            "train.epochs=2",
            "train.learning_rate=3e-3",
            "train.head_learning_rate=1e-2",
            "train.freeze_embeddings=false",
            "train.precision=fp32",
            "train.augment.swap_states=0",
            "data.columns.slices=[genre]",
            "data.near_duplicate=1.0",
            "data.split.by=group",
            "bootstrap=50",
            "seeds=2",
            "few_shot_steps=4",
            "device=cpu",
            "tracking=off",
        ]
        return compose_settings("benchmark", [*fixed, *overrides], BenchmarkJob)

    return compose


@pytest.fixture(scope="module")
def done(make: Make, project: Path) -> Benchmarked:
    """One whole benchmark, tracked."""
    job = make("tracking=mlflow", "few_shot=[2,4]", "leave_out=target", "leave_out_most=2", "systems=[model,majority]")
    return run_benchmark(job, project, say=quiet, on_log=quiet, command="benchmark.py data=tiny")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note what every training is given."""
    seen: list[dict[str, Any]] = []
    real = systems.fine_tune

    def note(splits: Any, labels: Any, model: Any, settings: Any, session: Any, measures: Any) -> Any:
        seen.append({"splits": splits, "model": model, "settings": settings, "session": session})
        return real(splits, labels, model, settings, session, measures)

    monkeypatch.setattr(systems, "fine_tune", note)
    return seen


def test_benchmark_page_holds_command_data_tables_and_notes(done: Benchmarked) -> None:
    for words in (
        "# Benchmark: bench",
        "Made by `benchmark.py data=tiny`",
        "| train | ",
        "- the same text, holder and target: 0",
        "## All training rows",
        "## 2 training rows of each label",
        "## Each target left out of training in turn",
        "| without target '",
        "2 seeds tell the swing",
    ):
        assert words in done.page
    model, majority = done.sheets[0].lines
    assert (model.system, model.runs, majority.system, majority.runs) == ("model", 2, "majority", 1)
    assert model.lead is None and majority.lead is not None
    assert list(model.measures) == ["macro_f1", "accuracy"]


def test_benchmark_leaves_tables_figures_predictions_and_numbers(done: Benchmarked) -> None:
    files = {file.name for file in done.folder.iterdir()}
    assert files >= {"table.md", "table.tex", "comparison.png", "few_shot.png", "settings.json", "scores.json"}
    rows = list(csv.DictReader((done.folder / "predictions_all.csv").open()))
    sheet = done.sheets[0]
    assert list(rows[0]) == ["row", "id", "label", "model seed 1", "model seed 2", "majority seed 1"]
    right = np.mean([row["label"] == row["model seed 2"] for row in rows])
    assert right == pytest.approx(sheet.lines[0].measures["accuracy"].each[1])
    kinds = json.loads((done.folder / "scores.json").read_text())
    assert list(kinds) == ["all", "few_shot_2", "few_shot_4", "leave_out"]


def test_benchmark_mlflow_has_one_parent_with_a_child_a_run(done: Benchmarked) -> None:
    run = mlflow.get_run(done.run_id)
    children = mlflow.search_runs(
        experiment_names=["stance"], filter_string=f"tags.mlflow.parentRunId = '{done.run_id}'"
    )
    assert run.info.status == "FINISHED" and set(children["status"]) == {"FINISHED"}
    assert len(children) == (2 + 1) + 2 * (2 + 2) + 2 * (2 + 1)
    top = done.sheets[0].lines
    assert run.data.metrics["benchmark/macro_f1"] == pytest.approx(top[0].measures["macro_f1"].mean)
    assert {"benchmark/accuracy", "p/majority", "lead/majority", "few_shot/macro_f1 model"} <= run.data.metrics.keys()
    assert "| majority |" in run.data.tags["mlflow.note.content"]
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(done.run_id)}
    assert {"table.md", "table.tex", "predictions_all.csv", "figures"} <= files


def test_benchmark_reads_text_alone_where_there_is_no_question(
    make: Make, tmp_path: Path, trainings: list[dict[str, Any]]
) -> None:
    rows = [{**row, "holder": None, "target": None} for row in make_rows(90)]
    data = write_jsonl(tmp_path / "plain.jsonl", rows)
    job = make(f"data.path={data}", "data.name=plain", "systems=[model]", "seeds=1", "train.epochs=1")
    run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    assert trainings[0]["model"].input_form == "given"


def test_benchmark_again_trains_nothing_and_says_the_same(
    done: Benchmarked, make: Make, project: Path, trainings: list[dict[str, Any]]
) -> None:
    said: list[str] = []
    job = make("few_shot=[2,4]", "systems=[model,majority]")
    again = run_benchmark(job, project, say=said.append, on_log=quiet)
    assert trainings == [] and again.run_id is None
    assert again.sheets[0].lines == done.sheets[0].lines
    assert any(line.startswith("model seed 2 of 2: macro_f1") and line.endswith("(done before)") for line in said)


def test_benchmark_changed_settings_train_anew(
    done: Benchmarked, make: Make, project: Path, trainings: list[dict[str, Any]]
) -> None:
    run_benchmark(make("systems=[model]", "train.epochs=1", "seeds=1"), project, say=quiet, on_log=quiet)
    assert [noted["session"].seed for noted in trainings] == [1]
    run_benchmark(make("systems=[model]", "seeds=3"), project, say=quiet, on_log=quiet)
    assert [noted["session"].seed for noted in trainings] == [1, 3], "seeds 1 and 2 were there already"


def test_benchmark_interrupted_is_killed_and_goes_on_where_it_was(
    make: Make, project: Path, trainings: list[dict[str, Any]]
) -> None:
    def stop(*values: object) -> None:
        if len(trainings) == 2:
            raise KeyboardInterrupt

    job = make(
        "systems=[model]", "tracking=mlflow", "tracking.experiment=stopped", "output=stopped", "cache=stopped-runs"
    )
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(job, project, say=quiet, on_log=stop)
    statuses = mlflow.search_runs(experiment_names=["stopped"])["status"]
    assert sorted(statuses) == ["FINISHED", "KILLED", "KILLED"], "seed 1; seed 2 and the parent"
    assert mlflow.active_run() is None and not (project / job.output).exists()
    assert [file.suffix for file in (project / job.cache).iterdir()] == [".json"]
    run_benchmark(job, project, say=quiet, on_log=quiet)
    assert [noted["session"].seed for noted in trainings] == [1, 2, 2]


def test_benchmark_says_how_the_systems_do_on_dev(done: Benchmarked) -> None:
    assert all(line.dev is not None and 0 <= line.dev <= 1 for sheet in done.sheets for line in sheet.lines)
    assert "| system | runs | macro_f1 on dev |" in done.page


def test_benchmark_other_code_or_packages_train_anew(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    for digest, trains in (("a", True), ("a", False), ("b", True)):
        monkeypatch.setattr(runs, "code_digest", lambda digest=digest: digest)
        run_benchmark(make("systems=[majority]"), tmp_path, say=said.append, on_log=quiet)
        assert said[-2].endswith("(done before)") is not trains


def test_benchmark_a_folder_of_other_things_is_refused_before_the_work(make: Make, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    said: list[str] = []
    with pytest.raises(ConfigError, match="mine"):
        run_benchmark(make("output=mine"), tmp_path, say=said.append, on_log=quiet)
    assert said == [] and (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_benchmark_a_damaged_run_is_trained_again(make: Make, tmp_path: Path, trainings: list[dict[str, Any]]) -> None:
    job = make("systems=[model]", "seeds=1")
    run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    (file,) = (tmp_path / job.cache).iterdir()
    file.write_text(file.read_text()[:40])
    run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    assert len(trainings) == 2


@pytest.mark.parametrize(("system", "field"), [("target-blind", "target"), ("holder-blind", "holder")])
def test_benchmark_blind_systems_never_see_their_field(
    make: Make,
    tmp_path: Path,
    trainings: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    field: str,
) -> None:
    asked: list[Example] = []
    real = systems.network_logits
    monkeypatch.setattr(
        systems, "network_logits", lambda net, rows, *more: asked.extend(rows) or real(net, rows, *more)
    )
    run_benchmark(make(f"systems=[{system}]", "seeds=1"), tmp_path, say=quiet, on_log=quiet)
    (given,) = trainings
    rows = [*given["splits"].train, *given["splits"].dev, *given["splits"].test, *asked]
    assert asked and all(getattr(row, field) is None for row in rows)
    other = "holder" if field == "target" else "target"
    assert all(getattr(row, other) for row in rows)


def test_benchmark_left_out_targets_are_never_trained_on(
    make: Make, tmp_path: Path, trainings: list[dict[str, Any]]
) -> None:
    job = make(
        "systems=[model]", "seeds=1", "leave_out=target", "leave_out_most=2", "cross_target=['the pact>the fund']"
    )
    run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    whole, *parts, crossed = [named["splits"] for named in trainings]
    assert len({e.target for e in whole.train}) > 3 and len(parts) == 2
    for splits in parts:
        (left,) = {e.target for e in splits.test}
        assert left not in {e.target for e in [*splits.train, *splits.dev]}
    assert {e.target for e in crossed.train} == {"the pact"} and {e.target for e in crossed.test} == {"the fund"}


def test_benchmark_few_rows_are_repeated_for_enough_steps(
    make: Make, tmp_path: Path, trainings: list[dict[str, Any]]
) -> None:
    run_benchmark(
        make("systems=[model]", "seeds=1", "few_shot=[2]", "few_shot_steps=6"), tmp_path, say=quiet, on_log=quiet
    )
    few = trainings[1]["splits"].train
    assert len({e.text for e in few}) == 10 and len(few) == 100  # 3 steps of 32 in each of 2 epochs


def test_benchmark_says_which_systems_are_left_out_and_why(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setfit_baseline, "find_spec", lambda name: None)
    job = make("systems=[majority,plain,setfit,holder-blind,tfidf+svm,tfidf+logistic]", "data.columns.holder=null")
    job.data.on_contradiction, job.plain_learning_rate = "warn", job.train.learning_rate
    found = run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    assert "| setfit | 0 | not installed; pip install setfit accelerate |" in found.page
    assert "| plain | 0 | it would be the same as model |" in found.page
    assert "| holder-blind | 0 | the data has no holders |" in found.page
    assert [line.system for line in found.sheets[0].lines] == ["tfidf+svm", "tfidf+logistic", "majority"]


def test_benchmark_plain_starts_from_the_plain_encoder_at_its_own_rate(
    make: Make, trainings: list[dict[str, Any]], trained: Trained, tmp_path: Path
) -> None:
    job = make("systems=[model,plain]", "seeds=1", f"model.encoder={trained.bundle}")
    found = run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    assert [(line.system, line.runs) for line in found.sheets[0].lines] == [("model", 1), ("plain", 1)]
    assert [training["model"].encoder for training in trainings] == [job.model.encoder, job.plain_encoder]
    assert [training["settings"].learning_rate for training in trainings] == [3e-3, 2e-4], "each at a rate of its own"


@pytest.mark.skipif(setfit_baseline.setfit_missing() is not None, reason="setfit is not installed")
def test_benchmark_setfit_runs_on_the_plain_encoder(make: Make, tmp_path: Path) -> None:
    job = make("systems=[setfit]", "setfit_steps=3", "seeds=1")
    found = run_benchmark(job, tmp_path, say=quiet, on_log=quiet)
    assert [(line.system, line.runs) for line in found.sheets[0].lines] == [("setfit", 1)]


@pytest.mark.parametrize(
    ("override", "error", "said"),
    [
        ("systems=[modle]", ConfigError, "systems: got 'modle'; expected some of .*did you mean 'model'"),
        ("systems=[]", ConfigError, "systems: got none, of which none can be run"),
        ("few_shot=[0]", ConfigError, "few_shot: got 0; expected numbers of rows from 1"),
        ("few_shot=[4000]", DataError, "few_shot: got 4000, but of the training rows 'accept' has"),
        ("leave_out=mood", ConfigError, r"leave_out: no test row has a mood; expected .*\(genre\)"),
        ("cross_target=[the pact]", ConfigError, "cross_target: got 'the pact'; expected two targets"),
        ("~data.measures.macro_f1", ConfigError, "data.measures: got none"),
    ],
)
def test_benchmark_wrong_input_is_a_sentence(
    make: Make, project: Path, override: str, error: type[StanceError], said: str
) -> None:
    more = ["~data.measures.accuracy"] if override.startswith("~") else []
    with pytest.raises(error, match=said):
        run_benchmark(make(override, *more), project, say=quiet, on_log=quiet)


def test_benchmark_systems_are_those_of_the_config() -> None:
    assert compose_settings("benchmark", [], BenchmarkJob).systems == list(questions.SYSTEMS)
