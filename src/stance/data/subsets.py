"""Parts of a data set for harder questions: few rows, an unseen target, another target, a field hidden."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from stance.core import Example, LabelSet
from stance.data.splits import Splits
from stance.errors import ConfigError, DataError

Item = TypeVar("Item")


def sample(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` items (0: all), drawn by chance but always the same ones, in their order."""
    kept = np.random.default_rng(0).permutation(len(items))[: most or None]
    return [items[position] for position in sorted(kept)]


def hide(splits: Splits, field: str) -> Splits:
    """Return the same rows without their `holder` or `target`."""
    hidden = {field: None}
    return Splits(*([replace(e, **hidden) for e in part] for part in splits.parts().values()))  # type: ignore[arg-type]


def few_shot(splits: Splits, labels: LabelSet, count: int, seed: int) -> Splits:
    """Keep `count` training rows of each label, and at most as many of dev; test stays whole.

    With one seed, the rows of a smaller count are among those of a larger one.

    Raises:
        DataError: A label has fewer training rows.
    """
    have = Counter(example.label for example in splits.train)
    lacking = [f"'{name}' has {have[name]:,}" for name in labels.names if have[name] < count]
    if lacking:
        raise DataError(
            f"few_shot: got {count}, but of the training rows {', '.join(lacking)}; expected at least {count} "
            "of each label. Ask for fewer"
        )
    return Splits(_first(splits.train, count, seed), _first(splits.dev, count, seed), splits.test)


def _first(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Return the first `count` rows of each label in a shuffle."""
    taken: Counter[str | None] = Counter()
    kept = []
    for index in np.random.default_rng(seed).permutation(len(examples)):
        example = examples[index]
        taken[example.label] += 1
        if taken[example.label] <= count:
            kept.append(example)
    return kept


def repeat(examples: Sequence[Example], least: int) -> list[Example]:
    """Return the rows as often as it takes to have at least `least`."""
    return list(examples) * max(1, -(-least // max(1, len(examples))))


def values_of(example: Example, column: str) -> tuple[str, ...]:
    """Return the values that an example has in `target`, `holder` or a slice."""
    if column in ("target", "holder"):
        value = getattr(example, column)
        return (value,) if value else ()
    return tuple(example.slices.get(column, ()))


def values_to_leave_out(splits: Splits, column: str, most: int) -> list[str]:
    """Return the `most` values of `column` with the most test rows, of those that training has seen.

    Raises:
        ConfigError: The data has no such column.
        DataError: No value of test occurs in train.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, part in splits.parts().items():
        counts[name].update(value for example in part for value in values_of(example, column))
    if not counts["test"]:
        known = sorted({name for example in splits.test for name in example.slices})
        raise ConfigError(
            f"leave_out: no test row has a {column}; expected target, holder or a slice of data.columns.slices "
            f"({', '.join(known) or 'there are none'}). Name another, or leave it null"
        )
    shared = [value for value, _ in counts["test"].most_common() if counts["train"][value] + counts["dev"][value]]
    if not shared:
        raise DataError(
            f"leave_out: no {column} of test occurs in train, so the data set's own split asks that already. "
            "Set leave_out=null"
        )
    return shared[:most]


def leave_out(splits: Splits, column: str, value: str) -> Splits:
    """Train without the rows that have `value` in `column`, and test on those that have it.

    Raises:
        DataError: A part is left without rows.
    """
    train, dev = ([e for e in part if value not in values_of(e, column)] for part in (splits.train, splits.dev))
    test = [e for e in splits.test if value in values_of(e, column)]
    return _whole(Splits(train, dev, test), f"leave_out: without {column} '{value}'", "Choose another column")


def cross_target(splits: Splits, pair: str) -> Splits:
    """Train on the rows of one target and test on those of another, given as `SOURCE>GOAL`.

    Raises:
        ConfigError: `pair` is not two targets.
        DataError: One of them has no rows.
    """
    source, found, goal = (word.strip() for word in pair.partition(">"))
    if not (source and found and goal) or source == goal:
        raise ConfigError(f"cross_target: got '{pair}'; expected two targets, as in [\"SOURCE>GOAL\"]")
    train, dev = (_about(part, source) for part in (splits.train, splits.dev))
    hint = f"Targets of test: {_some(splits.test)}"
    return _whole(Splits(train, dev, _about(splits.test, goal)), f"cross_target '{pair}'", hint)


def _about(examples: Iterable[Example], target: str) -> list[Example]:
    return [example for example in examples if example.target == target]


def _some(examples: Iterable[Example]) -> str:
    counts = Counter(example.target for example in examples if example.target)
    return ", ".join(f"'{target:.60}'" for target, _ in counts.most_common(5)) or "none"


def _whole(splits: Splits, where: str, hint: str) -> Splits:
    empty = [name for name, part in splits.parts().items() if not part]
    if empty:
        raise DataError(f"{where}: no rows are left for {', '.join(empty)}; expected some for each part. {hint}")
    return splits
