"""Folders in the formats in which the public benchmarks are published (all rows invented) become splits and scores."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stance.config import compose_settings
from stance.core import Example, LabelSet
from stance.data.find import find_files
from stance.data.prepared import Prepared, prepare
from stance.data.splits import Splits
from stance.errors import DataError
from stance.evaluation.measures import measure_all
from stance.settings import PrepareJob

TOPICS = ("ferries", "murals", "beekeeping", "trams", "festivals", "orchards", "libraries", "allotments")


def sentence(number: int) -> str:
    return f"About {TOPICS[number % 8]} I can say number {number} twice over: {number * 7} or {number * 13} of them."


def table(rows: list[dict[str, object]], mark: str = ",") -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=mark)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def semeval(folder: Path, encoding: str = "cp1252", tail: str = " #SemST") -> None:
    def tweets(start: int, count: int, *targets: str) -> bytes:
        lines = ["ID\tTarget\tTweet\tStance"]
        for i in range(start, start + count):
            stance = ("AGAINST", "FAVOR", "NONE")[i % 3]
            lines.append(f'{i}\t{targets[i % len(targets)]}\t"Caf\u00e9 {sentence(i)}{tail}\t{stance}')
        return ("\r\n".join(lines) + "\r\n").encode(encoding)

    (folder / "gold").mkdir()
    (folder / "semeval2016-task6-trialdata.txt").write_bytes(tweets(1, 9, "Tea", "Chess"))
    (folder / "semeval2016-task6-trainingdata.txt").write_bytes(tweets(101, 30, "Tea", "Chess"))
    (folder / "gold/SemEval2016-Task6-subtaskA-testdata-gold.txt").write_bytes(tweets(10001, 12, "Tea", "Chess"))
    (folder / "gold/SemEval2016-Task6-subtaskB-testdata-gold.txt").write_bytes(tweets(20001, 6, "Skiing"))
    (folder / "gold/SemEval2016-Task6-subtaskA-testdata.txt").write_bytes(
        tweets(10001, 12, "Tea").replace(b"NONE", b"?")
    )
    (folder / "semeval2016-task6-trainingdata-readme.txt").write_text("Not data.")


def vast(folder: Path) -> None:
    def comments(start: int, count: int) -> str:
        return table(
            [
                {
                    "author": "A", "post": f'They said "yes",\nthen no. {sentence(i)}', "ori_topic": "x", "ori_id": i,
                    "new_topic": "the topic before", "label": i % 3, "type_idx": 1, "new_id": i, "arc_id": 7,
                    "text": '[["said"]]', "text_s": "said", "topic": '["x"]', "topic_str": TOPICS[i % 8],
                    "seen?": i % 2, "contains_topic?": 0,
                }
                for i in range(start, start + count)
            ]
        )  # fmt: skip

    for name, start, count in (("train", 0, 30), ("dev", 100, 9), ("test", 200, 12), ("test-sentswap", 300, 3)):
        (folder / f"vast_{name}.csv").write_text(comments(start, count), encoding="utf-8")


def pstance(folder: Path) -> None:
    for i, who in enumerate(("bernie", "biden", "trump")):
        for j, (part, count) in enumerate((("train", 10), ("val", 4), ("test", 4))):
            rows = [
                {
                    "Tweet": sentence(1000 * i + 100 * j + k),
                    "Target": who.title(),
                    "Stance": ("FAVOR", "AGAINST")[k % 2],
                }
                for k in range(count)
            ]
            (folder / f"raw_{part}_{who}.csv").write_text(table(rows), encoding="utf-8")
    with (folder / "raw_train_biden.csv").open("a") as stream:
        stream.write("Who knows.,Biden,NONE\n")
    (folder / "raw_train_all.csv").write_text("Tweet,Target,Stance\nAgain.,All,FAVOR\n")


def plv(folder: Path) -> None:
    roots = compose_settings("prepare", ["data=plv"], PrepareJob).labels.names
    for part, start, first in (("train", 0, ""), ("test", 600, "Unnamed: 0")):
        rows = [
            {
                first: i, "sentence_id": i, "sentence": f"Norway told Peru. {sentence(i)}", "source": "Norway",
                "marked_sentence": f"<s>Norway</s> told <t>Peru</t>. {sentence(i)}", "target": "Peru",
                "gold_penta": 1, "gold_root": root.upper(),
            }
            for i, root in enumerate([*roots] * 3, start)
        ]  # fmt: skip
        (folder / f"PLV_{part}.tsv").write_text(table(rows, "\t"), encoding="utf-8")
    (folder / "AW_train.tsv").write_text("sentence\tgold_root\nAnother set.\tMOVE\n")


def perspectrum(folder: Path) -> None:
    claims, pool = [], []
    for i in range(12):
        clusters = []
        for j, label in enumerate(("SUPPORT", "UNDERMINE")):
            ids = [100 * i + 10 * j, 100 * i + 10 * j + 1]
            pool += [{"pId": p, "text": sentence(p), "source": "x"} for p in ids]
            clusters.append({"pids": ids, "stance_label_3": label, "evidence": []})
        claims.append({"cId": i, "text": f"Claim {i}", "source": "x", "perspectives": clusters, "topics": []})
    parts = {str(i): ("train", "train", "dev", "test")[i % 4] for i in range(12)}
    names = ("perspectrum_with_answers", "perspective_pool", "dataset_split")
    for name, content in zip(names, (claims, pool, parts), strict=True):
        (folder / f"{name}_v1.0.json").write_text(json.dumps(content))
    (folder / "evidence_pool_v1.0.json").write_text("[]")


def ibm_csd(folder: Path) -> None:
    rows = [
        {
            "topicId": i // 4, "split": ("train", "train", "test")[i // 4 % 3], "topicText": f"Motion {i // 4}",
            "topicTarget": "x", "claims.claimId": i, "claims.stance": ("PRO", "CON")[i % 2],
            "claims.claimCorrectedText": sentence(i), "claims.claimOriginalText": "x",
        }
        for i in range(48)
    ]  # fmt: skip
    (folder / "claim_stance_dataset_v1.csv").write_text(table(rows), encoding="utf-8")
    for part in ("train", "test"):
        (folder / f"{part}.csv").write_text("topicText,claims.stance\nof another release,PRO\n")


def circa(folder: Path) -> None:
    golds = (
        "Yes", "No", "Yes, subject to some conditions", "In the middle, neither yes nor no", "Other", "NA",
    )  # fmt: skip
    lines = ["id\tcontext\tquestion-X\tcanquestion-X\tanswer-Y\tjudgements\tgoldstandard1\tgoldstandard2"]
    lines += [
        f'{i}\tTwo talk.\tQuestion {i // 3}?\tI do {i // 3}.\t"So" {sentence(i)}\tx#x\tOther\t{golds[i % 6]}'
        for i in range(120)
    ]
    (folder / "circa-data.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "README.md").write_text("not data")


def unscon(folder: Path) -> None:
    names = list(compose_settings("prepare", ["data=unscon", "labels=unscon"], PrepareJob).labels.names)
    for part, start, count in (("train", 0, 40), ("test", 100, 10)):
        rows = [
            {
                "text": sentence(i),
                "label": names[i % 5],
                "speaker": "Peru",
                "target": "Chile",
                "debate": f"{part} {i % 2}",
            }
            for i in range(start, start + count)
        ]
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


CIRCA = Example(f'"So" {sentence(0)}', "Question 0?", None, "yes")
WRITERS: dict[str, tuple[Callable[[Path], None], tuple[int, int, int], Example]] = {
    "semeval2016a": (semeval, (33, 6, 12), Example(f'"Caf\u00e9 {sentence(10001)}', "Chess", None, "none")),
    "semeval2016b": (semeval, (33, 6, 6), Example(f'"Caf\u00e9 {sentence(20001)}', "Skiing", None, "against")),
    "vast": (vast, (30, 9, 12), Example(f'They said "yes",\nthen no. {sentence(200)}', "ferries", None, "neutral")),
    "pstance": (pstance, (30, 12, 12), Example(sentence(200), "Bernie", None, "favor")),
    "plv": (plv, (30, 15, 45), Example(f"Norway told Peru. {sentence(600)}", "Peru", "Norway", "agree")),
    "perspectrum": (perspectrum, (24, 12, 12), Example(sentence(300), "Claim 3", None, "support")),
    "ibm_csd": (ibm_csd, (28, 4, 16), Example(sentence(8), "Motion 2", None, "pro")),
    "circa": (circa, (52, 12, 16), CIRCA),
    "unscon": (unscon, (35, 5, 10), Example(sentence(100), None, "Peru", "no_conflict")),
}


def run(name: str, root: Path, folder: Path) -> Prepared:
    job = compose_settings("prepare", [f"data={name}", f"data.path={folder}"], PrepareJob)
    return prepare(job.data, job.labels, root=root)


def publish(tmp_path: Path, write: Callable[[Path], None]) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    write(folder)
    return folder


def sizes(splits: Splits) -> tuple[int, ...]:
    return tuple(len(part) for part in splits.parts().values())


@pytest.mark.parametrize("name", WRITERS)
def test_published_files_are_prepared_as_they_are(name: str, tmp_path: Path) -> None:
    write, counts, first = WRITERS[name]
    prepared = run(name, tmp_path, publish(tmp_path, write))
    assert sizes(prepared.splits) == counts
    asked = [(e.text, e.target, e.holder, e.label) for e in prepared.splits.test]
    assert (first.text, first.target, first.holder, first.label) in asked
    assert run(name, tmp_path, tmp_path / "published").reused


@pytest.mark.parametrize("name", WRITERS)
def test_published_sets_are_read_from_plain_files_too(name: str, tmp_path: Path) -> None:
    job = compose_settings("prepare", [f"data={name}"], PrepareJob)
    for part, start in (("train", 0), ("dev", 500), ("test", 700)):
        rows = [
            {"text": sentence(start + i), "target": f"Topic {start + i}", "speaker": "Peru", "seen?": 0, "label": label}
            | ({"topic_id": str(i)} if name == "ibm_csd" else {})
            for i, label in enumerate([*job.labels.names] * 2)
        ]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = run(name, tmp_path, tmp_path).splits
    assert sizes(splits) == (2 * len(job.labels.names),) * 3


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("tail", [" #SemST", "#SemST  ", ""])
def test_published_semeval_reads_both_encodings_and_cuts_the_hashtag(encoding: str, tail: str, tmp_path: Path) -> None:
    folder = publish(tmp_path, lambda path: semeval(path, encoding, tail))
    texts = [e.text for part in run("semeval2016a", tmp_path, folder).splits.parts().values() for e in part]
    assert all(text.startswith('"Caf\u00e9 About') and text.endswith("of them.") for text in texts)


def test_published_bad_byte_is_read_where_the_set_has_no_one_encoding(tmp_path: Path) -> None:
    folder = publish(tmp_path, semeval)
    file = folder / "semeval2016-task6-trialdata.txt"
    file.write_bytes(file.read_bytes().replace(b"Caf\xe9", b"Caf\x81", 1))
    assert sum("Caf\x81" in e.text for e in run("semeval2016a", tmp_path, folder).splits.train) == 1


def test_published_label_that_is_not_known_is_named(tmp_path: Path) -> None:
    folder = publish(tmp_path, plv)
    file = folder / "PLV_test.tsv"
    file.write_text(file.read_text().replace("ACCUSE", "ACUSE", 1))
    with pytest.raises(DataError, match=r"PLV_test.tsv:9: label 'ACUSE' is not one of .*did you mean 'accuse'"):
        run("plv", tmp_path, folder)


def test_published_part_without_a_file_says_which_names_are_known(tmp_path: Path) -> None:
    folder = publish(tmp_path, vast)
    (folder / "vast_test.csv").unlink()
    with pytest.raises(
        DataError, match=r"no file for test; expected one named test.\*, vast_test.csv.*data.files.test"
    ):
        run("vast", tmp_path, folder)


def test_published_perspectrum_names_the_file_that_is_missing_or_wrong(tmp_path: Path) -> None:
    folder = publish(tmp_path, perspectrum)
    (folder / "perspective_pool_v1.0.json").write_text("[]")
    with pytest.raises(DataError, match=r"not as Perspectrum was published, 0 is missing"):
        run("perspectrum", tmp_path, folder)
    (folder / "dataset_split_v1.0.json").unlink()
    with pytest.raises(DataError, match=r"dataset_split_v1.0.json must lie beside it"):
        run("perspectrum", tmp_path, folder)


def test_published_perspectrum_is_prepared_anew_when_its_split_changes(tmp_path: Path) -> None:
    folder = publish(tmp_path, perspectrum)
    before = run("perspectrum", tmp_path, folder)
    file = folder / "dataset_split_v1.0.json"
    file.write_text(file.read_text().replace('"0": "train"', '"0": "test"'))
    after = run("perspectrum", tmp_path, folder)
    assert not after.reused and len(after.splits.test) == len(before.splits.test) + 4


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train.csv", "test.csv"), ["test", "train"]),
        (("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "validation.csv"), ["train", "train", "dev"]),
        (("train.csv", "notes.csv"), [None, None]),
    ],
)
def test_published_plain_names_are_the_parts(names: tuple[str, ...], parts: list[str | None], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert [part for _, part in find_files(tmp_path)] == parts


def score(name: str, gold: list[Example], predicted: list[str], *overrides: str) -> dict[str, float]:
    job = compose_settings("prepare", [f"data={name}", *overrides], PrepareJob)
    labels = LabelSet(tuple(job.labels.names))
    return measure_all(job.data.measures, gold, labels, np.array([labels.index(label) for label in predicted]))


def rows(labels: str, targets: str = "", **slices: str) -> list[Example]:
    named = zip(labels.split(), targets.split() or ["x"] * len(labels.split()), strict=True)
    found = [Example("t", target=target, label=label) for label, target in named]
    seen = next(iter(slices.values()), "").split() or [""] * len(found)
    return [replace(e, slices={"seen?": (s,)}) for e, s in zip(found, seen, strict=True)]


def test_published_semeval_pools_the_tweets_and_leaves_none_out_of_the_mean() -> None:
    gold = rows("favor against none favor against none", "a a a b b b")
    got = score("semeval2016a", gold, ["favor", "against", "favor", "against", "against", "none"])
    assert next(iter(got)) == "f_avg"
    assert got["f_avg"] == pytest.approx((0.5 + 0.8) / 2)  # favor 1 of 2 gold and 2 predicted; against 2 of 2 and 3
    assert got["f_avg_by_target"] == pytest.approx(((2 / 3 + 1) / 2 + (0 + 2 / 3) / 2) / 2)


def test_published_vast_scores_unseen_and_seen_topics_apart() -> None:
    gold = rows("con pro neutral con pro neutral", seen="0 0 0 1 1 1")
    got = score("vast", gold, ["con", "pro", "neutral", "pro", "con", "neutral"])
    assert next(iter(got)) == "zero_shot"
    assert (got["zero_shot"], got["few_shot"]) == pytest.approx((1.0, 1 / 3))
    assert got["all"] == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_published_pstance_is_the_mean_over_the_politicians() -> None:
    gold = rows("favor against favor against", "Biden Biden Trump Trump")
    got = score("pstance", gold, ["favor", "against", "favor", "favor"])
    assert got["macro_f1_by_target"] == pytest.approx((1 + (2 / 3 + 0) / 2) / 2)
    assert next(iter(got)) == "macro_f1_by_target" and got["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_published_plv_counts_15_roots_and_reject_agree_other() -> None:
    gold = rows("reject agree consult assault")
    got = score("plv", gold, ["reject", "agree", "assault", "consult"])
    assert got["reject_agree_other"] == 1.0 and got["macro_f1"] == pytest.approx(0.5)
    job = compose_settings("prepare", ["data=plv"], PrepareJob)
    kept = {job.data.measures["reject_agree_other"].merge.get(name, name) for name in job.labels.names}
    assert len(job.labels.names) == 15 and kept == {"reject", "agree", "other"}


def test_published_unscon_and_circa_measure_what_their_field_asks() -> None:
    conflict = score("unscon", rows("no_conflict conflict conflict"), ["no_conflict", "conflict", "conflict"])
    assert next(iter(conflict)) == "conflict_macro_f1" and conflict["conflict_macro_f1"] == 1.0
    kinds = rows("no_conflict challenge correction"), ["no_conflict", "correction", "challenge"]
    assert score("unscon", *kinds, "labels=unscon")["conflict_macro_f1"] == 1.0, "the kinds of conflict count as one"
    answers = score("circa", rows("yes no conditional conditional"), ["yes", "no", "conditional", "yes"])
    assert next(iter(answers)) == "accuracy" and answers["accuracy"] == 0.75
    assert answers["f1_conditional"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", WRITERS)
def test_published_sets_name_their_source_and_only_real_labels(name: str) -> None:
    job = compose_settings("prepare", [f"data={name}"], PrepareJob)
    source = job.data.source
    assert source.citation and source.licence and source.home and source.home.startswith("http")
    assert set(job.labels.aliases.values()) - {None} <= set(job.labels.names) and job.labels.name.startswith(name)
    for measure in job.data.measures.values():
        merged = {measure.merge.get(label, label) for label in job.labels.names}
        assert set(measure.labels) <= merged and set(measure.merge) <= {*job.labels.names, *job.labels.aliases}


def test_published_semeval_as_one_table_of_both_subtasks_leaves_the_sixth_target_out(tmp_path: Path) -> None:
    def tweets(*targets: str) -> bytes:
        stances = ("FAVOR", "AGAINST")
        rows = [f"{sentence(100 * len(t) + i)},{t},{stances[i % 2]}" for t in targets for i in range(9)]
        return "\r".join(["Tweet,Target,Stance", *rows]).encode()  # as published: lines end in a carriage return

    def write(folder: Path) -> None:
        (folder / "train.csv").write_bytes(tweets("Tea", "Chess"))
        (folder / "test.csv").write_bytes(tweets("Skiing", "Donald Trump"))

    folder = publish(tmp_path, write)
    assert {e.target for e in run("semeval2016a", tmp_path, folder).splits.test} == {"Skiing"}
    with pytest.raises(DataError, match=r"no file for test; expected one named test.*subtaskB\*gold"):
        run("semeval2016b", tmp_path, folder)


def test_published_two_releases_in_one_folder_are_refused(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        vast(folder)
        (folder / "copy").mkdir()
        (folder / "train.csv").write_bytes((folder / "vast_train.csv").read_bytes())

    with pytest.raises(DataError, match=r"train.csv: 30 of its 30 different rows are in .*vast_train.csv too"):
        run("vast", tmp_path, publish(tmp_path, write))


def test_published_a_slice_written_as_a_decimal_is_the_whole_number(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        vast(folder)
        for file in folder.iterdir():
            file.write_text(file.read_text().replace(",0,0\n", ",0.0,0\n").replace(",1,0\n", ",1.0,0\n"))

    test = run("vast", tmp_path, publish(tmp_path, write)).splits.test
    assert {value for e in test for value in e.slices["seen?"]} == {"0", "1"}
