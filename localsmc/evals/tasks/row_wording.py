"""How rows of data sets become a problem and its gold answer where a field alone does not say it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from localsmc.system.row_files import Row
from localsmc.text import answers


def after_hashes(text: str) -> str:
    """The answer of a solution as GSM8K writes it: what follows `####`."""
    return text.rsplit("####", 1)[-1].strip().replace(",", "")


def last_box(text: str) -> str:
    """The answer of a solution as MATH writes it: the content of its last box."""
    found = answers.boxes(text)
    return found[-1].strip() if found else ""


def whole_number(text: str) -> str:
    """A number without the point of a whole one: 51.0 is 51."""
    return text.strip().removesuffix(".0")


def body_and_question(row: Row) -> str:
    """SVAMP: a story, and the question about it; some copies have both in one field."""
    for name in ("question", "question_concat"):
        if name in row:
            return str(row[name]).strip()
    body, question = str(row["Body"]).strip(), str(row["Question"]).strip()
    return f"{body}{'' if body.endswith(('.', '!', '?')) else '.'} {question}"


# --- code -----------------------------------------------------------------------------------------

_WHOLE_FUNCTION = "Reply with the whole function, in one block of code."


def function_to_complete(row: Row) -> str:
    """HumanEval: the beginning of a function, whose text says what it does."""
    return f"Complete this Python function. {_WHOLE_FUNCTION}\n\n```python\n{str(row['prompt']).strip()}\n```"


def tests_of_function(row: Row) -> str:
    """HumanEval: the tests, the beginning of the function, and its name, for the grader `code`."""
    return json.dumps({name: str(row[name]) for name in ("test", "prompt", "entry_point")})


def described_function(row: Row) -> str:
    """MBPP: what a function does, and the tests that it must pass, which also tell its name."""
    text = str(row["prompt"] if "prompt" in row else row["text"]).strip()
    tests = "\n".join(map(str, row["test_list"]))
    task = f"{text}\n\nWrite a Python function that passes these tests. {_WHOLE_FUNCTION}"
    return f"{task}\n\n```python\n{tests}\n```"


def listed_tests(row: Row) -> str:
    """MBPP: the tests with what they import, for the grader `code`."""
    before = row.get("test_imports") or row.get("test_setup_code") or ()
    lines = [before] if isinstance(before, str) else before
    return json.dumps({"test": "\n".join([*map(str, lines), *map(str, row["test_list"])])})


# --- forms ----------------------------------------------------------------------------------------


def instructions(row: Row) -> str:
    """IFEval: the instructions that a reply must follow, for the grader `format`."""
    given: Sequence[Any] = row["kwargs"]
    return json.dumps({"instruction_id_list": list(row["instruction_id_list"]), "kwargs": list(given)})
