"""What a setting may be, and sentences about those that are not."""

from collections.abc import Iterator
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any


def between(low: float, high: float) -> Any:
    """A number, or a list of numbers, from low to high."""
    return field(metadata={"between": (low, high)})


def one_of(*choices: str) -> Any:
    """One of some words."""
    return field(metadata={"one_of": choices})


def folder_name() -> Any:
    """The name of a folder, without slashes."""
    return field(metadata={"folder_name": True})


def problems(settings: Any, prefix: str = "") -> Iterator[str]:
    """Yield one sentence for each value out of its range, walking nested settings."""
    for item in fields(settings):
        value, name = getattr(settings, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            yield from problems(value, f"{name}.")
        elif isinstance(value, dict) and value and all(map(is_dataclass, value.values())):
            for key, nested in value.items():
                yield from problems(nested, f"{name}.{key}.")
        elif "between" in item.metadata:
            low, high = item.metadata["between"]
            if not all(low <= each <= high for each in (value if isinstance(value, list) else [value])):
                yield f"{name} must be from {low:g} to {high:g}, got {value!r}"
        elif "folder_name" in item.metadata and (Path(value).name != value or value.startswith(".") or not value):
            yield f"{name} must be a folder name such as my-model, without slashes, got {value!r}"
        elif "keys_of" in item.metadata and not set(value) <= set(item.metadata["keys_of"]):
            yield f"{name} must have keys among {', '.join(item.metadata['keys_of'])}, got {', '.join(value)}"
        elif "each_of" in item.metadata and not set(value) <= set(item.metadata["each_of"]):
            yield f"{name} must hold some of {', '.join(item.metadata['each_of'])}, got {', '.join(value)}"
        elif "one_of" in item.metadata and value not in item.metadata["one_of"]:
            yield f"{name} must be one of {', '.join(item.metadata['one_of'])}, got {value!r}"
