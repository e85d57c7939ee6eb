"""Rows of JSONL and CSV files become examples; what can't be read is named with file:line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stance.core import MAX_CHARACTERS, Example, LabelSet
from stance.data.files import read_examples, read_rows, to_example
from stance.data.find import find_files
from stance.errors import DataError
from stance.settings import ColumnSettings

LABELS = LabelSet(("accept", "refuse", "none"))
COLUMNS = ColumnSettings(
    text="text", label="label", holder="holder", target="target", id="id", group="group", date="date",
    condition="condition", split="split", slices=["genre"],
)  # fmt: skip
GOOD = {"text": "Kenya declines.", "label": "refuse"}


def read(path: Path, content: str | bytes = b"", **aliases: str | None) -> list[Example]:
    if content:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_examples(path, LABELS, COLUMNS, aliases).examples


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_files_jsonl_reads_every_field(tmp_path: Path) -> None:
    row = {
        "text": "Yes, if paid.", "label": "accept", "holder": "Kenya", "target": "the force", "id": 7, "group": "g1",
        "date": "2024-01-31", "condition": "if paid", "split": "dev", "genre": ["wire", "quote"], "other": 1,
    }  # fmt: skip
    assert read(tmp_path / "a.jsonl", jsonl(row)) == [
        Example(
            "Yes, if paid.",
            "the force",
            "Kenya",
            "accept",
            "7",
            "g1",
            "2024-01-31",
            "if paid",
            "dev",
            {"genre": ("wire", "quote")},
        )
    ]


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".tsv", "\t")])
def test_files_csv_and_tsv_read_quotes_and_line_breaks(tmp_path: Path, suffix: str, mark: str) -> None:
    lines = [["text", "label", "genre"], [f'"He said ""no{mark}\nnever"" twice."', "refuse", "wire"]]
    path = tmp_path / f"a{suffix}"
    found = read(path, "\ufeff" + "".join(mark.join(cells) + "\r\n" for cells in lines))
    assert found == [Example(f'He said "no{mark}\nnever" twice.', label="refuse", slices={"genre": ("wire",)})]


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "1", "TRUE"])
def test_files_words_that_look_like_nothing_survive(tmp_path: Path, word: str) -> None:
    row = GOOD | {"text": word, "holder": word, "genre": word}
    csv = f"text,label,holder,genre\n{word},refuse,{word},{word}\n"
    expected = [Example(word, holder=word, label="refuse", slices={"genre": (word,)})]
    assert read(tmp_path / "a.jsonl", jsonl(row)) == read(tmp_path / "a.csv", csv) == expected


@pytest.mark.parametrize("nothing", ["", None])
def test_files_empty_optional_values_are_none(tmp_path: Path, nothing: str | None) -> None:
    found = read(tmp_path / "a.jsonl", jsonl(GOOD | {"holder": nothing, "group": nothing, "genre": nothing}))
    assert found == [Example(GOOD["text"], label="refuse", slices={"genre": ()})]


@pytest.mark.parametrize(("word", "part"), [("Train", "train"), ("VALIDATION", "dev"), ("testing", "test")])
def test_files_parts_may_be_worded_otherwise(tmp_path: Path, word: str, part: str) -> None:
    assert read(tmp_path / "a.jsonl", jsonl(GOOD | {"split": word}))[0].split == part


def test_files_a_part_of_another_name_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split 'fold1' is none of train, dev, test.*data\.columns\.split=null"):
        read(tmp_path / "a.jsonl", jsonl(GOOD | {"split": "fold1"}))


def test_files_capitals_of_labels_do_not_matter(tmp_path: Path) -> None:
    assert [row.label for row in read(tmp_path / "a.jsonl", jsonl(GOOD | {"label": "ReFuse"}))] == ["refuse"]


def test_files_aliases_stand_for_labels(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", jsonl(GOOD | {"label": "anti"}), anti="refuse")[0].label == "refuse"


def test_files_rows_of_an_alias_for_nothing_are_left_out(tmp_path: Path) -> None:
    found = read(tmp_path / "a.jsonl", jsonl(GOOD, GOOD | {"label": "unclear"}, GOOD), unclear=None)
    assert [e.label for e in found] == ["refuse", "refuse"]


def test_files_rows_left_out_are_counted_by_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(jsonl(GOOD, GOOD | {"label": "unclear"}, GOOD | {"target": "tea"}, GOOD | {"label": "unclear"}))
    found = read_examples(path, LABELS, COLUMNS, {"unclear": None}, leave_out={"target": ["tea"]})
    assert (len(found.examples), found.left_out) == (1, {"label unclear": 2, "target tea": 1})


def test_files_a_null_label_and_a_value_of_the_label_column_are_both_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(jsonl(GOOD, GOOD | {"label": "unclear"}, GOOD | {"label": "none"}))
    found = read_examples(path, LABELS, COLUMNS, {"unclear": None}, leave_out={"label": ["none"]})
    assert [example.label for example in found.examples] == ["refuse"]
    assert found.left_out == {"label unclear": 1, "label none": 1}


def test_files_without_a_split_column_the_file_is_the_split(tmp_path: Path) -> None:
    for name in ("dev", "train"):
        (tmp_path / f"{name}.jsonl").write_text(jsonl(GOOD))
    found = read_examples(tmp_path, LABELS, replace(COLUMNS, split=None), {}).examples
    assert [e.split for e in found] == ["dev", "train"]


def test_files_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("not data")
    (tmp_path / "b.csv").write_text("text,label\nSecond.,none\n")
    assert [e.text for e in (read(tmp_path / "a.jsonl", jsonl(GOOD)), read(tmp_path))[1]] == [GOOD["text"], "Second."]


@pytest.mark.parametrize(
    ("name", "problem"),
    [("no.csv", "no such file"), ("x.xlsx", "'.xlsx' is not known"), ("empty", "no file ending in")],
)
def test_files_what_is_not_there_is_named(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "x.xlsx").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=problem) as caught:
        find_files(tmp_path / name)
    assert name in str(caught.value)


LONG = "x" * (MAX_CHARACTERS + 1)


@pytest.mark.parametrize(
    ("name", "content", "where", "problem"),
    [
        ("a.jsonl", b"\n \n", "", "no rows"),
        ("a.csv", b"text,label\n", "", "no rows"),
        ("a.jsonl", jsonl(GOOD).encode() + '{"text": "caf\u00e9"}'.encode("latin-1"), ":2", "byte 0xE9 is not UTF-8"),
        ("a.csv", "text,label\nNo.,refuse\n".encode("utf-16"), ":1", "in UTF-16"),
        ("a.jsonl", jsonl(GOOD) + '{"text": "No."', ":2", "not a JSON object"),
        ("a.jsonl", "[" * 100_000 + "\n", ":1", "not a JSON object"),
        ("a.jsonl", "9" * 5000 + "\n", ":1", "not a JSON object"),
        ("a.jsonl", jsonl(GOOD, ["text"]), ":2", "expected a JSON object"),
        ("a.jsonl", jsonl({"label": "none"}), ":1", "no column 'text'; the row has label. Set data.columns.text"),
        ("a.jsonl", jsonl({"text": "No."}), ":1", "no column 'label'"),
        ("a.csv", "sentence,label\nNo.,refuse\n", ":2", "no column 'text'; the row has sentence, label"),
        ("a.jsonl", jsonl(GOOD | {"label": "refused"}), ":1", "'refused' is not one of .*; did you mean 'refuse'"),
        ("a.jsonl", jsonl(GOOD | {"label": ""}), ":1", "label '' is not one of"),
        ("a.jsonl", jsonl(GOOD | {"text": 12}), ":1", "column 'text' is 12; expected words in quotes"),
        ("a.jsonl", jsonl(GOOD | {"text": None}), ":1", "column 'text' is None"),
        ("a.jsonl", jsonl(GOOD | {"text": "  "}), ":1", "column 'text' is empty"),
        ("a.jsonl", jsonl(GOOD | {"holder": 1.5}), ":1", "column 'holder' is 1.5"),
        ("a.jsonl", jsonl(GOOD | {"holder": True}), ":1", "column 'holder' is True"),
        ("a.jsonl", jsonl(GOOD | {"target": ["x"]}), ":1", "column 'target' is"),
        ("a.jsonl", jsonl(GOOD | {"text": LONG}), ":1", "20,001 characters"),
        ("a.jsonl", jsonl(GOOD | {"text": "a\x00b"}), ":1", "NUL byte"),
        ("a.jsonl", jsonl(GOOD | {"condition": "if paid"}), ":1", "condition 'if paid' is not in the text"),
        ("a.csv", "text,label\na\x00b,none\n", ":2", "NUL"),
        ("a.csv", "text,label\nNo.,none\nNo,never,none\n", ":3", "number of fields differs from the header's 2"),
        ("a.csv", "text,label\nNo.\n", ":2", "number of fields differs"),
        ("a.csv", 'text,label\n"No.,none\n', ":2", "broken CSV"),
    ],
)  # fmt: skip
def test_files_bad_input_is_named_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, where: str, problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        read(tmp_path / name, content)
    assert str(caught.value).startswith(f"{tmp_path / name}{where}: ")


def test_files_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    bad = {"label": "yes"}
    (tmp_path / "a.jsonl").write_text(jsonl(bad, GOOD, GOOD | {"label": "no"}))
    (tmp_path / "b.jsonl").write_text("{broken")
    (tmp_path / "c.jsonl").touch()
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines] == [
        "a.jsonl:1", "a.jsonl:1", "a.jsonl:3", "b.jsonl:1", "c.jsonl",
    ]  # fmt: skip


def test_files_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="and 10 more problems") as caught:
        read(tmp_path / "a.jsonl", jsonl(*[GOOD | {"label": "x"}] * 30))
    assert len(str(caught.value).splitlines()) == 21


def test_files_rows_without_labels_are_fine_for_scoring() -> None:
    example, problems = to_example({"text": "No.", "label": "whatever"}, COLUMNS, None, {})
    assert (example.label, problems) == (None, [])


def test_files_columns_can_have_other_names() -> None:
    columns = replace(COLUMNS, text="sentence", holder=None, label="stance")
    example, problems = to_example({"sentence": "No.", "stance": "none", "holder": "x"}, columns, LABELS, {})
    assert (example, problems) == (Example("No.", label="none"), [])


def test_files_rows_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(jsonl(GOOD) + "{broken")
    rows = read_rows(path)
    assert next(rows) == (f"{path}:1", GOOD)
    with pytest.raises(DataError, match=":2: not a JSON object"):
        next(rows)


def test_files_column_that_no_row_has_is_a_slip(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label,topic\nWe will join.,accept,a\n")
    with pytest.raises(DataError, match="no row has a column 'topik'; the rows have label, text, topic"):
        read_examples(path, LABELS, replace(COLUMNS, group="topik"), {})
    assert read_examples(path, LABELS, replace(COLUMNS, group="topic"), {}).examples[0].group == "a"
