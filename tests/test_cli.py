"""The command `stance`: what it prints, and its exit statuses."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import make_rows, write_jsonl

from stance import api, load
from stance.cli import main
from stance.core import Example
from stance.line import Trained

ASKED = ["Peru rejects the treaty.", "--holder", "Peru", "--target", "the treaty"]


@pytest.fixture
def model(trained: Trained) -> list[str]:
    return ["--model", str(trained.bundle)]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", make_rows(40))


def test_cli_predict_prints_the_answer(model: list[str], trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", *ASKED, *model]) == 0
    answer = load(trained.bundle).predict(Example(ASKED[0], "the treaty", "Peru"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{answer.label}  ({answer.confidence:.0%} sure")
    assert lines[1].split()[0] == answer.label and len(lines) == 1 + len(answer.probabilities)


def test_cli_predict_prints_json(model: list[str], trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", *ASKED, "--json", *model]) == 0
    expected = load(trained.bundle).predict(Example(ASKED[0], "the treaty", "Peru"))
    assert json.loads(capsys.readouterr().out) == asdict(expected)


def test_cli_predict_says_what_was_not_read(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "force " * 100, *model]) == 0
    assert "text and question are too long; the last" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["predict", "", "--model", "BUNDLE"], "text is empty; expected a sentence"),
        (["predict", "No.", "--holder", " ", "--model", "BUNDLE"], "holder is empty"),
        (["predict", "No.", "--model", "nowhere"], "nowhere: no such bundle folder"),
        (["predict", "No.", "--model", "BUNDLE", "--backend", "tpu"], "backend 'tpu' is not one of auto, "),
        (["score", "ROWS", "OUT", "--model", "BUNDLE", "--backend", "tpu"], "backend 'tpu' is not one of auto, "),
        (["score", "gone.csv", "OUT", "--model", "BUNDLE"], "gone.csv: no such file"),
        (["score", "ROWS", "out.xlsx", "--model", "BUNDLE"], "format '.xlsx' is not known"),
        (["score", "ROWS", "OUT", "--text-column", "sentence", "--model", "BUNDLE"], "Name it with --text-column"),
        (["score", "ROWS", "ROWS/below/out.csv", "--model", "BUNDLE"], "ROWS"),
        (["check", "gone.jsonl"], "gone.jsonl: no such file"),
        (["check", "ROWS", "train.epoch=3"], "train"),
        (
            ["check", "ROWS", "labels=favor_against", "data.split.by=group"],
            "label 'accept' is not one of favor, against",
        ),
    ],
)
def test_cli_mistakes_are_one_error_and_status_two(
    arguments: list[str], problem: str, trained: Trained, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"BUNDLE": str(trained.bundle), "ROWS": str(rows), "OUT": str(rows.with_name("out.csv"))}

    def put(word: str) -> str:
        for name, place in places.items():
            word = word.replace(name, place)
        return word

    assert main([put(word) for word in arguments]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error: ") and "Traceback" not in told.err
    assert put(problem) in told.err
    assert [p.name for p in rows.parent.iterdir()] == ["rows.jsonl"]


def test_cli_score_writes_the_file(model: list[str], rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = rows.with_name("out.csv")
    assert main(["score", str(rows), str(out), "--quiet", *model]) == 0
    assert capsys.readouterr().err == f"40 rows written to {out}\n"
    assert len(out.read_text().splitlines()) == 41


def test_cli_score_names_columns_that_it_did_not_find(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("text,Holder,target\nPeru will join.,Peru,the force\n")
    assert main(["score", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), *model]) == 0
    said = capsys.readouterr().err
    assert "has no column 'holder', so each text's obvious holder is taken; it has text, Holder, target" in said
    assert "--holder-column" in said and "'target'" not in said


def test_cli_check_prints_the_report_and_writes_nothing(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(rows), "data.split.by=group", "data.near_duplicate=1.0"]) == 0
    assert "40 rows, 40 different texts" in capsys.readouterr().out
    assert list(rows.parent.iterdir()) == [rows]


def test_cli_check_takes_any_file_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_jsonl(tmp_path / "donn\u00e9es ${x}.jsonl", make_rows(40))
    assert main(["check", str(path), "data.near_duplicate=1.0"]) == 0
    assert "40 rows" in capsys.readouterr().out


def test_cli_check_fails_on_errors_in_the_data(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = make_rows(40)
    write_jsonl(rows, [*some, some[0] | {"label": "refuse" if some[0]["label"] != "refuse" else "none"}])
    assert main(["check", str(rows), "data.split.by=group", "data.near_duplicate=1.0"]) == 2
    told = capsys.readouterr()
    assert "41 rows" in told.out and "the data has errors\ntwo labels" in told.err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted; nothing was written\n"),
        (PermissionError(13, "Permission denied", "secret.csv"), 2, "error: secret.csv: Permission denied"),
    ],
)
def test_cli_interruptions_and_file_errors_have_their_status(
    error: BaseException, status: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*values: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(api, "predict", fail)
    assert main(["predict", "No."]) == status
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["predict", "score", "check"]),
        (["predict", "--help"], ["--holder", "--target", "--json", "--model", "$STANCE_MODEL"]),
        (["score", "--help"], ["IN", "OUT", "--text-column", "gold_label", "--quiet"]),
        (["check", "--help"], ["FILE", "KEY=VALUE", "without writing anything"]),
    ],
)
def test_cli_help_names_every_option(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    shown = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0 and [word for word in words if word not in shown] == []


@pytest.mark.parametrize("arguments", [[], ["guess"], ["predict"], ["score", "in.csv"], ["predict", "x", "--speed"]])
def test_cli_wrong_usage_is_status_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage: stance" in capsys.readouterr().err
