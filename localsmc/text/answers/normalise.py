"""The form in which an answer is shown, without the formatting around it."""

from __future__ import annotations

import re

from localsmc.text.answers.answer import LONGEST
from localsmc.text.answers.box_scan import boxes

_PAIRS = {
    "$": "$",
    "$$": "$$",
    r"\(": r"\)",
    r"\[": r"\]",
    "**": "**",
    '"': '"',
    "“": "”",
    "«": "»",
    "„": "“",
    "`": "`",
}
_DOTTED = re.compile(r"(?:[^\W\d_]\.){2,}$")
"""An abbreviation such as D.C. or p.m., whose last full stop belongs to it."""

_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:text|mathrm|mathbf|textbf|mbox|textit)\{([^{}]*)\}", r"\1"),
        (r"\\[dt]frac", r"\\frac"),
        (r"\\frac ?(\d) ?(\d)(?!\d)", r"\\frac{\1}{\2}"),
        (r"\\(?:left|right|displaystyle)(?![a-zA-Z])|(?<!\\)\\(?:! ?|[,;: ])", ""),
        (r"−(?=[\d.\\$])", "-"),
        (r"^= ?(?=[^=\s])", ""),
    ]
]
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")


_EMOJI = re.compile(
    r"[\s\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600\u2639\u263a\u2705\u2714\u2728\u2764\u2b50\ufe0f\u200d]+$"
)
"""What decorates the end of an answer; notes, cards and chessmen may be part of it."""


def normalise(answer: str) -> str:
    """Remove formatting that does not change an answer: dollar signs, quotes, spaces, LaTeX sizes, commas."""
    if len(answer) <= LONGEST and any(char.isalnum() for char in answer):
        answer = _EMOJI.sub("", answer)
    answer = _bare(unmarked(answer))
    if len(answer) > LONGEST:
        return answer
    if "\\boxed" in answer and (inner := boxes(answer)):
        answer = inner[-1].strip()
    answer = undoubled(answer)
    for pattern, replacement in _REWRITES:
        answer = pattern.sub(replacement, answer)
    if not answer.startswith(("(", "[", "\\{", "{")):
        # Commas separate thousands, except in brackets: (6,310) is a pair.
        answer = _THOUSANDS.sub(lambda one: one[0].replace(",", ""), answer)
    answer = answer.replace("\\%", "%").replace("\\$", "")
    # Around $5$ apples the marks are inside.
    answer = re.sub(r"\$([^$]*)\$", r"\1", answer) if answer.count("$") > 1 else answer
    answer = re.sub(r"\\\((.*?)\\\)", r"\1", answer)
    if not _DOTTED.search(answer):
        answer = answer.rstrip(".。")
    return re.sub(r"\s+", " ", answer.strip())


_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z{}])")


def undoubled(answer: str) -> str:
    """LaTeX that was escaped once too often, as it should be. In a matrix two strokes end a row."""
    return answer if "\\begin" in answer else _DOUBLED.sub(r"\\", answer)


_OPENING_MARKS = re.compile(r"(?:\*{2,3}|__|`|~~|#{1,6} |> )+(?=\S)")
_CLOSING_MARKS = re.compile(r"(?<=[^\s^_{*])(?:\*{2,3}|__|`|(?<=[\d}).])\*)+$")


def unmarked(answer: str) -> str:
    """The answer without marks of Markdown around it, of which one side may be lost: `73**`, `__73__`."""
    answer = answer.strip()
    if len(answer) > LONGEST:
        return answer
    if found := _OPENING_MARKS.match(answer):
        answer = answer[found.end() :]
    if re.fullmatch(r"([*_])(?=\S)([^*_]+)(?<=\S)\1", answer):
        answer = answer[1:-1]
    return _CLOSING_MARKS.sub("", answer).strip()


def _bare(answer: str) -> str:
    """The answer without marks around all of it."""
    for _ in range(4):
        before = answer
        for opening, closing in _PAIRS.items():
            is_around = answer.startswith(opening) and answer.endswith(closing)
            inner = answer[len(opening) : -len(closing)]
            if is_around and inner and closing not in inner and opening not in inner:
                answer = inner.strip()
        answer = answer.strip("$").strip() if answer.count("$") == 1 else answer
        if answer == before:
            break
    return answer
