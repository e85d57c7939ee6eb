"""Where things lie: the project's folder, its configs, and the model that the package carries."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]
IS_CHECKOUT = (_CHECKOUT / "pyproject.toml").is_file()
"""False in an installed wheel."""
ROOT = _CHECKOUT if IS_CHECKOUT else Path.cwd()
"""The project's folder; for an installed wheel the working directory."""
CONFIGS = _CHECKOUT / "configs" if IS_CHECKOUT else _PACKAGE / "conf"
CARRIED = _CHECKOUT / "models" / "default" if IS_CHECKOUT else _PACKAGE / "default_model"
"""The bundle that predict() uses when no other was trained or named."""


def located(path: str | os.PathLike[str], root: Path = ROOT) -> Path | None:
    """Return a file or folder, seen from the working directory or else from the project; None if neither has it."""
    return next((place for place in (Path(path).absolute(), root / path) if place.exists()), None)
