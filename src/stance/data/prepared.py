"""The prepare stage: raw file -> checked, split `datasets` data in Parquet with a manifest."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stance.atomic import whole_folder
from stance.core import Example, LabelSet
from stance.data.checks import DataReport, check_examples, near_duplicates
from stance.data.files import Patterns, find_files, read_examples
from stance.data.published import PARTNERS
from stance.data.splits import PARTS, Splits, split_examples
from stance.errors import DataError, MissingExtraError, summarise
from stance.settings import DataSettings, LabelSettings

FORMAT = 2
TokensCut = Callable[[Sequence[Example]], list[int]]


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
    tokens_cut: TokensCut | None = None,
    force: bool = False,
) -> Prepared:
    """Prepare a data set, or reuse what is prepared if neither its source nor its settings changed.

    Args:
        settings: The data set; a relative path counts from `root`.
        labels: The label set.
        root: The project's folder; the result goes to data/processed/NAME below it.
        tokens_cut: See check_examples.
        force: Prepare anew in any case.

    Raises:
        DataError: The file can't be read, or the checks found errors; what was prepared before stays.
    """
    folder = root / "data" / "processed" / settings.name
    fingerprint = _fingerprint(settings, labels, root)
    if not force:
        manifest = _manifest(folder)
        if manifest.get("fingerprint") == fingerprint:
            return Prepared(
                load_splits(folder), manifest["digest"], (folder / "report.txt").read_text("utf-8"), folder, True
            )
    found = examine(settings, labels, root=root, tokens_cut=tokens_cut)
    if found.report.errors:
        raise DataError(f"{settings.path}: the data has errors\n{summarise(found.report.errors)}")
    label_set = LabelSet(tuple(labels.names))
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


def read_all(settings: DataSettings, labels: LabelSettings, *, root: Path) -> list[Example]:
    """Read every row of data.path and data.also, unsplit; raises DataError as read_examples does."""
    label_set = LabelSet(tuple(labels.names))
    return [
        example
        for path, files in _sources(settings, root)
        for example in read_examples(
            path, label_set, settings.columns, labels.aliases, files=files, form=settings.format
        )
    ]


def examine(
    settings: DataSettings, labels: LabelSettings, *, root: Path, tokens_cut: TokensCut | None = None
) -> Examined:
    """Read, split and check a data set; writes nothing. Arguments as in prepare.

    Raises:
        DataError: The file can't be read or split; what the checks find is in the report.
    """
    label_set = LabelSet(tuple(labels.names))
    examples = read_all(settings, labels, root=root)
    pairs = near_duplicates(examples, settings.near_duplicate)
    splits = split_examples(examples, label_set, settings.split, pairs)
    report = check_examples(splits, label_set, settings, [(examples[a], examples[b]) for a, b in pairs], tokens_cut)
    return Examined(splits, report, rows_digest(examples))


def rows_digest(examples: Sequence[Example]) -> str:
    """Hash all rows with all their values, in order; 64 hex digits."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(asdict(example), sort_keys=True, default=list).encode())
    return digest.hexdigest()


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
        tables = {name: parquet.read_table(folder / f"{name}.parquet").to_pylist() for name in PARTS}
        names = json.loads((folder / "manifest.json").read_text("utf-8"))["labels"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: prepared data is damaged ({error}). Prepare again with force=true") from error
    return Splits(*([_from_row(row, names) for row in tables[name]] for name in PARTS))


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
                digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
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

    datasets.disable_progress_bars()
    text = datasets.Value("string")
    schema = {field.name: text for field in fields(Example) if field.name != "slices"}
    schema |= {"label": datasets.ClassLabel(names=list(labels.names)), "slices": text}
    with whole_folder(folder, "*.parquet") as draft:
        for name, part in splits.parts().items():
            rows = [asdict(example) | {"slices": json.dumps(dict(example.slices))} for example in part]
            data = datasets.Dataset.from_list(rows, features=datasets.Features(schema))
            with (draft / f"{name}.parquet").open("wb") as stream:
                data.to_parquet(stream)
        (draft / "report.json").write_text(report.to_json(), encoding="utf-8")
        (draft / "report.txt").write_text(str(report), encoding="utf-8")
        (draft / "manifest.json").write_text(json.dumps(details, indent=2, ensure_ascii=False), encoding="utf-8")


def _from_row(row: dict[str, Any], names: list[str]) -> Example:
    slices = {name: tuple(values) for name, values in json.loads(row.pop("slices")).items()}
    return Example(**(row | {"label": names[row["label"]], "slices": slices}))
