"""Rows are changed without changing their answer."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stance import states as module
from stance.core import Example
from stance.data.augment import augment, swap_states
from stance.settings import AugmentSettings

TABLE = module.state_table()
NAMES = [row[0] for row in TABLE]
SENTENCES = (
    "{0} will join only if {1} pays.",
    "If {1} pays, {0} will join.",
    "Officials of {0} said no. Only if {1} pays will {0} come.",
)


class Always:
    """A generator that always draws the state of one name."""

    def __init__(self, name: str) -> None:
        self.state = NAMES.index(name)

    def choice(self, free: list[int]) -> int:
        return self.state


def swap(text: str, name: str, **fields: str) -> Example:
    return swap_states(Example(text, **fields), Always(name))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Kenya declined.", "Peru", "Peru declined."),
        ("Kenyan police stay in Nairobi, Kenyans say.", "Peru", "Peruvian police stay in Lima, Peruvians say."),
        ("Kenya declined.", "the Netherlands", "The Netherlands declined."),
        ("He met Kenya there.", "the Netherlands", "He met the Netherlands there."),
        ("No. Kenya declined.", "the Gambia", "No. The Gambia declined."),
        ('"Kenya declined," he said.', "the Gambia", '"The Gambia declined," he said.'),
        ("The Netherlands declined.", "Kenya", "Kenya declined."),
        ("Troops of the Netherlands left.", "Kenya", "Troops of Kenya left."),
        ("Troops of the Netherlands left.", "the Gambia", "Troops of the Gambia left."),
        ("a Kenyan ship", "India", "an Indian ship"),
        ("A Kenyan ship", "India", "An Indian ship"),
        ("an Indian ship", "Kenya", "a Kenyan ship"),
        ("a Kenyan ship", "Uzbekistan", "an Uzbek ship"),
        ("a Kenyan ship", "Ukraine", "a Ukrainian ship"),
        ("the Kenyan ship", "India", "the Indian ship"),
        ("Kenya's ship", "India", "India's ship"),
        (
            "Northern Ireland and anti-Kenyan Kenyanised talk",
            "India",
            "Northern Ireland and anti-Kenyan Kenyanised talk",
        ),
        ("Guinea-Conakry declined.", "India", "Guinea-Conakry declined."),
        ("Latin American states", "India", "Latin American states"),
        ("The Russian Federation declined.", "India", "India declined."),
        ("the Viet Nam talks", "the Gambia", "the Gambia talks"),
    ],
)
def test_augment_swap_words_the_new_state_as_its_place_asks(text: str, name: str, expected: str) -> None:
    assert swap(text, name).text == expected


def test_augment_swap_keeps_every_field_in_step() -> None:
    example = swap(
        "Kenya joins only if Nairobi is paid.",
        "Peru",
        holder="Kenya",
        target="the Kenyan force",
        condition="if Nairobi is paid",
        label="conditional",
        group="g",
    )
    expected = ("Peru joins only if Lima is paid.", "Peru", "the Peruvian force", "if Lima is paid")
    assert (example.text, example.holder, example.target, example.condition) == expected
    assert (example.label, example.group) == ("conditional", "g")


@pytest.mark.parametrize(
    ("text", "condition"),
    [("It joins only if Kenya pays.", "Kenya pays"), ("Kenya permitting, it joins.", "Kenya permitting")],
)
def test_augment_swap_keeps_the_condition_a_copy_of_the_text(text: str, condition: str) -> None:
    example = swap(text, "the Netherlands", condition=condition)
    assert example.condition is not None and "Netherlands" in example.condition and example.condition in example.text


def test_augment_swap_words_holder_and_target_as_inside_a_sentence() -> None:
    example = swap("Kenya declines what Kenya offers.", "the Gambia", holder="Kenya", target="Kenya's offer")
    assert (example.holder, example.target) == ("the Gambia", "the Gambia's offer")


@settings(max_examples=80)
@given(
    st.sampled_from(SENTENCES),
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True),
    st.integers(0, 999),
)
def test_augment_swap_is_consistent_for_all_states(form: str, names: list[str], seed: int) -> None:
    assume(names[0] not in names[1] and names[1] not in names[0])
    text = form.format(*names)
    text = text[0].upper() + text[1:]
    before = Example(text, "joining", names[0], "conditional", condition=f"{names[1]} pays")
    after = swap_states(before, np.random.default_rng(seed))
    assert after.label == "conditional" and after.condition in after.text  # type: ignore[operator]
    assert after.holder not in names and after.holder in NAMES
    assert not any(re.search(rf"\b{re.escape(name)}\b", after.text) for name in names)
    again = form.format(after.holder, after.condition.removesuffix(" pays"))  # type: ignore[union-attr]
    assert after.text == again[0].upper() + again[1:]


def test_augment_swap_leaves_rows_without_states_alone() -> None:
    example = Example("The council declined.", "the force", "the council", "refuse")
    assert swap_states(example, np.random.default_rng(0)) is example


def test_augment_swap_draws_only_states_that_have_the_form() -> None:
    peoples = {row[2] for row in TABLE if row[2]}
    for seed in range(60):
        word = swap_states(Example("They are Kenyans"), np.random.default_rng(seed)).text.removeprefix("They are ")
        assert word in peoples


def test_augment_drops_only_where_the_answer_does_not_depend_on_it() -> None:
    free = [Example("Yes.", "t", "h", "accept"), Example("Yes.", "u", "i", "accept")]
    bound = [Example("Both.", "t", "h", "accept"), Example("Both.", "t", "i", "refuse")]
    settings = AugmentSettings(swap_states=0, drop_holder=1, drop_target=1, always_ask=[])
    assert augment([*free, *bound], settings, np.random.default_rng(0)) == [Example("Yes.", label="accept")] * 2 + bound


def test_augment_never_drops_the_question_of_labels_that_hang_on_it() -> None:
    rows = [Example("Tahiti stages the finals.", "hosting the Olympics", "Tahiti", "none")]
    settings = AugmentSettings(swap_states=0, drop_holder=1, drop_target=1, always_ask=["none"])
    assert augment(rows, settings, np.random.default_rng(0)) == rows


@pytest.mark.parametrize(
    ("before", "kept"),
    [("The Vanuatu minister left.", r"The \w.* minister left\."), ("the Indian Ocean", "the Indian Ocean")],
)
def test_augment_keeps_articles_of_modifiers_and_names_of_seas(before: str, kept: str) -> None:
    for seed in range(30):
        after = swap_states(Example(before), np.random.default_rng(seed)).text
        assert re.fullmatch(kept, after) and "the the" not in after.lower()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_augment_changes_the_share_that_is_asked_for(share: float) -> None:
    rows = [Example(f"Row {i}.", "t", "h", "none") for i in range(2000)]
    got = augment(
        rows, AugmentSettings(swap_states=0, drop_holder=share, drop_target=0, always_ask=[]), np.random.default_rng(1)
    )
    assert sum(e.holder is None for e in got) / len(rows) == pytest.approx(share, abs=0.04)
    assert [(e.text, e.target, e.label) for e in got] == [(e.text, e.target, e.label) for e in rows]


def test_augment_is_the_same_for_a_seed() -> None:
    rows = [Example(f"Kenya and Peru talk {i}.", "Chile", "Ghana", "none") for i in range(20)]
    settings = AugmentSettings(swap_states=0.5, drop_holder=0.5, drop_target=0.5, always_ask=[])
    runs = [augment(rows, settings, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
