"""Every shipped config composes; a wrong setting is one sentence that names its key."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from stance import config as configuration
from stance import config_words
from stance.config import JOBS, compose_settings, load_settings
from stance.config_words import help_page
from stance.errors import ConfigError
from stance.paths import CONFIGS, ROOT
from stance.settings import PrepareJob, TrainJob

GROUP_FILES = sorted(p.relative_to(CONFIGS) for p in CONFIGS.rglob("*.yaml") if p.parent != CONFIGS)
ENTRIES = sorted(p.stem for p in CONFIGS.glob("*.yaml"))
GROUPS = sorted({file.parts[0] for file in GROUP_FILES})


def entries_with(group: str) -> list[str]:
    return [e for e in ENTRIES if re.search(rf"^  - {group}:", (CONFIGS / f"{e}.yaml").read_text(), re.MULTILINE)]


def test_config_finds_the_shipped_files() -> None:
    assert len(GROUP_FILES) > 0 and all(map(entries_with, GROUPS))
    assert sorted(JOBS) == ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_config_every_entry_composes(name: str) -> None:
    assert isinstance(compose_settings(name, [], JOBS[name]), JOBS[name])


@pytest.mark.parametrize("file", GROUP_FILES, ids=str)
def test_config_every_choice_composes_with_its_entries(file: Path) -> None:
    group, choice = file.parts[0], Path(*file.parts[1:]).with_suffix("").as_posix()
    path = ["data.path=rows.jsonl"] if group == "data" else []  # your own data lies where you put it
    composed = 0
    for name in entries_with(group):
        try:
            compose_settings(name, [f"{group}={choice}", *path], JOBS[name])
            composed += 1
        except ConfigError:
            assert group == "experiment"  # an experiment is written for one entry
    assert composed


@pytest.fixture
def own_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of configs/ to add files to."""
    folder = tmp_path / "configs"
    shutil.copytree(CONFIGS, folder)
    for module in configuration, config_words:
        monkeypatch.setattr(module, "CONFIGS", folder)
    return folder


def test_config_experiment_wins_over_groups_and_entry(own_configs: Path) -> None:
    (own_configs / "experiment" / "short.yaml").write_text(
        '# @package _global_\ndefaults:\n  - override /tracking: "off"\nseed: 77\ntrain:\n  epochs: 2\n'
    )
    job = compose_settings("train", ["experiment=short"], TrainJob)
    assert (job.seed, job.train.epochs, job.tracking.enabled) == (77, 2, False)
    assert compose_settings("train", ["experiment=short", "seed=3"], TrainJob).seed == 3


def test_config_own_data_is_a_file_of_ten_lines(own_configs: Path) -> None:
    """The file is the one that the head of configs/data/custom.yaml shows."""
    head = (CONFIGS / "data/custom.yaml").read_text().splitlines()
    lines = [line.removeprefix("#   ") for line in head if line.startswith("#   ")]
    (own_configs / "experiment" / "mine.yaml").write_text("\n".join(lines[1:]) + "\n")
    job = compose_settings("train", ["experiment=mine"], TrainJob)
    assert (job.data.name, job.data.path, job.data.columns.text, job.data.columns.target) == (
        "mine", "my.csv", "sentence", "topic",
    )  # fmt: skip
    assert (job.labels.name, job.labels.names) == ("mine", {"low": "cold", "mid": "neither", "high": "warm"})
    assert compose_settings("train", lines[0].replace("'", "").split(" ", 4), TrainJob).labels.names == {
        "yes": "", "no": "",
    }  # fmt: skip
    data = "defaults: [custom, _self_]\nname: mine\npath: my.csv\ncolumns: {text: sentence}\n"
    (own_configs / "data" / "mine.yaml").write_text(data)
    job = compose_settings("train", ["data=mine", "labels=perspectrum"], TrainJob)
    assert (job.data.name, job.labels.name, list(job.labels.names)) == ("mine", "perspectrum", ["support", "undermine"])


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("train.epoch=3", "train.epoch"),
        ("+train.epoch=3", "train.epoch"),
        ("++train.epoch=3", "train.epoch"),
        ("+nonsense=3", "nonsense"),
        ("nonsense=3", "nonsense"),
        ("train.epochs=many", "train.epochs"),
        ("train.epochs=1.5", "train.epochs"),
        ("seed=null", "seed"),
        ("train.resume=maybe", "train.resume"),
        ("train.augment=3", "train.augment"),
        ("data.columns.slices=genre", "data.columns.slices"),
        ("~seed", "seed"),
        ("seed=${nowhere}", "nowhere"),
        ("train.epochs=0", "train.epochs must be from 1 to 1000, got 0"),
        ("train.learning_rate=nan", "train.learning_rate must be"),
        ("train.augment.drop_holder=1.1", "train.augment.drop_holder must be from 0 to 1, got 1.1"),
        ("device=tpu", "device must be one of auto, cpu, cuda, got 'tpu'"),
        ("tracking=nowhere", "tracking=nowhere: not one of mlflow, off"),
        ("experiment=nowhere", "experiment=nowhere: not one of benchmark/circa"),
        ("train.epochs", "train.epochs"),
    ],
)
def test_config_a_wrong_setting_is_one_sentence_that_names_it(override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_settings("train", [override], TrainJob)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("modle=minilm", "did you mean 'model'?"),
        ("tracking=off", "'tracking' is a group of another script"),
        ("train.epochs=3", "'train' is a setting of another script"),
        ("data.path=it's.csv", "data.path=it's.csv: not KEY=VALUE as Hydra reads it"),
        ("seed = 3", "seed = 3: not KEY=VALUE"),
        ("labels.names={a: for, it; b: no}", "goes between quotation marks"),
        ('labels.names={a: "x: y", b: a,b}', "goes between quotation marks"),
    ],
)
def test_config_says_how_a_setting_is_written(override: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_settings("prepare", [override], PrepareJob)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value) and "Exception" not in str(caught.value)


@pytest.mark.parametrize("override", ["train.epoch=3", "+train.epoch=3"])
def test_config_suggests_the_nearest_key(override: str) -> None:
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        compose_settings("train", [override], TrainJob)


def test_config_a_wrong_type_says_what_was_given_and_expected() -> None:
    with pytest.raises(ConfigError, match=r"'many'.*Integer"):
        compose_settings("train", ["train.epochs=many"], TrainJob)


def test_config_reports_all_values_out_of_range_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        compose_settings("train", ["train.epochs=0", "device=tpu", "model.max_length=3"], TrainJob)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["model.max_length", "train.epochs", "device"]


def test_config_a_missing_value_is_named() -> None:
    with pytest.raises(ConfigError, match="missing mandatory value: data"):
        load_settings(OmegaConf.create({}), PrepareJob)


@pytest.mark.parametrize("name", ENTRIES)
def test_config_help_shows_every_group_value_and_comment(name: str) -> None:
    shown = help_page(name)
    entry = (CONFIGS / f"{name}.yaml").read_text()
    for group in (g for g in GROUPS if name in entries_with(g)):
        assert f"# {group}=  one of: " in shown
        assert all(file.stem in shown for file in GROUP_FILES if file.parts[0] == group)
    chosen = re.findall(r"^  - (\w+): (\w+)", entry, re.MULTILINE)
    files = [CONFIGS / g / f"{c}.yaml" for g, c in chosen if c != "null"]
    lines = [line.strip() for file in files for line in file.read_text().splitlines() if line.strip()]
    assert [line for line in [*lines, *entry.splitlines()] if line not in shown] == []


@pytest.mark.parametrize(
    ("names", "expected"), [("{1: a, 2: b}", ["1", "2"]), ("{true: a, null: b, not so: c}", ["true", "null", "not so"])]
)
def test_config_label_names_may_look_like_numbers(names: str, expected: list[str]) -> None:
    assert list(compose_settings("prepare", [f"labels.names={names}"], PrepareJob).labels.names) == expected


@pytest.mark.parametrize("override", ['labels.names={"a": b}', "labels.names={a", "labels.names={a: {b: c}}"])
def test_config_broken_label_names_are_one_sentence(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose_settings("prepare", [override], PrepareJob)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("before", [[], ["data=custom", "data.path=x.csv"], ["labels=circa"]])
def test_config_own_label_names_stand_alone(before: list[str]) -> None:
    job = compose_settings("prepare", [*before, 'labels.names={yes: "is", no: ""}'], PrepareJob)
    assert job.labels.names == {"yes": "is", "no": ""}


def test_config_own_label_names_stand_alone_on_the_command_line(tmp_path: Path) -> None:
    rows = [f"Sentence number {i} of them,{label}" for i, label in enumerate(["low", "mid", "high"] * 20)]
    (tmp_path / "my.csv").write_text("\n".join(["sentence,label", *rows]) + "\n")
    words = [f"data.path={tmp_path}/my.csv", "data.name=test-own-labels", "data.columns.text=sentence"]
    words += ["labels.name=mine", 'labels.names={low: "", mid: "", high: ""}', f"hydra.run.dir={tmp_path}"]
    command = [sys.executable, str(ROOT / "scripts/prepare.py"), *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    shutil.rmtree(ROOT / "data/processed/test-own-labels", ignore_errors=True)
    assert ended.returncode == 0, ended.stderr
    assert "60 rows" in ended.stdout and ended.stdout.splitlines()[1].split() == ["part", "low", "mid", "high"]


def test_config_data_chooses_its_labels_and_the_command_line_wins() -> None:
    assert compose_settings("train", ["data=plv"], TrainJob).labels.name == "plv"
    assert compose_settings("train", ["experiment=benchmark/plv"], TrainJob).labels.name == "plv"
    assert compose_settings("train", ["data=plv", "labels=favor_against"], TrainJob).labels.name == "favor_against"
    assert compose_settings("train", ["labels=favor_against"], TrainJob).data.name == "participation"


def test_config_a_broken_file_of_your_own_is_one_sentence(own_configs: Path) -> None:
    (own_configs / "data" / "mine.yaml").write_text("name: mine\nname: twice\n")
    with pytest.raises(ConfigError, match=r"found duplicate key name in .*mine.yaml.*line 2") as caught:
        compose_settings("train", ["data=mine"], TrainJob)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["yes", "1"])
def test_config_label_names_that_yaml_takes_for_values_need_quotation_marks(own_configs: Path, name: str) -> None:
    (own_configs / "labels" / "mine.yaml").write_text(f"name: mine\nnames:\n  {name}: is\n  maybe: may be\n")
    with pytest.raises(ConfigError, match="put such a name between quotation marks"):
        compose_settings("prepare", ["labels=mine"], PrepareJob)


def test_config_part_names_of_files_are_known() -> None:
    with pytest.raises(ConfigError, match=r"data.files must have keys among train, dev, test, all, got training"):
        compose_settings("prepare", ["data.files={training: [a.csv]}"], PrepareJob)


def test_config_every_data_set_has_a_benchmark() -> None:
    sets = {file.stem for file in (CONFIGS / "data").glob("*.yaml")} - {"participation", "custom", "published"}
    assert sets == {file.stem for file in (CONFIGS / "experiment/benchmark").glob("*.yaml")}
    for name in sets:
        job = compose_settings("train", [f"experiment=benchmark/{name}"], TrainJob)
        assert job.data.name == name and job.labels.name.startswith(name)
        assert (job.model.name, job.train.name) in {("stance", "gentle"), ("stance", "benchmark")}
