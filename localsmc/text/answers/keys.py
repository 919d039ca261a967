r"""Keys of answers: answers with the same key are the same answer.

Grouping compares nothing else, so that "is the same as" is transitive. What a key leaves out depends on the
kind:

any      numbers by value; words without case, quotes and final punctuation; the letter of "(B)"
text     the same for words; numbers as they are written
letter   the letter of `(B)`, `b)` or `B. Paris`
numeric  the value of the only number: `42 apples`, `x = 42`, `$42.00`, `40 + 2 = 42`
math     the value of a number, its unit and name left out; else words as above, and formulas without spaces
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from localsmc.results import AnswerKind
from localsmc.text.answers.answer import LONGEST
from localsmc.text.answers.latex import lettered, spelled, worded
from localsmc.text.answers.normalise import normalise
from localsmc.text.answers.numbers import plain
from localsmc.text.answers.numeric import number
from localsmc.text.answers.units import joined, quantity, value


@lru_cache(maxsize=4096)
def key(answer: str, kind: AnswerKind = "any") -> str:
    """What must be equal for two answers to be the same."""
    if len(answer) > LONGEST:
        return " ".join(answer.split())
    return _KEYS[kind](answer)


def same(found: str | None, answer: str, kind: AnswerKind = "any") -> bool:
    """Whether a found answer equals the expected one; False if none was found."""
    return found is not None and key(found, kind) == key(answer, kind)


_WORDS = re.compile(r"[^\W\d_](?:[^\W_]|[ .,;:!?'’&/()\"-])*")
_LETTER = re.compile(r"\(([^\W\d_])\)|([A-Ja-j])\)(?:[ .:].*)?|\(([A-J])\)[ .:].*")


def folded(answer: str) -> str:
    """A text without case, quotes and final punctuation if it is made of words; a formula as it is."""
    text = normalise(answer).strip(" \"'“”‘’«»„`*")
    if found := _LETTER.fullmatch(text):
        text = found[found.lastindex or 0]
    if not _WORDS.fullmatch(text):
        return text
    return " ".join(text.casefold().split()).strip(" .,;:!?\"'")


def _any(answer: str) -> str:
    text = folded(answer)
    return plain(text) if any(char.isdigit() for char in text) or not _WORDS.fullmatch(text) else text


def _letter(answer: str) -> str:
    return lettered(normalise(answer)) or folded(answer)


def _numeric(answer: str) -> str:
    found = number(answer)
    return folded(answer) if found is None else str(found)


_NAMED = re.compile(r"(?:[a-zA-Z]|\\(?:theta|alpha|beta|lambda)) ?= ?([^=]+)")


def _math(answer: str) -> str:
    text = joined(spelled(answer))
    if named := _NAMED.fullmatch(text):
        text = named[1].strip()
    core = quantity(text, letters=True).core
    if (found := value(core)) is not None:
        return str(found)
    if (words := worded(text)) is not None:
        return words
    if found_letter := re.fullmatch(r"(?:\\text ?\{)?\s*\(?([A-J])\)?\s*\}?", text):
        return found_letter[1]
    return plain(re.sub(r"\s", "", text))


_KEYS: dict[AnswerKind, Callable[[str], str]] = {
    "any": _any, "text": folded, "letter": _letter, "numeric": _numeric, "math": _math,
}  # fmt: skip
