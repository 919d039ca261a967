"""From a cue to the place where its value begins: "answer" -> ":", "is", "to the question is", a line end."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, NamedTuple

from localsmc.text.answers.cues import Cue
from localsmc.text.answers.languages import COPULAS, WRONG, Language

WINDOW = 200
"""Maximum number of characters around a noun that decide whether it states something."""

LinkKind = Literal["label", "sentence", "heading", "tag", "hashes"]


class Link(NamedTuple):
    """How a value follows a cue, and where it begins."""

    kind: LinkKind
    start: int


class _Patterns(NamedTuple):
    """The compiled words of a language."""

    phrase: re.Pattern[str]
    """The words directly before the noun that belong to it."""
    own: re.Pattern[str]
    """Adjectives behind the noun, brackets and closing marks."""
    gap: re.Pattern[str]
    verb: re.Pattern[str]
    denial: re.Pattern[str]


def _either(words: str) -> str:
    return "|".join(map(re.escape, sorted(filter(None, words.split("|")), key=len, reverse=True))) or "(?!)"


_ARTICLES = (
    "the|my|our|your|its|his|her|their|this|that|a|an|so|and|die|das|der|unsere|meine|la|le|notre|ma|una|un"
    "|une|nuestra"
    "|mi|il|lo|los|a|o|as|nossa|minha|het|de|mijn|ons|den|det|наш|мой|moja|nasza|minha"
)
_CLOSING = r"(?:[\"”»*_`)\]]|['’](?!s\b)){0,4}"


@cache
def _patterns(language: Language) -> _Patterns:
    adjectives, end = _either(language.adjectives), r"(?!\w)" if language.is_spaced else ""
    spaced = r"[ \t]{1,3}" if language.is_spaced else r"[ \t]{0,3}"
    own = rf"(?:{spaced}(?:{adjectives}){end})" if language.adjectives else ""
    verb = rf"[ \t,]{{0,3}}(?:{_either(language.verbs)}|=)"
    return _Patterns(
        phrase=re.compile(
            rf"(?<!\w)(?:(?:{_ARTICLES}|{adjectives}|{_either(WRONG)})[ \t_\-]{{0,3}}"
            rf"|[\"'“*_(#\[]{{1,3}}){{0,6}}$"
        ),
        own=re.compile(
            rf"{_CLOSING}{own + '{0,2}' if own else ''}(?:[ \t]?[(（][^()（）\n]{{0,60}}[)）])?{_CLOSING}"
        ),
        gap=re.compile(rf"[ \t,]{{0,3}}(?:\(|(?:{_either(language.linkers)}){end})"),
        verb=re.compile(verb + (r"(?=n['’]t|\W|$|\d)" if language.is_spaced else "")),
        denial=re.compile(
            rf"[ \t,]{{0,3}}(?:\w+ly |\w+ment )?(?:can|ca|wo|could|would|should|will|must|may|might|do|does)?"
            rf"(?:[ \t]{{0,2}})(?:{_either(language.denials)}){end}"
        ),
    )


def link(lower: str, cue: Cue) -> Link | None:
    """How a value follows the cue in a text in lower case; None if none follows, or if it is denied."""
    if cue.kind == "hashes":
        return Link("hashes", cue.end)
    before, rest = before_noun(lower, cue), lower[cue.end : cue.end + WINDOW]
    if re.search(r"[<\[](?:final[_ -])?$", before) and re.match(r"[>\]]", rest):
        return Link("tag", cue.end + 1)
    if re.search(r"[<\[]/(?:final[_ -])?$", before):
        return None
    patterns = _patterns(cue.language)
    i = 1 if rest.startswith("s") and cue.language.is_spaced else 0
    i = patterns.own.match(rest, i).end()  # type: ignore[union-attr]
    found = _labelled(rest, i, before) or _joined(rest, i, patterns, cue.language)
    is_inverted = not cue.language.answers.startswith("answer") and _VERB_FIRST.search(before)
    if found is None and cue.language.answers.startswith("answer"):
        found = _given(lower, cue, before, rest, i)
    if found is None and (is_inverted or _VERB_LAST.match(rest, i)):
        found = Link("label", i)
    return found and found._replace(start=cue.end + found.start)


_GIVING = re.compile(
    r"(?<!\w)(?:gets?|got|getting|gives?|gave|giving|yields?|yielding|obtain(?:s|ed|ing)?|reach(?:es|ed)?"
    r"|arrives? at|arrived at|leads? to|leads? us to|leaves?|produces?|have|with|found|find)(?: us| me)?"
    r" (?:(?:the|our|an|my|a|final|correct|exact) ){1,3}[*_]{0,3}$"
)
_NOT_GIVING = re.compile(
    r"n['’]t |(?<!\w)(?:not|never|if|whether|to|would|could|did|wrong|incorrect|cannot) "
)
_NUMBER_FOLLOWS = re.compile(r"[*_]{0,3}(?: of)? (?=[*_(]{0,3}[-−]?(?:\\?\$)?\.?\d[\d.,]*)")
_ABBREVIATED = re.compile(r"\.[ \t]{0,3}:?[ \t]{0,3}(?=[^\s.])")


def _given(lower: str, cue: Cue, before: str, rest: str, i: int) -> Link | None:
    """The link of "this gives us an answer of 5" and of "Ans. 5"; before it nothing else may judge it."""
    if lower[cue.start : cue.end] == "ans" and (found := _ABBREVIATED.match(rest)):
        return Link("label", found.end()) if _BEFORE_HEADING.fullmatch(before) else None
    found = _NUMBER_FOLLOWS.match(rest, i)
    if found is None or not _GIVING.search(before) or _NOT_GIVING.search(before):
        return None
    is_judged = re.match(
        r"[^.!?\n]{0,40} (?:is|was|are|seems|looks|would|can|must|isn|wasn)(?!\w)", rest[found.end() :]
    )
    return None if is_judged else Link("sentence", found.end())


def before_noun(lower: str, cue: Cue) -> str:
    """The text before a noun within its sentence, at most WINDOW characters of it."""
    before = lower[max(0, cue.start - WINDOW) : cue.start]
    ends = [found.end() for found in re.finditer(r"[.!?;:]\s|[\n。！？；：]", before)]
    return before[ends[-1] :] if ends else before


def phrase(before: str, language: Language) -> tuple[str, str]:
    """The text before a noun, parted before the words that belong to the noun, such as "the correct"."""
    start = max(0, len(before) - 80)
    found = _patterns(language).phrase.search(before, start)
    at = found.start() if found else len(before)
    return before[:at], before[at:]


_VERB_FIRST = re.compile(
    r"(?<!\w)(?:ist|lautet|wäre|beträgt|is|är|blir|er)(?: (?:also|daher|somit|dus|daarom|derfor|därför))?"
    r"(?: (?:die|das|unsere|het|ons|de|det|richtige|korrekte|endgültige|juiste|rätta))* $"
)
"""A verb before its noun, as in German after "therefore"."""
_VERB_LAST = re.compile(
    rf"[ \t]{{1,3}}(?=[*_$\"]{{0,3}}[-−]?(?:\d[\d.,]{{0,20}}[ *_$\"]{{0,3}}\w{{0,12}} ?|[a-j](?=['’]))"
    rf"(?:{_either(COPULAS)})(?!\w))"
)
"""A number with its verb behind it, as in Turkish and Hindi."""
_LABEL = re.compile(r"[ \t]{0,3}(?:[:：=＝]{1,2}|->|→|=>|⇒|\|(?=[ \t]))[ \t]{0,3}[:：=]?")
_DASH = re.compile(r"[ \t]{1,3}[-–—]{1,2}[ \t]|[-–—]{1,2}[ \t]")
_LINE_END = re.compile(r"[ \t:*_#=~-]{0,8}\n(?:[ \t]{0,8}[-=*_~]{2,40}[ \t]{0,8}\n)?")
_BEFORE_HEADING = re.compile(r"[\s#*_>~\-=\d.)(\[\"“]*(?:(?:the|my|our|your|final|correct)\s+|[*_\"“]){0,4}")


def _labelled(rest: str, i: int, before: str) -> Link | None:
    if found := _LABEL.match(rest, i):
        return Link("label", found.end())
    is_alone = bool(_BEFORE_HEADING.fullmatch(before)) or bool(
        re.fullmatch(r"[\s#*_>]*\S{0,20}\s?\S{0,20}\s?[*_]{0,3}", before)
        and before.lstrip()[:1] in ("#", "*")
    )
    if not is_alone:
        return None
    if found := _DASH.match(rest, i):
        return Link("label", found.end())
    if found := _LINE_END.match(rest, i):
        return Link("heading", found.end())
    is_marked = bool(re.match(r"[ \t]{1,3}[*_$\\(\d-]|[ \t]{1,3}[a-j](?![\w'])", rest[i:]))
    return Link("label", i) if is_marked and re.search(r"[*_]|final", before + rest[:i]) else None


def _joined(rest: str, i: int, patterns: _Patterns, language: Language) -> Link | None:
    if patterns.denial.match(rest, i):
        return None
    if (found := _after_verb(rest, i, patterns)) is not None:
        return found if found.start >= 0 else None
    gap = patterns.gap.match(rest, i) if language.is_spaced else None
    if gap is None and language.is_spaced:
        return None
    # The gap ends with its sentence; quotations within it do not matter.
    rest = _QUOTATION.sub(lambda quoted: "x" * len(quoted[0]), rest)
    end = re.compile(r"[.!?;:：\n]").search(rest, i)
    stop = end.start() if end else len(rest)
    first: Link | None = Link("label", stop + 1) if end and end[0] in ":：" else None
    for at in _verbs(rest, i, stop, patterns):
        found = _after_verb(rest, at, patterns)
        if found is None or found.start < 0 or patterns.denial.search(rest[max(0, at - 12) : at]):
            return None
        if _VALUE.match(rest, found.start):
            return found
        first = found if first is None or first.kind == "label" else first
    return first


_QUOTATION = re.compile(
    r"(?<=[\s(])(?:\"[^\"\n]{1,120}\"|“[^”\n]{1,120}”|'[^'\n]{1,120}'|‘[^’\n]{1,120}’)(?!\w)"
)
_VALUE = re.compile(
    r"[ \t:]{0,3}(?:[*_$\"“`(\\\[{-]{0,4}\d|\$|\\|\*\*|[\"“`(]|[a-z]\w{0,3} ?=|[a-j](?![\w'’]))"
)


def _verbs(rest: str, start: int, end: int, patterns: _Patterns) -> list[int]:
    """Where verbs begin in the rest of the sentence, with the space before each."""
    spaces = re.compile(r"[ \t,]").finditer(rest, start, end)
    return [space.start() for space in spaces if patterns.verb.match(rest, space.start())]


def _after_verb(rest: str, i: int, patterns: _Patterns) -> Link | None:
    """The link by a verb at `i`; its start is -1 if the verb is denied. None if there is no verb."""
    verb = patterns.verb.match(rest, i)
    if verb is None:
        return None
    denial = patterns.denial.match(rest, verb.end())
    if denial is None or re.match(r"\W{0,3}(?:\n|$)", rest[denial.end() :]):  # "La respuesta es no."
        return Link("sentence", verb.end())
    but = re.match(
        r"[^.!?;\n]{1,60}?,? (?:but|sondern|mais|sino|ma|mas|maar|а)(?: rather| instead)? ",
        rest[denial.end() :],
    )
    return Link("sentence", denial.end() + but.end() if but else -1)
