"""Statements of an answer in a text: "the answer is ..."."""

from __future__ import annotations

import re

from localsmc.text.answers.box_scan import BOX

STATED = re.compile(
    r"(?:^|\b)(?:final\s+)?answer\s*(?:is|:|=)\s*[:=]?\s*(?:\*\*)?\s*(?P<answer>[^\n]+?)\s*(?:\*\*)?\s*\.?\s*(?:$|\n)",
    re.IGNORECASE,
)


def stated(text: str, *, is_cut: bool) -> str | None:
    """The last answer that a text states; None if it states none."""
    found = [match for match in STATED.finditer(text) if not _is_unfinished(match["answer"])]
    if found and is_cut and not text[found[-1].end("answer") :]:
        found.pop()
    return found[-1]["answer"] if found else None


def _is_unfinished(answer: str) -> bool:
    r"""Whether an answer ends in a truncated box, which may be cut as early as after its ``\\``."""
    start = answer.rfind("\\")
    return "\\boxed" in answer or (start >= 0 and BOX.decode().startswith(answer[start:]))
