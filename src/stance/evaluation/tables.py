"""Writes a comparison of systems as Markdown and LaTeX. Measures nothing."""

from collections.abc import Mapping, Sequence

from stance.evaluation.compare import Compared
from stance.evaluation.report import markdown_table

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
}


def to_markdown(lines: Sequence[Compared], absent: Mapping[str, str]) -> str:
    """Return the table; `absent` says of a system why it has no numbers."""
    heads, rows = _cells(lines, absent)
    return markdown_table(heads, [[cell.replace("|", "/").replace("\n", " ") for cell in row] for row in rows])


def to_latex(lines: Sequence[Compared], absent: Mapping[str, str], caption: str) -> str:
    """Return the table as a LaTeX float; it needs the package booktabs."""
    heads, rows = _cells(lines, absent)
    body = [" & ".join(map(escape, row)) + r" \\" for row in rows]
    top = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
    ]
    head = [r"\toprule", " & ".join(map(escape, heads)) + r" \\", r"\midrule"]
    return "\n".join([*top, *head, *body, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def escape(text: str) -> str:
    """Return `text` with the characters that LaTeX reads as commands escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def footnotes(lines: Sequence[Compared], main: str, resamples: int) -> str:
    """Say how the numbers were made and what they do not cover."""
    first = lines[0]
    runs = max(line.runs for line in lines)
    notes = [
        "on dev: the mean over the runs, for choosing among recipes; all else is on test.",
        "mean [95 % interval over seeds, Student's t; 95 % interval over test rows, bootstrap of groups with "
        f"{resamples:,} resamples]. Systems without chance have one run and no first interval.",
        f"lead: {main} of {first.system} less that of the system, with its 95 % interval; p: two-sided, paired "
        "bootstrap over groups of test rows and over seeds; the smallest p that it can give is "
        f"{1 / (resamples + 1):.2g}. The p values are not corrected for the number of systems.",
    ]
    if runs == 1:
        notes.append("One seed: nothing here covers how much the result swings with the seed. Use seeds=5 or more.")
    elif runs < 10:
        notes.append(
            f"{runs} seeds tell the swing from seed to seed only roughly: take a p between 0.01 and 0.1, and the "
            "seed intervals, with caution, or use more seeds."
        )
    return "\n".join(f"- {note}" for note in notes) + "\n"


def _cells(lines: Sequence[Compared], absent: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of cells."""
    names = list(lines[0].measures)
    heads = ["system", "runs", f"{names[0]} on dev", *names, f"lead in {names[0]}", "p", "seconds a run"]
    rows = [
        [
            line.system,
            str(line.runs),
            "" if line.dev is None else f"{line.dev:.3f}",
            *map(str, line.measures.values()),
            str(line.lead) if line.lead else "",
            f"{line.lead.p:.2g}" if line.lead else "",
            f"{line.seconds:.1f}",
        ]
        for line in lines
    ]
    blank = [""] * (len(heads) - 3)
    return heads, rows + [[name, "0", reason, *blank] for name, reason in absent.items()]
