"""The last answer that a text states: "the answer is 5", "**Answer:** 5", "#### 5", "B is correct"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from localsmc.text.answers.answer import LONGEST
from localsmc.text.answers.clause import Clause, clause, may_go_on
from localsmc.text.answers.cues import Cue, cues
from localsmc.text.answers.languages import COPULAS, DENIED_ENDS, WRONG
from localsmc.text.answers.links import Link, before_noun, link, phrase

Accepts = Callable[[str], bool]
"""Whether a value can be an answer of the kind that is looked for."""


class _Statement(NamedTuple):
    """A stated value, where it ends, and whether a mark of its own ends it."""

    value: str
    end: int
    is_closed: bool


def stated(text: str, accepts: Accepts, *, is_cut: bool = False) -> str | None:
    """The value of the last statement of an answer that `accepts` lets pass; None if there is none.

    A statement of a mere result ("the total is 12") counts only if none of an answer does, and only if
    nothing is calculated after it. With `is_cut`, values that touch the end of the text are unfinished.
    """
    # Of all letters only this one gets longer in lower case.
    lower = text.replace("\u0130", "I").lower()
    sure, unsure = cues(lower)
    for cue in (*sure, *unsure):
        found = _forward(text, lower, cue) or _backward(text, cue, lower)
        if found is not None and not accepts(found.value):
            found = _option_behind(text, cue)
        if (
            found is None
            or not accepts(found.value)
            or (is_cut and touches_end(text, found.end, found.is_closed))
        ):
            continue
        if cue.kind != "result" or _is_last(text, found):
            return found.value
    return None


_BEHIND = re.compile(
    r"(?<![\w'’])(?P<not>not )?(?:(?:option|choice|letter|answer) (?P<named>\(?[A-J]\)?)(?![\w'’])"
    r"|(?P<closed>\([A-J]\)))"
)


def _option_behind(text: str, cue: Cue) -> _Statement | None:
    """The letter that follows the value in its sentence: "Berlin (C)", "Berlin, which is option C"."""
    rest = text[cue.end : cue.end + 200]
    stop = re.search(r"[.!?](?:\s|$)|\n", rest)
    found = [one for one in _BEHIND.finditer(rest[: stop.start() if stop else len(rest)]) if not one["not"]]
    letters = {(one["named"] or one["closed"]).strip("()") for one in found}
    if len(letters) != 1:
        return None
    last = found[-1]
    return _Statement(letters.pop(), cue.end + last.end(), bool(last["closed"]))


_NEXT = re.compile(r"\W{1,4}(?P<first>\w+)\W+(?P<second>\w+)?(?P<more>\W)?")
_SURE = re.compile(r"(?:because|since|so|therefore|thus|which|weil|denn|car|porque|perché|omdat|потому)$")


def touches_end(text: str, end: int, is_closed: bool) -> bool:
    """Whether a cut text may go on in the value that ends at `end`: after `12`, `12.`, `12 an`, not `Paris.`.

    What follows the value decides where it ends, and must itself be whole: a line end, a full stop, or words.
    """
    tail = text[end : end + 80].lstrip("*_\"'”»)`")
    if is_closed or tail.startswith(("\n", "。", "！", "!", "</answer", "</final", "[/")) or len(tail) > 60:
        return False
    if tail[:1] == ".":
        is_last = not tail[1:].strip(" \t*_$\"'")
        return is_last and (text[end - 1].isdigit() or may_go_on(text[max(0, end - 20) : end]))
    following = _NEXT.match(tail)
    if following is None:
        return "\n" not in tail
    is_whole = following["second"] is not None and following["more"] is not None
    return not (is_whole or "\n" in tail or _SURE.match(following["first"].lower()))


def _is_last(text: str, found: _Statement) -> bool:
    """Whether nothing is calculated after the sentence of a result."""
    line_end = text.find("\n", found.end)
    rest = text[found.end :]
    stop = re.search(r"[.!?]\s|\n", rest)
    return line_end < 0 and stop is None or not re.search(r"\d", rest[stop.end() if stop else 0 :])


# --- "the answer is 5" --------------------------------------------------------------------------

_SKIPPED = re.compile(
    r"[ \t:=：,，、]{0,6}(?:\([a-z]{3,20}(?: [a-z]{2,20}){0,4}[.!]{0,3}\)[ \t]{1,3}(?=[^\W_]|[*$\\\"(-]))?"
)
"""What comes before the value, and an aside: "The answer is (drumroll) 7"."""
_ADVERBS = (
    r"(?:therefore|thus|then|hence|simply|just|indeed|actually|clearly|obviously|definitely|probably"
    r"|most likely|likely|now|also|still|only|in fact|of course|currently|again|surely|certainly|always"
    r"|exactly|precisely|finally|overall)(?!\w)[ ,:]{1,3}"
)
_APPROXIMATELY = (
    r"(?:about|approximately|roughly|around|nearly|a total of|in total|equal to|given by|that|it is|it's"
    r"|they are|there are|environ|aproximadamente|ungefähr|etwa|circa|ca\.|≈"
    r"|~)[ :]{0,2}(?=[*_$\"“(\\]{0,3}[-−]?\.?\d|[$\\])"
)
_LETTERED = (
    r"(?:(?:the|la|le|die|das|der|el|il|a|o|l'|de) )?(?:option|choice|answer|letter|alternative|opción"
    r"|opcion|opção|opzione|optie|lettre|letra|lettera|buchstabe|вариант|选项|選項|选"
    r"|選択肢)[ ]{0,2}(?=[(\"“*$`]{0,3}[a-j][)\]\"”.*$`]{0,3}(?:[ ,.;:)。，]|$))|(?:la|le|die|el|il"
    r"|a) (?=[(\"“*$`]{0,3}[b-j][)\"”*$`]{0,3}(?:[ ,.;:)]|$))"
)
_NUMBERED = r"(?:the )?(?:number|value)[ ]{1,2}(?=[*_$]{0,3}[-−]?\d)"
_HEDGE = re.compile(rf"[ \t]{{0,3}}(?:{_ADVERBS}|{_APPROXIMATELY}|{_LETTERED}|{_NUMBERED})", re.MULTILINE)

_PROSE = re.compile(
    r"(?:that|to|in|on|by|based|found|given|obtained|correct|incorrect|wrong|clear|simple|obvious|unknown"
    r"|not|what|how|whether|if|because|when|where|why|below|above|as|so|also|it|this|these|the same"
    r"|supposed|expected|required|needed|usually|going|close|closer|greater|more|less|larger|smaller|higher"
    r"|lower|between|somewhere|either|we|you|he|she|they|always|never|only|same|nowhere|near|dependent"
    r"|determined|calculated|computed|derived|written|expressed|shown|provided|stated|reached|represented"
    r"|rounded|at|over|under|up to|for|of|with|from|different|important|easy|hard|difficult|straightforward"
    r"|likely|possible|impossible|ready|already|left (?:to|as|for|up)"
    r"|here|unclear|uncertain|undetermined|your|an? (?:number|integer"
    r"|value|single|bit|good|positive|real|whole|matter|simple|combination|function)|the (?:following|one"
    r"|number of|sum of|value of|result of|total of|difference|product of)|i (?:[a-z]|'m)|nicht|dass|que"
    r"|che|dat|чтобы)(?!\w)"
)
"""What no value begins with in a sentence about the answer."""
_LABEL_PROSE = re.compile(
    r"(?:to (?:find|solve|determine|calculate|answer|get|figure|do|compute)|let|let's|first|we|if|since"
    r"|because|step|here|in this|as an ai|i (?:think|am|don|can|will|would|have|need)|what|how|why|based on"
    r"|according|start|now|next|then|yes or no|your|write|put|question|explanation|this (?:is|question"
    r"|problem)|the (?:problem|question|following)|use|given that|given the|for (?:the|this|each))(?!\w)"
)
"""What no value begins with after a label: worked solutions do."""
_AGAIN = re.compile(r"(?<!\w)(?:answer|antwort|réponse|respuesta|risposta|resposta|ответ)(?!\w)|答案|정답")
_BLANKS = re.compile(
    r"[\[<{(]?(?:\.{2,}|…|_{2,}|\?+|your .{0,20}answer.{0,10}|(?:final |the )?answer(?: here)?"
    r"|insert .{0,30}|number|letter|value|result|option|null|n/a|tbd)[\]>})]?"
)

_UNFINISHED_BOX = re.compile(r"\\(?:b(?:ox?)?|f(?:b(?:ox?)?|r(?:a(?:m(?:e(?:b(?:ox?)?)?)?)?)?)?)?$")

_DENIED = re.compile(
    r"(?:n['’]t|\bnot|\bnever|\bdoubt|\bcannot)(?: (?:think|believe|say|saying|sure|true|certain|mean|claim"
    r"|know|agree|possible|correct|likely|the|case|be|yet|really|convinced))*(?: (?:that|if|whether))? $"
    r"|\b(?:false|incorrect|wrong) to (?:say|think|claim|conclude|assume|believe)(?: that)? $|\b(?:false"
    r"|untrue|incorrect|wrong|impossible|unlikely|doubtful|nicht wahr|falsch)(?:,? (?:that|dass))? $"
)
_SUPPOSED = re.compile(
    r"(?<!\w)(?:if|whether|unless|until|suppose|supposing|assume|assumes|assuming|imagine|pretend|let's say"
    r"|let us say|(?:check|verify|ensure|make sure|hope|hoping|wish)(?: that)?|once|what if|wenn|falls|ob"
    r"|angenommen|si|se|als|indien|om|если|jeśli|jika|nếu)(?: (?:that|then|we say|say|dass|que|che))? $|如果$"
    r"|假设$|假設$|是否$|もし$"
)


_ABOUT = re.compile(
    r"(?<!\w)(?:steps?|format|form|explanations?|reasons?|reasoning|justification|proof|derivation|units?|length|type"
    r"|kind|guide|hints?|approach|path|route|way|method|strategy|discussion|description|analysis|verification|check"
    r"|breakdown|summary|structure|part|parts|details?) (?:of|to|for|behind|towards?|leading to) $"
)
"""What makes a statement one about something else than the answer: "Steps to the answer: ..."."""
_ON_THE_WAY = re.compile(
    r"\W{0,6}(?:(?:so|now|then|and|but|first|next|in order)\W{1,3})?to (?:\w+ly )?"
    r"[a-z]{2,12}(?: (?:for|at|to|us|out))? "
)
"""Before a label this announces work: "To find the answer: add 3"."""


def _forward(text: str, lower: str, cue: Cue) -> _Statement | None:
    """The statement whose value follows its cue."""
    found = link(lower, cue)
    if found is None or not _is_about(lower, cue, found):
        return None
    if found.kind == "hashes" and _STEP.match(lower[found.start : found.start + 60].lstrip()):
        return None
    start = _SKIPPED.match(lower, found.start).end()  # type: ignore[union-attr]
    while (hedge := _HEDGE.match(lower, start)) and hedge.end() > start:
        start = hedge.end()
    read = clause(text, start, cue.language)
    if read is not None and text[read.end : read.end + 1] in (":", "：") and _PROSE.match(read.value.lower()):
        read = clause(text, read.end + 1, cue.language)  # "The answer is as follows: 5"
    if read is None or read.is_asked:
        return None
    value = without_copula(_unquoted(read.value))
    if value is None or not _is_value(value, cue, found, read):
        return None
    if "=" in lower[cue.end : found.start] and _is_code(text, cue.start, value):
        return None
    return _Statement(value, read.end, read.is_closed)


_LITERAL = re.compile(r"[-+]?\.?\d[\d_.,/]*|[\"'].*|\[.*|\(.*|\\.*|True|False|None")


def _is_code(text: str, start: int, value: str) -> bool:
    """Whether an assignment calculates, as in a block of code, rather than giving a value."""
    if _LITERAL.fullmatch(value):
        return False
    return text.count("```", 0, start) % 2 == 1 or bool(re.fullmatch(r"[a-z_]{2,}[\w.]*\(.*", value))


def _is_about(lower: str, cue: Cue, found: Link) -> bool:
    """Whether the words before the noun leave it a statement of the answer: not "if the wrong answer"."""
    if found.kind in ("hashes", "tag"):
        return True
    outside, own = phrase(before_noun(lower, cue), cue.language)
    if _ABOUT.search(outside) or (found.kind != "sentence" and _ON_THE_WAY.fullmatch(outside)):
        return False
    if re.search(rf"(?<!\w)(?:{WRONG})(?!\w)", own):
        return False
    own += lower[cue.end : found.start]
    if cue.kind == "option" and not any(word in own for word in cue.language.adjectives.split("|")[:10]):
        return False
    return not is_denied(outside)


def is_denied(before: str) -> bool:
    """Whether the words before a statement, in lower case, deny it or only suppose it."""
    return bool(_DENIED.search(before) or _SUPPOSED.search(before))


def _unquoted(value: str) -> str:
    """A value without the quotation mark that ends a sentence around it."""
    is_open = len(re.findall(r"['’](?!\w)", value)) == 1 and not re.search(r"(?<!\w)['‘]", value)
    return value.rstrip("'’") if is_open else value


def without_copula(value: str) -> str | None:
    """A value without the verb behind it, as in Japanese; None if that verb denies it."""
    value = value.strip()
    if value.endswith(tuple(DENIED_ENDS.split("|"))):
        return None
    copula = next((word for word in COPULAS.split("|") if value.endswith(word)), "")
    return _calculated(value.removesuffix(copula).strip())


_CALCULATION = re.compile(
    r"[\dx\s+\-−*/×÷·.,%$^()!]{0,200}(?:\\(?:times|cdot|div)[\dx\s+\-−*/×÷·.,%$^()!]{0,50}){0,5}(?:=| is "
    r"| equals )"
)


def _calculated(value: str) -> str:
    """The last side of a calculation with numbers alone, 7 of `3 + 4 = 7`; other values as they are."""
    found = _CALCULATION.match(value)
    if found is None or not re.search(r"\d\s?(?:[x+\-−*/×÷·^]|\\times|\\cdot|\\div)\s?[($]?\d|\d!", found[0]):
        return value
    last = re.split(r"=| is | equals ", value)[-1].strip()
    return last or value


def is_blank(lower: str) -> bool:
    """Whether a value in lower case only holds the place of an answer: "...", "your answer"."""
    return bool(_BLANKS.fullmatch(lower))


def _is_value(value: str, cue: Cue, found: Link, read: Clause) -> bool:
    lower = value.lower().strip("*_\"'“” ")
    if not lower or len(value) > LONGEST or _AGAIN.search(lower) or is_blank(lower):
        return False
    if "boxed" in value or _UNFINISHED_BOX.search(value) or not re.search(r"[^\W_]", value):
        return False
    if cue.kind == "result" and not _CALCULATED.match(value):
        return False
    if found.kind == "hashes":
        return len(value.split()) <= 5
    if not read.is_closed and len(value) > 150 and "\\" not in value:
        return False
    prose = _PROSE if found.kind == "sentence" else _LABEL_PROSE
    if read.is_quoted:
        return True
    is_letter = bool(re.fullmatch(r"[(\[]?[A-Za-z][)\]]?", value.strip("*_\"' ")))
    return is_letter or not (prose.match(lower) or len(value.split()) > 20)


_STEP = re.compile(
    r"\d+\s*[.):]\s|(?:step|part|solution|answer|explanation|conclusion|final|note|problem|question)\b", re.I
)
"""What a line after "####" begins with if it is a heading."""
_CALCULATED = re.compile(r"[-+−*_]{0,3}[$€£¥(\\{\[]{0,3}\.?\d|[$\\(]|[a-zA-Z]\w{0,3} ?=")
"""What the value of a mere result begins with."""


# --- "5 is the answer" --------------------------------------------------------------------------

_SUBJECT = re.compile(
    r"(?:^|[\s(:])(?P<value>\*{0,2}(?:[-−]?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?(?: [a-z]{2,12}){0,2}?"
    r"|(?-i:\(?[A-J]\))|(?-i:[A-J])|\$[^$\n]{1,80}\$|\\\([^\n]{1,80}?\\\)|\"[^\"\n]{1,80}\""
    r"|“[^”\n]{1,80}”)\*{0,2}) (?:is|are|was|would be|must be|should be|will be) (?:therefore |thus |then "
    r"|indeed |clearly )?(?:the|our|my|your)(?: (?:final|correct|right|best|only|true|exact"
    r"|correct and final))* $",
    re.IGNORECASE,
)
_RIGHT = re.compile(
    r" (?P<value>\(?(?-i:[A-J])\)?) (?:is|would be|must be) (?:the )?(?:correct|right|best|true|final)\b",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:i|i'd|i'll|i would|i will|we) (?:choose|pick|select|go with|say)(?: the)? $", re.IGNORECASE
)
_LETTER = re.compile(r" (?P<value>\(?[A-J]\)?)(?=[ .,;:\n]|$)")


def _backward(text: str, cue: Cue, lower: str) -> _Statement | None:
    """The statement whose value comes before the noun, or before "is correct"."""
    if cue.kind == "hashes":
        return None
    before = text[max(0, cue.start - 160) : cue.start]
    before = before[-len(before_noun(lower, cue)) or len(before) :]
    if cue.kind == "option":
        right = _RIGHT.match(text, cue.end) or (
            _LETTER.match(text, cue.end) if _CHOSEN.search(before) else None
        )
        if right:
            return _Statement(right["value"], right.end(), False)
    found = _SUBJECT.search(before)
    if found is None or text[cue.end : cue.end + 2].strip(" *")[:1] == "?":
        return None
    subject = before[: found.start("value")].lower()
    if is_denied(subject) or re.search(r"\b(?:is|are|was)\s*$", subject):
        return None
    return _Statement(found["value"].strip("*"), cue.end, False)
