"""Multiple choice: the options of a row, and what its gold answer means.

Options are a list, an object with their texts and labels, an object from letters to texts, or columns such
as A to D. A gold answer is a letter, a label, the text of an option, or a position. Which of these is one
decision for all rows of a file: the one that every row allows. If two do and disagree, the file is refused,
unless the data set has labels of its own, which come first.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

from localsmc.errors import ConfigError, TaskError
from localsmc.evals.tasks.golds import all_of
from localsmc.evals.tasks.task import Gold
from localsmc.system.row_files import MISSING, Row, text_of, usual_name, value_of

MOST = 10
"""The largest number of options: the letters that answers can be, A to J."""

CHOICES_FIELDS = ("choices", "options", "endings")
NONE = "none"
"""The value of `--choices` for rows whose questions show their options themselves."""

_COLUMN = re.compile(
    r"(?:(?:option|choice|op)[ _-]?)?([A-J])|(?:option|choice)[ _-]?([1-9]|10)", re.IGNORECASE
)
_LETTER = re.compile(r"\(?([A-Ja-j])\)?[.):]?")


class Options(NamedTuple):
    """The texts of the options, and the labels that the data set gives them (letters if it gives none)."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def has_own_labels(self) -> bool:
        """Whether the labels are others than the letters in order: then golds that are labels mean them."""
        return "".join(self.labels) != ascii_uppercase[: len(self.labels)]


def lettered_question(question: str, options: Sequence[str]) -> str:
    """A question with its options below it, and the request for a letter."""
    listed = "\n".join(f"{code}) {text}" for code, text in zip(ascii_uppercase, options, strict=False))
    return f"{question}\n\n{listed}\n\nAnswer with the letter of one option."


# --- options of a row -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChoiceFields:
    """The fields with the options: one with all of them, or a column for each."""

    names: tuple[str, ...]

    @classmethod
    def found(cls, names: Sequence[str], rows: Sequence[Row]) -> ChoiceFields | None:
        """The fields that hold options by their usual names; None if there are none."""
        name = usual_name(
            CHOICES_FIELDS, [one for one in names if any(_has_parts(row.get(one)) for row in rows)]
        )
        if name is not None:
            return cls((name,))
        for spelled in (str, str.lower):
            columns = _columns(names, is_bare=spelled is str)
            if len(columns) > 1:
                return cls(columns)
        return None

    @classmethod
    def of_small_letters(cls, names: Sequence[str], golds: Sequence[str]) -> ChoiceFields | None:
        """The columns a, b, c, ..., if all gold answers are their letters: else they may be of a formula."""
        n = next((i for i, letter in enumerate(ascii_lowercase) if letter not in names), MOST)
        columns = tuple(ascii_lowercase[: min(n, MOST)])
        letters = [match[1].lower() if (match := _LETTER.fullmatch(gold)) else "" for gold in golds]
        is_choice = len(columns) > 1 and bool(letters) and set(letters) <= set(columns)
        return cls(columns) if is_choice else None

    @classmethod
    def named(cls, text: str, names: Sequence[str]) -> ChoiceFields:
        """The fields that `--choices` names: one, or several with commas between; raises ConfigError."""
        wanted = (text,) if text in names else tuple(part.strip() for part in text.split(","))
        if not all(wanted) or len(set(wanted)) < len(wanted):
            raise ConfigError(
                f"`--choices {text}` does not name fields", hint="write --choices FIELD, or --choices A,B,C,D"
            )
        return cls(wanted)

    def of(self, row: Row, i: int, path: Path) -> Options:
        """The options of row i (from 0) of a file; raises TaskError."""
        values = [value_of(row, name) for name in self.names]
        if MISSING in values:
            name = self.names[values.index(MISSING)]
            there = ", ".join(f"`{other}`" for other in row)
            raise TaskError(
                f"row {i + 1} of `{path}` has no field `{name}`",
                hint=f"available fields: {there}; choose with `--choices FIELD`",
            )
        name = self.names[0] if len(self.names) == 1 else "options"
        options = (
            _of_value(values[0], i, path, name) if len(self.names) == 1 else self._of_columns(values, i, path)
        )
        return _checked(options, f"`{name}` in row {i + 1} of `{path}`")

    def _of_columns(self, values: Sequence[Any], i: int, path: Path) -> Options:
        texts = [
            text_of(value, i, path, name).strip() for value, name in zip(values, self.names, strict=True)
        ]
        while texts and not texts[-1]:
            texts.pop()
        return Options(tuple(texts), tuple(map(_label_of_column, self.names[: len(texts)])))


def _has_parts(value: Any) -> bool:
    return isinstance(_decoded(value), (list, tuple, Mapping))


def _columns(names: Sequence[str], *, is_bare: bool) -> tuple[str, ...]:
    """Columns named by the first letters or numbers in order; bare letters must be upper case."""
    found: dict[str, str] = {}
    for name in names:
        match = _COLUMN.fullmatch(name.strip())
        if match and (len(name.strip()) == 1) == is_bare and not (is_bare and name.strip().islower()):
            place = int(match[2]) - 1 if match[2] else ascii_uppercase.index(match[1].upper())
            found.setdefault(ascii_uppercase[place], name)
    n = next((i for i, letter in enumerate(ascii_uppercase) if letter not in found), 0)
    return tuple(found[letter] for letter in ascii_uppercase[:n]) if n == len(found) else ()


def _label_of_column(name: str) -> str:
    match = _COLUMN.fullmatch(name.strip())
    return name if match is None else match[2] or match[1].upper()


def _of_value(value: Any, i: int, path: Path, name: str) -> Options:
    value = _decoded(value)
    if isinstance(value, Mapping) and {"text", "label"} <= set(value):
        texts, labels = value["text"], value["label"]
        if (
            not isinstance(texts, (list, tuple))
            or not isinstance(labels, (list, tuple))
            or len(texts) != len(labels)
        ):
            raise TaskError(
                f"`{name}` in row {i + 1} of `{path}` has not one label for each text",
                hint="fix or remove the row",
            )
    elif isinstance(value, Mapping):
        labels, texts = list(value), list(value.values())
    elif isinstance(value, (list, tuple)):
        texts, labels = value, ascii_uppercase[: len(value)]
    else:
        raise TaskError(
            f"`{name}` in row {i + 1} of `{path}` is no list of options",
            hint="write a list, or name a column for each with `--choices A,B,C,D`",
        )
    return Options(
        tuple(text_of(text, i, path, name).strip() for text in texts),
        tuple(text_of(label, i, path, name).strip() for label in labels),
    )


def _decoded(value: Any) -> Any:
    """A list or an object that a cell of a table holds, as JSON or as Python writes it."""
    if not isinstance(value, str) or not re.match(r"\s*[\[{]", value):
        return value
    for decode in (json.loads, ast.literal_eval):
        try:
            return decode(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value


def _checked(options: Options, place: str) -> Options:
    if "" in options.texts:
        raise TaskError(f"{place} has an empty option", hint="fix or remove the row")
    if not 2 <= len(options.texts) <= MOST:
        n = len(options.texts)
        raise TaskError(
            f"{place} has {n} option{'s' * (n != 1)}", hint=f"give from 2 to {MOST}, or remove the row"
        )
    return options


# --- what the golds mean ----------------------------------------------------------------------------


def letters_of(rows: Sequence[tuple[int, Options, Gold | None]], path: Path) -> list[Gold | None]:
    """The golds of rows (from 0) as letters, with one meaning for all of them; raises TaskError."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for meaning, place_of in _MEANINGS.items():
        places = [_places(options, gold, place_of) for _, options, gold in rows]
        if all(place is not None for place in places):
            found[meaning] = [place for place in places if place is not None]
    if not found:
        raise _unread(rows, path)
    if "labels" in found and any(options.has_own_labels for _, options, _ in rows):
        found = {"labels": found["labels"]}
    if any(places != next(iter(found.values())) for places in found.values()):
        raise TaskError(
            f"the gold answers of `{path}` can be {' or '.join(found)} of the options, which differ",
            hint="write the letters A, B, C, ...",
        )
    letters = [[ascii_uppercase[place] for place in places] for places in next(iter(found.values()))]
    return [None if not row else row[0] if len(row) == 1 else tuple(row) for row in letters]


def _places(
    options: Options, gold: Gold | None, place_of: Callable[[Options, str], int | None]
) -> tuple[int, ...] | None:
    found = [place_of(options, text) for text in all_of(gold)]
    return None if None in found else tuple(place for place in found if place is not None)


def _as_label(options: Options, gold: str) -> int | None:
    """The place of the option with this label, which is a letter if the data set gives none."""
    wanted = match[1] if (match := _LETTER.fullmatch(gold)) else gold
    labels = [label.upper() for label in options.labels]
    if wanted.upper() in labels:
        return labels.index(wanted.upper())
    # A letter with the option's text: "B) Paris".
    for i, (label, text) in enumerate(zip(options.labels, options.texts, strict=True)):
        if re.fullmatch(rf"\(?{re.escape(label)}\s?[.):]\s?{re.escape(text)}", gold, re.IGNORECASE):
            return i
    return None


def _as_letter(options: Options, gold: str) -> int | None:
    letters = ascii_uppercase[: len(options.texts)]
    match = _LETTER.fullmatch(gold)
    return letters.index(match[1].upper()) if match and match[1].upper() in letters else None


def _as_text(options: Options, gold: str) -> int | None:
    places = [i for i, text in enumerate(options.texts) if text.casefold() == gold.casefold()]
    return places[0] if len(places) == 1 else None


def _as_position(options: Options, gold: str, first: int) -> int | None:
    is_whole = gold.isascii() and gold.isdigit() and len(gold) < 3
    place = int(gold) - first if is_whole else -1
    return place if 0 <= place < len(options.texts) else None


_MEANINGS: dict[str, Callable[[Options, str], int | None]] = {
    "labels": _as_label,
    "letters": _as_letter,
    "texts": _as_text,
    "positions from 0": lambda options, gold: _as_position(options, gold, 0),
    "positions from 1": lambda options, gold: _as_position(options, gold, 1),
}


def _unread(rows: Sequence[tuple[int, Options, Gold | None]], path: Path) -> TaskError:
    """The error for golds without a common meaning: of the first row without any, else of the file."""
    for i, options, gold in rows:
        for text in all_of(gold):
            if all(place_of(options, text) is None for place_of in _MEANINGS.values()):
                return TaskError(
                    f"the gold answer `{text}` in row {i + 1} of `{path}` is none of the options",
                    hint=f"write one of {', '.join(ascii_uppercase[: len(options.texts)])}",
                )
    return TaskError(
        f"the gold answers of `{path}` are now letters, now positions or texts",
        hint="write the letters A, B, C, ... in all rows",
    )
