"""Divides examples into train, dev and test so that what belongs together stays together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from stance.core import Example, LabelSet
from stance.errors import DataError
from stance.settings import SplitSettings

PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set."""

    train: list[Example]
    dev: list[Example]
    test: list[Example]

    def parts(self) -> dict[str, list[Example]]:
        """Return the parts by name, in order."""
        return {name: getattr(self, name) for name in PARTS}

    def rows(self) -> list[Example]:
        """Return the rows of all parts, in order."""
        return [*self.train, *self.dev, *self.test]


def split_examples(
    examples: Sequence[Example], labels: LabelSet, settings: SplitSettings, pairs: Iterable[tuple[int, int]] = ()
) -> Splits:
    """Split by group (stratified by label), by time, or as the file says; auto: as the file says if it does.

    Args:
        examples: All labelled.
        labels: Their label set.
        settings: Way, shares and seed.
        pairs: Positions of near duplicates; in a split by group they stay on one side.

    Raises:
        DataError: Too few groups, a date or a split missing, or a part left empty.
    """
    by = settings.by
    if by == "auto":
        by = "file" if any(example.split in PARTS for example in examples) else "group"
    if by == "file":
        where: Sequence[str | None] = [example.split for example in examples]
        _require(where, PARTS, "split", "data.split.by=group")
        if "dev" not in where:
            where = _with_dev(examples, labels, settings, where, pairs)
    elif by == "time":
        where = _by_time(examples, settings)
    else:
        where = _by_group(examples, labels, settings, join_groups(examples, pairs))
    splits = Splits(*([e for e, part in zip(examples, where, strict=True) if part == name] for name in PARTS))
    empty = [name for name, part in splits.parts().items() if not part]
    if empty:
        raise DataError(
            f"split: no rows for {', '.join(empty)} among {len(examples)} rows; add rows or change data.split"
        )
    return splits


def join_groups(examples: Sequence[Example], pairs: Iterable[tuple[int, int]] = ()) -> list[int]:
    """Number the groups of rows that may not part: by group, by equal text, by near duplicate."""
    parent = list(range(len(examples)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    first: dict[tuple[str, str], int] = {}
    for index, example in enumerate(examples):
        keys = [("text", " ".join(example.text.lower().split()))]
        keys += [("group", example.group)] if example.group else []
        for key in keys:
            parent[root(index)] = root(first.setdefault(key, index))
    for one, other in pairs:
        parent[root(one)] = root(other)
    return [root(index) for index in range(len(examples))]


def _by_group(examples: Sequence[Example], labels: LabelSet, settings: SplitSettings, groups: list[int]) -> list[str]:
    """Give each group, largest first within a shuffle, to the part that lacks its labels most."""
    rng = np.random.default_rng(settings.seed)
    shares = np.array([1 - settings.dev - settings.test, settings.dev, settings.test])
    if shares[0] <= 0:
        raise DataError(f"split: dev {settings.dev} and test {settings.test} leave nothing to train on")
    gold = labels.indices(examples)
    order = sorted(range(len(examples)), key=groups.__getitem__)
    members = [list(rows) for _, rows in groupby(order, key=groups.__getitem__)]
    needed = np.count_nonzero(shares)
    if len(members) < needed:
        raise DataError(f"split: {len(members)} groups of rows; expected at least {needed}. Give rows other groups")
    rng.shuffle(members)
    members.sort(key=len, reverse=True)
    lacking = shares[:, None] * np.bincount(gold, minlength=len(labels))
    where = [""] * len(examples)
    for rows in members:
        counts = np.bincount(gold[rows], minlength=len(labels))
        part = int(np.argmax((lacking * counts).sum(axis=1) / (np.maximum(shares, 1e-9) * counts.sum())))
        lacking[part] -= counts
        for row in rows:
            where[row] = PARTS[part]
    return where


def _with_dev(
    examples: Sequence[Example],
    labels: LabelSet,
    settings: SplitSettings,
    where: Sequence[str | None],
    pairs: Iterable[tuple[int, int]],
) -> list[str | None]:
    """Make a dev part from train, by group, for a data set that is published without one."""
    groups = join_groups(examples, pairs)
    train = [i for i, part in enumerate(where) if part == "train"]
    alone = replace(settings, test=0.0)
    drawn = dict(
        zip(train, _by_group([examples[i] for i in train], labels, alone, [groups[i] for i in train]), strict=True)
    )
    return [drawn.get(i, part) for i, part in enumerate(where)]


def _by_time(examples: Sequence[Example], settings: SplitSettings) -> list[str]:
    """The oldest rows train, the newest test; rows of one day stay together."""
    dates = [example.date for example in examples]
    _require(dates, None, "date", "data.split.by=group")
    ordered = sorted(str(date) for date in dates)
    dev_from = ordered[int(len(ordered) * (1 - settings.dev - settings.test))]
    test_from = ordered[int(len(ordered) * (1 - settings.test))]
    return ["test" if str(d) >= test_from else "dev" if str(d) >= dev_from else "train" for d in dates]


def _require(values: Sequence[str | None], allowed: Sequence[str] | None, column: str, instead: str) -> None:
    bad = [v for v in values if v is None or (allowed and v not in allowed)]
    if bad:
        expected = ", ".join(allowed) if allowed else "a value"
        raise DataError(
            f"split: {len(bad)} rows have {bad[0]!r} for {column}; expected {expected}. "
            f"Set data.columns.{column}, or use {instead}"
        )
