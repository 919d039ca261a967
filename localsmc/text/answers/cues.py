"""The places in a text where a statement of an answer may be: nouns such as "answer", and "####".

From the end, and no more than a few: the last statement counts, and a text that says "answer" a thousand
times without giving one gives none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from localsmc.text.answers.languages import LANGUAGES, Language

MOST = 60
"""Maximum number of cues that are read, from the end of a text."""
_MOST_TRIES = 500
"""Maximum number of occurrences of a noun that are looked at, most of them within other words."""

CueKind = Literal["answer", "result", "option", "hashes"]
HASHES = "####"
_NUMBER_AT_END = re.compile(r"[ \t]{0,3}[-+−]?[$€£]?[-−]?\d[\d.,/]{0,20}[ \t]{0,8}(?:\n|$)")


class Cue(NamedTuple):
    """A noun, or "####", in a text."""

    start: int
    end: int
    kind: CueKind
    language: Language


def _nouns() -> Iterator[tuple[str, CueKind, Language]]:
    for language in LANGUAGES:
        fields: tuple[tuple[CueKind, str], ...] = (
            ("answer", language.answers), ("result", language.results), ("option", language.options),
        )  # fmt: skip
        for kind, words in fields:
            yield from ((noun, kind, language) for noun in words.split("|") if noun)


_NOUNS = tuple(_nouns())


def cues(lower: str) -> tuple[list[Cue], list[Cue]]:
    """The cues of a text in lower case, the last first: those for answers, and those for mere results."""
    found: dict[bool, list[Cue]] = {True: [], False: []}
    for noun, kind, language in _NOUNS:
        found[kind != "result"] += _occurrences(lower, noun, kind, language)
    found[True] += _hashes(lower)
    first, second = (sorted(found[is_sure], key=lambda cue: -cue.end)[:MOST] for is_sure in (True, False))
    return first, second


def _occurrences(lower: str, noun: str, kind: CueKind, language: Language) -> list[Cue]:
    found: list[Cue] = []
    end = len(lower)
    for _ in range(_MOST_TRIES):
        start = lower.rfind(noun, 0, end)
        if start < 0 or len(found) == MOST:
            break
        stop = start + len(noun)
        if not language.is_spaced or not (
            lower[max(0, start - 1) : start].isalpha() or _goes_on(lower, stop)
        ):
            found.append(Cue(start, stop, kind, language))
        end = start
    return found


def _goes_on(lower: str, stop: int) -> bool:
    """Whether the word goes on, but for the plural: "answering", "totally"."""
    return lower[stop : stop + 1].isalpha() and not (
        lower[stop] == "s" and not lower[stop + 1 : stop + 2].isalpha()
    )


def _hashes(lower: str) -> list[Cue]:
    """Four number signs, as in GSM8K: at the start of a line, or before a number at its end."""
    found: list[Cue] = []
    end = len(lower)
    for _ in range(_MOST_TRIES):
        at = lower.rfind(HASHES, 0, end)
        if at < 0 or len(found) == MOST:
            break
        line = lower.rfind("\n", 0, at) + 1
        is_start = at - line <= 8 and not lower[line:at].strip(" \t>*")
        if is_start or (lower[at - 1].isspace() and _NUMBER_AT_END.match(lower, at + len(HASHES))):
            found.append(Cue(at, at + len(HASHES), "hashes", LANGUAGES[0]))
        end = min(at, line)
    return found
