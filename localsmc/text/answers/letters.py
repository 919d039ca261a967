"""The option that a text chooses without saying "answer": "It's C.", "I choose B", "B) Rome is right"."""

from __future__ import annotations

import re
from collections import deque

from localsmc.text.answers.statements import is_denied, touches_end

MOST = 60
"""Maximum number of choices of each form that are read, from the end of a text."""

_OPTION = r"(?:(?:the )?(?:option|choice|answer|letter)[ ]{1,2})?"
_LETTER = r"[*_`\"“]{0,3}[(\[]?(?-i:(?P<letter>[A-J]))(?P<close>[)\]]?)[*_`\"”]{0,3}"
_END = r"(?=[ ]{0,2}(?:[.,;!)\n]|$|(?:because|since|as|which|for)\b))"
_RIGHT = (
    r"(?:is|must be|would be|has to be|should be) (?:clearly |obviously |therefore |thus |indeed )?"
    r"(?:the )?(?:most )?(?:correct|right|best|appropriate)"
    r"(?: (?:one|answer|choice|option|pick|statement|letter))?"
)
_START = r"(?:^|(?<=[.!?:,\n] )|(?<=\bthat )|(?<=[\n*,]))(?:(?:so|thus|therefore|hence|then|and),? )?"

_FORMS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\b(?:i|we|i'd|i'll|i would|i will|i'm going to|let's|let me|i have to|i must) (?:choose|chose"
        rf"|pick|picked|select|selected|go with|going with|went with|guess|say|vote for)(?: for)? "
        rf"{_OPTION}{_LETTER}{_END}",
        rf"\bmy (?:choice|pick|guess|selection|vote|response) (?:is|would be|will be) "
        rf"{_OPTION}{_LETTER}{_END}",
        rf"{_START}(?:it's|it’s|it is|it must be|it has to be|it would be|that's|that’s|that is|that would be"
        rf"|this is) {_OPTION}{_LETTER}{_END}",
        rf"{_START}(?:that |the )?{_OPTION}{_LETTER} {_RIGHT}{_END}",
        rf"{_START}{_OPTION}{_LETTER}(?:(?<=[)\]*])|[.:]) ?(?!\s)[^.\n]{{1,120}}? {_RIGHT}{_END}",
    )
)
_LAST_LINE = re.compile(
    rf"[ \t*_#>-]{{0,6}}(?:option|choice|letter) {_LETTER}[.!]?[ \t*_]{{0,4}}", re.IGNORECASE
)
_BEFORE = 80


def chosen(text: str, *, is_cut: bool = False) -> str | None:
    """The letter of the option that is chosen last; None if none is."""
    found = (_last(text, form, is_cut) for form in _FORMS)
    best = max(filter(None, found), key=lambda one: one.end(), default=None)
    if best is not None:
        return best["letter"]
    last = _LAST_LINE.fullmatch(text[text.rstrip().rfind("\n") + 1 :][:100].rstrip())
    return last["letter"] if last and not is_cut else None


def _last(text: str, form: re.Pattern[str], is_cut: bool) -> re.Match[str] | None:
    candidates = reversed(deque(form.finditer(text), MOST))
    return next((one for one in candidates if _is_meant(text, one, is_cut)), None)


def _is_meant(text: str, found: re.Match[str], is_cut: bool) -> bool:
    """Whether a choice is neither denied, supposed nor asked, and whole."""
    before = text[max(0, found.start() - _BEFORE) : found.start()].lower()
    sentence = re.split(r"[.!?\n]\s?", before)[-1]
    inside = text[found.end("letter") : found.end()].lower()
    if is_denied(sentence) or re.search(r"\b(?:not|if|whether|n't|incorrect)\b", inside):
        return False
    end = found.end()
    return text[end : end + 1] != "?" and not (is_cut and touches_end(text, end, bool(found["close"])))
