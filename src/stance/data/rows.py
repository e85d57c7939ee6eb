"""Reads the rows of JSONL, JSON, CSV, TSV and Parquet files one by one, with file:line in every error.

The rows are read here and not by `datasets`, whose readers turn "NA" into None and numbers
into text without a word.
"""

import csv
import json
from collections.abc import Iterator
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

from stance.data.published import READERS
from stance.errors import DataError, MissingExtraError
from stance.settings import FormatSettings

Row = dict[str, Any]
Rows = Iterator[tuple[str, Row]]
WRITABLE = (".jsonl", ".csv", ".tsv")
SUFFIXES = (*WRITABLE, ".parquet")
JSON = (".jsonl", ".json")
PLAIN = FormatSettings(encoding="utf-8", quotes=True, ending=None)
"""UTF-8 with quoted fields: what our own files are."""
_NAMES = {"utf-8": "UTF-8", "cp1252": "Windows-1252"}
_KINDS = {b"PK\x03\x04": "a spreadsheet or archive", b"\xff\xfe": "in UTF-16", b"\xfe\xff": "in UTF-16"}
"""How files begin that are something else than their name says."""


def format_of(path: Path) -> str:
    """Return the ending that decides how a file is read or written, in small letters: .csv also for DATA.CSV."""
    return path.suffix.lower()


def read_rows(path: Path, form: FormatSettings = PLAIN) -> Rows:
    """Yield ("file:line", row) one by one, in constant memory (a .json array: whole); of Parquet, ("file:row 3", row).

    Raises:
        DataError: A line is not in the encoding, not JSON, or has more or fewer fields than the header.
    """
    published = next((reader for start, reader in READERS.items() if path.name.startswith(start)), None)
    if published:
        yield from published(path)
    elif format_of(path) == ".parquet":
        yield from _parquet_rows(path)
    else:
        with path.open("rb") as stream:
            lines = _decoded(path, stream, form.encoding)
            if format_of(path) == ".json":
                lines = _array_lines(path, lines)
            yield from _table_rows(path, lines, form.quotes) if format_of(path) not in JSON else _json_rows(path, lines)


def _lines(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, which end in a line feed or, in some old exports, in a mere carriage return."""
    first = stream.readline()
    for start, kind in _KINDS.items():
        if first.startswith(start):
            raise DataError(f"{path}:1: the file is {kind}. Save it as CSV or JSONL in UTF-8")
    if b"\r" in first.rstrip(b"\r\n"):
        yield from (line + b"\n" for line in first.rstrip(b"\r\n").split(b"\r"))
    else:
        yield first
    yield from stream


def _decoded(path: Path, stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the lines as text; auto: each in the first of UTF-8, Windows-1252 and Latin-1 that fits."""
    known = ("utf-8", "cp1252", "latin-1") if encoding == "auto" else (encoding,)
    for number, line in enumerate(_lines(path, stream), 1):
        for name in known:
            try:
                yield line.decode("utf-8-sig" if number == 1 and name == "utf-8" else name)
                break
            except UnicodeDecodeError as error:
                fault = f"byte 0x{line[error.start]:02X} is not {_NAMES.get(name, name)}"
        else:
            told = "" if encoding == "cp1252" else "; scripts also take data.format.encoding=auto"
            raise DataError(f"{path}:{number}: {fault}. Save the file as UTF-8{told}")


def _array_lines(path: Path, lines: Iterator[str]) -> Iterator[str]:
    """Return the elements of a file that is one JSON array, a line each; another file's lines as they are."""
    whole = list(lines)
    if not "".join(whole[:1]).lstrip().startswith("["):
        return iter(whole)
    try:
        return iter([json.dumps(element) for element in json.loads("".join(whole))])
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON array: {error}") from error


def _json_rows(path: Path, lines: Iterator[str]) -> Rows:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not a JSON object: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: got {line.strip():.40}; expected a JSON object with named values")
        yield f"{path}:{number}", row


def _table_rows(path: Path, lines: Iterator[str], quotes: bool) -> Rows:
    first, quotable = next(lines, ""), format_of(path) == ".csv"
    marks = ",;\t" if quotable else "\t"  # some spreadsheets write ; or tabs into CSV
    mark = next((mark for mark in marks if mark in first), marks[0])
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes or quotable else csv.QUOTE_NONE
    lines = chain([first], lines)
    if quoting == csv.QUOTE_NONE:  # a stray carriage return is text
        lines = (line.rstrip("\r\n").replace("\r", " ") + "\n" for line in lines)
    reader = csv.DictReader(lines, delimiter=mark, quoting=quoting, strict=True)
    try:
        header = reader.fieldnames or []
        twice = {str(name) for name in header if header.count(name) > 1}
        if twice:
            raise DataError(f"{path}:1: the column '{min(twice)}' is there twice; expected different names")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise DataError(f"{where}: the number of fields differs from the header's {len(header)}")
            yield where, row
    except csv.Error as error:
        mere = quotes and not quotable
        told = ". If quotation marks are mere text here, set data.format.quotes=false" if mere else ""
        raise DataError(f"{path}:{reader.line_num + 1}: broken CSV from this line on: {error}{told}") from error


def _parquet_rows(path: Path) -> Rows:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "train") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:row {number}", {name: _as_text(value) for name, value in row.items()}
    except (ValueError, OSError) as error:  # pyarrow's own errors are among these
        raise DataError(f"{path}: not readable as Parquet after row {number} ({error}). Write it again") from error


def _as_text(value: object) -> object:
    """Turn what JSON has no word for into its text: dates."""
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value
