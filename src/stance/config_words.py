"""What the scripts say about settings: the page of --help, and Hydra's complaints in one sentence."""

import re
from collections.abc import Mapping
from dataclasses import fields

from stance.errors import did_you_mean
from stance.paths import CONFIGS

_INTERNAL = "reference_type", "object_type", "full_key"
_GRAMMAR = (
    r"LexerNoViableAlt|no viable alternative|token recognition error|(mismatched|extraneous|missing) .*(input|at) "
)


def help_page(name: str) -> str:
    """Return the help of a script: every group, its choices, and every value with its comment."""
    entry = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    chosen = re.findall(r"^\s+- (?:override )?/?(\w+): (\w+)", entry, flags=re.MULTILINE)
    script = "benchmark.py speed" if name == "speed" else f"{name}.py"
    parts = [
        f"usage: python scripts/{script} [GROUP=CHOICE] [KEY=VALUE] ...\n",
        "Every value below can be overridden by its dotted key, for example data.path=my.csv;",
        "-m runs every combination of comma-separated values.\n",
        f"# configs/{name}.yaml\n{entry}",
    ]
    for group, choice in chosen:
        parts.append(f"# {group}=  one of: {', '.join(_choices(group)) or '(none yet)'}")
        path = CONFIGS / group / f"{choice}.yaml"
        if path.exists():
            body = re.sub(r"^(?=.)", "  ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            parts.append(f"{group}:  # configs/{group}/{choice}.yaml\n{body}")
    return "\n".join(parts)


def explain(message: str, jobs: Mapping[str, type]) -> str:
    """Fold Hydra's `message` into one sentence, with the nearest setting of `jobs` or how to write the value."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = " ".join(line for line in lines if not line.startswith(_INTERNAL))
    full_key = re.search(r"full_key: (\S+)", message)
    if full_key and full_key.group(1) not in text:
        text = f"{full_key.group(1)}: {text}"
    text = _grammar(text) or _absent_choice(text) or _absent_group(text) or text
    if re.search(r"Key \S+ \((bool|int|float)\) is incompatible with \(str\)", text):
        text += (
            ". YAML reads yes, no, on, off, true, false and numbers as values: put such a name between quotation marks"
        )
    unknown = re.search(r"Key '([\w.]+)' (?:is not in struct|not in)", text)
    text += _meant(unknown.group(1), text, jobs) if unknown else ""
    return f"settings: {text}{'' if text.endswith('?') else '.'} See --help for every key"


def _grammar(text: str) -> str | None:
    """Say how a value is written that Hydra could not take apart."""
    if not re.search(_GRAMMAR, text):
        return None
    text = re.sub(r"^\w+Exception: | *\^?\s*See https://hydra\S+ for details\.?", "", text).strip()
    return (
        f"{text}: not KEY=VALUE as Hydra reads it. No blanks around the =; a value with commas, colons, brackets or "
        "quotation marks goes between quotation marks inside the shell's, such as 'labels.names={yes: \"for, or so\"}'"
    )


def _absent_choice(text: str) -> str | None:
    absent = re.search(r"Could not (?:find|load) '(\w+)/([\w/.-]+)'", text)
    if not absent:
        return None
    group, choice = absent.groups()
    return f"{group}={choice}: not one of {', '.join(_choices(group))}{did_you_mean(choice, _choices(group))}"


def _absent_group(text: str) -> str | None:
    absent = re.search(r"Could not override '([\w/@.]+)'\. No match in the defaults list", text)
    return f"'{absent.group(1)}' is a group of another script" if absent else None


def _choices(group: str) -> list[str]:
    """Return what `group=` may be."""
    folder = CONFIGS / group
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def _meant(word: str, told: str, jobs: Mapping[str, type]) -> str:
    """Name the setting that `word` may stand for: of the job that Hydra's words name, else of any part."""
    named = re.search(r" in '(\w+)'", told)
    job = next((each for each in jobs.values() if named and each.__name__ == named[1]), None)
    own = [field.name for field in fields(job)] if job else []
    inside = [f"{group}.{word}" for group in own if re.search(rf"^{word}:", _values(group), re.MULTILINE)]
    if inside:
        return f"; did you mean '{' or '.join(inside)}'?"
    others = {field.name for each in jobs.values() for field in fields(each)}
    keys = re.findall(r"^ *(\w+):", "\n".join(map(_values, others)), re.MULTILINE)
    if word in others | set(keys):
        return f"; '{word}' is a setting of another script"
    return did_you_mean(word, own) or did_you_mean(word, sorted(set(keys)))


def _values(group: str) -> str:
    """Return the text of all files of a group; nothing for a setting that is none."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((CONFIGS / group).glob("*.yaml")))
