"""Find the final answer in a completion, and compare answers.

Pure functions on text: no model, no signals, no threads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

BOX = b"\\boxed{"


@dataclass(frozen=True, slots=True)
class BoxScan:
    r"""The state of a left-to-right scan for a complete, non-empty ``\boxed{...}``.

    The result does not depend on how the bytes are split between calls. Escaped braces
    (``\{``) do not count.
    """

    matched: int = 0
    """Bytes of BOX matched so far, outside a box."""
    depth: int = 0
    """Number of open braces, inside a box."""
    escaped: bool = False
    is_empty: bool = True
    complete: bool = False

    def feed(self, text: bytes) -> BoxScan:
        """The state after more bytes; a complete scan stays complete."""
        scan = self
        for byte in text:
            if scan.complete:
                return scan
            scan = scan._inside(byte) if scan.depth else scan._outside(byte)
        return scan

    def _outside(self, byte: int) -> BoxScan:
        if byte == BOX[self.matched]:
            matched = self.matched + 1
            return BoxScan(depth=1) if matched == len(BOX) else BoxScan(matched=matched)
        return BoxScan(matched=int(byte == BOX[0]))

    def _inside(self, byte: int) -> BoxScan:
        if self.escaped:
            return BoxScan(depth=self.depth, is_empty=False)
        if byte == ord("\\"):
            return BoxScan(depth=self.depth, escaped=True, is_empty=self.is_empty)
        depth = self.depth + (byte == ord("{")) - (byte == ord("}"))
        if depth == 0:
            return BoxScan() if self.is_empty else BoxScan(complete=True)
        return BoxScan(depth=depth, is_empty=self.is_empty and byte in b" \t\n")


def boxes(text: str) -> list[str]:
    r"""The contents of all complete, non-empty ``\boxed{...}`` in a text, in order of appearance."""
    data, found, start = text.encode(), [], 0
    while (opened := data.find(BOX, start) + len(BOX)) >= len(BOX):
        scan, start = BoxScan(depth=1), opened
        while scan.depth and start < len(data):
            scan = scan.feed(data[start : start + 1])
            start += 1
        if scan.complete:
            found.append(data[opened : start - 1].decode(errors="replace"))
    return found


STATED = re.compile(
    r"(?:^|\b)(?:final\s+)?answer\s*(?:is|:|=)\s*[:=]?\s*(?:\*\*)?\s*(?P<answer>[^\n]+?)\s*(?:\*\*)?\s*\.?\s*(?:$|\n)",
    re.IGNORECASE,
)


MIXED = re.compile(r"[+-]?\d+ ?(?:\\frac\{\d+\}\{\d+\}|(?<= )\d+/\d+)")
"""A mixed number such as 2 1/2: compared as text, because it is neither a product nor a quotient."""


def extract(text: str) -> str | None:
    r"""The normalised final answer of a text: its last box, otherwise its last "answer is ...".

    None if the text states no answer.
    """
    boxed = boxes(text)
    if boxed:
        return normalise(boxed[-1]) or None
    # A truncated box does not state an answer.
    stated = [match for match in STATED.finditer(text) if not _is_unfinished(match["answer"])]
    return (normalise(stated[-1]["answer"]) or None) if stated else None


def _is_unfinished(answer: str) -> bool:
    r"""Whether an answer ends in a truncated box, which may be cut as early as after its ``\\``."""
    start = answer.rfind("\\")
    return "\\boxed" in answer or (start >= 0 and BOX.decode().startswith(answer[start:]))


def normalise(answer: str) -> str:
    """Remove formatting that does not change an answer: dollar signs, spaces, LaTeX sizes, commas."""
    answer = answer.strip().strip("$").strip()
    answer = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}", r"\1", answer)
    answer = re.sub(r"\\[dt]frac", r"\\frac", answer)
    answer = re.sub(r"\\(?:left|right|displaystyle)(?![a-zA-Z])|(?<!\\)\\[!,;: ]", "", answer)
    if not answer.startswith(("(", "[", "\\{", "{")):
        # Commas separate thousands, except in brackets: (6,310) is a pair.
        answer = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", answer)
    answer = answer.replace("\\%", "%").replace("\\$", "").rstrip(".").strip()
    return re.sub(r"\s+", " ", answer)


def key(answer: str) -> str:
    r"""The key for grouping answers: the exact value of a number (0.5, 1/2, \frac{1}{2}), else the text."""
    if MIXED.fullmatch(answer):
        return answer
    plain = re.sub(r"(?<!\d)\\frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", answer)
    compact = re.sub(r"(?<!\d) | (?!\d)", "", plain)
    if re.fullmatch(r"[+-]?\d{1,200}(?:\.\d{0,200}|/0*[1-9]\d{0,200})?|[+-]?\.\d{1,200}", compact):
        return str(Fraction(compact))
    return compact


def same(found: str | None, answer: str) -> bool:
    """Whether a found answer equals the expected one; False if none was found."""
    return found is not None and key(found) == key(answer)
