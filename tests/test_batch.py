"""A file is scored row by row; the result appears whole or not at all."""

import csv
import itertools
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest

from stance import Predictor, load
from stance.core import Example
from stance.errors import DataError
from stance.inference import predictor as module
from stance.inference.batch import score_file
from stance.line import Trained
from stance.settings import ColumnSettings

COLUMNS = ColumnSettings(
    text="text", label="label", holder="holder", target="target", id=None, group=None, date=None, condition=None,
    split=None, slices=[],
)  # fmt: skip
ROWS = [
    {"id": 1, "text": "Kenya rejects the force.", "holder": "Kenya", "target": "the force", "label": "NA"},
    {"id": 2, "text": 'He said "no,\nnever" \u00e9.', "holder": "", "target": None, "label": "x"},
    {"id": 3, "text": "Peru is weighing the talks. " * 9, "holder": "Peru", "target": "the talks", "label": ""},
]
ADDED = ["confidence", "p_accept", "p_conditional", "p_undecided", "p_refuse", "p_none", "abstained", "tokens_cut"]


@pytest.fixture(scope="module")
def predictor(trained: Trained) -> Predictor:
    return load(trained.bundle, backend="onnx")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return jsonl(tmp_path / "in.jsonl", ROWS)


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def score(predictor: Predictor, source: Path, target: Path, columns: ColumnSettings = COLUMNS) -> list[dict[str, Any]]:
    score_file(predictor, source, target, columns, lambda count: None)
    return score_after(target)


def score_after(target: Path) -> list[dict[str, Any]]:
    if target.suffix == ".jsonl":
        return [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    with target.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if target.suffix == ".tsv" else ","))


def test_batch_columns_that_json_does_not_know_are_written_as_words(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    rows = [{"text": "We will join.", "price": Decimal("1.50"), "days": [date(2026, 1, 2)]}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    score(predictor, path, tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert (row["price"], row["days"]) == ("1.50", ["2026-01-02"])


def test_batch_reads_parquet_and_says_that_it_does_not_write_it(predictor: Predictor, source: Path) -> None:
    path = source.with_name("in.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    assert score(predictor, path, source.with_name("a.jsonl")) == score(predictor, source, source.with_name("b.jsonl"))
    with pytest.raises(DataError, match=r"format '.parquet' is not known; expected .jsonl, .csv, .tsv"):
        score(predictor, source, source.with_name("out.parquet"))


def test_batch_keeps_columns_and_answers_as_predict(predictor: Predictor, source: Path) -> None:
    got = score(predictor, source, source.with_name("out.jsonl"))
    for row, new in zip(ROWS, got, strict=True):
        assert list(new) == ["id", "text", "holder", "target", "gold_label", "label", *ADDED]
        assert {k: new[k] for k in ("id", "text", "holder", "target")} == {k: v for k, v in row.items() if k != "label"}
        answer = predictor.predict(Example(str(row["text"]), row["target"] or None, row["holder"] or None))  # type: ignore[arg-type]
        assert (new["label"], new["gold_label"], new["tokens_cut"]) == (answer.label, row["label"], answer.tokens_cut)
        assert new["confidence"] == pytest.approx(answer.confidence, abs=1e-5)
        assert sum(new[f"p_{label}"] for label in predictor.labels.names) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("middle", [".csv", ".tsv"])
def test_batch_reads_and_writes_every_format(predictor: Predictor, source: Path, middle: str) -> None:
    first = score(predictor, source, source.with_name(f"first{middle}"))
    assert [row["text"] for row in first] == [row["text"] for row in ROWS]
    with source.with_name(f"plain{middle}").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(ROWS[0]), delimiter="\t" if middle == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(ROWS)
    second = score(predictor, source.with_name(f"plain{middle}"), source.with_name("second.jsonl"))
    assert [{k: str(v) for k, v in row.items()} for row in second] == [
        {k: str(v) for k, v in row.items()} for row in first
    ]


def test_batch_lists_become_json_in_csv(predictor: Predictor, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"text": "No.", "tags": ["a", "\u00e9"]}])
    assert score(predictor, source, tmp_path / "out.csv")[0]["tags"] == '["a", "\u00e9"]'


def test_batch_half_a_surrogate_in_another_column_is_kept(predictor: Predictor, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"text": "No.", "note": "cut \ud83d"}])
    assert score(predictor, source, tmp_path / "out.jsonl")[0]["note"] == "cut \ud83d"


def test_batch_columns_can_have_other_names(predictor: Predictor, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"sentence": "Peru rejects it.", "who": "Peru", "on": "the pact"}])
    columns = replace(COLUMNS, text="sentence", holder="who", target="on")
    expected = predictor.predict(Example("Peru rejects it.", "the pact", "Peru"))
    assert score(predictor, source, tmp_path / "out.jsonl", columns)[0]["label"] == expected.label


def test_batch_streams_in_windows(predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 4)
    source = jsonl(tmp_path / "in.jsonl", [row | {"id": i} for i, row in zip(range(10), itertools.cycle(ROWS))])
    counts: list[int] = []
    total = score_file(predictor, source, tmp_path / "out.jsonl", COLUMNS, counts.append).rows
    ids = [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (total, sum(counts), ids) == (10, 10, list(range(10)))


BAD: list[tuple[str, list[Any], str]] = [
    ("text", [{"text": "No."}, {"text": ""}, {"text": 5}], r"in.jsonl:2: .* is empty(.|\n)*in.jsonl:3: .* is 5"),
    ("column", [{"sentence": "No."}], "in.jsonl:1: no column 'text'; the row has sentence"),
    ("holder", [{"text": "No.", "holder": 1.5}], "in.jsonl:1: column 'holder' is 1.5"),
    ("object", [{"text": "No."}, 7], "in.jsonl:2: .*expected a JSON object"),
    ("mixed", [{"text": ""}, 7], r"in.jsonl:1: .* is empty(.|\n)*in.jsonl:2: .*expected a JSON object"),
    ("nothing", [], "in.jsonl: the file has no rows"),
    ("taken", [{"text": "No.", "confidence": 1}], "its column 'confidence' is one that score adds. Rename it first"),
    ("taken", [{"text": "No.", "label": "a", "gold_label": "b"}], "column 'gold_label' is one that score adds"),
]


@pytest.mark.parametrize(("name", "rows", "problem"), BAD, ids=[case[0] for case in BAD])
def test_batch_bad_rows_leave_no_output(
    predictor: Predictor, tmp_path: Path, name: str, rows: list[Any], problem: str
) -> None:
    source = jsonl(tmp_path / "in.jsonl", rows)
    with pytest.raises(DataError, match=problem):
        score(predictor, source, tmp_path / "out.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]
    (tmp_path / "out.jsonl").write_text("earlier")
    with pytest.raises(DataError):
        score(predictor, source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "earlier" and len(list(tmp_path.iterdir())) == 2


def test_batch_many_bad_rows_are_cut_short(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        score(predictor, jsonl(tmp_path / "in.jsonl", [{"text": ""}] * 50), tmp_path / "out.jsonl")
    assert len(str(caught.value).splitlines()) == 20


@pytest.mark.parametrize("rows", [[{"text": ""}] * 2, [{"sentence": "No."}]])
def test_batch_skipping_needs_one_good_row(predictor: Predictor, tmp_path: Path, rows: list[Any]) -> None:
    with pytest.raises(DataError, match=r"in.jsonl:1: "):
        score_file(predictor, jsonl(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", COLUMNS, id, skip_bad=True)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_batch_skipped_rows_keep_their_place(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(module, "WINDOW", 2)
    bad = [{"text": ""}, {"text": 5}, {"text": "No.", "holder": 1.5}]
    good = [{"text": row["text"], "holder": ""} for row in ROWS]
    rows = [bad[0], good[0], bad[1], bad[2], good[1], good[2], bad[0]]
    source = jsonl(tmp_path / "in.jsonl", [{"id": str(i), "holder": ""} | row for i, row in enumerate(rows)])
    seen = score_file(predictor, source, tmp_path / name, COLUMNS, lambda count: None, skip_bad=True)
    assert (seen.rows, seen.bad) == (7, 4) and "in.jsonl:1: " in seen.faults[0]
    got = score_after(tmp_path / name)
    assert [row["id"] for row in got] == list("0123456")
    answers = [predictor.predict(Example(str(row["text"]))).label for row in good]
    assert [row["label"] or None for row in got] == [None, answers[0], None, None, answers[1], answers[2], None]
    assert {row[name] or None for row in (got[0], got[6]) for name in ADDED} == {None}


def test_batch_is_read_through_before_the_first_answer(predictor: Predictor, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [*ROWS, {"text": ""}])
    with pytest.raises(DataError, match=r"in.jsonl:4: "):
        score_file(predictor, source, tmp_path / "out.jsonl", COLUMNS, lambda count: pytest.fail("answered"))


def test_batch_a_new_column_in_csv_is_named(predictor: Predictor, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"text": "No."}, {"text": "No.", "note": "x"}])
    with pytest.raises(DataError, match=r"column 'note' is not in the first row; write \.jsonl"):
        score(predictor, source, tmp_path / "out.csv")


def test_batch_interrupted_leaves_nothing(predictor: Predictor, source: Path) -> None:
    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_file(predictor, source, source.with_name("out.jsonl"), COLUMNS, stop)
    assert [p.name for p in source.parent.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("given", "target", "problem"),
    [
        ("in.jsonl", "out.xlsx", "format '.xlsx' is not known"),
        ("gone.jsonl", "out.jsonl", "gone.jsonl: no such file"),
        (".", "out.jsonl", "is a folder; expected one file"),
    ],
)
def test_batch_bad_paths_are_named(predictor: Predictor, source: Path, given: str, target: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        score(predictor, source.parent / given, source.parent / target)


def test_batch_can_write_over_its_source(predictor: Predictor, source: Path) -> None:
    assert [row["id"] for row in score(predictor, source, source)] == [1, 2, 3]
