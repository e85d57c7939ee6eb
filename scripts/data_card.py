"""Print every figure of the data card (data/README.md): size, balance, variety, agreement of two readers."""

import argparse
import csv
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from sklearn.metrics import cohen_kappa_score

from stance.paths import ROOT

Rows = list[dict[str, Any]]


def read(folder: Path) -> Rows:
    """Read all JSONL rows of a folder or file."""
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else [folder]
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def size(rows: Rows) -> None:
    """Count rows, texts, labels, genres, domains, phenomena."""
    show("rows", len(rows))
    show("different texts", len({row["text"] for row in rows}))
    for column in ("label", "split", "genre", "domain"):
        show(column, counted(Counter(row[column] for row in rows)))
    show("phenomena", counted(Counter(tag for row in rows for tag in row["phenomena"])))
    show("no holder", sum("holder" not in row for row in rows))
    show("no target", sum("target" not in row for row in rows))
    show("conditional rows with the condition's words", sum("condition" in row for row in rows))


def contrast(rows: Rows) -> None:
    """Count where holder, target or a small edit decides the label."""
    by_text, by_group = defaultdict(set), defaultdict(set)
    for row in rows:
        by_text[row["text"]].add(row["label"])
        by_group[row["group"]].add((row["text"], row["label"]))
    decided = sum(len(by_text[row["text"]]) > 1 for row in rows)
    show("rows whose label holder or target decides", f"{decided / len(rows):.0%}")
    show("contrast groups (one group, two labels)", sum(len({label for _, label in g}) > 1 for g in by_group.values()))


def variety(rows: Rows, other: Path | None) -> None:
    """Tell how much openings repeat and how rich the vocabulary is, beside another data set's."""
    texts = sorted({row["text"] for row in rows})
    openings = Counter(" ".join(words(text)[:3]) for text in texts)
    opening, count = openings.most_common(1)[0]
    show("most frequent opening of three words", f"'{opening}', {count} texts, {count / len(texts):.2%}")
    compared = [("these sentences", texts)]
    compared += [(str(other), sorted({row["text"] for row in read(other)}))] if other else []
    most = min(sum(len(words(text)) for text in group) for _, group in compared)
    for name, group in compared:
        running = [word for text in group[:: max(1, len(group) // 2000)] for word in words(text)][: min(most, 5000)]
        show(f"different words in {len(running):,} running words of {name}", len(set(running)))


def agreement(path: Path) -> None:
    """Compare the first and the second, blind reading."""
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    real = [row for row in rows if row["id"].startswith("ungd/")]
    written = [row for row in rows if not row["id"].startswith("ungd/")]
    for name, part in (("written rows", written), ("UN rows", real)):
        first, second = [row["first"] for row in part], [row["second"] for row in part]
        same = sum(a == b for a, b in zip(first, second, strict=True)) / len(part)
        kappa = cohen_kappa_score(first, second)
        show(f"{name} read twice", f"{len(part):,}; same label {same:.1%}, Cohen's kappa {kappa:.3f}")
    show("changed or dropped after that", sum(row["decided"] != row["first"] for row in rows))


def words(text: str) -> list[str]:
    """Return the words of a text in small letters."""
    return re.findall(r"\w+", text.lower())


def counted(counts: Counter[str]) -> str:
    """Write counts in one line, largest first."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def show(name: str, value: object) -> None:
    """Print one figure."""
    sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, help="a JSONL file with `text` to compare the vocabulary with")
    beside = parser.parse_args().beside
    if beside and not (beside.is_file() and beside.suffix == ".jsonl"):
        parser.error(f"--beside {beside}: expected a .jsonl file that is there")
    everything = read(ROOT / "data/participation")
    size(everything)
    contrast(everything)
    variety(everything, beside)
    agreement(ROOT / "data/quality/second_reading.csv")
