"""Finds the files of a data set: which ones a path names, and which part of the data each is."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from stance.data.rows import SUFFIXES, format_of
from stance.errors import DataError

Patterns = Mapping[str, Sequence[str]]
TABLES = (*SUFFIXES, ".txt", ".json")
"""Formats that are read where a pattern or the user names the file; a folder's .txt and .json may be anything."""
PART_NAMES = {"train": "train", "training": "train", "dev": "dev", "test": "test", "testing": "test"}
PART_NAMES |= dict.fromkeys(("development", "val", "valid", "validation"), "dev")
"""What files and split columns call a part -> the part."""
_SIDE = re.compile(r"^\.|readme|licen[cs]e", re.IGNORECASE)
"""Files that lie beside data."""
_SHARD = re.compile(r"-\d+-of-\d+$")


def find_files(path: Path, patterns: Patterns | None = None) -> list[tuple[Path, str | None]]:
    """Return the data files that `path` names, each with the part that it is (None: its rows say so, or nothing does).

    Args:
        path: A file, or a folder: of it, the files that the patterns name, or without patterns all data
            files, where files named train, dev (val, validation) and test are the parts, if two or more are there.
        patterns: Part (train, dev, test, or all: not divided by files) -> patterns of file names.

    Raises:
        DataError: Nothing is there, nothing of a known format, or no file for a part.
    """
    if path.is_dir():
        return _matching(path, patterns) if patterns else _all_of(path)
    if not path.exists():
        raise DataError(f"{path}: no such file. Check the path")
    if format_of(path) not in TABLES:
        told = ". Export the spreadsheet as CSV in UTF-8" if format_of(path).startswith((".xls", ".ods")) else ""
        raise DataError(
            f"{path}: format '{path.suffix}' is not known; expected {', '.join((*SUFFIXES, '.json'))}{told}"
        )
    return [(path, None)]


def _all_of(folder: Path) -> list[tuple[Path, str | None]]:
    found = sorted(p for p in folder.iterdir() if format_of(p) in SUFFIXES)
    if not found:
        raise DataError(f"{folder}: no file ending in {', '.join(SUFFIXES)} in this folder")
    parts = {path: PART_NAMES.get(_SHARD.sub("", path.stem).lower()) for path in found}
    if len(set(parts.values()) - {None}) < 2:
        return [(path, None) for path in found]
    return list(parts.items())


def _matching(folder: Path, patterns: Patterns) -> list[tuple[Path, str | None]]:
    """Return the files that the patterns name, in the folder itself or else anywhere below it."""
    parts: set[str | None] = set()
    for candidates in (folder.iterdir(), folder.rglob("*")):
        files = sorted(p for p in candidates if p.is_file() and format_of(p) in TABLES and not _SIDE.search(p.name))
        found = [
            (file, None if part == "all" else part)
            for part, names in patterns.items()
            for file in files
            if any(fnmatch(file.name.lower(), name.lower()) for name in names)
        ]
        parts = {part for _, part in found}
        if None in parts:  # the release that holds all parts, not another one beside it
            return [(file, part) for file, part in found if part is None]
        if {"train", "test"} <= parts:
            return found
    lacking = next(part for part in ("train", "test") if part not in parts)
    wanted = [*patterns.get(lacking, ()), *patterns.get("all", ())]
    raise DataError(
        f"{folder}: no file for {lacking}; expected one named {', '.join(wanted)}. Unpack the published files there, "
        f"or say with data.files.{lacking}=[NAME] which it is"
    )
