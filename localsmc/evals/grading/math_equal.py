r"""The `math` grader: compares answers as in the MATH data set, first as text, last with SymPy.

Conventions:

* Numbers are exact: 0.333 is not 1/3, and 10.8167 is not 3\sqrt{13}.
* A unit may be missing on one side, but cents are not dollars; 50% is 50, and is 0.5.
* `x=5` equals 5, and 5 equals `x=5`, but y=5 is not x=5: it answers another question.
* 52_8 may be written 52, since the question names the base; it is not 42, its decimal value.
* Lists and sets are unordered, tuples are ordered; a tuple is neither a list nor a column vector; the
  brackets of an interval matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from localsmc.evals.grading.structure import Structure, shape, split
from localsmc.evals.grading.verdict import NO_ANSWER, RIGHT, UNREAD_ANSWER, UNREAD_GOLD, Grade, grade_of
from localsmc.text.answers.latex import lettered, letters_only, spelled, worded
from localsmc.text.answers.normalise import normalise
from localsmc.text.answers.number_words import whole_number
from localsmc.text.answers.numbers import plain, value
from localsmc.text.answers.options import option
from localsmc.text.answers.recurring import as_fractions
from localsmc.text.answers.separators import joined, with_points
from localsmc.text.answers.times import time_of
from localsmc.text.answers.units import quantity

_LONGEST = 400
"""Maximum number of characters of an answer, beyond those of the gold answer."""

_NAME = re.compile(
    r"(?:[a-zA-Z]|\\[a-zA-Z]+|\\text\{[a-zA-Z ]+\})(?:_\{?\w+\}?)?'?(?: ?\( ?[a-zA-Z](?: ?, ?[a-zA-Z])* ?\))?"
    r"|\( ?[a-zA-Z](?: ?, ?[a-zA-Z])+ ?\)|[A-Z]{2,3}|\\frac\{[A-Z]{2}\}\{[A-Z]{2}\}|\|[A-Z]{2}\|"
    r"|[A-Z](?:_\{?\w+\}?)? ?: ?[A-Z](?:_\{?\w+\}?)?"
)
_RELATION = re.compile(r"[<>]|\\(?:le|ge|lt|gt|ne|neq|in|setminus|mathbb|backslash)(?![a-zA-Z])")
_EQUALS = re.compile(r"(?<![\\<>!])=")
_LINK = "\0"
_EMPTY = r"\emptyset"
_BASES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class _Unread(Exception):
    """Carries the grade of an answer or gold answer that cannot be parsed."""

    def __init__(self, grade: Grade) -> None:
        super().__init__(grade.reason)
        self.grade = grade


def grade(answer: str, gold: str) -> Grade:
    """Whether an answer equals the gold answer."""
    if not gold.strip():
        return UNREAD_GOLD
    if not answer.strip():
        return NO_ANSWER
    if plain(normalise(answer)) == plain(normalise(gold)):
        return RIGHT
    if len(answer) > _LONGEST + len(gold):
        return Grade("wrong", "the answer is too long")
    try:
        return grade_of(_are_same(spelled(gold), _written(answer)))
    except _Unread as unread:
        return unread.grade


def _written(answer: str) -> str:
    """The normalised form of an answer, with what its last dots or its "and" say about a number."""
    exact = as_fractions(answer) if answer.rstrip().endswith((".", "…", "dots", "dots$")) else answer
    return whole_number(exact) or spelled(exact)


def _are_same(gold: str, answer: str) -> bool:
    if not answer:
        raise _Unread(NO_ANSWER)
    if (known := _are_same_kind(gold, answer)) is not None:
        return known
    if _is_decimal(gold) or _is_decimal(answer):
        gold, answer = with_points(gold), with_points(answer)
    gold, answer = whole_number(gold) or gold, whole_number(answer) or answer
    if _are_shaped_alike(joined(gold), joined(answer)):
        return True
    # 100,200,300 may also be a list.
    is_ambiguous = (joined(gold), joined(answer)) != (gold, answer)
    return (
        is_ambiguous and shape(gold).kind == shape(answer).kind == "list" and _are_shaped_alike(gold, answer)
    )


def _are_same_kind(gold: str, answer: str) -> bool | None:
    """Compare times of day, options and the empty set; None if the gold answer is none of them."""
    if (time := time_of(gold)) and (other_time := time_of(answer)):
        return time.allows(other_time)
    if time and time.is_half_known and value(quantity(gold).core) is None:
        return False
    if (right := option(gold)) is not None:
        chosen = option(answer)
        if chosen is None:
            return bool(right.text) and _are_shaped_alike(right.text, answer)
        has_texts = bool(right.text and chosen.text)
        return right.letter == chosen.letter and (
            not has_texts or _are_shaped_alike(spelled(right.text), spelled(chosen.text))
        )
    if _EMPTY in (gold, answer):
        return gold == answer
    return None


def _is_decimal(text: str) -> bool:
    """Whether a side is a number with decimals: 3,5 on the other side is then no list."""
    size = value(quantity(text).core)
    return size is not None and size.denominator != 1


def _are_shaped_alike(gold: str, answer: str) -> bool:
    """Compare structure first, then part by part."""
    if plain(gold) == plain(answer):
        return True
    if (words := worded(gold)) is not None:
        return words == letters_only(answer)
    if (rests := _unnamed(gold, answer)) is not None:
        return _are_shaped_alike(*rests)
    one, other = shape(gold), shape(answer)
    if one.kind == other.kind == "one":
        return _are_one(one.parts[0], other.parts[0])
    if one.kind == other.kind or {one.kind, other.kind} == {"one", "list"}:
        # Unions with the same number of parts are decided here: SymPy would equate (3,\infty] and (3,\infty).
        if len(one.parts) == len(other.parts):
            return _are_matched(one, other)
    elif (pair := _values_of_names(other)) and one.kind == "()":
        return _are_matched(one, pair)
    elif (pair := _values_of_names(one)) and other.kind == "()":
        return _are_matched(pair, other)
    elif one.kind.startswith("matrix") and other.kind == "one" and r"\begin" in answer:
        return _are_equal(gold, answer)  # a sum or a product of matrices
    return _is_set(gold, one, other) and _is_set(answer, one, other) and _are_equal(gold, answer)


def _unnamed(gold: str, answer: str) -> tuple[str, str] | None:
    """Both without "x =", if one has a name or both the same: (x,y) = (1,2) and (1,2); otherwise None."""
    sides = [_links(text) for text in (gold, answer)]
    named = [links for links in sides if len(links) == 2 and _NAME.fullmatch(links[0])]
    if not named or any(len(links) > 1 for links in sides if links not in named):
        return None
    if len({_compact(links[0]) for links in named}) > 1:
        return None
    return sides[0][-1], sides[1][-1]


def _is_set(text: str, *shapes: Structure) -> bool:
    r"""Whether SymPy may equate differently written sets: an inequality, a union, `\setminus`."""
    has_relation = any(_RELATION.search(part.parts[0]) for part in shapes)
    return (has_relation or any(part.kind == "union" for part in shapes)) and bool(
        _RELATION.search(text) or re.match(r"[\[(]", text)
    )


def _are_matched(one: Structure, other: Structure) -> bool:
    if len(one.parts) != len(other.parts):
        return False
    if one.is_ordered and other.is_ordered:
        return all(_are_shaped_alike(*pair) for pair in zip(one.parts, other.parts, strict=True))
    return _have_same_parts(one.parts, other.parts)


def _have_same_parts(gold: Sequence[str], answer: Sequence[str]) -> bool:
    """Whether the parts are the same in some order: equality is transitive, so greedy matching finds it."""
    left = list(answer)
    for part in gold:
        match = next((i for i, other in enumerate(left) if _are_shaped_alike(part, other)), None)
        if match is None:
            return False
        del left[match]
    return True


def _values_of_names(found: Structure) -> Structure | None:
    """(1, 2) for "x=1, y=2"; None for any other list."""
    links = [_links(part) for part in found.parts]
    if found.kind != "list" or not all(len(link) == 2 and _NAME.fullmatch(link[0]) for link in links):
        return None
    names = [link[0] for link in links]
    return Structure("()", tuple(link[1] for link in links)) if len(set(names)) == len(names) else None


def _links(text: str) -> list[str]:
    """The sides of a chain of equalities; a name on the right moves to the left: y = 2x for 2x = y."""
    links = split(_EQUALS.sub(_LINK, text), _LINK)  # not in \sum_{k=0}
    links = [link.replace(_LINK, "=") for link in links]
    if len(links) == 2 and _NAME.fullmatch(links[1]) and not _NAME.fullmatch(links[0]):
        links.reverse()
    return links


def _are_one(gold: str, answer: str) -> bool:
    """Compare two formulas or equations."""
    if _RELATION.search(gold) or _RELATION.search(answer):
        return _are_equal(gold, answer)
    one, other = _links(gold), _links(answer)
    if len(one) == len(other) == 1:
        return _are_values(gold, answer)
    if len(one) > 1 and len(other) > 1:
        return _are_equations(one, other)
    if len(one) > 1:
        return False
    # x = 2 + 3 = 5: every side must be right, or anything could be chained to the gold answer.
    links = other[1:] if _NAME.fullmatch(other[0]) else other
    return all(_are_shaped_alike(gold, link) for link in links)


def _are_equations(gold: list[str], answer: list[str]) -> bool:
    has_name = bool(_NAME.fullmatch(gold[0])) and _compact(gold[0]) == _compact(answer[0])
    if has_name and all(_are_shaped_alike(gold[-1], link) for link in answer[1:]):
        return True
    if len(gold) != 2 or len(answer) != 2:
        return False
    from localsmc.evals.grading import symbolic

    return symbolic.are_proportional((gold[0], gold[1]), (answer[0], answer[1]))


def _are_values(gold: str, answer: str) -> bool:
    """Compare two texts without an equals sign: letters, digits in a base, numbers with units, formulas."""
    if "\\text" in gold and (letter := lettered(gold)):
        return letter == lettered(answer)
    if based := _based(gold):
        found = _based(answer) or (_compact(answer), based[1])
        return found == based
    one = quantity(gold)
    other = quantity(answer, letters=value(one.core) is not None)
    if one.clashes(other):
        return False
    if (number := value(one.core)) is not None and (found_number := value(other.core)) is not None:
        is_percent = (one.unit == "percent") != (other.unit == "percent")
        hundredth = (number, found_number / 100) if other.unit == "percent" else (number / 100, found_number)
        return number == found_number or (is_percent and hundredth[0] == hundredth[1])
    if (one.core, other.core) != (gold, answer):
        return _are_shaped_alike(one.core, other.core)
    return _are_equal(one.core, other.core)


def _based(text: str) -> tuple[str, str] | None:
    """The digits and the base of 52_8, 52_{8} and 52_{eight}; None for anything else."""
    found = re.fullmatch(r"([0-9A-Fa-f ]*\d[0-9A-Fa-f ]*)_\s*\{?(?:\\text\s*\{)?\s*(\d+|[a-z]+)\s*\}*", text)
    if not found:
        return None
    base = str(_BASES.index(found[2]) + 2) if found[2] in _BASES else found[2]
    return (_compact(found[1]), base) if base.isdigit() else None


def _compact(text: str) -> str:
    return re.sub(r"\s", "", text)


def _are_equal(gold: str, answer: str) -> bool:
    """Compare with math-verify; raises _Unread if it cannot parse a side."""
    # Imported late: it takes seconds, and most answers are decided without it.
    from localsmc.evals.grading import symbolic

    if not symbolic.is_readable(gold):
        raise _Unread(UNREAD_GOLD)
    if not symbolic.is_readable(answer):
        raise _Unread(UNREAD_ANSWER)
    return symbolic.are_equal(gold, answer)
