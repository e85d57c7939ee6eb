"""Renders an example as the pair of texts that a model reads; training and inference share it."""

from collections.abc import Callable

from stance.core import Example
from stance.states import stand_ins

Pair = tuple[str, str]


def _fields(example: Example) -> Pair:
    return example.text, f"{example.holder or 'anyone'}: {example.target or 'taking part'}"


def _question(example: Example) -> Pair:
    return example.text, f"What does {example.holder or 'the speaker'} say about {example.target or 'taking part'}?"


def _given(example: Example) -> Pair:
    """Only what is there: "holder: target", "holder:", "target", or nothing."""
    holder = f"{example.holder}:" if example.holder else ""
    return example.text, f"{holder} {example.target or ''}"


def _stand_ins(example: Example) -> Pair:
    """As fields, every state under a stand-in's name: the answer leans less on which state it is."""
    return _fields(stand_ins(example))


INPUT_FORMS: dict[str, Callable[[Example], Pair]] = {
    "fields": _fields,
    "question": _question,
    "given": _given,
    "stand_ins": _stand_ins,
}
"""Ways to word an example, by the name that configs/model and the bundle use."""


def render(example: Example, input_form: str) -> Pair:
    """Return (the sentence, the question about it), white space folded.

    Args:
        example: Its label is not looked at.
        input_form: A name in INPUT_FORMS.
    """
    return _folded(*INPUT_FORMS[input_form](example))


def render_hypothesis(example: Example, definition: str, input_form: str) -> Pair:
    """Return (the sentence, what a label means said of holder and target), white space folded.

    The definition comes first, so that a pair too long for the model never loses it.

    Args:
        example: Its label is not looked at.
        definition: The label in words, such as "is for the target".
        input_form: A name in INPUT_FORMS.
    """
    sentence, question = INPUT_FORMS[input_form](example)
    return _folded(sentence, f"{definition} - {question}")


def _folded(sentence: str, question: str) -> Pair:
    return " ".join(sentence.split()), " ".join(question.split())
