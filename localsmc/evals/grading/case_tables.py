"""Tables of gold answers, answers and verdicts: JSONL files, and the parametrised tests of Python files."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localsmc.errors import TaskError
from localsmc.evals.grading.verdict import Verdict
from localsmc.text import answers

_FORMULA = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$(.+?)(?<!\\)\$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Case:
    """An answer, the gold answer, and the verdict that a table expects."""

    grader: str
    gold: str
    answer: str
    expected: Verdict
    source: str


def read_cases(path: Path, grader: str = "math") -> list[Case]:
    """The cases of a JSONL file with `gold`, `answer` and `expected`, or of a Python file with tests.

    In a Python file, tables of `pytest.mark.parametrize` with `gold` and `pred` are read, never run; texts in
    them are answers, or completions that state one or end with a formula. Raises TaskError.
    """
    try:
        text = path.read_text(encoding="utf-8")
        cases = list(_tests(text, path, grader) if path.suffix == ".py" else _lines(text, path, grader))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
        message = f"`{path}` has no cases ({type(error).__name__}: {error})"
        raise TaskError(message, hint="pass JSONL with `gold`, `answer` and `expected`") from error
    if not cases:
        raise TaskError(f"`{path}` has no cases", hint="pass JSONL with `gold`, `answer` and `expected`")
    return cases


def _lines(text: str, path: Path, grader: str) -> Iterator[Case]:
    for i, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            row = json.loads(line)
            expected: Verdict = "right" if row["expected"] == "right" else "wrong"
            yield Case(row.get("grader", grader), row["gold"], row["answer"], expected, f"{path.name}:{i}")


def _tests(text: str, path: Path, grader: str) -> Iterator[Case]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                for row in _rows(decorator):
                    yield Case(
                        grader,
                        _stated(row["gold"]),
                        _stated(row["pred"]),
                        "right" if row.get("expected", row.get("result")) else "wrong",
                        f"{path.name}: {node.name}",
                    )


def _rows(decorator: ast.expr) -> list[dict[str, Any]]:
    if not isinstance(decorator, ast.Call) or getattr(decorator.func, "attr", "") != "parametrize":
        return []
    try:
        names, rows = (ast.literal_eval(argument) for argument in decorator.args[:2])
    except ValueError:  # computed rows
        return []
    columns = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    found = [dict(zip(columns, row, strict=False)) for row in rows]
    return [row for row in found if isinstance(row.get("gold"), str) and isinstance(row.get("pred"), str)]


def _stated(text: str) -> str:
    if (found := answers.find(text, "math")) is not None:
        return found.text
    formulas = [next(filter(None, groups)) for groups in _FORMULA.findall(text)]
    return formulas[-1].strip() if formulas else text
