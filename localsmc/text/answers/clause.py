r"""The value at the beginning of a text, cut where the value ends: `5` of "5, because 2 + 3 = 5".

Marked values end with their mark: `**5**`, `$5$`, `\[ 5 \]`, "Paris". Others end with their clause.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from localsmc.text.answers.answer import LONGEST
from localsmc.text.answers.languages import LANGUAGES, Language

MOST_LINES = 4
"""Maximum number of line ends between a label, such as "Answer:", and its value."""


Pattern = re.Pattern[str]


class Clause(NamedTuple):
    """A value, where it ends, and whether its own mark ended it, quotes or another one.

    `is_asked`: it ends in a question mark.
    """

    value: str
    end: int
    is_closed: bool = False
    is_asked: bool = False
    is_quoted: bool = False


_BULLET = re.compile(r"[-–•*]\s{1,3}(?=\S)")
_BLANK = re.compile(r"[ \t\r]{0,40}(?:\n[ \t\r>]{0,40}){0,4}")
_DISPLAYS = {r"\[": r"\]", "$$": "$$", r"\begin": r"\end"}
_QUOTES = dict(zip(("```", *"“«„「『\"‘'`"), ("```", *"”»“」』\"’'`"), strict=True))
_DEEPEST = 4
_BOLD = ("***", "**", "__", "*", "_")


def clause(text: str, start: int, language: Language = LANGUAGES[0]) -> Clause | None:
    """The value that begins at `start`, after spaces and line ends; None if there is none.

    It ends where a clause begins in English or in the given language.
    """
    found = _read(text[start : start + LONGEST + 200], 0, _reasons(language))
    return found._replace(end=start + found.end) if found.value else None


def _read(window: str, start: int, reasons: Pattern, depth: int = 0) -> Clause:
    """The value at `start` of a window; an empty one if there is none."""
    at = _BLANK.match(window, start).end()  # type: ignore[union-attr]
    if "\n" in window[start:at] and (bullet := _BULLET.match(window, at)):
        at = bullet.end()
    found = _display(window, at) or _quoted(window, at, reasons)
    if found is None and depth < _DEEPEST:
        found = _bold(window, at, reasons, depth)
    return _plain(window, at, reasons) if found is None else found


# --- marked values ------------------------------------------------------------------------------


def _display(window: str, at: int) -> Clause | None:
    opening = next((mark for mark in _DISPLAYS if window.startswith(mark, at)), None)
    if opening is None:
        return None
    begins = at if opening == r"\begin" else at + len(opening)
    close = window.find(_DISPLAYS[opening], begins + 1)
    if close < 0:
        return Clause("", at)
    end = close + len(_DISPLAYS[opening])
    if opening == r"\begin":
        close = end = window.find("}", close) + 1
        if not end:
            return Clause("", at)
    value = window[begins:close].strip()
    return Clause(value if r"\begin{pm" in value or r"\begin{bm" in value else _last_side(value), end, True)


_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:aligned|align\*?|gathered|equation\*?|split)\}")


def _last_side(value: str) -> str:
    r"""The last side of a derivation of several lines; of one line that only calculates, too."""
    value = _ENVIRONMENT.sub("", value).strip()
    lines = [line.strip() for line in value.split(r"\\") if line.strip(" &\n")]
    if len(lines) < 2:
        return value.replace("&", "")
    name, sign, _ = lines[0].replace("&", "").partition("=")
    side = lines[-1].replace("&", "").rpartition("=")[2].strip(" .,")
    return f"{name.strip()} = {side}" if sign and re.fullmatch(r"[a-zA-Z]\w{0,5}", name.strip()) else side


def _quoted(window: str, at: int, reasons: Pattern) -> Clause | None:
    mark = next((mark for mark in _QUOTES if window.startswith(mark, at)), None)
    if mark is None:
        return None
    begins = at + len(mark)
    if mark == "```":
        # The first line of a block of code names its language.
        begins = max(begins, window.find("\n", begins) + 1)
    close = window.find(_QUOTES[mark], begins)
    line_end = window.find("\n", begins)
    if close < 0 or (mark != "```" and 0 <= line_end < close):
        # What opens is not closed, or ends a quotation that began before.
        found = _plain(window, begins, reasons)
        return found if found.value else None
    value = window[begins:close].strip()
    return Clause(value.rstrip(".,").strip(), close + len(mark), True, is_quoted=True)


def _bold(window: str, at: int, reasons: Pattern, depth: int) -> Clause | None:
    mark = next((mark for mark in _BOLD if window.startswith(mark, at)), None)
    if mark is None:
        return None
    begins = at + len(mark)
    close, line_end = window.find(mark, begins), window.find("\n", begins)
    is_end = window[begins : begins + 1].isspace()  # of what was bold before: "**Answer:** 5"
    if is_end or close < 0 or 0 <= line_end < close:
        return _read(window, begins, reasons, depth + 1)
    inner = _read(window[:close], begins, reasons, depth + 1)
    return inner._replace(end=close + len(mark), is_closed=True) if inner.value else Clause("", at)


# --- values without a mark ----------------------------------------------------------------------

_ENGLISH = LANGUAGES[0].reasons
_UNSPACED = tuple(word for one in LANGUAGES if not one.is_spaced for word in one.reasons.split("|"))
_CLAUSES = (
    r"as (?:the|it|we|there|this|that|he|she|they|you|i|in|shown|stated|given|required|expected|follows"
    r"|per|\d)|and (?:the|it|this|that|we|he|she|they|you|so|not|then|i|is|are|there|its|therefore|thus"
    r"|hence)"
    r"|or (?:simply|equivalently|approximately|about|in other words)|instead of|rather than|i\.e\.|e\.g\."
    r"|after (?:the|she|he|\w+ing)|for (?:the|this|a) (?:question|problem|total)"
    r"|in the (?:question|problem|text|passage)"
)


@cache
def _reasons(language: Language) -> Pattern:
    """What begins another clause, in English and in this language."""
    words = {*_ENGLISH.split("|"), *(language.reasons.split("|") if language.is_spaced else ())} - {""}
    either = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?:{either}|{_CLAUSES})(?!\w)")


_AFTER_COMMA = re.compile(
    r"(?:an?|the|as|who|whose|and|in|on|at|by|for|to|from|after|before|that|this|it|he|she|they|we|you|I"
    r"|i\.e|e\.g|with|is|are|was|being|right|making|leaving|meaning|meine|der|die|das|den|le|la|les|el|los"
    r"|il|lo|o|os|de|da|want|und|et|y|e|en|also|donc|luego|quindi|dus|а|что)(?!\w)"
)
_NUMBER = re.compile(
    r"(?:about |approximately |roughly |around |exactly )?[-+−–]?\s?(?:[$€£¥₹]|\\\$)?\s?(?:\d[\d,.]*\d"
    r"|\.?\d+)(?:\s?/\s?\d+)?\s?(?:%|\\%|°|[a-zA-Z]+\.?)?(?:\s[a-zA-Z]+\.?){0,4}"
)
_LISTED = re.compile(
    r"(?:and |or |& |und |et |y |e )?(?:[-+−]?[$\\]?[$({]?[-+−]?\.?\d|[a-zA-Z]\w? ?=|\\(?:frac|sqrt|\())"
)
_IS_LIST = re.compile(r"[-+−$\\({\[]*[\d.]|[a-zA-Z]\w? ?=|\\")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:(?:[^\W\d_]\.)+[^\W\d_]|(?:Dr|Mr|Mrs|Ms|St|Mt|Prof|Ft|vs|No|approx|ca))$"
)
_INITIAL = re.compile(r"(?:^|[\s(])[A-Z]$")
_DOTTED = re.compile(r"(?:^|[\s(])(?:[^\W\d_]\.)+[^\W\d_]$")
_CLOSED = re.compile(r"\([A-Za-z]\)")
_PROSE = re.compile(r"\((?!mod)[^()]{0,120}?(?:[^\W\d_]{2,}|=)")
_TAG = re.compile(r"</?[a-zA-Z|]")
_ENDS = ".!?。！？…"
_MARKS = '"”»“`」』|'


def _plain(window: str, at: int, reasons: Pattern) -> Clause:
    """A value up to the end of its clause, at most to the end of the line."""
    newline = window.find("\n", at)
    line = window[at : newline if newline >= 0 else len(window)]
    i, depth = 0, 0
    while i < len(line):
        step = _atom(line, i)
        if step:
            i += step
            continue
        char = line[i]
        if depth == 0 and _ends(line, i, reasons):
            break
        if char in "([{（" and not _escaped(line, i):
            depth += 1
        elif char in ")]}）" and not _escaped(line, i) and not _is_option(line, i, depth):
            depth -= 1
            if depth < 0:
                break
        i += 1
    asked = line[i : i + 1] in ("?", "？")
    if line[i : i + 1] == "." and _DOTTED.search(line[:i]):
        i += 1
    value = line[:i].strip()
    return Clause(value, at + i, bool(_CLOSED.fullmatch(value)), asked)


def _is_option(line: str, i: int, depth: int) -> bool:
    """Whether a bracket that nothing opens belongs to the letter of an option: "B) Paris", "A) 1 B) 2"."""
    if i == 1:
        return line[0].isalpha()
    return depth == 0 and bool(re.fullmatch(r"\s[A-J]\) \S", line[max(0, i - 2) : i + 3]))


def _escaped(line: str, i: int) -> bool:
    return i > 0 and line[i - 1] == "\\"


def _atom(line: str, i: int) -> int:
    r"""The length of what is passed over as a whole: `$...$`, `\(...\)`, an escape; 0 for anything else."""
    if line.startswith(r"\(", i):
        close = line.find(r"\)", i)
        return close + 2 - i if close > 0 else 2
    if line[i] == "\\":
        return 2
    if line[i] == "$":
        close = line.find("$", i + 1)
        inner = line[i + 1 : close] if close > 0 else ""
        is_math = bool(inner) and inner == inner.strip() and not line[close + 1 : close + 2].isdigit()
        # "$5 to $6" are two prices.
        return close + 1 - i if is_math and inner[-1] not in "(," else 1
    return 0


def _ends(line: str, i: int, reasons: Pattern) -> bool:
    """Whether the value ends before the character at `i`."""
    char = line[i]
    if char in _ENDS and not _is_factorial(line, i):
        return char != "." or _is_full_stop(line, i)
    if char in ",，、":
        return _is_comma(line, i, reasons)
    if char in "*_":
        return i > 0 and line[i - 1] != " " and _is_mark(line, i)
    if char == " ":
        return i > 0 and _ends_at_space(line, i, reasons)
    if char in ":：":
        return i > 0 and line[i + 1 : i + 2] in ("", " ", "\t")
    if char == "<":
        return bool(_TAG.match(line, i))
    if char == "[":
        return line.startswith("[/", i)
    return char in ";；" or (char in _MARKS and i > 0) or line.startswith(_UNSPACED, i)


_FACTORIAL = re.compile(
    r"!{1,2}(?:[ ]{0,2}[=*/+^×÷·≈)\]]|[ ]{1,2}[-−–] ?[\d(]|[ ]{0,2}\\(?:cdot|times|div|approx))"
)


def _is_factorial(line: str, i: int) -> bool:
    """Whether an exclamation mark is a factorial: it follows a number, and a calculation goes on behind it.

    "5!" at the end of a sentence is an exclamation.
    """
    if line[i] != "!" or i == 0:
        return False
    start = i - 1 if line[i - 1] == "!" else i
    return (
        start > 0
        and (line[start - 1].isdigit() or line[start - 1] in ")n")
        and bool(_FACTORIAL.match(line, start))
    )


def may_go_on(before: str) -> bool:
    """Whether a full stop after this may belong to a name or an abbreviation: "St", "J", "D"."""
    return bool(_ABBREVIATION.search(before) or re.search(r"(?:^|[\s(.])[^\W\d_]$", before))


def _is_full_stop(line: str, i: int) -> bool:
    """Whether a full stop ends the sentence: not in 3.5, "D.C.", "St. Louis" or "Harry S. Truman"."""
    after, before = line[i + 1 :], line[:i]
    if not after.strip(" \t*_\"')]”»`$"):
        return True
    if (
        after[0] not in " \t"
        and after[0] not in "*_\"')]”»`<$"
        and (after[0].isascii() or not after[0].isalpha())
    ):
        # 3.5, U.S.A, example.com; and "5.Let me" ends before the capital.
        return bool(re.search(r"\d$", before)) and after[0].isupper()
    follows = after.lstrip()[:30]
    if _ABBREVIATION.search(before):
        is_dotted = before[-2:-1] == "."
        return is_dotted and follows[:1].isupper()
    if _INITIAL.search(before) and re.match(r"[A-Z]\w*\b", follows):
        starter = re.match(
            r"(?:It|The|This|So|That|We|I|A|An|He|She|They|Because|Let|If|In|To|Since|You|There)\b", follows
        )
        is_name = bool(re.search(r"(?:[A-Z]\w+|[A-Z]\.) [A-Z]$", before)) or bool(
            re.match(r"[A-Z]\. ", follows)
        )
        return bool(starter) or not is_name
    return True


def _is_comma(line: str, i: int, reasons: Pattern) -> bool:
    """Whether a comma ends the value: not in 1,234, in a list or in "Washington, D.C."."""
    char, before, after = line[i], line[:i], line[i + 1 :]
    if after[:1].isdigit():
        return False
    follows = after.lstrip()
    if char == "、":
        return not follows
    if _IS_LIST.match(before) and _LISTED.match(follows):
        return False
    if _NUMBER.fullmatch(before.strip(" *_$")) or char == "，":
        return True
    if not follows or _AFTER_COMMA.match(follows) or reasons.match(follows):
        # "red, white, and blue" goes on.
        return not re.match(r"(?:and|or|und|et|y|e) \w+[.!]?$", follows) or before.count(",") == 0
    part = re.split(r"[,.;:!?]", follows, maxsplit=1)[0]
    return not (part[:1].isupper() or len(part.split()) <= 2)


def _is_mark(line: str, i: int) -> bool:
    """Whether a star or an underscore ends what is bold: not in 2 * 3, 2**3 or x_1."""
    run = len(line) - len(line[i:].lstrip(line[i])) - i
    after = line[i + run : i + run + 1]
    if line[i] == "_":
        return not (after.isalnum() or after == "{")
    return not (after.isalnum() or after in "(\\$-" and after) or (run == 2 and not line[i - 1].isalnum())


_NEXT_TURN = re.compile(r"(?:Question|Q|Problem|Input|User|Human|Example|Exercise|Task)(?: ?#?\d{1,4})?:")
"""What begins the next of several examples in one line: "Answer: 4 Question: 3+3?"."""


def _ends_at_space(line: str, i: int, reasons: Pattern) -> bool:
    """Whether a new clause, an aside or a dash follows a space."""
    follows = line[i + 1 :]
    if reasons.match(follows):
        return True
    if follows[:1] == "(":
        return bool(_PROSE.match(follows))
    if follows[:1] in "–—-":
        return bool(re.match(r"[–—-]{1,3}\s+(?:[^\W\d_]{2,}|$)|—", follows))
    if _NEXT_TURN.match(follows):
        return True
    return follows[:1] == "|" or follows.startswith(("->", "=>", "→", "//", "\\\\ "))
