"""The pair of texts that a model reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.core import Example
from stance.text import INPUT_FORMS, render


@pytest.mark.parametrize(
    ("holder", "target", "form", "question"),
    [
        ("Kenya", "the force", "fields", "Kenya: the force"),
        (None, "the force", "fields", "anyone: the force"),
        ("Kenya", None, "fields", "Kenya: taking part"),
        (None, None, "fields", "anyone: taking part"),
        ("Kenya", "the force", "question", "What does Kenya say about the force?"),
        (None, None, "question", "What does the speaker say about taking part?"),
        ("Kenya", "the force", "given", "Kenya: the force"),
        (None, "the force", "given", "the force"),
        ("Kenya", None, "given", "Kenya:"),
        (None, None, "given", ""),
    ],
)
def test_text_words_the_question(holder: str | None, target: str | None, form: str, question: str) -> None:
    assert render(Example("No.", target, holder), form) == ("No.", question)


def test_text_folds_white_space() -> None:
    assert render(Example(" a \n b\u00a0c ", " x\t y", " z "), "fields") == ("a b c", "z : x y")


@given(st.text(), st.none() | st.text(), st.none() | st.text(), st.sampled_from(sorted(INPUT_FORMS)))
def test_text_ignores_label_and_everything_else(text: str, holder: str, target: str, form: str) -> None:
    bare = Example(text, target, holder)
    full = Example(text, target, holder, "refuse", "7", "g", "2024-01-01", "c", "dev", {"genre": ("wire",)})
    assert render(bare, form) == render(full, form)


def test_text_rejects_an_unknown_form() -> None:
    with pytest.raises(KeyError):
        render(Example("No."), "poem")
