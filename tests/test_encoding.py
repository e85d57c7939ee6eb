"""Token ids as AutoTokenizer gives them, cuts counted, batches by length."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from stance import encoding
from stance.config import compose_settings
from stance.core import Example
from stance.encoders import find_encoder
from stance.encoding import Encoded, PairTokenizer, by_length
from stance.settings import PrepareJob
from stance.text import render
from stance.training.tokenizer import load_tokenizer

MODEL = replace(compose_settings("prepare", ["model=minilm"], PrepareJob).model, max_length=24)
THEIRS = AutoTokenizer.from_pretrained(find_encoder(MODEL.encoder))
OURS = load_tokenizer(MODEL)
TEXTS = ("No.", "Kenya declined to join.", "na\u00efve \u4f60\u597d \U0001f600 co-operate, 1,234.5", "word " * 40)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=80)


def theirs(example: Example) -> Encoded:
    """Encode as AutoTokenizer does, which cuts without counting: the length of the whole tells how much."""
    cut = THEIRS(*render(example, MODEL.input_form), truncation="longest_first", max_length=24)
    whole = len(THEIRS(*render(example, MODEL.input_form))["input_ids"])
    assert len(cut["input_ids"]) == min(24, whole)
    return Encoded(cut["input_ids"], cut["token_type_ids"], max(0, whole - 24))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("target", [None, "the force", "the force " * 20])
def test_encoding_equals_auto_tokenizer(text: str, target: str | None) -> None:
    example = Example(text, target, "Kenya")
    assert OURS.encode([example]) == [theirs(example)]


@settings(max_examples=60)
@given(texts, st.none() | texts, st.none() | texts)
def test_encoding_equals_auto_tokenizer_for_any_text(text: str, target: str | None, holder: str | None) -> None:
    example = Example(text, target, holder)
    assert OURS.encode([example]) == [theirs(example)]


def test_encoding_counts_what_does_not_fit() -> None:
    long, short = Example("word " * 100, "x", "y"), Example("No.", "x", "y")
    assert OURS.tokens_cut([long, short]) == [100 + 3 + 3 - 24, 0]
    told = "1 texts are too long for model.max_length=24: up to 82 tokens are cut"
    assert OURS.cut_note([long, short]).endswith(told) and OURS.cut_note([short]) == ""


def test_encoding_counts_in_windows_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [Example("word " * length, "x", "y") for length in range(1, 50)]
    whole = OURS.tokens_cut(examples)
    monkeypatch.setattr(encoding, "WINDOW", 7)
    assert OURS.tokens_cut(examples) == whole and whole[-1] > whole[-2] > 0 == whole[0]


def test_encoding_survives_a_round_trip_through_json(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(OURS.to_json(), encoding="utf-8")
    again = PairTokenizer.from_file(path, max_length=24, input_form=MODEL.input_form, pad_id=OURS.pad_id)
    examples = [Example(text, "the force", "Kenya") for text in TEXTS]
    assert again.encode(examples) == OURS.encode(examples)


def test_encoding_ignores_truncation_and_padding_in_the_file() -> None:
    tokenizer = THEIRS.backend_tokenizer
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=30)
    given = tokenizer.to_str()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    again = PairTokenizer(given, max_length=24, input_form=MODEL.input_form, pad_id=0)
    examples = [Example(text) for text in TEXTS]
    assert again.encode(examples) == OURS.encode(examples)


def test_encoding_pads_to_the_longest_row() -> None:
    tokenizer = PairTokenizer(OURS.to_json(), max_length=24, input_form="fields", pad_id=9)
    rows = [Encoded([5, 6], [0, 1], 0), Encoded([1, 2, 3], [0, 0, 1], 0), Encoded([7], [0], 0)]
    batch = tokenizer.pad(rows, [2, 1])
    assert batch.ids.tolist() == [[7, 9, 9], [1, 2, 3]]
    assert batch.mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.segments.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert batch.positions == [2, 1] and batch.ids.dtype == np.int64


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 200))
def test_encoding_by_length_covers_each_position_once_within_the_budget(lengths: list[int], budget: int) -> None:
    rows = [Encoded([0] * n, [0] * n, 0) for n in lengths]
    batches = list(by_length(rows, budget))
    assert sorted(p for batch in batches for p in batch) == list(range(len(rows)))
    assert all(len(b) == 1 or len(b) * max(lengths[p] for p in b) <= budget for b in batches)
    widths = [lengths[p] for batch in batches for p in batch]
    assert widths == sorted(widths, reverse=True)


def test_encoding_batches_are_full() -> None:
    rows = [Encoded([i], [0], 0) for i in range(10)]
    assert [len(batch) for batch in by_length(rows, 4)] == [4, 4, 2]
