r"""A completion that is nothing but its answer, the usual form after examples: `Paris`, `**42**`, `B. Rome`.

One short line, and no sentence. Whatever may be the beginning of something longer is no answer.
"""

from __future__ import annotations

import re

from localsmc.results import AnswerKind
from localsmc.text.answers.clause import may_go_on
from localsmc.text.answers.cues import cues
from localsmc.text.answers.latex import lettered
from localsmc.text.answers.normalise import normalise
from localsmc.text.answers.numeric import number
from localsmc.text.answers.statements import is_blank

LONGEST = 60
"""Maximum number of characters of a line that is an answer."""
_LONGEST_OPTION = 200
"""The same for an option that is quoted with its letter."""
_MOST_WORDS = 4
_MOST_UNSPACED = 12
"""Maximum number of characters in a script without spaces."""

_FORMS = re.compile(r"[*_\"“”'‘’`$]")
_NUMBER = re.compile(
    r"(?:[a-zA-Z] ?= ?)?[-+−]? ?(?:[$€£¥₹]|\\\$)? ?[-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+"
    r"|\\[dtc]?frac\{\d+\}\{\d+\})(?: ?/ ?\d+| \d+/\d+)? ?(?:%|\\%|°|¢|€|£)?(?: ?[a-zA-Z]+[²³]?){0,3}"
)
_WORD = re.compile(r"(?<![\\a-zA-Z])[^\W\d_]{3,}")
_MARKED_WORDS = re.compile(r"\\(?:text|mathrm|textbf|mathbf|operatorname)\s?\{[^{}]*\}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\u0e00-\u0e7f]")
_SENTENCE = re.compile(
    r"(?<![\w'’])(?:is|are|was|were|am|has|have|had|do|does|did|can|cannot|could|will|would|should|must|may"
    r"|might|\w+n['’]t|\w+['’](?:m|re|ve|ll)|let['’]s|it['’]s|that['’]s|sorry|ist|sind|est|sont|es|son)"
    r"(?![\w'’])"
)
_OPENING = re.compile(
    r"(?:(?:i|we|you|let|this|these|those|there|here|first|next|then|now|so|therefore|because|since|if|when"
    r"|to (?:find|solve|get|answer|calculate|determine)|given|using|consider|suppose) .*"
    r"|step|solution|explanation|question|problem|proof|sure|okay|ok|hello|hi|hey|well|hmm|of course"
    r"|certainly|great|thanks?|thank you|sure thing|good question)(?: .*)?"
)
_OPTION = re.compile(r"(?<!\w)\(?([A-J])[).:](?!\w)")


def alone(text: str, kind: AnswerKind, *, most: int = _LONGEST_OPTION) -> str | None:
    """The text if it is nothing but an answer of this kind; None otherwise. It must not be cut."""
    line = text[: most + 100].strip()
    if not line or len(text.strip()) > most or "\n" in line or "\r" in line or line[0] in "#>|<":
        return None
    if kind == "letter":
        return line if _is_option(line) else None
    bare = _FORMS.sub("", normalise(line)).strip().rstrip(".!。！ ")
    if len(line) > LONGEST or not re.search(r"[^\W_]", bare) or _is_open(line):
        return None
    if is_blank(bare.lower()) or any(cues(line.lower())) or "box" in line:
        return None
    if _NUMBER.fullmatch(bare) and not _SENTENCE.search(bare.lower()):
        return line
    if kind == "numeric":
        return line if _is_name(bare) and number(bare) is not None else None
    return line if _is_formula(line) or _is_name(bare) else None


def are_options(value: str) -> bool:
    """Whether a text lists options, "A) 1 B) 2", rather than choosing one."""
    return len(set(_OPTION.findall(value))) > 1


_DENIED = re.compile(
    r"(?:not|n't|n’t) (?:the )?(?:correct|right|best|true)|(?:is|are) (?:wrong|incorrect|false)"
)


def _is_option(line: str) -> bool:
    shown = normalise(line)
    if lettered(shown) is None or are_options(shown):
        return False
    return not line.endswith(("?", ":")) and not _DENIED.search(line)


def _is_open(line: str) -> bool:
    """Whether a line asks, announces or trails off, or has several parts."""
    is_parted = re.search(r":(?!\d)|(?<!\d):|[!?;。！？；](?=\s+\S)|…|\.\.|//|[{}]\s*\"", line)
    stops = (found.start() for found in re.finditer(r"\.\s+\S", line))
    if is_parted or not all(may_go_on(line[:i]) for i in stops):
        return True
    return line.endswith(("?", "？", ",", "，", "-", "(", "+", "=", "\\"))


def _is_formula(line: str) -> bool:
    r"""Whether a line has no words but in `\text{}`; an equation names its left side: `x = 5`."""
    bare = _MARKED_WORDS.sub("", line)
    if _WORD.search(bare) or not re.search(r"[\d\\=^(]|^\W*[a-zA-Z]\W*$", bare):
        return False
    left, sign, _ = bare.strip("$\\([ ").partition("=")
    return not sign or bool(re.fullmatch(r"\\?[a-zA-Z]\w{0,5}(?:\([a-z]\))?\s*", left))


def _is_name(bare: str) -> bool:
    """Whether a line is made of a few words that are no sentence: `Paris`, `red, white and blue`."""
    lower = bare.lower()
    if _UNSPACED.search(bare):
        return len(bare) <= _MOST_UNSPACED and not re.search(r"[a-zA-Z\d]", bare)
    if not bare[0].isalnum() or not any(char.isalpha() for char in bare) or "=" in bare:
        return False
    is_said = _SENTENCE.search(lower) or _OPENING.fullmatch(lower)
    return len(bare.split()) <= _MOST_WORDS and not is_said
