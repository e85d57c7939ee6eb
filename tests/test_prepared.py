"""Prepared data is reused while it fits, made anew when something changed, and kept when that fails."""

from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from conftest import make_rows, write_jsonl

from stance.config import compose_settings
from stance.core import Example, LabelSet
from stance.data import prepared
from stance.data.files import read_examples
from stance.data.prepared import Prepared, examine, load_splits, prepare, rows_digest
from stance.errors import DataError
from stance.settings import PrepareJob

OVERRIDES = ["data.name=small", "data.path=rows.jsonl", "data.near_duplicate=1.0", "data.split.by=group"]
JOB = compose_settings("prepare", OVERRIDES, PrepareJob)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "rows.jsonl", make_rows(60))
    return tmp_path


def run(root: Path, force: bool = False, **changes: object) -> Prepared:
    return prepare(replace(JOB.data, **changes), JOB.labels, root=root, force=force)  # type: ignore[arg-type]


def test_prepared_is_reused_as_it_was(root: Path) -> None:
    first, second = run(root), run(root)
    assert (first.reused, second.reused) == (False, True)
    assert (first.splits, first.digest, first.report) == (second.splits, second.digest, second.report)


def test_prepared_anew_when_the_file_changes(root: Path) -> None:
    first = run(root)
    write_jsonl(root / "rows.jsonl", make_rows(61))
    second = run(root)
    assert not second.reused and second.digest != first.digest


@pytest.mark.parametrize(("key", "value"), [("rare_label", 1), ("on_leak", "warn"), ("near_duplicate", 0.9)])
def test_prepared_anew_when_a_setting_changes(root: Path, key: str, value: object) -> None:
    assert run(root).reused is False is run(root, **{key: value}).reused
    assert run(root, **{key: value}).reused


def test_prepared_anew_when_labels_change_or_it_is_forced(root: Path) -> None:
    run(root)
    assert not run(root, force=True).reused
    labels = replace(JOB.labels, names=JOB.labels.names | {"maybe": "a sixth"})
    assert not prepare(JOB.data, labels, root=root).reused


def test_prepared_reads_further_files_and_notices_their_changes(root: Path) -> None:
    write_jsonl(root / "more.jsonl", make_rows(12, seed=1))
    first = run(root, also=["more.jsonl"])
    assert sum(map(len, first.splits.parts().values())) == 72
    write_jsonl(root / "more.jsonl", make_rows(13, seed=1))
    assert not run(root, also=["more.jsonl"]).reused


@pytest.mark.parametrize("name", ["train.parquet", "manifest.json"])
def test_prepared_anew_when_a_file_of_it_is_gone(root: Path, name: str) -> None:
    (run(root).path / name).unlink()
    assert not run(root).reused and run(root).reused


@pytest.mark.parametrize("name", ["train.parquet", "manifest.json"])
def test_prepared_damage_is_said_when_it_is_loaded(root: Path, name: str) -> None:
    folder = run(root).path
    (folder / name).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"damaged.*force=true"):
        load_splits(folder)


def test_prepared_failure_leaves_the_earlier_one(root: Path) -> None:
    first, rows = run(root), make_rows(60)
    write_jsonl(root / "rows.jsonl", [*rows, rows[0] | {"label": "none" if rows[0]["label"] != "none" else "refuse"}])
    with pytest.raises(DataError, match="the data has errors\ntwo labels"):
        run(root)
    assert load_splits(first.path) == first.splits
    assert [p.name for p in first.path.parent.iterdir()] == ["small"]


def test_prepared_bad_rows_leave_nothing(root: Path) -> None:
    (root / "rows.jsonl").write_text("{broken")
    with pytest.raises(DataError, match=r"rows.jsonl:1"):
        run(root)
    assert not (root / "data").exists()


def test_prepared_examine_writes_nothing(root: Path) -> None:
    found = examine(JOB.data, JOB.labels, root=root)
    assert found.report.rows == 60 and not (root / "data").exists()


def test_prepared_parquet_has_the_labels_as_a_class(root: Path, tmp_path: Path) -> None:
    found = run(root)
    data = datasets.Dataset.from_parquet(str(found.path / "dev.parquet"), cache_dir=str(tmp_path / "cache"))
    label = data.features["label"]
    assert isinstance(label, datasets.ClassLabel) and label.names == list(JOB.labels.names)
    assert [label.int2str(i) for i in data["label"]] == [e.label for e in found.splits.dev]
    loaded = datasets.load_dataset(
        "parquet", data_files=str(found.path / "test.parquet"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert loaded.features == data.features


def test_prepared_examples_come_back_as_they_went(root: Path) -> None:
    rows = make_rows(60)
    rows[0] |= {
        "id": "7",
        "group": "NA",
        "date": "2024-01-01",
        "condition": rows[0]["text"][:9],
        "genre": ["a", "\u00e9"],
    }  # type: ignore[dict-item]
    rows[1] |= {"holder": "null", "target": "\U0001f600 na\u00efve"}
    write_jsonl(root / "rows.jsonl", rows)
    columns = replace(JOB.data.columns, date="date")
    run(root, columns=columns)
    back = [e for part in run(root, columns=columns).splits.parts().values() for e in part]
    read = read_examples(root / "rows.jsonl", LabelSet(tuple(JOB.labels.names)), columns, {}).examples
    assert sorted(back, key=str) == sorted(read, key=str)


def test_prepared_is_the_same_in_small_chunks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(root)
    monkeypatch.setattr(prepared, "CHUNK", 7)
    assert load_splits(whole.path) == whole.splits, "written at once, read in chunks"
    assert load_splits(run(root, force=True).path) == whole.splits


def test_prepared_digest_covers_every_value() -> None:
    example = Example("a", "b", "c", "none", slices={"genre": ("x",)})
    others = [
        replace(example, text="x"),
        replace(example, holder=None),
        replace(example, slices={}),
        replace(example, label="refuse"),
    ]
    digests = {rows_digest(rows) for rows in ([example], [example, example], *([other] for other in others))}
    assert len(digests) == 6
