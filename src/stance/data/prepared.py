"""The prepare stage: raw file -> checked, split `datasets` data in Parquet with a manifest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stance.atomic import whole_folder
from stance.core import Example, LabelSet
from stance.data.checks import DataReport, check_examples
from stance.data.duplicates import near_duplicates
from stance.data.files import Reading, read_examples
from stance.data.find import Patterns, find_files
from stance.data.published import PARTNERS
from stance.data.splits import PARTS, Splits, split_examples
from stance.errors import DataError, MissingExtraError, summarise
from stance.settings import DataSettings, LabelSettings

FORMAT = 3
PREPARED = Path("data", "processed")
"""Below the project's folder: where prepared data sets lie, each in a folder of its name."""
CHUNK = 50_000
"""Rows that are turned into Parquet, or back, at a time."""


@dataclass(frozen=True)
class Prepared:
    """A prepared data set: its parts, the digest over all rows, the report as text."""

    splits: Splits
    digest: str
    report: str
    path: Path
    reused: bool


def prepare(
    settings: DataSettings,
    labels: LabelSettings,
    *,
    root: Path,
    force: bool = False,
) -> Prepared:
    """Prepare a data set, or reuse what is prepared if neither its source nor its settings changed.

    Args:
        settings: The data set; a relative path counts from `root`.
        labels: The label set.
        root: The project's folder; the result goes to data/processed/NAME below it.
        force: Prepare anew in any case.

    Raises:
        DataError: The file can't be read or lies where the result goes, or the checks found errors; what was
            prepared before stays.
    """
    folder = root / PREPARED / settings.name
    for given, _ in _sources(settings, root):
        if given.resolve().is_relative_to(folder.resolve()):
            raise DataError(
                f"{given}: lies in {folder}, which preparing writes anew. Move it, or choose another data.name"
            )
    fingerprint = _fingerprint(settings, labels, root)
    if not force:
        manifest = _manifest(folder)
        if manifest.get("fingerprint") == fingerprint:
            return Prepared(
                load_splits(folder), manifest["digest"], (folder / "report.txt").read_text("utf-8"), folder, True
            )
    found = examine(settings, labels, root=root)
    if found.report.errors:
        raise DataError(f"{settings.path}: the data has errors\n{summarise(found.report.errors)}")
    label_set = labels.label_set
    details = {"format": FORMAT, "fingerprint": fingerprint, "digest": found.digest, "label_digest": label_set.digest}
    details |= {"settings": asdict(settings), "labels": list(labels.names)}
    _save(folder, found.splits, label_set, found.report, details)
    return Prepared(found.splits, found.digest, str(found.report), folder, False)


@dataclass(frozen=True)
class Examined:
    """A data set that was read, split and checked, but not written."""

    splits: Splits
    report: DataReport
    digest: str


def read_all(settings: DataSettings, labels: LabelSettings, *, root: Path) -> Reading:
    """Read every row of data.path and data.also, unsplit; raises DataError as read_examples does."""
    label_set, whole = labels.label_set, Reading()
    for path, files in _sources(settings, root):
        found = read_examples(
            path,
            label_set,
            settings.columns,
            labels.aliases,
            files=files,
            form=settings.format,
            leave_out=settings.leave_out,
        )
        whole.examples += found.examples
        whole.left_out += found.left_out
    return whole


def examine(settings: DataSettings, labels: LabelSettings, *, root: Path) -> Examined:
    """Read, split and check a data set; writes nothing. Arguments as in prepare.

    Raises:
        DataError: The file can't be read or split; what the checks find is in the report.
    """
    label_set = labels.label_set
    reading = read_all(settings, labels, root=root)
    examples = reading.examples
    pairs = near_duplicates(examples, settings.near_duplicate)
    splits = split_examples(examples, label_set, settings.split, pairs)
    report = check_examples(splits, label_set, settings, [(examples[a], examples[b]) for a, b in pairs])
    report.left_out = dict(reading.left_out)
    return Examined(splits, report, rows_digest(examples))


def rows_digest(examples: Sequence[Example]) -> str:
    """Hash all rows with all their values, in order; 64 hex digits."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(_values(example), sort_keys=True, default=list).encode())
    return digest.hexdigest()


def parts_digests(splits: Splits) -> list[str]:
    """Return the digest of each part, in order: it also changes when rows move from one part to another."""
    return [rows_digest(part) for part in splits.parts().values()]


def _values(example: Example) -> dict[str, Any]:
    """As dataclasses.asdict, which takes ten times as long."""
    return vars(example) | {"slices": dict(example.slices)}


def load_splits(folder: Path) -> Splits:
    """Read the three parts of a prepared data set.

    Raises:
        DataError: A part is missing or unreadable.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "train") from error
    try:
        names = json.loads((folder / "manifest.json").read_text("utf-8"))["labels"]
        tables = {name: parquet.read_table(folder / f"{name}.parquet").to_batches(CHUNK) for name in PARTS}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: prepared data is damaged ({error}). Prepare again with force=true") from error
    parts = ([_from_row(row, names) for batch in tables[name] for row in batch.to_pylist()] for name in PARTS)
    return Splits(*parts)


def _sources(settings: DataSettings, root: Path) -> list[tuple[Path, Patterns]]:
    """Return what is read, each with the patterns of its files; further files need not be named as published."""
    return [(root / settings.path, settings.files), *((root / path, {}) for path in settings.also)]


def _fingerprint(settings: DataSettings, labels: LabelSettings, root: Path) -> str:
    values = asdict(settings) | {"path": "", "also": [], "download": False, "source": {}}
    digest = hashlib.sha256(json.dumps([FORMAT, values, asdict(labels)], sort_keys=True).encode())
    for path, files in _sources(settings, root):
        for named, _ in find_files(path, files):
            partners = next((p for start, p in PARTNERS.items() if named.name.startswith(start)), None)
            for file in partners(named) if partners else [named]:
                with file.open("rb") as stream:
                    digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of an earlier preparation, empty if there is none or a file of it is missing."""
    try:
        whole = all((folder / f"{name}.parquet").exists() for name in PARTS)
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        return manifest if whole and isinstance(manifest, dict) else {}
    except (OSError, ValueError):
        return {}


def _save(folder: Path, splits: Splits, labels: LabelSet, report: DataReport, details: Mapping[str, Any]) -> None:
    import datasets
    import pyarrow
    import pyarrow.parquet as parquet

    text = datasets.Value("string")
    schema = {field.name: text for field in fields(Example) if field.name != "slices"}
    schema |= {"label": datasets.ClassLabel(names=list(labels.names)), "slices": text}
    columns = datasets.Features(schema).arrow_schema
    with whole_folder(folder, "*.parquet") as draft:
        for name, part in splits.parts().items():
            with parquet.ParquetWriter(draft / f"{name}.parquet", columns) as writer:
                for start in range(0, len(part), CHUNK):
                    rows = [_to_row(example, labels) for example in part[start : start + CHUNK]]
                    writer.write_table(pyarrow.Table.from_pylist(rows, schema=columns))
        (draft / "report.json").write_text(report.to_json(), encoding="utf-8")
        (draft / "report.txt").write_text(str(report), encoding="utf-8")
        (draft / "manifest.json").write_text(json.dumps(details, indent=2, ensure_ascii=False), encoding="utf-8")


def _to_row(example: Example, labels: LabelSet) -> dict[str, Any]:
    return vars(example) | {"label": labels.index(example.label or ""), "slices": json.dumps(dict(example.slices))}


def _from_row(row: dict[str, Any], names: list[str]) -> Example:
    slices = {name: tuple(values) for name, values in json.loads(row.pop("slices")).items()}
    return Example(**(row | {"label": names[row["label"]], "slices": slices}))
