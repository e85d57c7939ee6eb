"""Writes files and folders whole or not at all, and hashes them. Knows nothing of what they hold."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stance.errors import ConfigError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` only if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())
        draft.replace(path)
    except OSError as error:
        _name_file(error, path)
        raise
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it takes the place of `path` only if nothing was raised.

    Raises:
        ConfigError: See check_replaceable.
    """
    check_replaceable(path, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield draft
        draft.chmod(0o777 & ~_umask())
        _replace_folder(draft, path)
    except OSError as error:
        _name_file(error, path)
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_replaceable(path: Path, marker: str) -> None:
    """Raise ConfigError where `path` holds other things than an earlier result; a file `marker` (a glob) tells it."""
    if path.exists() and not any(path.glob(marker)) and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(
            f"{path}: holds other things and is left alone; expected a new or empty folder, or one with {marker}. "
            "Choose another name"
        )


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _replace_folder(draft: Path, path: Path) -> None:
    """Move `draft` to `path`, putting the old folder back if that fails."""
    if not path.exists():
        draft.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
    path.rename(old / path.name)
    try:
        draft.rename(path)
    except BaseException:
        (old / path.name).rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _name_file(error: OSError, path: Path) -> None:
    """Note the file in an error that names none, as that of a full disk."""
    if error.errno is not None and error.filename is None:
        error.filename = str(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
