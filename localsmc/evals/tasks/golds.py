r"""Gold answers as data sets have them: one value or several accepted ones, or none.

No gold      null, NaN, blanks, and the spellings in `NO_GOLD` by which tables write them.
Tolerance    an object as `grading.gold` has it: {"answer": "3.14", "tolerance": 0.01}.
Several      a list of values; in a table also a list of quoted texts in one cell: ["4", "four"].
Worked       of a worked solution, what follows `####` or stands in its last \boxed{}.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from localsmc.errors import TaskError
from localsmc.evals.grading import GRADERS, GRADING_LIMIT, Grader, written_gold
from localsmc.evals.tasks.task import Gold, Item
from localsmc.system.row_files import is_missing, text_of
from localsmc.text import answers

NO_GOLD = frozenset(("NaN", "nan", "NAN", "<NA>", "#N/A", "#NA", "null", "NULL"))

_QUOTED = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
_LIST = re.compile(rf"\[\s*(?:{_QUOTED})(?:(?:\s*,\s*|\s+)(?:{_QUOTED}))*\s*\]")
"""A list of quoted texts as JSON, Python and NumPy write it."""

_PROBE = {"choice": "J", "numeric": "0", "math": "0", "exact": "0", "format": "", "code": ""}
"""An answer for each grader: a gold that can be read is either it or not. No answer runs no code."""

_LONGEST_SHOWN = 40
_MOST_SHOWN = 3


def gold_of(value: Any, i: int, path: Path, name: str) -> Gold | None:
    """The gold answers in a field of row i (from 0) of a file; None if there is none. Raises TaskError."""
    texts = list(dict.fromkeys(_texts(value, i, path, name)))
    return None if not texts else texts[0] if len(texts) == 1 else tuple(texts)


def whole_gold_of(value: Any, i: int, path: Path, name: str) -> str | None:
    """The gold of a whole reply: a program's tests, or instructions about its form. None if there is none.

    A text is taken as it is. An object becomes JSON, and texts in a list are lines. Raises TaskError.
    """
    if is_missing(value):
        return None
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return "\n".join(text_of(part, i, path, name) for part in value) or None
    return text_of(value, i, path, name)


def _texts(value: Any, i: int, path: Path, name: str) -> Iterator[str]:
    if is_missing(value):
        return
    if isinstance(value, Mapping) and "answer" in value:
        # Parquet gives all objects of a column the same fields.
        yield written_gold({key: part for key, part in value.items() if not is_missing(part)})
        return
    if isinstance(value, (list, tuple)):
        for part in value:
            if isinstance(part, (list, tuple, Mapping)):
                what = "objects" if isinstance(part, Mapping) else "lists"
                raise TaskError(
                    f"`{name}` in row {i + 1} of `{path}` is a list of {what}",
                    hint="write a list of the accepted answers",
                )
            yield from _texts(part, i, path, name)
        return
    text = text_of(value, i, path, name).strip()
    if _LIST.fullmatch(text):
        yield from _texts([ast.literal_eval(part) for part in re.findall(_QUOTED, text)], i, path, name)
    elif text not in NO_GOLD:
        yield _worked_out(text)


def _worked_out(text: str) -> str:
    """The answer of a worked solution; any other text as it is."""
    if re.search(r"^#### *\S", text, re.MULTILINE):
        return text.rsplit("####", 1)[-1].strip()
    found = answers.boxes(text)
    return found[-1].strip() or text if found else text


def all_of(gold: Gold | None) -> tuple[str, ...]:
    """The accepted answers."""
    return () if gold is None else (gold,) if isinstance(gold, str) else gold


# --- golds that a grader cannot read ---------------------------------------------------------------


def require_readable(items: Sequence[Item], grader: str, source: str) -> None:
    """Raise TaskError, with their rows, if there are golds that the grader cannot read."""
    unread: list[str] = []
    known: dict[str, bool] = {}
    with Grader(grader, limit=GRADING_LIMIT, run_code=True) as reading:
        for item in items:
            for gold in all_of(item.gold):
                if gold not in known:
                    known[gold] = reading.grade(_PROBE[grader], gold).verdict != "failed"
                if not known[gold]:
                    unread.append(f"{place_of(item)} (`{_shown(gold)}`)")
    if not unread:
        return
    some = ", ".join(unread[:_MOST_SHOWN])
    rest = len(unread) - _MOST_SHOWN
    others = f" and {rest} more" if rest > 0 else ""
    others_of = ", ".join(name for name in GRADERS if name != grader)
    raise TaskError(
        f"the grader `{grader}` cannot read the gold answers of `{source}` in {some}{others}",
        hint=f"fix or empty them, or compare in another way with `--grader` ({others_of})",
    )


def place_of(item: Item) -> str:
    """Where a problem stands, for a message."""
    return f"problem {item.problem_id}" if item.row is None else f"row {item.row}"


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 1]}…"
