"""How much disk the installed packages take: the light install, and what plain transformers needs."""

from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from stance.evaluation.report import markdown_table
from stance.paths import CARRIED

PLAIN = ("transformers", "torch")


def install_sizes() -> dict[str, float]:
    """Return the MB of the light install and of transformers with torch, each with all that it requires in turn.

    stance counts with the model that it carries. A list with a package that is not here is left out.
    """
    sizes = {}
    for name, packages in (("stance", ("stance",)), ("transformers and torch", PLAIN)):
        found = required(packages)
        if found is not None:
            ours = _folder(Path(__file__).parents[1]) + _folder(CARRIED) if name == "stance" else 0
            sizes[name] = (sum(_size(package) for package in found if package.name != "stance") + ours) / 1e6
    return sizes


def install_table(sizes: Mapping[str, float]) -> str:
    """Return the sizes as a Markdown table."""
    rows = [[name, f"{size:,.0f}"] for name, size in sizes.items()]
    return markdown_table(["installed, with all that it requires", "MB"], rows)


def required(packages: Sequence[str]) -> list[Distribution] | None:
    """Return the packages and all that they require here; None if one that is named is not installed."""
    found: dict[str, Distribution] = {}
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            if name in packages:
                return None
            continue  # not wanted on this system
        if package.name not in found:
            found[package.name] = package
            waiting += _requirements(package)
    return list(found.values())


def _requirements(package: Distribution) -> list[str]:
    """Return the names of what the package requires here, extras left out."""
    from packaging.requirements import Requirement

    wanted = map(Requirement, package.requires or [])
    return [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def _size(package: Distribution) -> int:
    paths = (Path(str(file.locate())) for file in package.files or [])
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")


def _folder(path: Path) -> int:
    files = (file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc") if path.exists() else ()
    return sum(file.stat().st_size for file in files)
