"""A trained model as a folder: manifest, tokenizer, weights. Writes, finds and verifies it."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stance.atomic import file_hash, whole_folder
from stance.core import LabelSet
from stance.errors import ModelError
from stance.paths import CARRIED, IS_CHECKOUT, ROOT, located

FORMAT_VERSION = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that a bundle says of itself.

    Attributes:
        format_version: Of the bundle's layout.
        name: Of the bundle.
        created: UTC time, ISO format.
        labels: Names in the order of the model's outputs, or of `definitions`.
        max_length: Tokens that the model reads.
        input_form: How holder and target are worded, see stance.text.
        pooling: mean or first.
        pad_id: Token id that fills short rows.
        temperature: Divides the logits; above 0.
        threshold: Confidence under which a prediction abstains; 0 to 1.
        encoder: Name of the encoder that was fine-tuned.
        data: Name and digests of the training data.
        settings: The training settings.
        scores: On the test part: name -> [value, low, high].
        files: File name -> SHA-256 in hex.
        kind: labels (one output a label), or hypotheses (one output, the score of a label in words).
        definitions: Of kind hypotheses: label -> its meaning in words, for the labels asked about if none are given.
    """

    format_version: int
    name: str
    created: str
    labels: list[str]
    max_length: int
    input_form: str
    pooling: str
    pad_id: int
    temperature: float
    threshold: float
    encoder: str
    data: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    kind: str = "labels"
    definitions: dict[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """Outputs of the network's head."""
        return 1 if self.kind == "hypotheses" else len(self.labels)

    @property
    def label_set(self) -> LabelSet:
        """The labels as a LabelSet."""
        return LabelSet(tuple(self.labels))


def save_bundle(path: Path, manifest: Manifest, write: Callable[[Path], object]) -> Path:
    """Write a bundle whole: `write(folder)` leaves the files, then the manifest with their hashes follows."""
    with whole_folder(path, MANIFEST) as draft:
        write(draft)
        _write_manifest(draft, manifest)
    return path


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of the bundle in folder `path`.

    Raises:
        ModelError: No bundle there, a broken manifest, or another format version.
    """
    file = path / MANIFEST
    if not file.is_file():
        raise ModelError(f"{path}: not a bundle, it has no {MANIFEST}. Train one with: make train")
    try:
        values = json.loads(file.read_text("utf-8"))
        version = values["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file}: can't be read ({error}). Train or fetch the bundle again") from error
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{file}: bundle format {version!r}; this version of stance reads format {FORMAT_VERSION}. "
            "Train again, or install the version of stance that made it"
        )
    known = {f.name for f in fields(Manifest)}
    try:
        manifest = Manifest(**{name: value for name, value in values.items() if name in known})
        _check_kinds(manifest)
        sound = manifest.temperature > 0 and 0 <= manifest.threshold <= 1 and len(manifest.label_set) > 1
        known_kind = manifest.kind == "labels" or (
            manifest.kind == "hypotheses" and list(manifest.definitions) == manifest.labels
        )
    except Exception as error:
        raise ModelError(f"{file}: broken ({error}). Train or fetch the bundle again") from error
    if not known_kind:
        raise ModelError(f"{file}: kind '{manifest.kind}' or its definitions are not known. Install a newer stance")
    if not sound:
        raise ModelError(f"{file}: temperature or threshold out of range. Train or fetch the bundle again")
    return manifest


def _check_kinds(manifest: Manifest) -> None:
    """Raise TypeError for a field that JSON gave another type."""
    for name, kind in {"max_length": int, "pad_id": int, "input_form": str, "pooling": str}.items():
        if not isinstance(value := getattr(manifest, name), kind):
            raise TypeError(f"{name} is {value!r}, expected {kind.__name__}")


def verify(path: Path, manifest: Manifest, names: list[str]) -> None:
    """Check that the named files are there and unchanged.

    Raises:
        ModelError: A file is missing, truncated or altered.
    """
    for name in names:
        file = path / name
        if not file.is_file():
            raise ModelError(f"{file}: missing from the bundle. Train or fetch the bundle again")
        if file_hash(file) != manifest.files.get(name):
            raise ModelError(f"{file}: altered or truncated, its hash is not the manifest's. Fetch the bundle again")


def find_bundle(source: str | os.PathLike[str] | None = None, root: Path | None = None) -> Path:
    """Return the folder of a bundle.

    Args:
        source: A folder, seen from the working directory or else from the project; None means
            $STANCE_MODEL, else the newest bundle that training left under models/, else the one
            that the package carries.
        root: The project's folder, if it is another.

    Raises:
        ModelError: There is none; the message says how to get one.
    """
    source = source or os.environ.get("STANCE_MODEL")
    if source:
        folder = located(source, root or ROOT)
        if folder is None or not folder.is_dir():
            raise ModelError(
                f"{source}: no such bundle folder. Give the folder that training left, such as models/NAME"
            )
        return folder
    trained = sorted(_trained_bundles(root or ROOT))
    if trained:
        return trained[-1][1]
    if (CARRIED / MANIFEST).is_file():
        return CARRIED
    raise ModelError(
        "no model found: train one with 'make train', set STANCE_MODEL to a bundle's folder, or name one with model="
    )


def now() -> str:
    """Return the present time as a manifest writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _trained_bundles(root: Path) -> list[tuple[str, Path]]:
    """Time of making and folder of each sound bundle in the project's models folder."""
    found = []
    for file in (root / "models").glob(f"[!.]*/{MANIFEST}") if IS_CHECKOUT else ():
        with contextlib.suppress(ModelError):
            manifest = read_manifest(file.parent)
            if file.parent != CARRIED and manifest.kind == "labels":  # one for any labels is used where it is named
                found.append((manifest.created, file.parent))
    return found


def copy_files(path: Path, target: Path, without: Collection[str] = ()) -> None:
    """Copy the files of a bundle, all but the manifest and those named in `without`."""
    for file in path.iterdir():
        if file.is_file() and file.name not in (MANIFEST, *without):
            shutil.copy2(file, target / file.name)


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    names = sorted(file.name for file in folder.iterdir() if file.name not in (MANIFEST, "README.md"))
    complete: Mapping[str, Any] = asdict(replace(manifest, files={n: file_hash(folder / n) for n in names}))
    (folder / MANIFEST).write_text(json.dumps(complete, indent=2, ensure_ascii=False), encoding="utf-8")
