"""Reads a file once before it is scored: counts its rows, and finds at once what would end the work hours later."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stance.data.files import to_example, unseen_columns
from stance.data.find import find_files
from stance.data.rows import WRITABLE, Row, format_of, read_rows
from stance.errors import DataError, summarise
from stance.settings import ColumnSettings

MOST_FAULTS = 20


@dataclass
class Scan:
    """What was seen: rows, those that can't be answered, the first of their faults, and the columns in order."""

    rows: int = 0
    bad: int = 0
    faults: list[str] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)

    def add(self, problems: Sequence[str]) -> None:
        """Count one row with its problems."""
        self.rows += 1
        self.bad += bool(problems)
        self.faults += problems[: MOST_FAULTS - len(self.faults)]


def scan(source: Path, target: Path, columns: ColumnSettings, added: Sequence[str], skip_bad: bool) -> Scan:
    """Read `source` through, in constant memory.

    Args:
        source: The file to score.
        target: Where the answers are to go; its suffix decides the format.
        columns: Where text, holder and target are.
        added: The columns that scoring adds.
        skip_bad: Whether rows without a readable text, holder or target are allowed, if not all are so.

    Raises:
        DataError: Unreadable rows (the first 20, with file:line), no rows, unknown formats, columns that would be lost.
    """
    if format_of(target) not in WRITABLE:
        raise DataError(f"{target}: format '{target.suffix}' is not known; expected {', '.join(WRITABLE)}")
    if source.is_dir():
        raise DataError(f"{source}: is a folder; expected one file")
    find_files(source)
    seen = Scan()
    try:
        for where, row in read_rows(source):
            _check_columns(source, where, row, added, target, seen)
            problems = to_example(row, columns, None, {})[1]
            seen.add([f"{where}: {problem}" for problem in problems])
            if len(seen.faults) >= MOST_FAULTS and not skip_bad:
                break
    except DataError as error:
        raise DataError(summarise([*seen.faults, str(error)], MOST_FAULTS)) from error
    if not seen.columns:
        raise DataError(f"{source}: the file has no rows; expected one example a line")
    fatal = [*([] if skip_bad and seen.bad < seen.rows else seen.faults), *unseen_columns(columns, seen.columns)]
    if fatal:
        raise DataError(summarise(fatal, MOST_FAULTS))
    return seen


def _check_columns(source: Path, where: str, row: Row, added: Sequence[str], target: Path, seen: Scan) -> None:
    """Raise DataError for a column that scoring would overwrite, or that the answers' format has no place for."""
    new = [name for name in row if name not in seen.columns]
    if seen.rows and new and format_of(target) != ".jsonl":
        raise DataError(f"{where}: column '{new[0]}' is not in the first row; write .jsonl instead of {target.name}")
    if not new:
        return
    seen.columns |= dict.fromkeys(new)
    taken = set(seen.columns) & (set(added) - {"label"})
    if {"label", "gold_label"} <= set(seen.columns):
        taken.add("gold_label")
    if taken:
        raise DataError(f"{source}: its column '{min(taken)}' is one that score adds. Rename it first")
