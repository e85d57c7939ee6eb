"""Tests of stance.data.ungd: labels find their sentences again."""

import gzip
import json
from pathlib import Path

import pytest

from stance.data.ungd import digest, download, rebuild
from stance.errors import DataError

TEXT = "We will join the mission. But only if the Council adopts a mandate."


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    start = TEXT.index("only if")
    row = {"id": "KEN-2020-7#1", "digest": digest(TEXT), "label": "conditional", "condition": [start, len(TEXT) - 1]}
    path = tmp_path / "labels.jsonl"
    other = {"id": "PER-2020-7#1", "digest": digest("Not in the corpus."), "label": "none"}
    path.write_text(json.dumps(row) + "\n" + json.dumps(other) + "\n")
    return path


def speech(folder: Path) -> None:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/KEN_75_2020.txt").write_text(f"Mr. President,\n{TEXT.replace('. ', '.  ')}\nThank you. Bye.")


def sentences(folder: Path) -> None:
    folder.mkdir()
    (folder / "s.jsonl.gz").write_bytes(gzip.compress(json.dumps({"id": "KEN-2020-7", "text": TEXT}).encode()))


@pytest.mark.parametrize("write", [speech, sentences])
def test_ungd_rebuilds_rows_from_speeches_and_sentences(tmp_path: Path, labels: Path, write) -> None:
    write(tmp_path / "corpus")
    assert rebuild(labels, tmp_path / "corpus", tmp_path / "out.jsonl") == (1, 1)
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert row["text"] == TEXT and row["group"] == "KEN-2020"
    assert row["condition"] == "only if the Council adopts a mandate"


def test_ungd_digest_ignores_white_space_and_the_form_of_quotes() -> None:
    assert digest("It’s  “ours”\n") == digest('It\'s "ours"') != digest("It's ours")


def test_ungd_says_when_the_corpus_is_another(tmp_path: Path, labels: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(DataError, match="none of the 2 labelled sentences"):
        rebuild(labels, tmp_path / "corpus", tmp_path / "out.jsonl")
    with pytest.raises(DataError, match="no such folder"):
        rebuild(labels, tmp_path / "nowhere", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_ungd_download_that_fails_says_what_to_do_by_hand(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Download it in a browser"):
        download((tmp_path / "missing.zip").as_uri(), tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()
