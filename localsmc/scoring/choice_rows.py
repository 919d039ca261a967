"""Rows of a data file as multiple-choice questions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from localsmc.errors import ConfigError, TaskError
from localsmc.scoring.choices import Question
from localsmc.system.row_files import MISSING, Row, field_of, is_missing, text_of, value_of

PROMPT_FIELDS = ("prompt", "question", "query", "ctx", "context", "goal")
CHOICE_FIELDS = ("choices", "options", "endings")
GOLD_FIELDS = ("answer", "answerKey", "gold", "label", "target")
LETTER_COLUMNS = tuple(ascii_uppercase[:10])

QUESTION_TEMPLATE = "Question: {question}\nAnswer:"
"""How a field `question` is put, as lm-evaluation-harness does it for ARC; other prompts stay as they are."""

_FIELD = re.compile(r"\{([^{}\n]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceFields:
    """The fields of a file and how a prompt is written; None or empty: the first known name that a row has.

    `choices` names one field with a list, or a field for each option. A name can be a path: `doc.options`.
    `template` is a text with fields in braces. With `letters` the prompt lists the options, and the letters
    before them are scored, as lm-evaluation-harness does it for MMLU.
    """

    question: str | None = None
    choices: tuple[str, ...] = ()
    answer: str | None = None
    template: str | None = None
    letters: bool = False

    def __post_init__(self) -> None:
        if self.letters and self.template is not None:
            raise ConfigError(
                "`letters` writes the prompt itself, so `template` has no effect",
                hint="remove one of them",
            )


def has_choices(row: Row) -> bool:
    """Whether a row looks like a multiple-choice question."""
    return any(name in row for name in CHOICE_FIELDS) or len(_letter_columns(row)) > 1


def questions_of(rows: Sequence[Row], path: Path, fields: ChoiceFields) -> list[Question]:
    """The questions of a file. Raises TaskError, with its number, for a row that is not one."""
    return [_question(row, i, path, fields) for i, row in enumerate(rows)]


def _question(row: Row, i: int, path: Path, fields: ChoiceFields) -> Question:
    labels, choices = _choices(row, i, path, fields)
    if len(choices) < 2 or not all(choices):
        why = "fewer than two options" if len(choices) < 2 else "an empty option"
        raise TaskError(f"row {i + 1} of `{path}` has {why}", hint="fix or remove the row")
    gold = tuple(_gold(row, labels, choices, i, path, fields))
    if fields.letters and len(choices) > len(ascii_uppercase):
        raise TaskError(
            f"row {i + 1} of `{path}` has {len(choices)} options, but there are 26 letters",
            hint="remove `--letters`, or the row",
        )
    if not fields.letters:
        return Question(prompt=_prompt(row, i, path, fields), choices=choices, gold=gold)
    listed = [f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False)]
    asked = _asked(row, i, path, fields)[1].strip()
    prompt = "\n".join((asked, *listed, "Answer:"))
    return Question(prompt=prompt, choices=tuple(ascii_uppercase[: len(choices)]), gold=gold)


def _asked(row: Row, i: int, path: Path, fields: ChoiceFields) -> tuple[str, str]:
    """The name of the field with the question, and its text."""
    names = (fields.question,) if fields.question else PROMPT_FIELDS
    text = field_of(row, names, i, path, "question")
    if not text.strip():
        raise TaskError(f"row {i + 1} of `{path}` has an empty question", hint="fix or remove the row")
    return next(name for name in names if value_of(row, name) is not MISSING), text


def _prompt(row: Row, i: int, path: Path, fields: ChoiceFields) -> str:
    if fields.template is not None:
        return _FIELD.sub(lambda found: field_of(row, (found[1],), i, path), fields.template)
    name, text = _asked(row, i, path, fields)
    is_question = name.rpartition(".")[2] == "question"
    return QUESTION_TEMPLATE.format(question=text) if is_question else text


def _letter_columns(row: Row) -> tuple[str, ...]:
    """The columns A, B … that a row has, up to the first that is missing or empty."""
    found = []
    for name in LETTER_COLUMNS:
        if is_missing(row.get(name)):
            break
        found.append(name)
    return tuple(found)


def _choices(row: Row, i: int, path: Path, fields: ChoiceFields) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of a row's options, by default letters, and their texts."""
    names = fields.choices or tuple(name for name in CHOICE_FIELDS if name in row)[:1] or _letter_columns(row)
    if not names:
        field_of(row, CHOICE_FIELDS, i, path, "choices")  # the error names the fields that there are
    if len(names) > 1:
        return _labels(len(names)), tuple(field_of(row, (name,), i, path, "choices") for name in names)
    value: Any = value_of(row, names[0])
    if value is MISSING:
        field_of(row, names, i, path, "choices")
    labels: Any = None
    if isinstance(value, dict):  # as in ARC: {"text": [...], "label": [...]}
        value, labels = value.get("text"), value.get("label")
    if not isinstance(value, (list, tuple)):
        raise TaskError(
            f"`{names[0]}` in row {i + 1} of `{path}` is not a list of options",
            hint="write a list, or name a field for each: --choices A,B,C,D",
        )
    if value and all(isinstance(one, dict) and "text" in one for one in value):
        labels = [one.get("label", letter) for one, letter in zip(value, _labels(len(value)), strict=True)]
        value = [one["text"] for one in value]
    texts = tuple(field_of({names[0]: one}, names, i, path) for one in value)
    if not isinstance(labels, (list, tuple)) or len(labels) != len(texts):
        return _labels(len(texts)), texts
    return tuple(map(str, labels)), texts


def _labels(n: int) -> tuple[str, ...]:
    return tuple(ascii_uppercase[:n]) if n <= len(ascii_uppercase) else tuple(map(str, range(n)))


def _gold(
    row: Row, labels: Sequence[str], choices: Sequence[str], i: int, path: Path, fields: ChoiceFields
) -> Iterator[int]:
    """The numbers of the right options, from 0; none if the row has no answer."""
    names = (fields.answer,) if fields.answer else GOLD_FIELDS
    name = next((name for name in names if value_of(row, name) is not MISSING), None)
    if name is None:
        if fields.answer:
            field_of(row, names, i, path, "answer")
        return
    value = value_of(row, name)
    given = value if isinstance(value, (list, tuple)) else [value]
    if _are_flags(given, len(choices)):
        yield from (k for k, flag in enumerate(given) if flag)
        return
    for one in given:
        if not is_missing(one):
            # As text, but a number stays one: in a column with gaps, whole numbers are floats.
            text = text_of(one, i, path, name).strip()
            is_number = isinstance(one, (int, float)) and not isinstance(one, bool)
            yield _number(text, is_number, labels, choices, f"`{name}` in row {i + 1} of `{path}`")


def _are_flags(given: Sequence[Any], n: int) -> bool:
    """Whether a list says of each option if it is right, as in TruthfulQA: [1, 0, 0]."""
    return len(given) == n and all(isinstance(one, int) and one in (0, 1) for one in given)


def _number(text: str, is_number: bool, labels: Sequence[str], choices: Sequence[str], where: str) -> int:
    """Which option an answer means: a number from 0, a label such as B, or the text of an option."""
    counts = not any(label.isdigit() for label in labels)  # else a number is a label
    if counts and is_number and re.fullmatch("-?[0-9]+", text):
        readings = {int(text)}
    else:
        readings = {k for k, label in enumerate(labels) if text == label}
        readings |= {k for k, choice in enumerate(choices) if text == choice.strip()}
        readings |= {int(text)} if counts and re.fullmatch("[0-9]{1,3}", text) else set()
    readings &= set(range(len(choices)))
    if len(readings) == 1:
        return readings.pop()
    if readings:
        meant = " or ".join(str(k + 1) for k in sorted(readings))
        raise TaskError(
            f"{where} is `{text}`, which can mean option {meant}",
            hint="write the answer as a letter, or as a number (without quotes) that counts from 0",
        )
    raise TaskError(
        f"{where} is `{text}`, which is none of the {len(choices)} options",
        hint=f"write a label ({', '.join(labels[:6])}), a number from 0, or the text of an option",
    )
