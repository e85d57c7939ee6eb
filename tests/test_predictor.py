"""A loaded bundle answers: in order, the same alone and in a batch, lazily."""

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from stance import Predictor, load, predict
from stance.core import Example
from stance.encoding import Batch
from stance.errors import DataError, ModelError
from stance.inference.backends import Logits
from stance.inference.bundle import read_manifest
from stance.line import Trained

CASES = [
    Example("Kenya gladly joins and signs the force.", "the force", "Kenya"),
    Example("Peru rejects the treaty.", "the treaty", "Peru"),
    Example("Ghana has mentioned the talks. " * 12, "the talks", "Ghana"),
    Example("India is weighing the pact on Monday.", None, "India"),
    Example("Joins the fund only if paid. " * 4, None, None),
    Example("No."),
]


@pytest.fixture(scope="module", params=["onnx", "torch"])
def predictor(request: pytest.FixtureRequest, trained: Trained) -> Predictor:
    return load(trained.bundle, backend=request.param)


def test_predictor_keeps_the_order_of_mixed_lengths(predictor: Predictor) -> None:
    alone = [predictor.predict(case) for case in CASES]
    for order in itertools.islice(itertools.permutations(range(len(CASES))), 0, 720, 97):
        together = list(predictor.predict_many([CASES[i] for i in order]))
        assert [answer.label for answer in together] == [alone[i].label for i in order]
        got = [answer.confidence for answer in together]
        assert got == pytest.approx([alone[i].confidence for i in order], abs=1e-5)


class Streams:
    """A backend that answers three batches at once or none, the longest last."""

    def __init__(self, outputs: int, faulty: bool = False) -> None:
        self.streams, self.tokens, self.outputs, self.faulty = 3, 12, outputs, faulty
        self.together = threading.Barrier(3)

    def logits(self, batch: Batch) -> Logits:
        if self.faulty:
            raise ModelError("no answer")
        self.together.wait(timeout=30)
        time.sleep(0.01 * batch.ids.shape[1] / 100)
        return np.repeat(batch.mask.sum(1, keepdims=True), self.outputs, axis=1).astype(np.float32)


def test_predictor_computes_batches_in_the_streams_of_the_backend(trained: Trained) -> None:
    manifest, cases = read_manifest(trained.bundle), [Example("word " * size) for size in (9, 7, 8, 20, 30, 4)]
    tokenizer = load(trained.bundle)._tokenizer
    predictor = Predictor(manifest, tokenizer, Streams(manifest.outputs))
    assert predictor.logits(cases)[:, 0].tolist() == [len(code.ids) for code in tokenizer.encode(cases)], "in order"
    with pytest.raises(ModelError, match="no answer"):
        Predictor(manifest, tokenizer, Streams(manifest.outputs, faulty=True)).logits(cases)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_predictor_answers_the_same_for_any_batch_size(predictor: Predictor, batch_size: int) -> None:
    got = [list(answer.probabilities.values()) for answer in predictor.predict_many(CASES, batch_size=batch_size)]
    assert np.allclose(got, predictor.predict_proba(CASES), atol=1e-5)


def test_predictor_reads_lazily(predictor: Predictor) -> None:
    taken = []

    def source() -> Iterator[Example]:
        for case in itertools.cycle(CASES):
            taken.append(case)
            yield case

    answers = predictor.predict_many(source(), batch_size=4)
    assert taken == []
    first = [next(answers) for _ in range(5)]
    assert len(taken) == 8
    assert [a.label for a in first] == [predictor.predict(case).label for case in CASES[:5]]


def test_predictor_reads_an_endless_input_at_most_two_windows_ahead(trained: Trained) -> None:
    predictor, read, size = load(trained.bundle, backend="onnx"), 0, 256
    before = set(threading.enumerate())

    def source() -> Iterator[str]:
        nonlocal read
        while True:
            assert threading.current_thread() is threading.main_thread(), "a cursor may not be used elsewhere"
            read += 1
            yield f"Peru rejects the treaty {'again ' * (read % 7)}."

    answers = predictor.predict_many(source(), batch_size=size)
    for done, answer in enumerate(itertools.islice(answers, 3 * size)):
        assert done < read <= (done // size + 2) * size
        if done % 100 == 0:
            expected = predictor.predict(f"Peru rejects the treaty {'again ' * ((done + 1) % 7)}.")
            assert answer.confidence == pytest.approx(expected.confidence, abs=1e-5)
    assert set(threading.enumerate()) > before, "a thread tokenises"
    answers.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) == before


class Fault(Exception):
    """What an input raises."""


@pytest.mark.parametrize("size", [4, 256])
def test_predictor_fault_of_the_input_comes_after_the_answers_before_it(predictor: Predictor, size: int) -> None:
    def source() -> Iterator[str]:
        yield from ["No."] * size
        raise Fault

    before, answers = set(threading.enumerate()), predictor.predict_many(source(), batch_size=size)
    assert len([next(answers) for _ in range(size)]) == size
    with pytest.raises(Fault):
        next(answers)
    assert set(threading.enumerate()) == before


def test_predictor_fault_of_the_network_ends_the_thread(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, before = load(trained.bundle, backend="onnx"), set(threading.enumerate())

    def logits(batch: object) -> None:
        raise Fault

    monkeypatch.setattr(predictor._backend, "logits", logits)
    with pytest.raises(Fault):
        list(predictor.predict_many(["No."] * 600, batch_size=300))
    assert set(threading.enumerate()) == before


def test_predictor_answers_are_sound(predictor: Predictor) -> None:
    for answer in predictor.predict_many(CASES):
        assert tuple(answer.probabilities) == predictor.labels.names
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.confidence == answer.probabilities[answer.label] == max(answer.probabilities.values())
        assert answer.abstained == (answer.confidence < predictor.manifest.threshold)


def test_predictor_takes_a_string_as_a_text_alone(predictor: Predictor) -> None:
    assert predictor.predict("No.") == predictor.predict(Example("No."))


def test_predictor_reads_holder_and_target(predictor: Predictor) -> None:
    text = "Peru rejects the treaty."
    asked = [Example(text), Example(text, "the treaty"), Example(text, None, "Peru")]
    assert len({round(answer.confidence, 9) for answer in predictor.predict_many(asked)}) == 3


def test_predictor_counts_the_tokens_that_it_cuts(predictor: Predictor) -> None:
    cut = [answer.tokens_cut for answer in predictor.predict_many(["No.", "force " * 100, "force " * 103])]
    assert cut[0] == 0 < cut[1] == cut[2] - 3


@pytest.mark.parametrize("empty", [[], iter(())])
def test_predictor_of_nothing_answers_nothing(predictor: Predictor, empty: list[Example]) -> None:
    assert list(predictor.predict_many(empty)) == []
    assert predictor.predict_proba([]).shape == (0, len(predictor.labels))


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("", "text is empty"),
        (" \n", "text is empty"),
        ("a\x00b", "NUL byte"),
        ("x" * 20_001, "at most 20,000"),
        (None, "got NoneType; expected an Example or a string"),
        (5, "got int"),
        (Example(5), "text is 5"),  # type: ignore[arg-type]
        (Example("x", holder=" "), "holder is empty"),
        (Example("x", target=7), "target is 7"),  # type: ignore[arg-type]
    ],
)
def test_predictor_bad_input_is_named_with_its_position(predictor: Predictor, bad: Example, problem: str) -> None:
    with pytest.raises(DataError, match=f"^(?!example).*{problem}"):
        predictor.predict(bad)
    with pytest.raises(DataError, match=f"example 2: .*{problem}"):
        list(predictor.predict_many(["No.", "Yes.", bad], batch_size=2))
    with pytest.raises(DataError, match="example 1: "):
        predictor.predict_proba([CASES[0], bad])


@pytest.mark.parametrize("one", ["Kenya declined.", CASES[0]])
def test_predictor_many_refuses_a_single_text(predictor: Predictor, one: Example) -> None:
    with pytest.raises(DataError, match=r"predict_many: got one .*; expected several"):
        list(predictor.predict_many(one))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1])
def test_predictor_batch_size_must_be_positive(predictor: Predictor, size: int) -> None:
    with pytest.raises(DataError, match=f"batch_size: got {size}; expected at least 1"):
        list(predictor.predict_many(CASES, batch_size=size))


def test_predictor_backends_agree(trained: Trained) -> None:
    one, other = (load(trained.bundle, backend=name).logits(CASES) for name in ("onnx", "torch"))
    assert np.allclose(one, other, atol=1e-3)


def test_predictor_door_answers_as_the_predictor(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANCE_MODEL", str(trained.bundle))
    expected = load(trained.bundle).predict(CASES[1])
    assert predict("Peru rejects the treaty.", holder="Peru", target="the treaty") == expected
    assert predict("Peru rejects the treaty.", holder="Peru", target="the treaty", model=trained.bundle) == expected
