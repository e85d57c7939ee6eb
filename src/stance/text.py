"""Renders an example as the pair of texts that a model reads; training and inference share it."""

from collections.abc import Callable

from stance.core import Example


def _fields(holder: str | None, target: str | None) -> str:
    return f"{holder or 'anyone'}: {target or 'taking part'}"


def _question(holder: str | None, target: str | None) -> str:
    return f"What does {holder or 'the speaker'} say about {target or 'taking part'}?"


INPUT_FORMS: dict[str, Callable[[str | None, str | None], str]] = {
    "fields": _fields,
    "question": _question,
}
"""Ways to word the second segment, by the name that configs/model and the bundle use."""


def render(example: Example, input_form: str) -> tuple[str, str]:
    """Return (the sentence, the question about it), white space folded.

    Args:
        example: Its label is not looked at.
        input_form: A name in INPUT_FORMS.
    """
    question = INPUT_FORMS[input_form](example.holder, example.target)
    return " ".join(example.text.split()), " ".join(question.split())
