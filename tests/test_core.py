"""Examples, label sets and the check of a text."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.core import MAX_CHARACTERS, Example, LabelSet, text_problem
from stance.errors import ConfigError, DataError

LABELS = LabelSet(("accept", "refuse", "none"))


def test_core_example_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Example("A text.").text = "Another."  # type: ignore[misc]


@pytest.mark.parametrize("names", [(), ("one",), ("a", "b", "a")])
def test_core_label_set_needs_two_different_names(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="two or more different names"):
        LabelSet(names)


@given(st.lists(st.text(), min_size=2, max_size=8, unique=True))
def test_core_label_set_indexes_every_name(names: list[str]) -> None:
    labels = LabelSet(tuple(names))
    assert [labels.index(name) for name in names] == list(range(len(labels)))


@pytest.mark.parametrize(("wrong", "meant"), [("refused", "refuse"), ("ACCEPT", "accept"), ("non", "none")])
def test_core_label_set_suggests_the_nearest_label(wrong: str, meant: str) -> None:
    with pytest.raises(DataError, match=f"label '{wrong}' is not one of .*; did you mean '{meant}'"):
        LABELS.index(wrong)


def test_core_label_set_suggests_nothing_far_off() -> None:
    with pytest.raises(DataError) as caught:
        LABELS.index("zebra")
    assert "did you mean" not in str(caught.value)


def test_core_spelling_ignores_capitals_where_one_label_fits() -> None:
    assert [LABELS.spelt(word) for word in ("REFUSE", "accept", "zebra")] == ["refuse", "accept", "zebra"]
    both = LabelSet(("us", "US", "them"))
    assert [both.spelt(word) for word in ("us", "US", "Us")] == ["us", "US", "Us"]


def test_core_indices_are_positions_and_need_labels() -> None:
    assert LABELS.indices([Example("x", label="none"), Example("x", label="accept")]).tolist() == [2, 0]
    with pytest.raises(DataError, match="is not one of"):
        LABELS.indices([Example("x")])


@pytest.mark.parametrize("names", [("refuse", "accept", "none"), ("accept", "refuse"), ("accept", "refuse", "no")])
def test_core_digest_changes_with_names_and_order(names: tuple[str, ...]) -> None:
    assert LabelSet(names).digest != LABELS.digest == LabelSet(LABELS.names).digest


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "words in quotes"),
        (7, "text is 7"),
        ("", "is empty"),
        (" \t\n", "is empty"),
        ("a\x00b", "NUL byte"),
        ("\ud83d", "half a surrogate pair"),
        ("x" * (MAX_CHARACTERS + 1), "20,001 characters long; expected at most 20,000"),
    ],
)
def test_core_text_problem_says_what_is_wrong(text: object, problem: str) -> None:
    assert problem in (text_problem(text) or "")


@pytest.mark.parametrize("text", ["x", "NA", "null", "x" * MAX_CHARACTERS, "\U0001f600 \u0645\u0631\u062d\u0628\u0627"])
def test_core_text_problem_accepts_what_can_be_read(text: str) -> None:
    assert text_problem(text) is None


def test_core_text_problem_names_the_field() -> None:
    assert (text_problem("", "holder") or "").startswith("holder ")
