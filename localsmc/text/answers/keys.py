r"""Keys of answers: answers with the same key are the same answer.

Grouping compares nothing else, so that "is the same as" is transitive. What a key leaves out depends on the
kind:

any      numbers by value; words without case, quotes and final punctuation; the letter of "(B)"
text     the same for words; numbers as they are written
letter   the letter of `(B)`, `b)` or `B. Paris`
numeric  the value of the only number: `42 apples`, `x = 42`, `$42.00`, `40 + 2 = 42`
math     the value of a number, its unit and name left out; else words as above, and formulas without spaces
reply    all of it, as it is
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from localsmc.results import AnswerKind
from localsmc.text.answers.answer import LONGEST
from localsmc.text.answers.glyphs import ascii_written
from localsmc.text.answers.latex import lettered, spelled, worded
from localsmc.text.answers.normalise import normalise
from localsmc.text.answers.number_words import whole_number
from localsmc.text.answers.numbers import plain, value
from localsmc.text.answers.numeric import number
from localsmc.text.answers.options import option
from localsmc.text.answers.separators import joined
from localsmc.text.answers.times import time_of
from localsmc.text.answers.units import quantity


@lru_cache(maxsize=4096)
def key(answer: str, kind: AnswerKind = "any") -> str:
    """What must be equal for two answers to be the same."""
    if len(answer) > LONGEST and kind != "reply":
        return " ".join(answer.split())
    return _KEYS[kind](answer)


def same(found: str | None, answer: str, kind: AnswerKind = "any") -> bool:
    """Whether a found answer equals the expected one; False if none was found."""
    return found is not None and key(found, kind) == key(answer, kind)


_WORDS = re.compile(r"[^\W\d_](?:[^\W_]|[ .,;:!?'’&/()\"-])*")
_LETTER = re.compile(r"\(([^\W\d_])\)|([A-Ja-j])\)(?:[ .:].*)?|\(([A-J])\)[ .:].*")


_FULL_WIDTH = re.compile(r"[\uff01-\uff5e]")
_COUNTED = re.compile(r"[-+]?[$€£]?\d[\d.,:/]* ?[^\W\d_]{1,40}[.,]?(?: [^\W\d_]{1,40}[.,]?){0,40}")
_TIME = re.compile(r"(?<=\d) ?([ap])(?:m(?!\w)|\.m\.?)", re.IGNORECASE)
_LONG_WORD = re.compile(r"[^\W\d_]{3,}")


def folded(answer: str) -> str:
    """A text without case, quotes and final punctuation if it is made of words; a formula as it is.

    After a number words are without case too, but not symbols of units: mW is not MW.
    """
    text = _FULL_WIDTH.sub(lambda one: unicodedata.normalize("NFKC", one[0]), answer)
    text = normalise(unicodedata.normalize("NFC", text)).strip(" \"'“”‘’«»„`*")
    if found := _LETTER.fullmatch(text):
        text = found[found.lastindex or 0]
    if text[:1].isdigit() and _COUNTED.fullmatch(text := _TIME.sub(_half_day, text)):
        return _LONG_WORD.sub(lambda word: word[0].casefold(), text).rstrip(" .,!")
    if not _WORDS.fullmatch(text):
        return text
    return " ".join(text.casefold().split()).strip(" .,;:!?\"'")


def _half_day(found: re.Match[str]) -> str:
    return f" {found[1].lower()}m"


_DEGREES = re.compile(r" ?\^ ?(?:\{ ?\\circ ?\}|\\circ(?![a-zA-Z]))")
_BRACED = re.compile(r"\^\{(-?\d{1,20})\}")
_GROUPED = re.compile(r"[-+]?\d[\d .,'_]{1,100}\d")
_DOLLARS = re.compile(r"(-?\d+(?:\.\d+)?) (?:us )?dollars?")


def _any(answer: str) -> str:
    written = _BRACED.sub(r"^\1", _DEGREES.sub("°", ascii_written(answer)))
    if (time := time_of(written)) is not None and time.is_half_known:
        return f"time {time}"
    text = folded(written)
    if found := _DOLLARS.fullmatch(text):
        text = found[1]
    text = joined(text) if _GROUPED.fullmatch(text) else text
    if (size := value(text)) is not None:
        return str(size)
    return plain(text) if any(char.isdigit() for char in text) or not _WORDS.fullmatch(text) else text


def _letter(answer: str) -> str:
    return lettered(normalise(answer)) or folded(answer)


def _numeric(answer: str) -> str:
    found = number(answer)
    return folded(answer) if found is None else str(found)


_NAMED = re.compile(r"(?:[a-zA-Z]|\\(?:theta|alpha|beta|lambda)) ?= ?([^=]+)")


def _math(answer: str) -> str:
    text = joined(spelled(answer))
    if (time := time_of(text)) is not None and time.is_half_known:
        return f"time {time}"
    text = whole_number(text) or text
    if named := _NAMED.fullmatch(text):
        text = named[1].strip()
    core = quantity(text, letters=True).core
    if (found := value(core)) is not None:
        return str(found)
    if (words := worded(text)) is not None:
        return words
    if (choice := option(text)) is not None:
        return choice.letter
    return plain(re.sub(r"\s", "", text))


_KEYS: dict[AnswerKind, Callable[[str], str]] = {
    "any": _any, "text": folded, "letter": _letter, "numeric": _numeric, "math": _math,
    "reply": str.strip,
}  # fmt: skip
