"""The errors and how they are summed up."""

import pytest

import stance.errors as errors
from stance.errors import MissingExtraError, StanceError, summarise


@pytest.mark.parametrize("name", ["ConfigError", "DataError", "ModelError", "MissingExtraError"])
def test_errors_are_all_stance_errors(name: str) -> None:
    assert issubclass(getattr(errors, name), StanceError)


def test_errors_missing_extra_says_how_to_install() -> None:
    assert "pip install 'stance[train]'" in str(MissingExtraError("mlflow", "train"))


@pytest.mark.parametrize(
    ("count", "limit", "lines", "last"),
    [
        (0, 20, 0, ""),
        (2, 20, 2, "p1"),
        (20, 20, 20, "p19"),
        (21, 20, 21, "... and 1 more problems"),
        (5, 2, 3, "... and 3 more problems"),
    ],
)
def test_errors_summary_counts_what_it_leaves_out(count: int, limit: int, lines: int, last: str) -> None:
    found = summarise([f"p{i}" for i in range(count)], limit).splitlines()
    assert len(found) == lines
    assert (found[-1] if found else "") == last
