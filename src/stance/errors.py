"""The errors that stance raises, each a sentence for a person. Knows nothing of the rest."""

import difflib
from collections.abc import Iterable, Sequence


class StanceError(Exception):
    """Something the user can mend; the message says where, what, and what to do."""


class ConfigError(StanceError):
    """A setting is unknown, of the wrong type or out of range."""


class DataError(StanceError):
    """A file, row or text can't be used as it is."""


class ModelError(StanceError):
    """A bundle is missing, altered, or made for another version or label set."""


class MissingExtraError(StanceError):
    """An optional package is needed; the message says how to install it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"the package '{package}' is not installed; install it with: pip install 'stance[{extra}]'")


def os_sentence(error: OSError) -> str:
    """Say in one sentence which file could not be read or written, and why."""
    where, why = error.filename or "file", error.strerror or error
    return f"{where}: {why}. Check the path, its permissions and the disk's free space"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that suggests the known word nearest to `word`; nothing where none is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def summarise(problems: Sequence[str], limit: int = 20) -> str:
    """Join the first `limit` problems, one a line, and say how many were left out."""
    lines = list(problems[:limit])
    if len(problems) > limit:
        lines.append(f"... and {len(problems) - limit:,} more problems")
    return "\n".join(lines)
