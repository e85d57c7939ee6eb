"""Published data sets whose files are no tables of rows: turns each into rows. Knows no label set."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stance.errors import DataError

Rows = Iterator[tuple[str, dict[str, Any]]]
_ANSWERS = "perspectrum_with_answers"


def perspectrum_rows(path: Path) -> Rows:
    """Join the claims, perspectives and splits of Perspectrum; a perspective on a claim is a row.

    Args:
        path: perspectrum_with_answers_VERSION.json, with perspective_pool_VERSION.json and
            dataset_split_VERSION.json beside it.

    Raises:
        DataError: One of the three is missing or not as published.
    """
    files = perspectrum_files(path)
    claims, pool, split = (_json(file) for file in files)
    try:
        texts = {perspective["pId"]: perspective["text"] for perspective in pool}
        for claim in claims:
            for cluster in claim["perspectives"]:
                for number in cluster["pids"]:
                    yield (
                        f"{path}:claim {claim['cId']}, perspective {number}",
                        {
                            "id": f"{claim['cId']}-{number}",
                            "text": texts[number],
                            "target": claim["text"],
                            "label": cluster["stance_label_3"],
                            "split": split[str(claim["cId"])],
                        },
                    )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not as Perspectrum was published, {error} is missing; expected claims with cId, text and "
            f"perspectives, and in {files[1].name} and {files[2].name} what they name. Fetch all three anew"
        ) from error


def perspectrum_files(path: Path) -> list[Path]:
    """Return the three files that make up Perspectrum, of the version that `path` has in its name.

    Raises:
        DataError: One of them is missing.
    """
    names = (_ANSWERS, "perspective_pool", "dataset_split")
    files = [path.with_name(path.name.replace(_ANSWERS, name)) for name in names]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise DataError(f"{path}: {' and '.join(missing)} must lie beside it. Fetch what is missing")
    return files


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}). Fetch it anew") from error


READERS: dict[str, Callable[[Path], Rows]] = {_ANSWERS: perspectrum_rows}
"""Start of a file's name -> what turns it into rows."""
PARTNERS: dict[str, Callable[[Path], list[Path]]] = {_ANSWERS: perspectrum_files}
"""Start of a file's name -> all files that its rows come from."""
