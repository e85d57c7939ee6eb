"""What one part of a measurement leaves behind, and fresh processes to measure it in. Knows no model."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from stance.errors import ModelError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Say = Callable[[str], object]
Spread = tuple[float, float, float]
Found = TypeVar("Found")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Part:
    """A part's page in Markdown, its numbers as they go to JSON, its metrics, and its figure."""

    page: str
    numbers: Mapping[str, object]
    metrics: Mapping[str, float]
    figure: "Figure"


def alone(work: Callable[..., Found], *given: object) -> tuple[Found, float | None]:
    """Return what `work(*given)` returns in a fresh process, and the most memory that it held, in MB.

    Raises:
        ModelError: The process was ended from outside.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_with_memory, work, given).result()
        except BrokenProcessPool as error:
            raise ModelError(
                "a fresh process was ended before it was done. Free some memory, or ask for less"
            ) from error


def _with_memory(work: Callable[..., Found], given: Sequence[object]) -> tuple[Found, float | None]:
    return work(*given), peak_memory()


def peak_memory() -> float | None:
    """Return the most memory that this process held, in MB; None where the system doesn't say."""
    try:
        most = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        return None
    return int(most.group(1)) / 1024 if most else None


def spread(values: Sequence[float]) -> Spread:
    """Return median, lowest and highest."""
    return float(np.median(values)), min(values), max(values)


def shown(values: Spread, form: str) -> str:
    """Return "median [lowest, highest]" with each number in the format `form`, such as ,.0f."""
    median, low, high = (format(value, form) for value in values)
    return f"{median} [{low}, {high}]"


def known(value: float | None, form: str) -> str:
    """Return the number in the format `form`, nothing where there is none."""
    return "" if value is None else format(value, form)


def median_ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median over the rounds of value by reference."""
    return float(np.median(np.array(values) / np.array(reference)))


def in_round(items: Sequence[Item], number: int) -> Sequence[Item]:
    """Return the items in the order of round `number`: backwards in every second one, so that none is always first."""
    return items if number % 2 == 0 else items[::-1]
