"""Rows come out of Parquet files as out of the others; characters are read as the settings say."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest

from stance.config import compose_settings
from stance.core import Example, LabelSet
from stance.data.files import read_examples
from stance.data.rows import PLAIN, read_rows
from stance.errors import DataError
from stance.settings import ColumnSettings, FormatSettings, PrepareJob

LABELS = LabelSet(("pro", "con"))
COLUMNS = ColumnSettings(
    text="text", label="label", holder=None, target="topic|target", id="id", group=None, date="date",
    condition=None, split="split", slices=["genre"],
)  # fmt: skip


def write(path: Path, **columns: list[object]) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_rows_capital_endings_are_read_as_small_ones(tmp_path: Path) -> None:
    (tmp_path / "ROWS.CSV").write_text("text,label,topic\nYes.,pro,cats\n")
    (tmp_path / "More.JSONL").write_text('{"text": "No.", "label": "con"}\n')
    assert [example.text for example in read_examples(tmp_path, LABELS, COLUMNS, {}).examples] == ["No.", "Yes."]
    assert [row for _, row in read_rows(tmp_path / "ROWS.CSV")] == [{"text": "Yes.", "label": "pro", "topic": "cats"}]


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_rows_csv_of_spreadsheets_may_be_divided_otherwise(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(mark.join(("text", "label")) + "\n" + mark.join(('"One, two; three."', "pro")) + "\n")
    assert [row for _, row in read_rows(path)] == [{"text": "One, two; three.", "label": "pro"}]


@pytest.mark.parametrize(
    ("start", "kind"), [("text,label\n".encode("utf-16"), "is in UTF-16"), (b"PK\x03\x04\x9b\n", "is a spreadsheet")]
)
def test_rows_files_of_another_kind_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "a.csv").write_bytes(start)
    with pytest.raises(DataError, match=f"a.csv:1: the file {kind}.*Save it as CSV or JSONL in UTF-8$"):
        list(read_rows(tmp_path / "a.csv"))


def form(**changes: object) -> FormatSettings:
    return FormatSettings(**{"encoding": "utf-8", "quotes": True, "ending": None} | changes)  # type: ignore[arg-type]


def test_rows_parquet_becomes_examples(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        text=["NA", "No."], label=[0, 1], target=["cats", None], id=[7, 8], genre=[["a", "b"], []],
        date=[datetime(2024, 1, 31), None], other=[1.5, 2.5],
    )  # fmt: skip
    assert read_examples(path, LABELS, COLUMNS, {"0": "pro", "1": "con"}).examples == [
        Example("NA", "cats", None, "pro", "7", date="2024-01-31", slices={"genre": ("a", "b")}),
        Example("No.", None, None, "con", "8", slices={"genre": ()}),
    ]


def test_rows_parquet_dates_are_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", day=[date(2024, 1, 31)], hour=[datetime(2024, 1, 31, 9)])
    assert [row for _, row in read_rows(path)] == [{"day": "2024-01-31", "hour": "2024-01-31T09:00:00"}]


def test_rows_parquet_problems_name_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["Yes.", "", "No."], label=["pro", "con", "cno"])
    with pytest.raises(DataError) as caught:
        read_examples(path, LABELS, COLUMNS, {})
    first, second = str(caught.value).splitlines()
    assert first == f"{path}:row 2: column 'text' is empty; expected a sentence"
    assert second.startswith(f"{path}:row 3: label 'cno' is not one of pro, con; did you mean 'con'")


@pytest.mark.parametrize("cut", [0, 4, 40])
def test_rows_parquet_that_is_broken_is_named(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "a.parquet", text=["Yes."] * 50, label=["pro"] * 50)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"a.parquet: not readable as Parquet"):
        read_examples(path, LABELS, COLUMNS, {})


def test_rows_parquet_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["x"] * 3000)
    rows = read_rows(path)
    assert next(rows) == (f"{path}:row 1", {"text": "x"})
    assert sum(1 for _ in rows) == 2999


@pytest.mark.parametrize(
    ("name", "encoding", "expected"),
    [("utf-8", "auto", "caf\u00e9"), ("cp1252", "auto", "caf\u00e9"), ("cp1252", "cp1252", "caf\u00e9")],
)
def test_rows_encoding_is_tried_or_given(tmp_path: Path, name: str, encoding: str, expected: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("text\tlabel\ncaf\u00e9\tpro\n".encode(name))
    assert [row["text"] for _, row in read_rows(path, form(encoding=encoding))] == [expected]


@pytest.mark.parametrize(
    "text",
    ['[{"text": "yes", "label": "pro"},\n {"text": "no", "label": "con"}]', '{"text": "yes"}\n\n{"text": "no"}\n'],
)
def test_rows_json_is_an_array_or_an_object_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert [row["text"] for _, row in read_rows(tmp_path / "a.json")] == ["yes", "no"]


@pytest.mark.parametrize(("text", "problem"), [("[{]", "not a JSON array"), ("[1]", "expected a JSON object")])
def test_rows_json_that_is_broken_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=problem):
        list(read_rows(tmp_path / "a.json"))


def test_rows_labels_may_stand_between_blanks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nYes., pro \nNo.,con\n")
    columns = replace(COLUMNS, target=None, id=None, date=None, split=None, slices=[])
    assert [e.label for e in read_examples(tmp_path / "a.csv", LABELS, columns, {}).examples] == ["pro", "con"]


def test_rows_wrong_byte_says_where_and_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"text\tlabel\nyes\tpro\ncaf\xe9\tpro\n")
    with pytest.raises(DataError, match=r"a.tsv:3: byte 0xE9 is not UTF-8.*data.format.encoding"):
        list(read_rows(path))


def test_rows_encoding_is_tried_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"text\tlabel\ncaf\xc3\xa9\tpro\ncaf\xe9\tpro\nodd \x9d\tpro\n")
    texts = [row["text"] for _, row in read_rows(path, form(encoding="auto"))]
    assert texts == ["caf\u00e9", "caf\u00e9", "odd \x9d"]


@pytest.mark.parametrize("end", ["", "\r", "\r\n", "\n"])
def test_rows_lines_may_end_in_a_carriage_return(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.csv").write_bytes(f"text,label\rYes.,pro\rNo.,con{end}".encode())
    assert [row["text"] for _, row in read_rows(tmp_path / "a.csv")] == ["Yes.", "No."]


def test_rows_a_stray_carriage_return_is_text_where_quotes_are(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"text\tlabel\r\nOh,\rno\tcon\r\n")
    assert next(read_rows(tmp_path / "a.tsv", form(quotes=False)))[1] == {"text": "Oh, no", "label": "con"}


def test_rows_quotes_are_text_where_the_settings_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"No" is no\tcon\n"Open\tpro\n')
    assert [row["text"] for _, row in read_rows(path, form(quotes=False))] == ['"No" is no', '"Open']
    with pytest.raises(DataError, match=r"broken CSV.*set data.format.quotes=false"):
        list(read_rows(path))


def test_rows_of_csv_files_are_quoted_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"No, never",con\n')
    assert [row["text"] for _, row in read_rows(path, form(quotes=False))] == ["No, never"]


def test_rows_plain_form_is_that_of_the_shipped_config() -> None:
    assert compose_settings("prepare", [], PrepareJob).data.format == PLAIN


@pytest.mark.parametrize(("header", "target"), [("topic", "cats"), ("target", "cats"), ("thing", None)])
def test_rows_first_of_several_columns_is_read(tmp_path: Path, header: str, target: str | None) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label,{header}\nYes.,pro,cats\n")
    assert read_examples(path, LABELS, COLUMNS, {}).examples[0].target == target


def test_rows_none_of_several_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nYes.,pro\n")
    with pytest.raises(DataError, match=r"no row has a column 'topic\|theme'"):
        read_examples(path, LABELS, replace(COLUMNS, target="topic|theme"), {})
    with pytest.raises(DataError, match=r"no column 'post\|tweet'; the row has text, label"):
        read_examples(path, LABELS, replace(COLUMNS, text="post|tweet"), {})


def test_rows_of_unknown_labels_show_an_override_that_names_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\nYes.,yes\nNo.,"no, never"\nSo.,1\nWell.,not sure: {x}\n')
    with pytest.raises(DataError) as caught:
        read_examples(path, LABELS, COLUMNS, {})
    told = str(caught.value).splitlines()[-1]
    assert told.startswith("If these are your labels, name them: labels.name=mine 'labels.names={1")
    names = compose_settings("prepare", [told.split("'")[1]], PrepareJob).labels.names
    assert list(names) == ["1", "no, never", "not sure: {x}", "yes"]
