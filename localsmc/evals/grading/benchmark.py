r"""Benchmark of a grader on the gold answers of a problem set.

Every gold answer must match itself and harmless rewritings of itself. It must not match once a digit, its
sign or a bracket is changed, nor the gold answer of another problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from localsmc.errors import TaskError
from localsmc.evals.grading.grader import Grader
from localsmc.evals.grading.unequal_pairs import unequal_pairs
from localsmc.evals.grading.verdict import Verdict
from localsmc.text import answers
from localsmc.text.answers.latex import spelled, worded
from localsmc.text.answers.numbers import value
from localsmc.text.answers.units import quantity

_STEPS = (1, 7, 61)
"""Distances, in problems, to the other problems whose answers are compared."""

Rewrite = Callable[[str], str]


def _decimal_comma(gold: str) -> str:
    return f"{int(gold):,}" if re.fullmatch(r"-?\d{4,}", gold) else gold


def _no_commas(gold: str) -> str:
    return gold if re.search(r"[(\[]", gold) else re.sub(r"(?<=\d),(?:\\!)? ?(?=\d{3}(?!\d))", "", gold)


def _no_spaces(gold: str) -> str:
    return gold if re.search("text|mbox", gold) else re.sub(r"(?<![a-zA-Z\d]) | (?![a-zA-Z\d])", "", gold)


def _sized(gold: str) -> str:
    return re.sub(r"^(?:\\left)?([(\[])(.*?)(?:\\right)?([)\]])$", r"\\left\1\2\\right\3", gold)


def _unicode(gold: str) -> str:
    for latex, char in ((r"\pi", "π"), ("-", "−"), (r"^\circ", "°"), (r"\cup", "∪"), (r"\infty", "∞")):
        gold = gold.replace(latex, char)
    return gold


def _name(gold: str) -> str:
    if re.match(r"^[a-z] ?= ?[^=,]*$", gold):
        return gold.split("=")[1].strip()
    return f"x = {gold}" if _number(gold) is not None else gold


def _unit(gold: str) -> str:
    return gold + r" \text{ units}" if value(gold) is not None else quantity(spelled(gold)).core


def _number(gold: str) -> Fraction | None:
    return value(quantity(spelled(gold)).core)


SAME: dict[str, Rewrite] = {
    "itself": lambda gold: gold,
    "boxed": lambda gold: rf"\boxed{{{gold}}}",
    "extracted": lambda gold: answers.extract(rf"\boxed{{{gold}}}") or gold,
    "dollars": lambda gold: f"${gold}$",
    "sentence": lambda gold: rf"The answer is \( {gold} \).",
    "spaces": lambda gold: re.sub(r"(?<=[+=(\[])|(?<=,)(?!\d{3}|\\!)|(?=[+=)\]])", " ", gold),
    "no spaces": _no_spaces,
    "frac to slash": lambda gold: re.sub(r"^(-?)\\d?frac\{(\d+)\}\{(\d+)\}$", r"\1\2/\3", gold),
    "dfrac": lambda gold: re.sub(r"\\frac", r"\\dfrac", gold),
    "braces in frac": lambda gold: re.sub(r"\\frac ?(\d)(\d)", r"\\frac{\1}{\2}", gold),
    "no left and right": lambda gold: re.sub(r"\\(?:left|right)(?![a-z])", "", gold),
    "left and right": _sized,
    "commas": _decimal_comma,
    "no commas": _no_commas,
    "unit": _unit,
    "name": _name,
    "no text": lambda gold: re.sub(r"\\(?:text|mbox)\{([^}]*)\}", r"\1", gold),
    "text": lambda gold: rf"\text{{{gold}}}" if worded(gold) and "text" not in gold else gold,
    "unicode": _unicode,
    "degrees": lambda gold: gold.replace(r"^\circ", " degrees"),
    "base in braces": lambda gold: re.sub(r"^(\d+)_\{?(\d)\}?$", r"\1_{\2}", gold),
    "pmatrix to bmatrix": lambda gold: gold.replace("pmatrix", "bmatrix"),
}
"""Rewritings that must be graded right."""


def _other_sign(gold: str) -> str:
    return re.sub(r"^(-?)(?=[\d\\.])", lambda sign: "" if sign[1] else "-", gold) if _number(gold) else gold


def _other_bracket(gold: str) -> str:
    if "]" in gold:
        return gold.replace("]", ")")
    return re.sub(r"\)$", "]", gold) if "," in gold else gold


DIFFERENT: dict[str, Rewrite] = {
    "last digit": lambda gold: re.sub(r"(\d)(?=\D*$)", lambda digit: str((int(digit[1]) + 1) % 10), gold),
    "first digit": lambda gold: re.sub(r"(\d)", lambda digit: str(int(digit[1]) % 9 + 1), gold, count=1),
    "other sign": _other_sign,
    "ten times": lambda gold: gold + "0" if re.fullmatch(r"-?[1-9]\d*", gold) else gold,
    "tenth": lambda gold: re.sub(r"(\d)$", r".\1", gold) if re.fullmatch(r"-?\d*[1-9]", gold) else gold,
    "other bracket": _other_bracket,
}
"""Changes that must be graded wrong."""


@dataclass(slots=True)
class CheckCount:
    """Result of one kind of comparison: how many were graded as expected, and the failures."""

    name: str
    expected: Verdict
    total: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def line(self) -> str:
        """One line of the report."""
        good = self.total - len(self.failures)
        share = good / self.total if self.total else 1.0
        return f"{self.name:28} {self.expected:6} {good:5}/{self.total:<5} {share:7.2%}"


def golds(path: Path) -> list[str]:
    """The gold answers of a JSON or JSONL file with a field `answer`; in GSM8K, the part after ####.

    Raises TaskError if the file cannot be read or has no such field.
    """
    try:
        text = path.read_text(encoding="utf-8")
        is_list = text.lstrip().startswith("[")
        rows = (
            json.loads(text) if is_list else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
        return [str(row["answer"]).split("####")[-1].strip() for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"`{path}` has no gold answers ({type(error).__name__}: {error})"
        raise TaskError(message, hint="pass a JSON or JSONL file with a field `answer`") from error


def measure(grader: Grader, gold_answers: list[str]) -> Iterator[CheckCount]:
    """Run each kind of comparison in turn."""
    for name, rewrite in SAME.items():
        yield _count(
            grader, name, "right", [(gold, rewrite(gold)) for gold in gold_answers], name == "itself"
        )
    for name, rewrite in DIFFERENT.items():
        yield _count(grader, name, "wrong", [(gold, rewrite(gold)) for gold in gold_answers])
    for step in _STEPS:
        others = [*gold_answers[step:], *gold_answers[:step]]
        pairs = list(zip(gold_answers, others, strict=True))
        yield _count(grader, f"answer {step} problems later", "wrong", pairs)


def measure_pairs(grader: Grader, gold_answers: list[str], n_pairs: int) -> CheckCount:
    """Grade pairs of golds that differ: all that are called equal are failures.

    Few of these are true equals that are written differently; who reads the list can tell them.
    At most `n_pairs` pairs, fewer if there are not as many.
    """
    pairs = unequal_pairs(gold_answers, n_pairs)
    return _graded(grader, "pairs of different golds", "wrong", pairs)


def _count(
    grader: Grader, name: str, expected: Verdict, pairs: list[tuple[str, str]], is_whole: bool = False
) -> CheckCount:
    """Grade the pairs that differ as text; pairs of equal value are skipped if `expected` is wrong."""
    chosen = [
        (gold, answer)
        for gold, answer in (dict.fromkeys(pairs) if not is_whole else pairs)
        if (gold != answer or is_whole) and not (expected == "wrong" and are_same_text(gold, answer))
    ]
    return _graded(grader, name, expected, chosen)


def _graded(grader: Grader, name: str, expected: Verdict, pairs: list[tuple[str, str]]) -> CheckCount:
    count = CheckCount(name, expected)
    for gold, answer in pairs:
        count.total += 1
        grade = grader.grade(answer, gold)
        if grade.verdict != expected:
            count.failures.append((gold, answer, f"{grade.verdict} {grade.reason}".strip()))
    return count


def are_same_text(gold: str, answer: str) -> bool:
    """Whether two gold answers are the same but for formatting, their name or how a number is written."""
    one, other = (answers.normalise(text.split("=")[-1]) for text in (gold, answer))
    return answers.same(one, other)
