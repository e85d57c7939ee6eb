"""Fetches published files, whole or not at all, and notes where they came from. Knows no data set."""

import hashlib
import json
import logging
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from stance.atomic import whole_folder
from stance.errors import DataError
from stance.settings import DataSettings

NOTE = "SOURCE.json"
"""File in a downloaded folder that holds the address, digest and size of each file."""
SECONDS = 60
"""So long an address may keep silent."""


def fetch_data(settings: DataSettings, folder: Path) -> None:
    """Put the published files of a data set into `folder`, unless they were fetched there before.

    Raises:
        DataError: No address is known, it can't be reached, or another content lies there than was expected.
        ConfigError: The folder holds other things.
    """
    source = settings.source
    by_hand = f"Get it by hand from {source.home or 'its public home'}, and give data.path=FOLDER"
    if not source.urls:
        raise DataError(f"data.download: of {settings.name} no open address is known. {by_hand}")
    if all(_noted(folder).get(name, {}).get("url") == url for url, name in _names(source.urls).items()):
        return
    with whole_folder(folder, NOTE) as draft:
        note = {}
        for url, name in _names(source.urls).items():
            content = fetch(url, by_hand)
            digest = hashlib.sha256(content).hexdigest()
            _check(url, digest, source.urls[url], by_hand)
            (draft / name).write_bytes(content)
            note[name] = {"url": url, "sha256": digest, "bytes": len(content), "licence": source.licence}
            logging.getLogger(__name__).info("fetched %s: %d bytes, sha256 %s", url, len(content), digest)
        (draft / NOTE).write_text(json.dumps(note, indent=2), encoding="utf-8")


def fetch(url: str, by_hand: str) -> bytes:
    """Return what lies at an address.

    Args:
        url: Its address.
        by_hand: What a person can do instead, a sentence.

    Raises:
        DataError: It can't be reached or breaks off.
    """
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            content: bytes = answer.read()
    except (OSError, HTTPException, ValueError) as error:
        raise DataError(f"{url}: can't be fetched ({error}). {by_hand}") from error
    return content


def _check(url: str, digest: str, expected: str | None, by_hand: str) -> None:
    if expected and digest != expected:
        raise DataError(f"{url}: holds another file than expected, got sha256 {digest}; expected {expected}. {by_hand}")


def _names(urls: Mapping[str, str | None]) -> dict[str, str]:
    """Name each file as the last part of its address."""
    return {url: Path(urllib.parse.unquote(urllib.parse.urlparse(url).path)).name for url in urls}


def _noted(folder: Path) -> dict[str, dict[str, str]]:
    """What was fetched into the folder before and is still there."""
    try:
        note = json.loads((folder / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: entry for name, entry in note.items() if (folder / name).exists()}
