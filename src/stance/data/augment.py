"""Changes training rows without changing their answer: swaps states, leaves out holder or target."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stance.core import Example
from stance.settings import AugmentSettings
from stance.states import find_states, rename_states, state_table


def augment(examples: Sequence[Example], settings: AugmentSettings, rng: np.random.Generator) -> list[Example]:
    """Return as many examples, some of them changed, in the same order.

    A holder (target) is left out only where every row of the same text has the same label, and
    that label is not one of `settings.always_ask`, which may hold for just this holder and target.
    """
    answers: dict[str, set[str | None]] = defaultdict(set)
    for example in examples:
        answers[example.text].add(example.label)
    draws = rng.random((len(examples), 3))
    changed = []
    for example, (swap, holder, target) in zip(examples, draws, strict=True):
        if len(answers[example.text]) == 1 and example.label not in settings.always_ask:
            example = replace(example, holder=None) if holder < settings.drop_holder else example
            example = replace(example, target=None) if target < settings.drop_target else example
        changed.append(swap_states(example, rng) if swap < settings.swap_states else example)
    return changed


def swap_states(example: Example, rng: np.random.Generator) -> Example:
    """Give every state in the example the place of another one, drawn from all of them.

    A state that lacks a form that the text needs is not drawn.
    """
    needed, table = find_states(example), state_table()
    chosen: dict[int, int] = {}
    for state, forms in needed.items():
        taken = needed.keys() | chosen.values()
        free = [s for s, row in enumerate(table) if s not in taken and all(row[f] for f in forms)]
        if free:
            chosen[state] = int(rng.choice(free))
    return rename_states(example, chosen)
