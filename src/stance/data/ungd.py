"""Puts our labels of UN General Debate sentences back on the sentences, which stay in their corpus.

The corpus: Jankin, Baturo, Dasandi, United Nations General Debate Corpus, CC0, Harvard Dataverse,
doi:10.7910/DVN/0TJX8Y. A label row names its sentence by id (STATE-YEAR-NUMBER) and digest.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stance.atomic import whole_file, whole_folder
from stance.data.download import fetch
from stance.errors import DataError

LONGEST = 3
"""A labelled text is at most so many sentences in a row."""
SOURCE = "SOURCE"
"""File in a downloaded corpus that holds its address."""
_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+")


def digest(text: str) -> str:
    """Return 16 hex digits of a sentence, the same however its white space and quotes are set."""
    folded = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return hashlib.sha256(" ".join(folded.split()).encode()).hexdigest()[:16]


def rebuild(labels: Path, corpus: Path, target: Path) -> tuple[int, int]:
    """Write the labelled rows whose sentences are found in `corpus` to the JSONL file `target`.

    Args:
        labels: JSONL with id, digest, label, split, and optionally holder, target, and condition as
            [start, end] in the sentence.
        corpus: Folder with the published speeches (STATE_SESSION_YEAR.txt, at any depth), or with
            sentences as .jsonl or .jsonl.gz files of `id` and `text`.
        target: Appears only whole.

    Returns:
        Rows written, and rows whose sentence was not found.

    Raises:
        DataError: A file is missing, or no sentence at all was found.
    """
    if not corpus.is_dir():
        raise DataError(f"{corpus}: no such folder. Give corpus=FOLDER with the speeches, or download=true")
    try:
        rows = [json.loads(line) for line in labels.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{labels}: can't be read ({error})") from error
    wanted = {row["digest"] for row in rows}
    texts = {code: text for text in _sentences(corpus) if (code := digest(text)) in wanted}
    built = [_with_text(row, texts[row["digest"]]) for row in rows if row["digest"] in texts]
    if not built:
        raise DataError(f"{corpus}: none of the {len(rows):,} labelled sentences is there. Is it the UNGD corpus?")
    with whole_file(target) as draft:
        draft.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in built), encoding="utf-8")
    return len(built), len(rows) - len(built)


def download(url: str, folder: Path) -> Path:
    """Fetch a zip of the corpus and unpack its text files into `folder`.

    Raises:
        DataError: The address can't be reached or gives no zip; the message says what to do by hand.
    """
    by_hand = f"Download it in a browser from {url}, unpack it, and give corpus=FOLDER"
    archive = fetch(url, by_hand)
    try:
        with whole_folder(folder, SOURCE) as draft:
            (draft / SOURCE).write_text(url, encoding="utf-8")
            _unpack(archive, draft)
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise DataError(f"{url}: can't be unpacked ({error}). {by_hand}") from error
    return folder


def _unpack(archive: bytes, folder: Path) -> None:
    """Write the text files of a zip, also of zips and tars in it, to `folder` without their paths."""
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        for name in bundle.namelist():
            if name.endswith(".zip"):
                _unpack(bundle.read(name), folder)
            elif name.endswith((".tgz", ".tar.gz", ".tar")):
                with tarfile.open(fileobj=io.BytesIO(bundle.read(name))) as tar:
                    for member in tar:
                        content = tar.extractfile(member) if member.name.endswith(".txt") else None
                        if content:
                            (folder / Path(member.name).name).write_bytes(content.read())
            elif name.endswith((".txt", ".jsonl", ".jsonl.gz")):
                (folder / Path(name).name).write_bytes(bundle.read(name))


def _sentences(corpus: Path) -> Iterator[str]:
    for path in sorted(corpus.rglob("*")):
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            try:
                yield from [json.loads(line)["text"] for line in raw.decode("utf-8").splitlines()]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: not a corpus of sentences; expected objects with `id` and `text`") from error
        elif path.suffix == ".txt":
            yield from _runs(path.read_text("utf-8-sig", errors="replace"))


def _runs(speech: str) -> Iterator[str]:
    """Yield every run of one to LONGEST sentences, line breaks taken as space and as ends of sentences."""
    as_space = _END.split(" ".join(speech.split()))
    as_ends = [part for line in speech.splitlines() for part in _END.split(" ".join(line.split()))]
    for parts in (as_space, as_ends):
        for start in range(len(parts)):
            for size in range(1, LONGEST + 1):
                yield " ".join(parts[start : start + size])


def _with_text(row: dict[str, Any], text: str) -> dict[str, Any]:
    text = " ".join(text.split())
    known = {key: value for key, value in row.items() if key not in ("digest", "condition")}
    start, end = row.get("condition") or (0, 0)
    group = row["id"].split("#")[0].rsplit("-", 1)[0]
    return known | {"text": text, "condition": text[start:end], "group": group, "genre": "speech", "domain": "ungd"}
