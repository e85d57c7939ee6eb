"""States give way to stand-ins, so that an answer can't lean on which state it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.core import Example
from stance.data.augment import swap_states
from stance.states import STAND_INS, find_states, stand_ins, state_table
from stance.text import render

NAMES = [row[0] for row in state_table()]


@pytest.mark.parametrize(
    ("text", "holder", "target", "expected"),
    [
        ("Kenya will join.", "Kenya", None, ("Norway will join.", "Norway", None)),
        (
            "Mali asked, Nairobi said no.",
            "Kenya",
            "the Malian force",
            ("Egypt asked, Oslo said no.", "Norway", "the Egyptian force"),
        ),
        ("Kenya and Mali agreed.", "the union", None, ("Egypt and Canada agreed.", "the union", None)),
        ("We will join.", "the union", "the talks", ("We will join.", "the union", "the talks")),
        ("The US, Britain and the Czechs left.", None, None, ("The US, Egypt and the Canadians left.", None, None)),
    ],
)
def test_states_stand_ins_start_with_the_state_of_the_holder(
    text: str, holder: str | None, target: str | None, expected: tuple[str | None, ...]
) -> None:
    changed = stand_ins(Example(text, target, holder))
    assert (changed.text, changed.holder, changed.target) == expected


@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True), st.integers(0, 99))
def test_states_examples_that_differ_in_states_alone_read_the_same(names: list[str], seed: int) -> None:
    example = Example(f"{names[0]} will join if {names[1]} does.", f"a force in {names[1]}", names[0])
    swapped = swap_states(example, np.random.default_rng(seed))
    assert swapped != example
    assert render(swapped, "stand_ins") == render(example, "stand_ins")


def test_states_stand_ins_change_no_further() -> None:
    once = stand_ins(Example("Peru met Chile in Lima; Ghana stayed away.", "the talks in Chile", "Peru"))
    assert stand_ins(once) == once


def test_states_more_of_them_than_stand_ins_keep_their_names() -> None:
    text = ", ".join(NAMES[20 : 20 + len(STAND_INS)])
    assert len(find_states(Example(text))) == len(STAND_INS)
    assert stand_ins(Example(text)).text == ", ".join((*STAND_INS[1:], NAMES[19 + len(STAND_INS)]))
    assert stand_ins(Example(f"{text}, Burma")).text.endswith(", Burma"), "another spelling is no reason to touch it"


def test_states_every_stand_in_has_every_form() -> None:
    assert all(all(row) for row in state_table() if row[0] in STAND_INS)
