"""The command `stance`: predict one sentence, score a file, check a labelled file."""

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stance.core import Prediction
from stance.errors import MissingExtraError, StanceError, os_sentence
from stance.settings import ColumnSettings

if TYPE_CHECKING:
    from stance.inference.scan import Scan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 2 something the user can mend, 130 interrupted."""
    options = _parser().parse_args(arguments)
    if arguments is None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # being stopped ends it as Ctrl-C does
    try:
        options.run(options)
    except StanceError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {MissingExtraError(str(error.name), 'train')}\n")
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        sys.stderr.write(f"error: {os_sentence(error)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written\n")
        return 130
    return 0


def _predict(options: argparse.Namespace) -> None:
    from stance.api import predict

    labels = dict(word.partition("=")[::2] for word in options.label) if options.label else None
    answer = predict(
        options.text,
        holder=options.holder,
        target=options.target,
        labels=labels,
        model=options.model,
        backend=options.backend,
    )
    sys.stdout.write((json.dumps(asdict(answer), ensure_ascii=False) if options.json else _readable(answer)) + "\n")


def _readable(answer: Prediction) -> str:
    lines = [f"{answer.label}  ({answer.confidence:.0%} sure{', abstains' if answer.abstained else ''})"]
    for label, p in sorted(answer.probabilities.items(), key=lambda item: -item[1]):
        lines.append(f"  {label:<14}{p:6.1%}  {'#' * round(30 * p)}")
    if answer.tokens_cut:
        lines.append(
            f"  note: text and question are too long; the last {answer.tokens_cut} tokens of the longer were not read"
        )
    return "\n".join(lines)


def _score(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from stance.api import load
    from stance.inference.batch import score_file

    columns = ColumnSettings(
        text=options.text_column, label="label", holder=options.holder_column, target=options.target_column,
        id=None, group=None, date=None, condition=None, split=None, slices=[],
    )  # fmt: skip
    predictor = load(options.model, backend=options.backend, device=options.device)
    with tqdm(unit=" rows", disable=options.quiet or None, desc="scoring") as bar:

        def begin(seen: "Scan") -> None:
            bar.reset(seen.rows)
            for line in _notes(options.input, seen, columns):
                bar.write(line, sys.stderr)

        files = Path(options.input), Path(options.output)
        seen = score_file(predictor, *files, columns, bar.update, skip_bad=options.skip_bad, on_scan=begin)
    sys.stderr.write(f"{seen.rows:,} rows written to {options.output}{_unanswered(seen)}\n")


def _notes(source: str, seen: "Scan", columns: ColumnSettings) -> Iterator[str]:
    """Say which part of the question no column gives: it is then taken from the text, maybe not as meant."""
    for field, column in (("holder", columns.holder), ("target", columns.target)):
        if column not in seen.columns:
            yield (
                f"note: {source} has no column '{column}', so each text's obvious {field} is taken; it has "
                f"{', '.join(seen.columns)}. Name the column with --{field}-column, if one of these is it"
            )


def _unanswered(seen: "Scan") -> str:
    return f", {seen.bad:,} of them without an answer, such as {seen.faults[0]}" if seen.bad else ""


def _check(options: argparse.Namespace) -> None:
    from stance.config import compose_settings
    from stance.data.prepared import examine
    from stance.errors import DataError, summarise
    from stance.line import resolve_data
    from stance.paths import ROOT, located
    from stance.settings import PrepareJob
    from stance.training.tokenizer import load_tokenizer

    job = compose_settings("prepare", ["data.path=-", *options.overrides], PrepareJob)
    tokenizer = load_tokenizer(job.model)
    if located(options.file) is None:
        raise DataError(f"{options.file}: no such file or folder")
    data = replace(job.data, path=options.file)
    found = examine(resolve_data(data, ROOT), job.labels, root=ROOT)
    sys.stdout.write(f"{found.report}{tokenizer.cut_note(found.splits.rows())}\n")
    if found.report.errors:
        raise DataError(f"{options.file}: the data has errors\n{summarise(found.report.errors)}")


class _Version(argparse.Action):
    """Prints the version; looks it up only then, since that takes longer than reading the command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"stance {version('stance')}\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stance", description="Read what position somebody takes on something.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands.add_parser("predict", help="answer for one sentence", description="Answer for one sentence."))
    _add_score(
        commands.add_parser(
            "score",
            help="answer for every row of a file",
            description="Answer for every row of a CSV, TSV, JSONL or Parquet file of any size. OUT keeps the columns "
            "of IN and adds label, confidence, p_LABEL for every label, abstained and tokens_cut; a column 'label' of "
            "IN is kept as 'gold_label'. IN is read through first, so that a row without text is named at once. OUT "
            "appears only whole.",
        )
    )
    _add_check(
        commands.add_parser(
            "check",
            help="validate a labelled file and print the data report",
            description="Read and check a labelled file as `scripts/prepare.py` would, without writing anything.",
        )
    )
    return parser


def _add_predict(command: argparse.ArgumentParser) -> None:
    command.add_argument("text", metavar="TEXT", help="the sentence, in quotes")
    command.add_argument("--holder", help="whose stance (default: the text's obvious holder)")
    command.add_argument("--target", help="on what (default: whatever undertaking the text is about)")
    command.add_argument(
        "--label",
        action="append",
        metavar="NAME=MEANING",
        help="a label in words, given twice or more, for a model that can be asked about any labels",
    )
    command.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    _add_model(command)
    command.set_defaults(run=_predict)


def _add_score(command: argparse.ArgumentParser) -> None:
    command.add_argument("input", metavar="IN", help="file to read")
    command.add_argument("output", metavar="OUT", help="file to write; its ending decides the format")
    for name in ("text", "holder", "target"):
        command.add_argument(
            f"--{name}-column", default=name, metavar="COLUMN", help=f"column of the {name} (default: {name})"
        )
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.add_argument(
        "--skip-bad", action="store_true", help="leave the answers of unreadable rows empty, instead of stopping"
    )
    command.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="cuda: a GPU runs it (default: cpu)")
    _add_model(command)
    command.set_defaults(run=_score)


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        help="a bundle's folder, or models:/NAME@ALIAS (default: $STANCE_MODEL, else the newest, else the shipped one)",
    )
    command.add_argument(
        "--backend", default="auto", metavar="NAME", help="what runs the model, such as onnx-int8 (default: auto)"
    )


def _add_check(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="CSV, TSV, JSONL or Parquet file, or a folder of them")
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="settings, such as labels=favor_against data.columns.text=sentence",
    )
    command.set_defaults(run=_check)


if __name__ == "__main__":
    sys.exit(main())
